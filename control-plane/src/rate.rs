//! How many calls a second a tenant's callers may make to this process: a token bucket for each tenant, right behind the
//! access layer, which has said whose call it is. A stream counts once, when it begins. Operators are not counted.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use moka::future::Cache;
use muster_domain::id::TenantId;
use muster_runtime::access::layer::{Call, refuse};
use muster_runtime::access::{Caller, Principal};
use muster_runtime::{Result, clock};
use tonic::body::Body;
use tonic::codegen::{Service, http};

use crate::db::{Database, SystemTx};
use crate::quota::{Quota, Quotas};
use crate::store::tenants::tenant_get;

/// How long a tenant's quota is remembered.
const REMEMBERED: Duration = Duration::from_secs(2);
/// How long the bucket of a tenant that does not call is kept: far longer than it takes to be full again.
const IDLE: Duration = Duration::from_secs(60);
/// Tenants remembered at most.
const TENANTS_MAX: u64 = 10_000;

/// The tenants' quotas and buckets.
#[derive(Clone)]
pub(crate) struct Rates {
    db: Database,
    limits: Cache<TenantId, i64>,
    buckets: Cache<TenantId, Arc<Mutex<Bucket>>>,
}

impl Rates {
    pub(crate) fn new(db: Database) -> Self {
        let limits = Cache::builder().max_capacity(TENANTS_MAX).time_to_live(REMEMBERED).build();
        let buckets = Cache::builder().max_capacity(TENANTS_MAX).time_to_idle(IDLE).build();
        Self { db, limits, buckets }
    }

    /// Lets one call of `tenant` through, or says when to come again.
    async fn admit(&self, tenant: TenantId) -> Result<()> {
        let limit = self.limits.try_get_with(tenant, self.look_up(tenant)).await;
        let limit = limit.map_err(|error| (*error).clone())?;
        let now_us = clock::now_us();
        let bucket = async { Arc::new(Mutex::new(Bucket::full(limit, now_us))) };
        let bucket = self.buckets.get_with(tenant, bucket).await;
        let waits = bucket.lock().unwrap_or_else(PoisonError::into_inner).take(limit, now_us);
        match waits {
            None => Ok(()),
            Some(wait) => Err(Quota::ApiCallsPerSecond.exceeded(tenant, limit).retry_after(wait)),
        }
    }

    async fn look_up(&self, tenant: TenantId) -> Result<i64> {
        let mut client = self.db.system().await?;
        let tx = SystemTx::begin(&mut client).await?;
        let quotas = tenant_get(&tx, tenant).await?.map_or_else(Quotas::default, |tenant| tenant.quotas);
        Ok(quotas.limit(Quota::ApiCallsPerSecond).unwrap_or(i64::MAX))
    }
}

/// Calls that a tenant may make now. It saves up to as many as it may make in a second.
#[derive(Debug)]
struct Bucket {
    calls: f64,
    filled_us: i64,
}

impl Bucket {
    #[expect(clippy::cast_precision_loss, reason = "a rate is far below 2^52")]
    fn full(limit: i64, now_us: i64) -> Self {
        Self { calls: limit as f64, filled_us: now_us }
    }

    /// Takes one call; otherwise says how long it takes until there is one.
    #[expect(clippy::cast_precision_loss, reason = "rates and spans of microseconds are far below 2^52")]
    fn take(&mut self, limit: i64, now_us: i64) -> Option<Duration> {
        let limit = limit as f64;
        let elapsed_s = (now_us - self.filled_us).max(0) as f64 / 1e6;
        self.calls = (self.calls + elapsed_s * limit).min(limit);
        // A clock that jumps back gives nothing away.
        self.filled_us = self.filled_us.max(now_us);
        if self.calls >= 1.0 {
            self.calls -= 1.0;
            return None;
        }
        Some(Duration::from_secs_f64((1.0 - self.calls) / limit))
    }
}

/// Puts [`RateService`] before a service.
#[derive(Clone)]
pub(crate) struct RateLayer(pub(crate) Rates);

impl<S> tower::Layer<S> for RateLayer {
    type Service = RateService<S>;

    fn layer(&self, inner: S) -> RateService<S> {
        RateService { rates: self.0.clone(), inner }
    }
}

/// Lets through what is within the tenants' rates.
#[derive(Clone)]
pub(crate) struct RateService<S> {
    rates: Rates,
    inner: S,
}

type Response = http::Response<Body>;
type Answer = Pin<Box<dyn Future<Output = std::result::Result<Response, Infallible>> + Send>>;

impl<S> Service<http::Request<Body>> for RateService<S>
where
    S: Service<http::Request<Body>, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<std::result::Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Answer {
        let rates = self.rates.clone();
        // The service that was polled ready is the one to call.
        let ready = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, ready);
        Box::pin(async move {
            if let Some(Call { caller: Caller::Tenant(Principal { tenant, .. }), .. }) =
                request.extensions().get()
                && let Err(error) = rates.admit(*tenant).await
            {
                return Ok(refuse(request, error).await);
            }
            inner.call(request).await
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls that are let through when as many as there can be are made every millisecond.
    fn admitted(limit: i64, milliseconds: i64) -> i64 {
        let mut bucket = Bucket::full(limit, 0);
        (0..milliseconds)
            .map(|at| std::iter::from_fn(|| bucket.take(limit, at * 1_000).is_none().then_some(())).count())
            .map(|count| i64::try_from(count).expect("a count"))
            .sum()
    }

    #[test]
    fn a_burst_of_a_second_and_then_the_rate() {
        for limit in [1, 7, 100, 1_000] {
            let through = admitted(limit, 10_000);
            assert!((limit * 10..=limit * 11).contains(&through), "{limit}/s: {through} in 10 s");
        }
    }

    #[test]
    fn who_waits_as_long_as_they_are_told_gets_through() {
        let mut bucket = Bucket::full(4, 0);
        for _ in 0..4 {
            assert_eq!(bucket.take(4, 0), None);
        }
        let wait = bucket.take(4, 0).expect("a wait");
        let wait_us = i64::try_from(wait.as_micros()).expect("a span");
        assert!(bucket.take(4, wait_us - 1_000).is_some());
        assert_eq!(bucket.take(4, wait_us + 1), None);
    }

    #[test]
    fn a_clock_that_jumps_back_gives_nothing_away() {
        let mut bucket = Bucket::full(1, 10_000_000);
        assert_eq!(bucket.take(1, 10_000_000), None);
        assert!(bucket.take(1, 0).is_some());
        assert!(bucket.take(1, 10_500_000).is_some());
        assert_eq!(bucket.take(1, 11_000_000), None);
    }
}
