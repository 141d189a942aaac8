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
use crate::rpc::{Api, caller};
use crate::store::keys::key_by_secret;
use crate::store::tenants::TenantState;

/// Knows whose credential is whose.
#[derive(Clone)]
pub(crate) struct Access {
    db: Database,
    operator: KeyHash,
    remembered: Remembered,
}

impl Access {
    pub(crate) fn new(db: Database, operator_key: &SecretString) -> Self {
        let operator = KeyHash::of(operator_key.expose_secret());
        Self { db, operator, remembered: Remembered::default() }
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
        match holder.tenant_state {
            TenantState::Active => Ok(Caller::Tenant(holder.principal)),
            TenantState::Suspended | TenantState::Deleted | TenantState::Purged => Err(Error::suspended()),
        }
    }
}

impl Authenticate for Access {
    async fn caller(&self, credential: &Credential) -> Result<Caller> {
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
