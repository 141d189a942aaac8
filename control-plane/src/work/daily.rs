//! The daily quota: how many more texts of a tenant may be ordered today.
//!
//! It is never gone beyond, because every text is ordered before it is claimed, and an order makes one claim at the most.
//! An order counts from the transaction that makes it, and its claim counts from the transaction that grants it and takes
//! the order away: at every moment claimed + ordered is what may have been claimed by the end of the day. The dispatcher
//! is the only one that orders, one transaction after the other, on the connection that holds its lock: it reads both
//! counts in one statement, and orders no more than what they leave of the quota. A dispatcher that dies has ordered what
//! it has committed, and that is counted; an order that is published again, or comes twice, is claimed once. Withdrawn
//! orders, and attempts that were certainly not accepted, give their place back in the transaction that moves them.
//!
//! A claim counts for the day on which it was granted, by the clock of whoever granted it. So that clocks may differ by
//! [`CLOCKS_DIFFER_US`], within that time of midnight the day with more texts counts, the one before or the one after.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use muster_domain::id::TenantId;
use muster_runtime::clock;
use uuid::Uuid;

use crate::db::{Micros, Result, SystemTx};
use crate::store::texts::{Texts, day, texts_count};

/// How far the clocks of the control-plane's processes may be apart.
const CLOCKS_DIFFER_US: i64 = 30_000_000;
/// How often is looked whether a tenant that had used up its quota has a place again.
const AGAIN: Duration = Duration::from_secs(1);

/// Tenants that have used up their quota, and when that was seen.
#[derive(Debug, Default)]
pub(crate) struct Daily {
    used_up: HashMap<Uuid, Instant>,
}

impl Daily {
    /// How many more texts may be ordered of a tenant with this quota.
    pub(crate) async fn left(&mut self, tx: &SystemTx<'_>, tenant: Uuid, quota: i64) -> Result<i64> {
        if self.used_up.get(&tenant).is_some_and(|seen| clock::since(*seen) < AGAIN) {
            return Ok(0);
        }
        let texts = texts_count(tx, TenantId(tenant), &days(Micros::now())).await?;
        let left = left(quota, texts);
        if left == 0 {
            self.used_up.insert(tenant, clock::instant());
        } else {
            self.used_up.remove(&tenant);
        }
        Ok(left)
    }

    /// Forgets what was seen long ago.
    pub(crate) fn forget(&mut self) {
        self.used_up.retain(|_, seen| clock::since(*seen) < AGAIN);
    }
}

/// The days that it may be now, by anybody's clock.
fn days(now: Micros) -> [i32; 2] {
    [day(Micros(now.0 - CLOCKS_DIFFER_US)), day(Micros(now.0 + CLOCKS_DIFFER_US))]
}

fn left(quota: i64, texts: Texts) -> i64 {
    (quota - texts.claimed - texts.ordered).max(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_US: i64 = 86_400_000_000;

    #[test]
    fn what_is_claimed_and_what_is_ordered_leave_the_rest() {
        assert_eq!(left(10, Texts { claimed: 4, ordered: 3 }), 3);
        assert_eq!(left(10, Texts { claimed: 7, ordered: 3 }), 0);
        // An operator made the quota smaller.
        assert_eq!(left(5, Texts { claimed: 7, ordered: 3 }), 0);
    }

    #[test]
    fn around_midnight_both_days_count() {
        let midnight = 20_000 * DAY_US;
        assert_eq!(days(Micros(midnight + DAY_US / 2)), [20_000, 20_000]);
        assert_eq!(days(Micros(midnight - 1)), [19_999, 20_000]);
        assert_eq!(days(Micros(midnight)), [19_999, 20_000]);
        assert_eq!(days(Micros(midnight + CLOCKS_DIFFER_US)), [20_000, 20_000]);
    }
}
