//! Webhooks that are not due yet: one queue by time and one task that waits for the next, not a task each.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use crate::lock;
use crate::message::Post;
use crate::sim::Sim;

/// Webhooks by the millisecond they are due at.
#[derive(Default)]
pub(crate) struct Schedule {
    due: Mutex<Due>,
    earlier: Notify,
}

#[derive(Default)]
struct Due {
    posts: BTreeMap<u64, Vec<Post>>,
    /// When the task will look again. `None`: it waits to be told.
    look_again_ms: Option<u64>,
}

impl Schedule {
    /// Puts a webhook in for later.
    pub(crate) fn add(&self, at_ms: u64, post: Post) {
        let mut due = lock(&self.due);
        due.posts.entry(at_ms).or_default().push(post);
        if due.look_again_ms.is_none_or(|look_again_ms| at_ms < look_again_ms) {
            due.look_again_ms = Some(at_ms);
            self.earlier.notify_one();
        }
    }

    /// Takes out what is due, into `taken`; tells when the next is.
    fn take(&self, now_ms: u64, taken: &mut Vec<Post>) -> Option<u64> {
        let mut due = lock(&self.due);
        while let Some(first) = due.posts.first_entry()
            && *first.key() <= now_ms
        {
            taken.append(&mut first.remove());
        }
        due.look_again_ms = due.posts.first_key_value().map(|(at_ms, _)| *at_ms);
        due.look_again_ms
    }
}

/// Posts what is due, for as long as the simulator runs.
pub(crate) async fn run(sim: Arc<Sim>) {
    let mut taken = Vec::new();
    loop {
        let next_ms = sim.schedule.take(sim.clock.elapsed_ms(), &mut taken);
        for post in taken.drain(..) {
            sim.post(post);
        }
        let earlier = sim.schedule.earlier.notified();
        match next_ms {
            None => earlier.await,
            Some(at_ms) => {
                let at = tokio::time::Instant::from_std(sim.clock.instant(at_ms));
                tokio::select! { () = earlier => {}, () = tokio::time::sleep_until(at) => {} }
            }
        }
    }
}
