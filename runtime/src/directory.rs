//! The control-plane as sender nodes and gateways see it: one channel, and answers that are kept for a moment.

use std::borrow::Borrow;
use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use moka::Expiry;
use moka::future::Cache;
use muster_domain::id::{ProviderAccountId, TenantId};
use muster_proto::internal::v1::directory_service_client::DirectoryServiceClient;
use muster_proto::internal::v1::{Account, AuthenticateRequest, GetAccountRequest, GetWebhookAccountRequest};
use secrecy::SecretString;
use serde::Deserialize;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use crate::access::{Caller, InternalToken};
use crate::frame::{id_bytes, id_from};
use crate::key::KeyHash;

/// How long an answer is kept: what an operator changes or revokes takes effect within this time.
pub const KEPT: Duration = Duration::from_secs(5);
/// How long "there is none" is kept.
const KEPT_NONE: Duration = Duration::from_secs(1);
/// Answers kept at once, of one kind.
const ANSWERS_MAX: u64 = 10_000;
/// How long connecting to the control-plane may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long the directory may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// How often the connection is probed, and how long the answer may take: so a dead one is noticed.
const PROBE: Duration = Duration::from_secs(5);

/// What the control-plane may send ahead of our reading: a batch of claims in one go.
const WINDOW_BYTES: u32 = 1024 * 1024;

/// How to reach the control-plane's internal services.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControlPlane {
    /// The internal listener, such as `http://127.0.0.1:7401`.
    pub url: String,
}

/// A channel that proves that we are one of the platform's own processes.
pub type InternalChannel = InterceptedService<Channel, InternalToken>;

impl ControlPlane {
    /// A channel to the control-plane. It connects when it is first used, and again whenever it must.
    ///
    /// # Errors
    /// Where the URL is not one.
    pub fn channel(&self, token: SecretString) -> anyhow::Result<InternalChannel> {
        let endpoint = Endpoint::from_shared(self.url.clone())
            .with_context(|| format!("control_plane.url is not a URL: {}", self.url))?
            .connect_timeout(CONNECT_TIMEOUT)
            .http2_keep_alive_interval(PROBE)
            .keep_alive_timeout(PROBE)
            .keep_alive_while_idle(true)
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(4 * WINDOW_BYTES)
            .tcp_nodelay(true);
        Ok(InterceptedService::new(endpoint.connect_lazy(), InternalToken(token)))
    }
}

/// The control-plane gave no answer that is of use.
#[derive(Debug, thiserror::Error)]
pub enum Unanswered {
    /// It did not answer in time.
    #[error("the control-plane did not answer in time")]
    Late,
    /// It failed, or could not be reached.
    #[error("the control-plane could not answer")]
    Failed(#[source] Status),
    /// Its answer has something that this build cannot read.
    #[error("this build cannot read {0} as the control-plane writes it")]
    Unreadable(&'static str),
}

/// Asks the directory. Nothing is kept here; see [`Kept`].
#[derive(Clone)]
pub struct Directory {
    client: DirectoryServiceClient<InternalChannel>,
}

impl Directory {
    /// The directory behind `channel`.
    pub fn new(channel: InternalChannel) -> Self {
        Self { client: DirectoryServiceClient::new(channel) }
    }

    /// The account with this id, with its secrets.
    ///
    /// # Errors
    /// Where the control-plane does not answer.
    pub async fn account(&self, id: ProviderAccountId) -> Result<Option<Account>, Unanswered> {
        let mut client = self.client.clone();
        let request = GetAccountRequest { account_id: id_bytes(id.0) };
        found(within(client.get_account(request)).await, Code::NotFound)
    }

    /// The account that a webhook path belongs to, with its secrets.
    ///
    /// # Errors
    /// Where the control-plane does not answer.
    pub async fn webhook_account(&self, token: &str) -> Result<Option<Account>, Unanswered> {
        let mut client = self.client.clone();
        let request = GetWebhookAccountRequest { webhook_token: token.to_owned() };
        found(within(client.get_webhook_account(request)).await, Code::NotFound)
    }

    /// Whose key this is.
    ///
    /// # Errors
    /// Where the control-plane does not answer.
    pub async fn caller(&self, key: KeyHash) -> Result<Option<Caller>, Unanswered> {
        let mut client = self.client.clone();
        let request = AuthenticateRequest { key_hash: key.0.to_vec().into() };
        let answer = within(client.authenticate(request)).await;
        let Some(caller) = found(answer, Code::Unauthenticated)? else { return Ok(None) };
        if caller.tenant_id.is_empty() {
            return Ok(Some(Caller::Operator));
        }
        let tenant = id_from(&caller.tenant_id).ok_or(Unanswered::Unreadable("a tenant's id"))?;
        Ok(Some(Caller::Tenant(TenantId(tenant))))
    }
}

type Response<T> = Result<tonic::Response<T>, Status>;

async fn within<T>(response: impl Future<Output = Response<T>>) -> Result<Response<T>, Unanswered> {
    tokio::time::timeout(ANSWER_TIMEOUT, response).await.map_err(|_elapsed| Unanswered::Late)
}

fn found<T>(response: Result<Response<T>, Unanswered>, none: Code) -> Result<Option<T>, Unanswered> {
    match response? {
        Ok(response) => Ok(Some(response.into_inner())),
        Err(status) if status.code() == none => Ok(None),
        Err(status) => Err(Unanswered::Failed(status)),
    }
}

/// Answers of the directory by what was asked, each kept for [`KEPT`] at most. However many want the same
/// answer at once, it is asked for once. That the directory did not answer is never kept.
pub struct Kept<K, V> {
    answers: Cache<K, Option<Arc<V>>>,
}

impl<K, V> Kept<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    /// Keeps nothing yet.
    pub fn new() -> Self {
        let answers = Cache::builder().max_capacity(ANSWERS_MAX).expire_after(Age).build();
        Self { answers }
    }

    /// The answer for `key`: the one kept, or else what `ask` brings.
    ///
    /// # Errors
    /// What `ask` failed with.
    pub async fn get<Q, A>(&self, key: &Q, ask: A) -> Result<Option<Arc<V>>, Arc<Unanswered>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        A: Future<Output = Result<Option<V>, Unanswered>>,
    {
        if let Some(answer) = self.answers.get(key).await {
            return Ok(answer);
        }
        let ask = async { ask.await.map(|answer| answer.map(Arc::new)) };
        Box::pin(self.answers.try_get_with_by_ref(key, ask)).await
    }
}

impl<K, V> Default for Kept<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    fn default() -> Self {
        Self::new()
    }
}

/// How long each answer is kept.
struct Age;

impl<K, V> Expiry<K, Option<V>> for Age {
    fn expire_after_create(&self, _: &K, answer: &Option<V>, _: Instant) -> Option<Duration> {
        Some(if answer.is_some() { KEPT } else { KEPT_NONE })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn one_question_for_many_who_ask_and_failures_are_not_kept() {
        let kept = Kept::<u8, u8>::new();
        let asked = AtomicUsize::new(0);
        let ask = async || {
            asked.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            if asked.load(Ordering::Relaxed) == 1 { Err(Unanswered::Late) } else { Ok(Some(7)) }
        };
        assert!(kept.get(&1, ask()).await.is_err());
        let many = futures::future::join_all((0..10).map(|_| kept.get(&1, ask()))).await;
        for answer in many {
            assert_eq!(answer.expect("answered").as_deref(), Some(&7));
        }
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn that_there_is_none_is_kept_too() {
        let kept = Kept::<u8, u8>::new();
        assert!(kept.get(&1, async { Ok(None) }).await.expect("answered").is_none());
        let again = kept.get(&1, async { panic!("asked again") }).await;
        assert!(again.expect("answered").is_none());
    }
}
