//! The access layer: turns a call's key into a [`Caller`], or refuses the call. It stands before every service, so
//! that a service without access control cannot be added by mistake. Only health and reflection are open.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use moka::future::Cache;
use muster_domain::id::TenantId;
use muster_runtime::access::{Caller, bearer};
use muster_runtime::key::KeyHash;
use muster_runtime::{Error, Result};
use secrecy::{ExposeSecret as _, SecretString};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::codegen::http;
use tonic::metadata::MetadataMap;

use crate::db::{Database, SystemTx};
use crate::store::tenants::tenant_by_key;

/// How long a key is believed without looking: a key that was replaced works this much longer.
const KEY_FRESH: Duration = Duration::from_secs(5);
/// Keys remembered at most.
const KEYS_MAX: u64 = 10_000;
/// What may be called without a key.
const OPEN: [&str; 2] = ["/grpc.health.v1.Health/", "/grpc.reflection."];

/// Knows whose key is whose.
#[derive(Clone)]
pub(crate) struct Access {
    db: Database,
    operator: KeyHash,
    known: Cache<KeyHash, TenantId>,
}

impl Access {
    pub(crate) fn new(db: Database, operator_key: &SecretString) -> Self {
        let known = Cache::builder().max_capacity(KEYS_MAX).time_to_live(KEY_FRESH).build();
        Self { db, operator: KeyHash::of(operator_key.expose_secret()), known }
    }

    /// Whose key has this hash.
    pub(crate) async fn caller(&self, key: KeyHash) -> Result<Caller> {
        if key == self.operator {
            return Ok(Caller::Operator);
        }
        let tenant = self.known.try_get_with(key, self.look_up(key)).await;
        tenant.map(Caller::Tenant).map_err(|error: Arc<Error>| {
            if error.code() == tonic::Code::Unauthenticated {
                Error::unauthenticated()
            } else {
                Error::unavailable(error)
            }
        })
    }

    async fn look_up(&self, key: KeyHash) -> Result<TenantId> {
        let mut client = self.db.system().await?;
        let tx = SystemTx::begin(&mut client).await?;
        tenant_by_key(&tx, key).await?.ok_or_else(Error::unauthenticated)
    }

    async fn admit(&self, headers: &http::HeaderMap) -> Result<Caller> {
        let metadata = MetadataMap::from_headers(headers.clone());
        self.caller(KeyHash::of(bearer(&metadata)?)).await
    }
}

/// Puts [`AccessService`] before a service.
#[derive(Clone)]
pub(crate) struct AccessLayer(pub(crate) Access);

impl<S> tower::Layer<S> for AccessLayer {
    type Service = AccessService<S>;

    fn layer(&self, inner: S) -> AccessService<S> {
        AccessService { access: self.0.clone(), inner }
    }
}

/// Admits calls with a valid key to the service within.
#[derive(Clone)]
pub(crate) struct AccessService<S> {
    access: Access,
    inner: S,
}

impl<S> Service<http::Request<Body>> for AccessService<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
{
    type Response = http::Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = std::result::Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<std::result::Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        let access = self.access.clone();
        // The service that was polled ready is the one to call.
        let ready = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, ready);
        Box::pin(async move {
            if !OPEN.iter().any(|open| request.uri().path().starts_with(open)) {
                match access.admit(request.headers()).await {
                    Ok(caller) => request.extensions_mut().insert(caller),
                    Err(error) => return Ok(Status::from(error).into_http()),
                };
            }
            inner.call(request).await
        })
    }
}
