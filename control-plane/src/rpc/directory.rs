//! The directory: what sender nodes and gateways must know of the database that they never open.

use muster_proto::internal::v1::directory_service_server::DirectoryService;
use muster_proto::internal::v1::{
    Account as WireAccount, AuthenticateRequest, AuthenticateResponse, GetAccountRequest,
    GetWebhookAccountRequest, authenticate_request,
};
use muster_runtime::access::{Actor, Caller};
use muster_runtime::key::KeyHash;
use muster_runtime::{Error, Result, frame};
use secrecy::ExposeSecret as _;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::db::{Database, SystemTx};
use crate::rpc::access::Access;
use crate::secrets::Secrets;
use crate::store::accounts::{Account, account_by_webhook_token, account_of_any_tenant};

/// Answers our own processes.
#[derive(Clone)]
pub(crate) struct Directory {
    pub(crate) db: Database,
    pub(crate) secrets: Secrets,
    pub(crate) access: Access,
}

impl Directory {
    /// A provider account with its secrets, as our own processes get it.
    pub(super) async fn encode(&self, account: Account) -> Result<WireAccount> {
        let secrets = self.secrets.open(&account.name(), &account.sealed).await?;
        Ok(WireAccount {
            account_id: frame::id_bytes(account.id),
            tenant_id: frame::id_bytes(account.tenant),
            provider: u32::from(account.provider.unsigned_abs()),
            account_sid: account.account_sid,
            api_user: account.api_user,
            application_id: account.application_id,
            api_secret: secrets.api_secret.expose_secret().to_owned(),
            webhook_key: secrets.webhook_key.expose_secret().to_owned(),
            second_webhook_key: secrets.second_webhook_key.expose_secret().to_owned(),
            base_url: account.base_url.unwrap_or_default(),
            webhook_token: secrets.webhook_token.expose_secret().to_owned(),
        })
    }

    async fn by_id(&self, id: Uuid) -> Result<Option<Account>> {
        let mut client = self.db.system().await?;
        let tx = SystemTx::begin(&mut client).await?;
        Ok(account_of_any_tenant(&tx, id).await?)
    }

    async fn by_webhook_token(&self, token: KeyHash) -> Result<Option<Account>> {
        let mut client = self.db.system().await?;
        let tx = SystemTx::begin(&mut client).await?;
        Ok(account_by_webhook_token(&tx, token).await?)
    }
}

#[tonic::async_trait]
impl DirectoryService for Directory {
    async fn get_account(
        &self,
        request: Request<GetAccountRequest>,
    ) -> Result<Response<WireAccount>, Status> {
        let id = frame::id_from(&request.into_inner().account_id)
            .ok_or_else(|| Error::invalid("account_id", "must have 16 bytes"))?;
        // The connection is given back before a secret is opened, which may take a call to elsewhere.
        let account = self.by_id(id).await?.ok_or_else(|| Error::not_found("the provider account"))?;
        Ok(Response::new(self.encode(account).await?))
    }

    async fn get_webhook_account(
        &self,
        request: Request<GetWebhookAccountRequest>,
    ) -> Result<Response<WireAccount>, Status> {
        let token = KeyHash::of(&request.into_inner().webhook_token);
        let account = self.by_webhook_token(token).await?;
        let account = account.ok_or_else(|| Error::not_found("the webhook path"))?;
        Ok(Response::new(self.encode(account).await?))
    }

    async fn authenticate(
        &self,
        request: Request<AuthenticateRequest>,
    ) -> Result<Response<AuthenticateResponse>, Status> {
        let caller = match request.into_inner().credential {
            Some(authenticate_request::Credential::KeyHash(hash)) => {
                let hash = <[u8; 32]>::try_from(&hash[..])
                    .map_err(|_| Error::invalid("key_hash", "must have 32 bytes"))?;
                self.access.holder(KeyHash(hash)).await?
            }
            Some(authenticate_request::Credential::Token(token)) => self.access.signed_in(&token).await?,
            None => return Err(Error::invalid("credential", "is required").into()),
        };
        Ok(Response::new(encode_caller(caller)))
    }
}

fn encode_caller(caller: Caller) -> AuthenticateResponse {
    let mut answer =
        AuthenticateResponse { permissions: caller.permissions().bits(), ..AuthenticateResponse::default() };
    if let Caller::Tenant(principal) = caller {
        answer.tenant_id = frame::id_bytes(principal.tenant.0);
        answer.end_us = principal.end_us;
        match principal.actor {
            Actor::Member(member) => answer.member_id = frame::id_bytes(member.0),
            Actor::ApiKey(key) => answer.api_key_id = frame::id_bytes(key.0),
        }
    }
    answer
}
