//! What became of webhooks, counted, and logged now and then.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How often the counts are logged, where anything was counted.
const LOG_EVERY: Duration = Duration::from_secs(60);

/// Webhooks by what became of them.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Believed, and JetStream has what they told.
    pub(crate) accepted: Count,
    /// For an account that there is not.
    pub(crate) unknown: Count,
    /// Without the provider's proof.
    pub(crate) forged: Count,
    /// Proven, and not in the provider's form.
    pub(crate) unreadable: Count,
    /// Too large or too slow.
    pub(crate) unreceived: Count,
    /// Answered with 503: JetStream or the control-plane did not answer in time.
    pub(crate) unavailable: Count,
}

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    /// One more.
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// How many.
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Logs the counts while they grow.
pub(crate) async fn log(counts: Arc<Counts>) -> anyhow::Result<()> {
    let mut logged = 0;
    loop {
        tokio::time::sleep(LOG_EVERY).await;
        let Counts { accepted, unknown, forged, unreadable, unreceived, unavailable } = &*counts;
        let all = [accepted, unknown, forged, unreadable, unreceived, unavailable].map(Count::get);
        if all.iter().sum::<u64>() != logged {
            logged = all.iter().sum();
            let [accepted, unknown, forged, unreadable, unreceived, unavailable] = all;
            tracing::info!(
                accepted,
                unknown,
                forged,
                unreadable,
                unreceived,
                unavailable,
                "webhooks since the start"
            );
        }
    }
}
