//! What became of webhooks: counted by provider, and logged now and then. What was refused is also counted by account,
//! for as long as it takes to log it, so that people see whose secret is wrong.

use std::collections::HashMap;
use std::mem::take;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use muster_domain::id::ProviderAccountId;
use muster_domain::provider::Provider;
use muster_providers::Forged;

/// How often the counts are logged, where anything was counted.
const LOG_EVERY: Duration = Duration::from_secs(60);

/// What became of a webhook, or of the connection that was to bring one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Fate {
    /// Believed, and JetStream has what it told.
    Accepted,
    /// The same; it came to the URL of another text than the one that it is about.
    Misdirected,
    /// Believed, not in the provider's form, and kept as it came.
    Unreadable,
    /// For no account that there is.
    Unknown,
    /// Without the provider's proof.
    Unsigned,
    /// With a proof that does not fit.
    WrongSignature,
    /// With a time that is too far from now.
    Stale,
    /// Proven by another account.
    WrongAccount,
    /// Too large.
    TooLarge,
    /// Too slow.
    TooSlow,
    /// Broken off.
    Broken,
    /// Answered with 503: JetStream or the control-plane did not answer in time.
    Unavailable,
    /// Its connection was closed at once: its address had as many as it may have.
    Crowded,
}

impl Fate {
    /// All of them, in the order of their declaration.
    pub(crate) const ALL: [Self; 13] = [
        Self::Accepted,
        Self::Misdirected,
        Self::Unreadable,
        Self::Unknown,
        Self::Unsigned,
        Self::WrongSignature,
        Self::Stale,
        Self::WrongAccount,
        Self::TooLarge,
        Self::TooSlow,
        Self::Broken,
        Self::Unavailable,
        Self::Crowded,
    ];

    /// Its name in logs.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Misdirected => "misdirected",
            Self::Unreadable => "unreadable",
            Self::Unknown => "unknown",
            Self::Unsigned => "unsigned",
            Self::WrongSignature => "wrong-signature",
            Self::Stale => "stale",
            Self::WrongAccount => "wrong-account",
            Self::TooLarge => "too-large",
            Self::TooSlow => "too-slow",
            Self::Broken => "broken",
            Self::Unavailable => "unavailable",
            Self::Crowded => "crowded",
        }
    }
}

impl From<Forged> for Fate {
    fn from(forged: Forged) -> Self {
        match forged {
            Forged::Unsigned => Self::Unsigned,
            Forged::WrongSignature => Self::WrongSignature,
            Forged::Stale => Self::Stale,
            Forged::WrongAccount => Self::WrongAccount,
        }
    }
}

/// Webhooks by provider and fate. Without a provider: what ended before anybody knew whose it was.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    all: [[AtomicU64; Fate::ALL.len()]; Provider::ALL.len() + 1],
    /// What was not simply accepted since it was last logged, by account: accounts that there are, and no others.
    noted: Mutex<HashMap<(ProviderAccountId, Fate), u64>>,
    logged: Mutex<HashMap<(&'static str, Fate), u64>>,
}

impl Counts {
    /// One more.
    pub(crate) fn add(&self, provider: Option<Provider>, fate: Fate) {
        self.all[row(provider)][fate as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// One more, of this account.
    pub(crate) fn add_of(&self, account: ProviderAccountId, provider: Provider, fate: Fate) {
        self.add(Some(provider), fate);
        if fate != Fate::Accepted {
            *lock(&self.noted).entry((account, fate)).or_default() += 1;
        }
    }

    /// How many.
    pub(crate) fn get(&self, provider: Option<Provider>, fate: Fate) -> u64 {
        self.all[row(provider)][fate as usize].load(Ordering::Relaxed)
    }

    /// Logs what has grown since the last time.
    pub(crate) fn log(&self) {
        for ((account, fate), count) in take(&mut *lock(&self.noted)) {
            tracing::warn!(account.id = %account, fate = fate.name(), count, "webhooks of an account lately");
        }
        let mut logged = lock(&self.logged);
        for provider in Provider::ALL.into_iter().map(Some).chain([None]) {
            let name = provider.map_or("unknown", Provider::name);
            for fate in Fate::ALL {
                let count = self.get(provider, fate);
                if logged.insert((name, fate), count).unwrap_or(0) != count {
                    tracing::info!(provider = name, fate = fate.name(), count, "webhooks since the start");
                }
            }
        }
    }
}

fn row(provider: Option<Provider>) -> usize {
    let place = |provider| Provider::ALL.into_iter().position(|other| other == provider);
    provider.and_then(place).unwrap_or(Provider::ALL.len())
}

/// A poisoned lock only says that another task panicked; counts stay whole.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Logs the counts while they grow.
pub(crate) async fn log(counts: Arc<Counts>) -> anyhow::Result<()> {
    loop {
        tokio::time::sleep(LOG_EVERY).await;
        counts.log();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fate_of_each_provider_is_counted_apart() {
        assert!(Fate::ALL.iter().enumerate().all(|(place, fate)| *fate as usize == place));
        let counts = Counts::default();
        let providers = || Provider::ALL.into_iter().map(Some).chain([None]);
        for (times, (provider, fate)) in (1..).zip(providers().flat_map(|p| Fate::ALL.map(|f| (p, f)))) {
            for _ in 0..times {
                counts.add(provider, fate);
            }
        }
        for (times, (provider, fate)) in (1..).zip(providers().flat_map(|p| Fate::ALL.map(|f| (p, f)))) {
            assert_eq!(counts.get(provider, fate), times, "{provider:?} {fate:?}");
        }
    }
}
