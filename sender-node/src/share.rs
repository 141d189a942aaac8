//! How provider accounts share the node's room for calls: an account may have three quarters of what the others leave of
//! it. So one whose calls take long never has all of it, several of them never have all of it together, and whoever comes
//! finds room at once. An account that is alone may have all of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The node's room for calls.
pub(crate) struct Shared {
    calls_max: usize,
    room: Arc<Semaphore>,
    accounts: AtomicUsize,
}

impl Shared {
    /// Room for `calls_max` calls.
    pub(crate) fn new(calls_max: usize) -> Self {
        let calls_max = calls_max.clamp(1, Semaphore::MAX_PERMITS);
        Self { calls_max, room: Arc::new(Semaphore::new(calls_max)), accounts: AtomicUsize::new(0) }
    }

    /// How many calls the node may have open.
    pub(crate) fn calls_max(&self) -> usize {
        self.calls_max
    }

    /// So many accounts share it from now on.
    pub(crate) fn between(&self, accounts: usize) {
        self.accounts.store(accounts, Ordering::Relaxed);
    }

    /// How many calls an account may have open that has `own` of them; 1 at least.
    pub(crate) fn of(&self, own: usize) -> usize {
        if self.accounts.load(Ordering::Relaxed) > 1 {
            (self.room.available_permits().saturating_add(own) / 4 * 3).max(1)
        } else {
            self.calls_max
        }
    }

    /// Room for so many calls, once there is.
    pub(crate) async fn take(&self, calls: usize) -> Option<OwnedSemaphorePermit> {
        let calls = u32::try_from(calls).unwrap_or(u32::MAX);
        self.room.clone().acquire_many_owned(calls).await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn accounts_that_take_all_they_may_leave_room_for_the_next() {
        let shared = Shared::new(512);
        assert_eq!(shared.of(0), 512, "one that is alone");
        shared.between(3);
        let mut held = [0; 3];
        let mut permits = Vec::new();
        for account in [0, 1, 2] {
            let more = shared.of(held[account]);
            permits.push(shared.take(more).await);
            held[account] += more;
        }
        assert_eq!(held, [384, 96, 24]);
        assert_eq!(shared.of(held[0]), 294, "the first has to give some back");
    }
}
