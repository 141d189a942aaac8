//! What the projection was told without being changed by it: counted, and logged now and then. A replayed webhook is
//! among what is told again.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use muster_runtime::clock;

/// How often the counts are logged, where they have grown.
const LOG_EVERY: Duration = Duration::from_secs(60);

static REPEATED: AtomicU64 = AtomicU64::new(0);
static UNMATCHED: AtomicU64 = AtomicU64::new(0);
static UNREADABLE: AtomicU64 = AtomicU64::new(0);

/// Counts what a step was told again, what of it belongs to no text or is not documented, and what it could not read.
pub(super) fn add(repeated: usize, unmatched: usize, unreadable: usize) {
    for (count, more) in [(&REPEATED, repeated), (&UNMATCHED, unmatched), (&UNREADABLE, unreadable)] {
        count.fetch_add(more as u64, Ordering::Relaxed);
    }
}

/// What was logged last.
pub(super) struct Logged {
    at: Instant,
    counts: [u64; 3],
}

impl Default for Logged {
    fn default() -> Self {
        Self { at: clock::instant(), counts: [0; 3] }
    }
}

impl Logged {
    /// Logs the counts, where it is time and they have grown.
    pub(super) fn log(&mut self) {
        let now = clock::instant();
        if now.duration_since(self.at) < LOG_EVERY {
            return;
        }
        self.at = now;
        let counts = [&REPEATED, &UNMATCHED, &UNREADABLE].map(|count| count.load(Ordering::Relaxed));
        if counts != self.counts {
            self.counts = counts;
            let [repeated, unmatched, unreadable] = counts;
            tracing::info!(
                repeated,
                unmatched,
                unreadable,
                "facts and replies since the start that changed nothing"
            );
        }
    }
}
