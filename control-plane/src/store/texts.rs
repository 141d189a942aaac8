//! A tenant's texts by day: what its daily quota is held against. Counted like everything else that follows from a
//! transition, in its transaction, so that the counts are exact.

use std::collections::BTreeMap;

use deadpool_postgres::Transaction;
use muster_domain::id::TenantId;
use muster_domain::status::Status;
use uuid::Uuid;

use crate::db::{Micros, Result, SystemTx};
use crate::store::transitions::Transition;
use crate::store::{execute, query};

/// The day that holds what is ordered and not claimed yet, whenever that was.
const ORDERED: i32 = 0;
const DAY_US: i64 = 24 * 3_600 * 1_000_000;

/// The day that a moment is on, in UTC, counted from 1970-01-01.
pub(crate) fn day(time: Micros) -> i32 {
    i32::try_from(time.0.div_euclid(DAY_US)).unwrap_or(i32::MAX)
}

/// What transitions add to each tenant's days.
fn deltas(transitions: &[Transition]) -> BTreeMap<(Uuid, i32), i64> {
    // Sorted by key, because everyone locks rows in one order.
    let mut deltas = BTreeMap::new();
    let mut add = |tenant, day, delta| *deltas.entry((tenant, day)).or_default() += delta;
    for transition in transitions {
        let tenant = transition.owner.tenant;
        let from = transition.from.as_ref().map(|from| from.status);
        match from {
            Some(Status::Ordered) => add(tenant, ORDERED, -1),
            // It was certainly not accepted, so the text has its day before it yet.
            Some(Status::Claimed) if transition.to.status == Status::Queued => {
                if let Some(claimed) = transition.since {
                    add(tenant, day(claimed), -1);
                }
            }
            Some(_) | None => {}
        }
        match transition.to.status {
            Status::Ordered => add(tenant, ORDERED, 1),
            Status::Claimed => add(tenant, day(transition.time), 1),
            Status::Created
            | Status::Queued
            | Status::Sent
            | Status::Delivered
            | Status::Undelivered
            | Status::Failed
            | Status::Unconfirmed
            | Status::Canceled
            | Status::Suppressed
            | Status::Expired => {}
        }
    }
    deltas.retain(|_, delta| *delta != 0);
    deltas
}

/// Counts `transitions`, in their transaction.
pub(crate) async fn texts_add(tx: &Transaction<'_>, transitions: &[Transition], slot: i16) -> Result<()> {
    let deltas = deltas(transitions);
    if deltas.is_empty() {
        return Ok(());
    }
    let tenants: Vec<Uuid> = deltas.keys().map(|key| key.0).collect();
    let days: Vec<i32> = deltas.keys().map(|key| key.1).collect();
    let counts: Vec<i64> = deltas.into_values().collect();
    let sql = include_str!("texts/texts_add.sql");
    execute(tx, sql, &[&tenants, &days, &counts, &slot]).await?;
    Ok(())
}

/// A tenant's texts, all of one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Texts {
    /// Claimed on the days that were asked for: of several, the one with the most.
    pub(crate) claimed: i64,
    /// Ordered, and not claimed yet.
    pub(crate) ordered: i64,
}

/// How many texts a tenant has claimed on one of `days`, and ordered: in one statement, so that a text which is claimed
/// just now counts once.
pub(crate) async fn texts_count(tx: &SystemTx<'_>, tenant: TenantId, days: &[i32]) -> Result<Texts> {
    let mut wanted = days.to_vec();
    wanted.push(ORDERED);
    let mut texts = Texts::default();
    for row in query(tx, include_str!("texts/texts_count.sql"), &[&tenant.0, &wanted]).await? {
        let count: i64 = row.get("count");
        match row.get("day") {
            ORDERED => texts.ordered = count,
            _ => texts.claimed = texts.claimed.max(count),
        }
    }
    Ok(texts)
}

/// Forgets days up to `last`.
pub(crate) async fn texts_forget(tx: &SystemTx<'_>, last: i32) -> Result<()> {
    execute(tx, include_str!("texts/texts_forget.sql"), &[&last]).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use muster_domain::status::State;

    use super::*;
    use crate::store::transitions::Owner;

    const NOON: Micros = Micros(20_000 * DAY_US + DAY_US / 2);

    fn moved(from: Option<Status>, to: Status, since: Option<Micros>) -> Transition {
        let state = |status| State { status, ..State::CREATED };
        Transition {
            message: Uuid::nil(),
            owner: Owner { tenant: Uuid::nil(), campaign: Uuid::nil() },
            number: Uuid::nil(),
            from: from.map(state),
            since,
            to: state(to),
            time: NOON,
            cause: "test".into(),
            provider_message_id: String::new(),
        }
    }

    fn counted(transitions: &[Transition]) -> Vec<(i32, i64)> {
        deltas(transitions).into_iter().map(|((_, day), delta)| (day, delta)).collect()
    }

    #[test]
    fn a_text_has_one_place_from_its_order_to_its_claim() {
        use Status::{Canceled, Claimed, Ordered, Queued, Sent};
        assert_eq!(counted(&[moved(Some(Queued), Ordered, None)]), [(0, 1)]);
        assert_eq!(counted(&[moved(Some(Ordered), Claimed, None)]), [(0, -1), (20_000, 1)]);
        assert_eq!(counted(&[moved(Some(Ordered), Queued, None)]), [(0, -1)]);
        assert_eq!(counted(&[moved(Some(Ordered), Canceled, None)]), [(0, -1)]);
        // A receipt that came before anybody could claim it.
        assert_eq!(counted(&[moved(Some(Ordered), Sent, None)]), [(0, -1)]);
        assert_eq!(counted(&[moved(Some(Claimed), Sent, Some(NOON))]), []);
        assert_eq!(counted(&[moved(None, Queued, None), moved(Some(Queued), Canceled, None)]), []);
    }

    #[test]
    fn what_was_not_accepted_gives_its_place_back_to_the_day_it_was_taken_from() {
        use Status::{Claimed, Queued, Unconfirmed};
        let yesterday = Micros(NOON.0 - DAY_US);
        assert_eq!(counted(&[moved(Some(Claimed), Queued, Some(yesterday))]), [(19_999, -1)]);
        // Nobody knows any more when it was claimed: better a place too few.
        assert_eq!(counted(&[moved(Some(Unconfirmed), Queued, None)]), []);
    }

    #[test]
    fn days_change_at_midnight_in_utc() {
        assert_eq!(day(Micros(0)), 0);
        assert_eq!(day(Micros(DAY_US - 1)), 0);
        assert_eq!(day(Micros(DAY_US)), 1);
        assert_eq!(day(Micros(-1)), -1);
    }
}
