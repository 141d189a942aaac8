//! One issuer: its keys as they were published last, and when to ask for them again.
//!
//! Keys are fetched when they are first needed, when half of [`KEYS_FRESH`] has passed, and when a token names one that
//! is not known: at most once in [`FETCH_PAUSE`], however many tokens come and whatever they say, and one fetch at a
//! time. Only those wait for it who cannot be answered with what is there.
//!
//! A key that the issuer took back is refused [`KEYS_FRESH`] later at the latest, and [`FAILURE_FRESH`] more where a fetch
//! failed meanwhile. While the issuer does not answer, the keys that it published last stay good for [`KEYS_AGE_MAX`],
//! because its outage must not lock everybody out of ours.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use muster_runtime::clock;
use muster_runtime::supervise::Tasks;
use tokio_util::sync::CancellationToken;

use super::Refused;
use super::fetch::{FETCH_TIMEOUT, Fetcher};
use super::keys::{Key, Keys, Wanted};

/// How old keys may be while their issuer answers.
pub(super) const KEYS_FRESH: Duration = Duration::from_mins(10);
/// How old keys may be while it does not.
pub(super) const KEYS_AGE_MAX: Duration = Duration::from_hours(1);
/// How long after the beginning of one fetch the next may begin. By then the one before is over.
pub(super) const FETCH_PAUSE: Duration = Duration::from_secs(10);
const _: () = assert!(FETCH_TIMEOUT.as_secs() < FETCH_PAUSE.as_secs());
/// How long a fetch that failed lets old keys stand in. Then somebody has to wait for an answer again: so keys that the
/// issuer has taken back meanwhile do not stay good only because nobody asked.
const FAILURE_FRESH: Duration = Duration::from_mins(1);

/// An issuer and what is known of its keys.
pub(super) struct Issuer {
    url: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    held: Option<Held>,
    /// The latest fetch.
    fetch: Option<Fetch>,
    /// When a fetch last failed, if none has succeeded since.
    failed: Option<Instant>,
}

struct Held {
    keys: Keys,
    fetched: Instant,
}

struct Fetch {
    began: Instant,
    over: CancellationToken,
}

/// What a token's key comes to.
enum Step {
    Known(Result<Key, Refused>),
    Wait(CancellationToken),
}

impl Issuer {
    /// An issuer that was never asked.
    pub(super) fn new(url: &str) -> Self {
        Self { url: url.to_owned(), state: Mutex::default() }
    }

    /// The key that a token names, if the issuer publishes it.
    pub(super) async fn key(
        self: &Arc<Self>,
        wanted: &Wanted,
        fetcher: &Arc<Fetcher>,
        tasks: &Tasks,
    ) -> Result<Key, Refused> {
        loop {
            match self.step(wanted, fetcher, tasks) {
                Step::Known(key) => return key,
                Step::Wait(over) => over.cancelled().await,
            }
        }
    }

    fn step(self: &Arc<Self>, wanted: &Wanted, fetcher: &Arc<Fetcher>, tasks: &Tasks) -> Step {
        let now = clock::instant();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let known = state.find(wanted, now);
        if (known.is_none() || state.is_aging(now)) && state.may_fetch(now) {
            let over = CancellationToken::new();
            state.fetch = Some(Fetch { began: now, over: over.clone() });
            let fetch = self.clone().fetch(fetcher.clone(), over);
            tasks.spawn(fetch);
        }
        match (known, state.running()) {
            (Some(known), _) => Step::Known(known),
            (None, Some(over)) => Step::Wait(over),
            (None, None) => Step::Known(Err(state.unknown(now))),
        }
    }

    async fn fetch(self: Arc<Self>, fetcher: Arc<Fetcher>, over: CancellationToken) {
        // Whatever becomes of this task, nobody waits for it after its end.
        let _over = over.drop_guard();
        let keys = fetcher.keys(&self.url).await;
        let now = clock::instant();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match keys {
            Ok(keys) => {
                state.held = Some(Held { keys, fetched: now });
                state.failed = None;
            }
            Err(error) => {
                state.failed = Some(now);
                let error = format!("{error:#}");
                tracing::warn!(issuer = self.url, error, "the keys of an OIDC issuer could not be fetched");
            }
        }
    }
}

impl State {
    /// The keys that tokens may be proven with now.
    fn usable(&self, now: Instant) -> Option<&Keys> {
        let failed = self.failed.is_some_and(|failed| now.duration_since(failed) < FAILURE_FRESH);
        let age_max = if failed { KEYS_AGE_MAX } else { KEYS_FRESH };
        let held = self.held.as_ref().filter(|held| now.duration_since(held.fetched) < age_max)?;
        Some(&held.keys)
    }

    fn find(&self, wanted: &Wanted, now: Instant) -> Option<Result<Key, Refused>> {
        self.usable(now)?.find(wanted)
    }

    fn is_aging(&self, now: Instant) -> bool {
        self.held.as_ref().is_some_and(|held| now.duration_since(held.fetched) >= KEYS_FRESH / 2)
    }

    /// Whether a fetch may begin.
    fn may_fetch(&self, now: Instant) -> bool {
        let paused = |fetch: &Fetch| now.duration_since(fetch.began) >= FETCH_PAUSE;
        self.fetch.as_ref().is_none_or(paused)
    }

    /// The end of the fetch that is under way.
    fn running(&self) -> Option<CancellationToken> {
        self.fetch.as_ref().map(|fetch| fetch.over.clone()).filter(|over| !over.is_cancelled())
    }

    /// What to say of a key that is not there, when it is too early to ask again.
    fn unknown(&self, now: Instant) -> Refused {
        let answered = self.usable(now).is_some() && self.failed.is_none();
        if answered { Refused::UnknownKey } else { Refused::Unreachable }
    }
}
