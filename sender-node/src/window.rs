//! When a call may begin: soon after its claim, and sooner where the node is stopping, so that it ends within the
//! drain.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use muster_runtime::clock;
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;

/// How long after a claim was asked for its calls may begin.
const AFTER_CLAIM: Duration = Duration::from_secs(10);
/// How long after the node was told to stop calls may begin: with 15 seconds for the call and 5 for publishing what
/// came of it, this fits the 25 seconds of a drain.
const AFTER_STOP: Duration = Duration::from_secs(5);

/// When the node was told to stop, once it was.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stopped {
    at: Arc<OnceLock<Instant>>,
    told: CancellationToken,
}

impl Stopped {
    /// The node is told to stop now.
    pub(crate) fn now(&self) {
        self.at.get_or_init(clock::instant);
        self.told.cancel();
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
        self.stopped.at.get().map_or(after_claim, |stopped| after_claim.min(*stopped + AFTER_STOP))
    }

    /// Waits until `begin`. `false` as soon as it is certain that no call may begin then.
    pub(crate) async fn lasts_until(&self, begin: Instant) -> bool {
        if begin > clock::instant() && begin < self.end() {
            tokio::select! {
                () = sleep_until(begin.into()) => {}
                // It brings the end nearer.
                () = self.stopped.told.cancelled() => {}
            }
        }
        let lasts = begin < self.end();
        if lasts && begin > clock::instant() {
            sleep_until(begin.into()).await;
        }
        lasts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stopped(at: Instant) -> Stopped {
        Stopped { at: Arc::new(OnceLock::from(at)), ..Stopped::default() }
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
    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_a_time_that_is_too_late() {
        let (asked, stopped) = (clock::instant(), Stopped::default());
        let window = Window::of_claim(asked, stopped.clone());
        let later = |seconds| asked + Duration::from_secs(seconds);
        assert!(!window.lasts_until(later(10)).await);
        assert_eq!(clock::instant(), asked, "it is certain at once");
        assert!(window.lasts_until(later(1)).await);
        assert_eq!(clock::instant(), later(1));
        let stop = async {
            sleep_until(later(2).into()).await;
            stopped.now();
        };
        let waited = async {
            let (soon, late) = tokio::join!(window.lasts_until(later(6)), async {
                (window.lasts_until(later(8)).await, clock::instant())
            });
            (soon, late, clock::instant())
        };
        let (waited, ()) = tokio::join!(waited, stop);
        assert_eq!(waited, (true, (false, later(2)), later(6)));
    }
}
