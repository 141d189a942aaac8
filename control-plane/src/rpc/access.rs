//! Whose credential is whose: what the access layer asks, and what gateways ask through the directory.

use muster_proto::v1::access_service_server::AccessService;
use muster_proto::v1::{GetCallerRequest, GetCallerResponse};
use muster_runtime::access::layer::Authenticate;
use muster_runtime::access::remembered::Remembered;
use muster_runtime::access::{Caller, Credential};
use muster_runtime::key::{KeyHash, is_api_key};
use muster_runtime::{Error, Result, name};
use secrecy::{ExposeSecret as _, SecretString};
use tonic::{Request, Response, Status};

use crate::db::{Database, Micros, SystemTx};
use crate::oidc::{self, Pin, Refused, Verifier};
use crate::rpc::{Api, caller};
use crate::store::keys::{Holder, key_by_secret};
use crate::store::members::{Identified, member_sign_in};
use crate::store::tenants::{Pinned, TenantState, tenants_by_pin};

/// Knows whose credential is whose.
#[derive(Clone)]
pub(crate) struct Access {
    db: Database,
    operator: KeyHash,
    verifier: Verifier,
    remembered: Remembered,
}

impl Access {
    pub(crate) fn new(db: Database, operator_key: &SecretString, verifier: Verifier) -> Self {
        let operator = KeyHash::of(operator_key.expose_secret());
        Self { db, operator, verifier, remembered: Remembered::default() }
    }

    /// Who has signed in with this token of an identity provider.
    pub(crate) async fn signed_in(&self, token: &str) -> Result<Caller> {
        self.remembered.get(KeyHash::of(token), self.sign_in(token)).await
    }

    /// What a token says of itself leads to the tenant that is pinned to its issuer and audience; what that issuer has
    /// signed leads to the member.
    async fn sign_in(&self, token: &str) -> Result<Caller> {
        let claimed = oidc::peek(token).ok_or_else(Error::unauthenticated)?;
        let pinned = {
            let mut client = self.db.system().await?;
            let tx = SystemTx::begin(&mut client).await?;
            tenants_by_pin(&tx, &claimed.issuer, &claimed.audiences).await?
        };
        // A token for two tenants says nothing about which of them is meant.
        let Ok([pinned]) = <[Pinned; 1]>::try_from(pinned) else { return Err(Error::unauthenticated()) };
        let pin = Pin { issuer: claimed.issuer, audience: pinned.audience };
        let identity = self.verifier.verify(token, &pin).await.map_err(refused)?;
        let mut client = self.db.system().await?;
        let tx = SystemTx::begin(&mut client).await?;
        let email = identity.email.map(|email| email.to_lowercase());
        let who = Identified {
            tenant: pinned.tenant,
            issuer: &pin.issuer,
            audience: &pin.audience,
            subject: &identity.subject,
            email: email.as_deref(),
        };
        let holder = member_sign_in(&tx, &who).await?.ok_or_else(Error::unauthenticated)?;
        tx.commit().await?;
        active(&holder)
    }

    /// Whose key has this hash.
    pub(crate) async fn holder(&self, key: KeyHash) -> Result<Caller> {
        if key == self.operator {
            return Ok(Caller::Operator);
        }
        self.remembered.get(key, self.look_up(key)).await
    }

    async fn look_up(&self, key: KeyHash) -> Result<Caller> {
        let mut client = self.db.system().await?;
        let tx = SystemTx::begin(&mut client).await?;
        let holder = key_by_secret(&tx, key, Micros::now()).await?.ok_or_else(Error::unauthenticated)?;
        tx.commit().await?;
        active(&holder)
    }
}

fn active(holder: &Holder) -> Result<Caller> {
    match holder.tenant_state {
        TenantState::Active => Ok(Caller::Tenant(holder.principal)),
        TenantState::Suspended | TenantState::Deleted | TenantState::Purged => Err(Error::suspended()),
    }
}

/// The log says why; the caller only learns that it was refused, or that the same token may be good later.
fn refused(why: Refused) -> Error {
    if why.may_pass() {
        return Error::unavailable(why);
    }
    tracing::info!(%why, "a token was refused");
    Error::unauthenticated()
}

impl Authenticate for Access {
    async fn caller(&self, credential: &Credential) -> Result<Caller> {
        if credential.is_token() {
            return self.signed_in(credential.expose()).await;
        }
        let hash = credential.hash();
        if hash != self.operator && !is_api_key(credential.expose()) {
            return Err(Error::unauthenticated());
        }
        self.holder(hash).await
    }
}

#[tonic::async_trait]
impl AccessService for Api {
    async fn get_caller(
        &self,
        request: Request<GetCallerRequest>,
    ) -> Result<Response<GetCallerResponse>, Status> {
        let caller = caller(&request)?;
        let tenant = match caller {
            Caller::Operator => String::new(),
            Caller::Tenant(principal) => name::format("tenants/*", &[principal.tenant.0]),
        };
        let permissions = caller.permissions().names();
        Ok(Response::new(GetCallerResponse { caller: caller.name(), tenant, permissions }))
    }
}
