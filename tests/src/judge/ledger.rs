//! The ledger, cut down to what the check needs: a few dozen bytes a text.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::path::Path;

use anyhow::{Context, Result};
use muster_provider_sim::ledger::{self, Outcome, Record, ReplyEntry};
use uuid::Uuid;

/// A text that was accepted.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) to: Box<str>,
    /// The provider's code, where it was not delivered.
    pub(super) code: Option<u32>,
    /// Whether Muster was told what became of it.
    pub(super) told: bool,
    /// Whether the caller was not told that it was accepted.
    pub(super) silent: bool,
    /// When, in microseconds since the Unix epoch.
    pub(super) time_us: u64,
}

/// All that was accepted.
#[derive(Debug, Default)]
pub(super) struct Accepted {
    /// Texts, those that were accepted again included.
    pub(super) count: u64,
    /// The first for each message.
    pub(super) by_message: HashMap<Uuid, Entry>,
    /// The message of each further one.
    pub(super) again: Vec<Uuid>,
    /// Texts without a message's id.
    pub(super) nameless: u64,
    /// Replies that Muster answered.
    pub(super) replies: Vec<ReplyEntry>,
}

impl Accepted {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let mut all = Self::default();
        ledger::scan(path, |record| match record {
            Record::Accepted(entry) => all.accept(entry),
            Record::Replied(reply) => all.replies.push(reply),
            Record::GivenUp(id) => {
                if let Some(entry) = all.by_message.get_mut(&id) {
                    entry.told = false;
                }
            }
        })
        .context("read the ledger")?;
        Ok(all)
    }

    fn accept(&mut self, entry: ledger::Entry) {
        self.count += 1;
        let Some(id) = entry.message_id else {
            self.nameless += 1;
            return;
        };
        let code = match entry.outcome {
            Outcome::Delivered => None,
            Outcome::Undelivered(code) | Outcome::Failed(code) => Some(code),
        };
        match self.by_message.entry(id) {
            Slot::Occupied(_) => self.again.push(id),
            Slot::Vacant(slot) => {
                let ledger::Entry { to, silent, time_us, final_lost, .. } = entry;
                slot.insert(Entry { to, code, told: !final_lost, silent, time_us });
            }
        }
    }
}
