//! One organization with its campaign, and a watcher that keeps every status that it was ever shown.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use muster_proto::v1::{Message, MessageStatus, StatusChange};

use crate::client::Watch;
use crate::stack::Stack;
use crate::stories::broadcast::{Broadcast, Role};

/// How long the watcher may lag behind the truth.
const WATCHED_WITHIN: Duration = Duration::from_secs(30);
/// How often it is asked how far it is.
const PAUSE: Duration = Duration::from_millis(50);

/// An organization with its campaign and its watcher.
pub(super) struct Side {
    pub(super) broadcast: Broadcast,
    watch: Watch,
    shown: Arc<Shown>,
}

/// Each message by name, with a bit for every status that it was ever shown in.
#[derive(Default)]
struct Shown(Mutex<HashMap<String, u32>>);

impl Shown {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, change: &StatusChange) {
        let bit = bit(change.status());
        let mut shown = self.lock();
        match shown.get_mut(&change.message) {
            Some(bits) => *bits |= bit,
            None => drop(shown.insert(change.message.clone(), bit)),
        }
    }
}

fn bit(status: MessageStatus) -> u32 {
    1 << i32::from(status)
}

impl Side {
    /// Sets everything up, the campaign in draft.
    pub(super) async fn gather(stack: &Stack, role: Role) -> Result<Self> {
        let broadcast = Broadcast::gather(stack, role).await?;
        let organization = &broadcast.organization;
        let shown = Arc::new(Shown::default());
        let keep = Arc::clone(&shown);
        let each = move |change: &StatusChange| keep.keep(change);
        let watch = organization.client.watch(&organization.tenant, "", each).await?;
        Ok(Self { broadcast, watch, shown })
    }

    /// How many of these messages the watcher never saw where they are, after it had time to.
    pub(super) async fn unseen(&self, messages: &[Message]) -> Result<usize> {
        let deadline = Instant::now() + WATCHED_WITHIN;
        loop {
            let unseen = self.unseen_now(messages);
            if unseen == 0 || Instant::now() >= deadline {
                return Ok(unseen);
            }
            if let Some(end) = self.watch.look(|seen| seen.ended.clone()) {
                anyhow::bail!("the watch ended with {unseen} messages unseen: {end}");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn unseen_now(&self, messages: &[Message]) -> usize {
        let shown = self.shown.lock();
        let seen = |message: &&Message| {
            shown.get(&message.name).is_some_and(|bits| bits & bit(message.status()) != 0)
        };
        messages.len() - messages.iter().filter(seen).count()
    }

    /// How often the watcher had to connect again.
    pub(super) fn reconnections(&self) -> u64 {
        self.watch.look(|seen| seen.reconnections)
    }
}
