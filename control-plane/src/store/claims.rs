//! Claims: the right to make the one call, granted for each message and attempt at most once, ever.

use std::sync::Arc;

use muster_domain::status::{Decision, State, Status};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::db::{Micros, Result, SystemTx};
use crate::hours::{Minutes, Window, minutes, open_at};
use crate::store::campaigns::{CampaignState, Mode};
use crate::store::tenants::TenantState;
use crate::store::transitions::{Attempt, Owner, Transition, attempt_code};
use crate::store::{execute, query};

/// What a node asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Wanted {
    pub(crate) attempt: Attempt,
    /// The number that its order has. `None`: the order says nothing of it.
    pub(crate) number: Option<Uuid>,
}

/// A message granted, with all that the call needs.
pub(crate) struct Grant {
    pub(crate) attempt: Attempt,
    pub(crate) owner: Owner,
    pub(crate) number: Uuid,
    pub(crate) account: Uuid,
    pub(crate) to: String,
    pub(crate) from: String,
    pub(crate) body: String,
    pub(crate) media_urls: Vec<String>,
    pub(crate) validity_s: i32,
}

fn attempt_of(row: &Row) -> Attempt {
    Attempt {
        message: row.get("message_id"),
        attempt: row.get("attempt"),
        number: Some(row.get("number_id")),
    }
}

impl From<Row> for Grant {
    fn from(row: Row) -> Self {
        Self {
            attempt: attempt_of(&row),
            owner: Owner { tenant: row.get("tenant_id"), campaign: row.get("campaign_id") },
            number: row.get("number_id"),
            account: row.get("account_id"),
            to: row.get("phone_to"),
            from: row.get("phone_from"),
            body: row.get("body"),
            media_urls: row.get("media_urls"),
            validity_s: row.get("validity_s"),
        }
    }
}

impl Grant {
    /// The transition that the grant is.
    pub(crate) fn transition(&self, now: Micros, cause: &Arc<str>) -> Transition {
        let attempt = self.attempt.attempt.unsigned_abs();
        let state = |status| State { status, attempt, error: None };
        Transition {
            message: self.attempt.message,
            owner: self.owner,
            number: self.number,
            from: Some(state(Status::Ordered)),
            since: None,
            to: state(Decision::Claim.to()),
            time: now,
            cause: cause.clone(),
            provider_message_id: String::new(),
        }
    }
}

fn columns(attempts: &[Attempt]) -> (Vec<Uuid>, Vec<i16>) {
    attempts.iter().map(|a| (a.message, a.attempt)).unzip()
}

fn wanted_columns(wanted: &[Wanted]) -> (Vec<Uuid>, Vec<i16>, Vec<Option<Uuid>>) {
    wanted.iter().map(|w| (w.attempt.message, w.attempt.attempt, w.number)).collect()
}

/// Bounds how long this transaction waits for a lock of somebody else's, on the server: a statement that nobody waits
/// for any longer would keep its connection, and the locks it has. No bound on whole statements, because that would
/// count for the commit too, and a commit that waits for a replica is over when it is cut off, replicated or not.
pub(crate) async fn claim_bound(tx: &SystemTx<'_>) -> Result<()> {
    execute(tx, include_str!("claims/claim_bound.sql"), &[]).await?;
    Ok(())
}

/// Grants those of `wanted` (sorted) that are ordered from that number, of a running campaign of an active tenant, within their validity and within the hours
/// of the recipient, who has not opted out: all judged in this one statement.
pub(crate) async fn claims_grant(
    tx: &SystemTx<'_>,
    wanted: &[Wanted],
    hours: Window,
    now: Micros,
) -> Result<Vec<Grant>> {
    let (ids, attempts, numbers) = wanted_columns(wanted);
    let from = Status::Ordered.code();
    let to = Decision::Claim.to().code();
    let running = CampaignState::Running as i16;
    let active = TenantState::Active.code();
    let click = Mode::Click as i16;
    let sql = include_str!("claims/claims_grant.sql");
    let Minutes { smallest, largest } = minutes(now);
    let rows = query(
        tx,
        sql,
        &[
            &ids,
            &attempts,
            &from,
            &to,
            &now,
            &running,
            &smallest,
            &largest,
            &hours.open,
            &hours.close,
            &active,
            &click,
            &numbers,
        ],
    )
    .await?;
    Ok(rows.into_iter().map(Grant::from).collect())
}

/// What was not granted, and may be in a state to be moved on.
pub(crate) struct Refused {
    pub(crate) attempt: Attempt,
    /// What becomes of it.
    pub(crate) decision: Decision,
    /// When it may go out, where it goes back to the queue.
    pub(crate) due_time: Micros,
}

/// Those of `wanted` that are still ordered from that number after the grant, with what was in their way.
pub(crate) async fn claims_refused(
    tx: &SystemTx<'_>,
    wanted: &[Wanted],
    hours: Window,
    now: Micros,
) -> Result<Vec<Refused>> {
    let (ids, attempts, numbers) = wanted_columns(wanted);
    let sql = include_str!("claims/claims_refused.sql");
    let rows = query(tx, sql, &[&ids, &attempts, &Status::Ordered.code(), &now, &numbers]).await?;
    let refused = rows.into_iter().map(|row| {
        let attempt = attempt_of(&row);
        let decision = match CampaignState::from_code(row.get("state")) {
            CampaignState::Canceled => Decision::Cancel,
            _ if row.get("opted_out") => Decision::Suppress,
            _ if row.get("expired") => Decision::Expire,
            // The campaign was paused, or the tenant suspended.
            CampaignState::Draft | CampaignState::Running | CampaignState::Paused => Decision::Withdraw,
        };
        let due_time = open_at(row.get("phone"), Window::from(&row).and(hours), now);
        Refused { attempt, decision, due_time }
    });
    Ok(refused.collect())
}

/// Keeps what was claimed together, for the reaper.
pub(crate) async fn claim_batch_insert(
    tx: &SystemTx<'_>,
    id: Uuid,
    node: &str,
    now: Micros,
    attempts: &[Attempt],
) -> Result<()> {
    let (ids, numbers) = columns(attempts);
    let sql = include_str!("claims/claim_batch_insert.sql");
    execute(tx, sql, &[&id, &node, &now, &ids, &numbers]).await?;
    Ok(())
}

/// Takes the batches claimed before `before`, and returns all of their attempts.
pub(crate) async fn claim_batches_take(
    tx: &SystemTx<'_>,
    before: Micros,
    limit: i64,
) -> Result<Vec<Attempt>> {
    let rows = query(tx, include_str!("claims/claim_batches_take.sql"), &[&before, &limit]).await?;
    let mut attempts = Vec::new();
    for row in rows {
        let ids: Vec<Uuid> = row.get("message_ids");
        let numbers: Vec<i16> = row.get("attempts");
        attempts.extend(ids.into_iter().zip(numbers).map(|(message, attempt)| Attempt {
            message,
            attempt,
            number: None,
        }));
    }
    Ok(attempts)
}

/// The number of an attempt as the wire has it.
pub(crate) fn attempt_from(attempt: u32) -> i16 {
    attempt_code(u16::try_from(attempt).unwrap_or(u16::MAX))
}
