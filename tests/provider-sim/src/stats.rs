//! What happened so far, counted.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use crate::lock;

/// The counts, as `GET /sim/stats` gives them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Texts accepted, whatever was answered.
    pub accepted: u64,
    /// Of these, texts whose acceptance the caller was not told: 503, timeout or reset.
    pub accepted_in_silence: u64,
    /// Texts accepted whose Muster id had been accepted before. Has to be 0.
    pub duplicates_accepted: u64,
    /// Texts refused, by the provider's code.
    pub refused: BTreeMap<String, u64>,
    /// Calls answered with 429.
    pub rate_limited: u64,
    /// Calls answered with 503 and not accepted.
    pub server_errors: u64,
    /// Calls whose answer was withheld, and not accepted.
    pub timeouts: u64,
    /// Calls whose connection was reset, and not accepted.
    pub resets: u64,
    /// Receipts that were posted at least once.
    pub receipts_sent: u64,
    /// Receipts that were answered with a 2xx.
    pub receipts_acked: u64,
    /// Receipts that were lost on purpose.
    pub receipts_lost: u64,
    /// Receipts that were tried as often as allowed, in vain.
    pub receipts_given_up: u64,
    /// Replies, STOP and START included, that were posted at least once.
    pub replies_sent: u64,
    /// Replies that were answered with a 2xx.
    pub replies_acked: u64,
    /// Replies that were tried as often as allowed, in vain.
    pub replies_given_up: u64,
    /// Of the replies that were answered with a 2xx, those that were STOP.
    pub stops_acked: u64,
    /// Of the replies that were answered with a 2xx, those that were START.
    pub starts_acked: u64,
    /// Webhooks that were posted again.
    pub webhook_retries: u64,
    /// Webhooks that are still to come or in flight, retries included.
    pub webhooks_pending: u64,
}

macro_rules! counters {
    ($($name:ident),* $(,)?) => {
        /// The counts while they run.
        #[derive(Default)]
        pub(crate) struct Counters {
            $(pub(crate) $name: AtomicU64,)*
            refused: Mutex<BTreeMap<String, u64>>,
        }

        impl Counters {
            pub(crate) fn read(&self) -> Stats {
                Stats {
                    $($name: self.$name.load(Ordering::Relaxed),)*
                    refused: lock(&self.refused).clone(),
                }
            }
        }
    };
}

counters! {
    accepted, accepted_in_silence, duplicates_accepted, rate_limited, server_errors, timeouts, resets,
    receipts_sent, receipts_acked, receipts_lost, receipts_given_up,
    replies_sent, replies_acked, replies_given_up, stops_acked, starts_acked,
    webhook_retries, webhooks_pending,
}

impl Counters {
    /// Counts a text refused with `code`.
    pub(crate) fn refuse(&self, code: &str) {
        *lock(&self.refused).entry(code.to_owned()).or_default() += 1;
    }
}

/// Counts one more.
pub(crate) fn one_more(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
