//! Nudges wake a background loop before its timer does. Losing one costs a moment, never a text.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use uuid::Uuid;

use crate::store::transitions::Moved;

/// One nudge for each loop that others wait for.
#[derive(Debug, Default)]
pub(crate) struct Nudges {
    /// A campaign was started.
    pub(crate) plan: Notify,
    /// Messages were queued.
    pub(crate) dispatch: Notify,
    /// Orders are in the outbox.
    pub(crate) orders: Notify,
    /// What watchers are told is in the outbox.
    pub(crate) statuses: Notify,
    /// Campaigns whose watchers are to be told where they are.
    campaigns: Mutex<BTreeSet<Uuid>>,
}

impl Nudges {
    /// For a transaction that moves these campaigns and is about to be committed: when this is dropped, however the commit
    /// went, watchers are told where they are. So a call that its caller gives up in the middle of the commit is told of
    /// like any other.
    pub(crate) fn telling(&self, moved: Moved) -> Telling<'_> {
        Telling { nudges: self, moved }
    }

    /// Has the watchers of these campaigns told where they are.
    pub(crate) fn tell_of(&self, campaigns: impl IntoIterator<Item = Uuid>) {
        self.campaigns().extend(campaigns);
    }

    /// Takes the campaigns whose watchers are to be told.
    pub(crate) fn take_campaigns(&self) -> BTreeSet<Uuid> {
        std::mem::take(&mut *self.campaigns())
    }

    fn campaigns(&self) -> MutexGuard<'_, BTreeSet<Uuid>> {
        self.campaigns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// See [`Nudges::telling`].
#[must_use = "it is to be kept until after the commit"]
pub(crate) struct Telling<'a> {
    nudges: &'a Nudges,
    moved: Moved,
}

impl Drop for Telling<'_> {
    fn drop(&mut self) {
        self.nudges.tell_of(std::mem::take(&mut self.moved.0));
    }
}

/// Waits for the nudge, and at most as long as `timer`.
pub(crate) async fn nudged(nudge: &Notify, timer: Duration) {
    // Whether the nudge or the timer came first makes no difference.
    let _ = tokio::time::timeout(timer, nudge.notified()).await;
}
