//! The control-plane as sender nodes and gateways see it: one channel, and answers that are kept for a moment.
//!
//! Accounts outlast an outage of the control-plane; whose credential is whose does not: without a fresh answer nobody is
//! let in.

use std::borrow::Borrow;
use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use moka::Expiry;
use moka::future::Cache;
use muster_domain::id::{ApiKeyId, MemberId, ProviderAccountId, TenantId};
use muster_domain::permission::Permissions;
use muster_proto::internal::v1::directory_service_client::DirectoryServiceClient;
use muster_proto::internal::v1::{
    Account, AuthenticateRequest, AuthenticateResponse, GetAccountRequest, GetWebhookAccountRequest,
    authenticate_request,
};
use serde::Deserialize;
use tonic::codegen::http::uri::Authority;
use tonic::transport::{Endpoint, Uri};
use tonic::{Code, Status};

use crate::access::layer::Authenticate;
use crate::access::remembered::Remembered;
use crate::access::{Actor, Caller, Credential, Principal};
use crate::error::Error;
use crate::frame::{id_bytes, id_from};
use crate::supervise::Tasks;
use crate::telemetry::rpc::Rpc;
use crate::tls::{self, MutualClientFiles};

/// How long an answer is kept: what an operator changes or revokes takes effect within this time.
pub const KEPT: Duration = Duration::from_secs(5);
/// How old an account may be that stands in while the control-plane does not answer. It decides nothing but whether
/// a provider's signature is right, and what an operator could change about it is seldom urgent; a webhook that was
/// refused may be lost for good.
pub const ACCOUNT_AGE_MAX: Duration = Duration::from_mins(10);
/// How long "there is none" is kept.
const KEPT_NONE: Duration = Duration::from_secs(1);
/// How long an old answer stands in for one that did not come, before the directory is asked again.
const KEPT_OLD: Duration = Duration::from_secs(1);
/// How long the directory is waited for where an old answer could stand in: providers wait two seconds for all that
/// a webhook takes.
const PATIENCE: Duration = Duration::from_millis(500);
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

/// A channel to the control-plane, whose calls are told of.
pub type Channel = Rpc<tonic::transport::Channel>;

/// How to reach the control-plane's internal services.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControlPlane {
    /// The internal listener, such as `https://127.0.0.1:7401`. The certificate that it shows must name its host.
    pub url: String,
    /// What we trust there, and what says who we are.
    pub tls: MutualClientFiles,
}

impl ControlPlane {
    /// A channel to the control-plane. It connects when it is first used, and again whenever it must.
    ///
    /// # Errors
    /// Where the URL is not one of https, or the files of TLS cannot be used.
    pub fn channel(&self, tasks: &Tasks) -> anyhow::Result<Channel> {
        let named = || format!("control_plane.url, which is {}", self.url);
        let server: Uri = self.url.parse().with_context(named)?;
        let tls = tls::Client::start("the control-plane", self.tls.clone().into(), tasks)?;
        let connector = tls.connector(&server).with_context(named)?;
        // tonic has no TLS of its own in it and would, where another crate asked for that, refuse an https URL here.
        let authority = server.authority().map_or("", Authority::as_str);
        let endpoint = Endpoint::from_shared(format!("http://{authority}"))
            .with_context(named)?
            .origin(server)
            .connect_timeout(CONNECT_TIMEOUT)
            .http2_keep_alive_interval(PROBE)
            .keep_alive_timeout(PROBE)
            .keep_alive_while_idle(true)
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(4 * WINDOW_BYTES);
        Ok(Rpc::of_control_plane(endpoint.connect_with_connector_lazy(connector)))
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
    client: DirectoryServiceClient<Channel>,
}

impl Directory {
    /// The directory behind `channel`.
    pub fn new(channel: Channel) -> Self {
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

    /// Who proves themselves with this.
    async fn caller(&self, credential: &Credential) -> crate::Result<Caller> {
        let mut client = self.client.clone();
        let credential = if credential.is_token() {
            authenticate_request::Credential::Token(credential.expose().to_owned())
        } else {
            authenticate_request::Credential::KeyHash(credential.hash().0.to_vec().into())
        };
        let request = AuthenticateRequest { credential: Some(credential) };
        match within(client.authenticate(request)).await.map_err(Error::unavailable)? {
            Ok(answer) => caller(&answer.into_inner()).map_err(Error::unavailable),
            Err(status) if status.code() == Code::Unauthenticated => Err(Error::unauthenticated()),
            Err(status) if status.code() == Code::PermissionDenied => Err(Error::suspended()),
            Err(status) => Err(Error::unavailable(Unanswered::Failed(status))),
        }
    }
}

fn caller(answer: &AuthenticateResponse) -> Result<Caller, Unanswered> {
    if answer.tenant_id.is_empty() {
        return Ok(Caller::Operator);
    }
    let tenant = id_from(&answer.tenant_id).ok_or(Unanswered::Unreadable("a tenant's id"))?;
    let actor = match (id_from(&answer.member_id), id_from(&answer.api_key_id)) {
        (Some(member), _) => Actor::Member(MemberId(member)),
        (None, Some(key)) => Actor::ApiKey(ApiKeyId(key)),
        (None, None) => return Err(Unanswered::Unreadable("who of a tenant it is")),
    };
    let permissions = Permissions::from_bits(answer.permissions);
    Ok(Caller::Tenant(Principal { tenant: TenantId(tenant), actor, permissions, end_us: answer.end_us }))
}

/// Whose credential is whose, as the directory knows it.
#[derive(Clone)]
pub struct Callers {
    directory: Directory,
    kept: Remembered,
}

impl Callers {
    /// Those that `directory` knows.
    pub fn new(directory: Directory) -> Self {
        Self { directory, kept: Remembered::default() }
    }
}

impl Authenticate for Callers {
    async fn caller(&self, credential: &Credential) -> crate::Result<Caller> {
        self.kept.get(credential.hash(), self.directory.caller(credential)).await
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
    answers: Cache<K, Answer<V>>,
    /// What was there when the directory last answered; none where only fresh answers count.
    last_known: Option<Cache<K, Arc<V>>>,
}

/// What is kept, and for how long.
struct Answer<V> {
    found: Option<Arc<V>>,
    kept: Duration,
}

impl<V> Clone for Answer<V> {
    fn clone(&self) -> Self {
        Self { found: self.found.clone(), kept: self.kept }
    }
}

impl<K, V> Kept<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    /// Keeps nothing yet, and gives fresh answers or none.
    fn fresh() -> Self {
        let answers = Cache::builder().max_capacity(ANSWERS_MAX).expire_after(Age).build();
        Self { answers, last_known: None }
    }

    /// Keeps nothing yet. While the directory fails, what it last answered stands in, if that was no longer than
    /// `age_max` ago. That it knows of nothing is an answer, and counts at once.
    pub fn outlasting(age_max: Duration) -> Self {
        let last_known = Cache::builder().max_capacity(ANSWERS_MAX).time_to_live(age_max).build();
        Self { last_known: Some(last_known), ..Self::fresh() }
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
            return Ok(answer.found);
        }
        let answer = self.answers.try_get_with_by_ref(key, self.learn(key, ask));
        Ok(Box::pin(answer).await?.found)
    }

    /// Asks, and falls back on what was known.
    async fn learn<Q, A>(&self, key: &Q, ask: A) -> Result<Answer<V>, Unanswered>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        A: Future<Output = Result<Option<V>, Unanswered>>,
    {
        let Some(last_known) = &self.last_known else { return Ok(Answer::of(ask.await?.map(Arc::new))) };
        let Some(old) = last_known.get(key).await else {
            let found = ask.await?.map(Arc::new);
            if let Some(found) = &found {
                last_known.insert(key.to_owned(), found.clone()).await;
            }
            return Ok(Answer::of(found));
        };
        match tokio::time::timeout(PATIENCE, ask).await.unwrap_or(Err(Unanswered::Late)) {
            Ok(Some(found)) => {
                let found = Arc::new(found);
                last_known.insert(key.to_owned(), found.clone()).await;
                Ok(Answer::of(Some(found)))
            }
            Ok(None) => {
                last_known.invalidate(key).await;
                Ok(Answer::of(None))
            }
            Err(error) => {
                // Once a second for each key while an outage lasts, which others report already.
                tracing::debug!(error = %error, "an old answer of the directory stands in");
                Ok(Answer { found: Some(old), kept: KEPT_OLD })
            }
        }
    }
}

impl<V> Answer<V> {
    fn of(found: Option<Arc<V>>) -> Self {
        let kept = if found.is_some() { KEPT } else { KEPT_NONE };
        Self { found, kept }
    }
}

/// How long each answer is kept.
struct Age;

impl<K, V> Expiry<K, Answer<V>> for Age {
    fn expire_after_create(&self, _: &K, answer: &Answer<V>, _: Instant) -> Option<Duration> {
        Some(answer.kept)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn one_question_for_many_who_ask_and_failures_are_not_kept() {
        let kept = Kept::<u8, u8>::fresh();
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
        let kept = Kept::<u8, u8>::fresh();
        assert!(kept.get(&1, async { Ok(None) }).await.expect("answered").is_none());
        let again = kept.get(&1, async { panic!("asked again") }).await;
        assert!(again.expect("answered").is_none());
    }

    /// Lets the answers grow old, as they do in [`KEPT`].
    async fn grow_old(kept: &Kept<u8, u8>) {
        kept.answers.invalidate(&1).await;
    }

    #[tokio::test]
    async fn while_the_directory_fails_the_last_known_answer_stands_in() {
        let kept = Kept::<u8, u8>::outlasting(Duration::from_secs(60));
        let late = async || kept.get(&1, async { Err(Unanswered::Late) }).await;
        assert!(late().await.is_err(), "nothing is known yet");
        assert_eq!(kept.get(&1, async { Ok(Some(7)) }).await.expect("answered").as_deref(), Some(&7));
        for _ in 0..2 {
            grow_old(&kept).await;
            assert_eq!(late().await.expect("known").as_deref(), Some(&7));
        }
        grow_old(&kept).await;
        assert_eq!(kept.get(&1, async { Ok(Some(8)) }).await.expect("answered").as_deref(), Some(&8));
        grow_old(&kept).await;
        assert_eq!(late().await.expect("known").as_deref(), Some(&8), "the newer answer counts");
    }

    #[tokio::test(start_paused = true)]
    async fn a_directory_that_says_nothing_is_not_waited_for_where_an_answer_is_known() {
        let kept = Kept::<u8, u8>::outlasting(Duration::from_secs(60));
        kept.get(&1, async { Ok(Some(7)) }).await.expect("answered");
        grow_old(&kept).await;
        let silent = tokio::time::timeout(PATIENCE * 2, kept.get(&1, std::future::pending())).await;
        assert_eq!(silent.expect("in time").expect("known").as_deref(), Some(&7));
    }

    #[tokio::test]
    async fn what_the_directory_knows_nothing_of_is_not_known_any_longer() {
        let kept = Kept::<u8, u8>::outlasting(Duration::from_secs(60));
        kept.get(&1, async { Ok(Some(7)) }).await.expect("answered");
        grow_old(&kept).await;
        assert!(kept.get(&1, async { Ok(None) }).await.expect("answered").is_none());
        grow_old(&kept).await;
        assert!(kept.get(&1, async { Err(Unanswered::Late) }).await.is_err());
    }

    #[tokio::test]
    async fn an_answer_that_is_too_old_or_must_be_fresh_does_not_stand_in() {
        for kept in [Kept::<u8, u8>::fresh(), Kept::outlasting(Duration::from_millis(1))] {
            kept.get(&1, async { Ok(Some(7)) }).await.expect("answered");
            grow_old(&kept).await;
            tokio::time::sleep(Duration::from_millis(5)).await;
            assert!(kept.get(&1, async { Err(Unanswered::Late) }).await.is_err());
        }
    }
}
