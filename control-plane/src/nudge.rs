//! Nudges wake a background loop before its timer does. Losing one costs a moment, never a text.

use std::time::Duration;

use tokio::sync::Notify;

/// One nudge for each loop that others wait for.
#[derive(Debug, Default)]
pub(crate) struct Nudges {
    /// A campaign was started.
    pub(crate) plan: Notify,
    /// Messages were queued.
    pub(crate) dispatch: Notify,
    /// Orders are in the outbox.
    pub(crate) orders: Notify,
    /// Status changes are in the outbox.
    pub(crate) statuses: Notify,
}

/// Waits for the nudge, and at most as long as `timer`.
pub(crate) async fn nudged(nudge: &Notify, timer: Duration) {
    // Whether the nudge or the timer came first makes no difference.
    let _ = tokio::time::timeout(timer, nudge.notified()).await;
}
