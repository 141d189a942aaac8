//! The directory: what sender nodes and gateways must know of the database that they never open.

use muster_proto::internal::v1::directory_service_server::DirectoryService;
use muster_proto::internal::v1::{
    Account as WireAccount, AuthenticateRequest, AuthenticateResponse, GetAccountRequest,
    GetWebhookAccountRequest,
};
use muster_runtime::access::Caller;
use muster_runtime::key::KeyHash;
use muster_runtime::{Error, frame};
use tonic::{Request, Response, Status};

use crate::db::{Database, SystemTx};
use crate::rpc::access::Access;
use crate::store::accounts::{Account, account_by_webhook_token, account_of_any_tenant};

/// Answers our own processes.
#[derive(Clone)]
pub(crate) struct Directory {
    pub(crate) db: Database,
    pub(crate) access: Access,
}

/// A provider account with its secrets, as our own processes get it.
fn encode(account: Account) -> WireAccount {
    WireAccount {
        account_id: frame::id_bytes(account.id),
        tenant_id: frame::id_bytes(account.tenant),
        provider: u32::from(account.provider.unsigned_abs()),
        account_sid: account.account_sid,
        api_secret: account.api_secret,
        webhook_key: account.webhook_key,
        base_url: account.base_url.unwrap_or_default(),
        webhook_token: account.webhook_token,
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
        let mut client = self.db.system().await?;
        let tx = SystemTx::begin(&mut client).await?;
        let account = account_of_any_tenant(&tx, id).await?;
        Ok(Response::new(encode(account.ok_or_else(|| Error::not_found("the provider account"))?)))
    }

    async fn get_webhook_account(
        &self,
        request: Request<GetWebhookAccountRequest>,
    ) -> Result<Response<WireAccount>, Status> {
        let token = request.into_inner().webhook_token;
        let mut client = self.db.system().await?;
        let tx = SystemTx::begin(&mut client).await?;
        let account = account_by_webhook_token(&tx, &token).await?;
        Ok(Response::new(encode(account.ok_or_else(|| Error::not_found("the webhook path"))?)))
    }

    async fn authenticate(
        &self,
        request: Request<AuthenticateRequest>,
    ) -> Result<Response<AuthenticateResponse>, Status> {
        let hash = <[u8; 32]>::try_from(&request.into_inner().key_hash[..])
            .map_err(|_| Error::invalid("key_hash", "must have 32 bytes"))?;
        let tenant_id = match self.access.caller(KeyHash(hash)).await? {
            Caller::Operator => bytes::Bytes::new(),
            Caller::Tenant(tenant) => frame::id_bytes(tenant.0),
        };
        Ok(Response::new(AuthenticateResponse { tenant_id }))
    }
}
