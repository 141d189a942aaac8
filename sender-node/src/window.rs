//! When a call may begin: soon after its claim, and sooner where the node is stopping, so that it ends within the
//! drain.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use muster_runtime::clock;

/// How long after a claim was asked for its calls may begin.
const AFTER_CLAIM: Duration = Duration::from_secs(10);
/// How long after the node was told to stop calls may begin: with 15 seconds for the call and 5 for publishing what
/// came of it, this fits the 25 seconds of a drain.
const AFTER_STOP: Duration = Duration::from_secs(5);

/// When the node was told to stop, once it was.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stopped(Arc<OnceLock<Instant>>);

impl Stopped {
    /// The node is told to stop now.
    pub(crate) fn now(&self) {
        self.0.get_or_init(clock::instant);
    }
}

/// When the calls of one claim may begin.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    asked: Instant,
    stopped: Stopped,
}

impl Window {
    /// Of a claim that was asked for at `asked`.
    pub(crate) fn of_claim(asked: Instant, stopped: Stopped) -> Self {
        Self { asked, stopped }
    }

    /// How long ago the claim was asked for.
    pub(crate) fn waited(&self) -> Duration {
        clock::since(self.asked)
    }

    /// No call may begin from then on. It comes nearer when the node is told to stop.
    pub(crate) fn end(&self) -> Instant {
        let after_claim = self.asked + AFTER_CLAIM;
        self.stopped.0.get().map_or(after_claim, |stopped| after_claim.min(*stopped + AFTER_STOP))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stopped(at: Instant) -> Stopped {
        Stopped(Arc::new(OnceLock::from(at)))
    }

    #[test]
    fn ends_after_the_claim_or_after_the_stop_whichever_is_sooner() {
        let asked = clock::instant();
        let later = |seconds| asked + Duration::from_secs(seconds);
        assert_eq!(Window::of_claim(asked, Stopped::default()).end(), later(10));
        assert_eq!(Window::of_claim(asked, stopped(asked)).end(), later(5));
        assert_eq!(Window::of_claim(asked, stopped(later(2))).end(), later(7));
        assert_eq!(Window::of_claim(asked, stopped(later(9))).end(), later(10));
    }

    #[test]
    fn a_stop_counts_for_windows_that_are_open_and_the_first_stop_counts() {
        let stopped = Stopped::default();
        let window = Window::of_claim(clock::instant() + Duration::from_secs(60), stopped.clone());
        let before = window.end();
        stopped.now();
        let after = window.end();
        assert!(after < before);
        stopped.now();
        assert_eq!(window.end(), after);
    }
}
