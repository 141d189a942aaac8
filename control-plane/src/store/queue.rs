//! The queue: messages that wait to be ordered, and the ways out of it.

use deadpool_postgres::Transaction;
use muster_domain::status::Decision;
use uuid::Uuid;

use crate::db::{Micros, Result, SystemTx};
use crate::store::campaigns::{CampaignState, Mode};
use crate::store::routes::Kind;
use crate::store::tenants::TenantState;
use crate::store::transitions::Attempt;
use crate::store::{execute, query};

/// A campaign with messages in the queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QueuedCampaign {
    pub(crate) id: Uuid,
    pub(crate) tenant: Uuid,
    pub(crate) pool: Uuid,
    pub(crate) state: CampaignState,
    /// When the first of its messages may have expired.
    pub(crate) expires_from: Micros,
    /// What its messages are.
    pub(crate) kind: Kind,
    /// The tenant's quotas; 0 where it has none.
    pub(crate) texts_per_day: i64,
    pub(crate) segments_per_second: i64,
}

/// The campaigns of active tenants that have anything in the queue.
pub(crate) async fn queued_campaigns(tx: &SystemTx<'_>) -> Result<Vec<QueuedCampaign>> {
    let sql = include_str!("queue/queued_campaigns.sql");
    let (active, running, click) =
        (TenantState::Active.code(), CampaignState::Running as i16, Mode::Click as i16);
    let rows = query(tx, sql, &[&active, &running, &click]).await?;
    let campaigns = rows.into_iter().map(|row| QueuedCampaign {
        id: row.get("id"),
        tenant: row.get("tenant_id"),
        pool: row.get("pool_id"),
        state: CampaignState::from_code(row.get("state")),
        expires_from: row.get("expires_from"),
        kind: Kind::of(row.get("has_media")),
        texts_per_day: row.get("texts_per_day"),
        segments_per_second: row.get("segments_per_second"),
    });
    Ok(campaigns.collect())
}

/// A message taken from the queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taken {
    pub(crate) message: Uuid,
    pub(crate) number: Uuid,
    pub(crate) segments: i16,
    pub(crate) attempt: i16,
}

impl Taken {
    pub(crate) fn attempt(&self) -> Attempt {
        Attempt { message: self.message, attempt: self.attempt, number: Some(self.number) }
    }
}

/// Takes a campaign's next due messages from the queue: for each number in its order, until its budget of
/// segments is used up, and `share` for all of them together. The last message may overdraw either; the caller keeps the
/// debt. There are never more messages than `share`: each has a segment at least.
pub(crate) async fn queue_take(
    tx: &SystemTx<'_>,
    campaign: Uuid,
    numbers: &[Uuid],
    budgets: &[i32],
    share: i32,
) -> Result<Vec<Taken>> {
    let sql = include_str!("queue/queue_take.sql");
    let rows = query(tx, sql, &[&campaign, &numbers, &budgets, &Micros::now(), &share]).await?;
    Ok(rows.into_iter().map(taken).collect())
}

fn taken(row: tokio_postgres::Row) -> Taken {
    Taken {
        message: row.get("message_id"),
        number: row.get("number_id"),
        segments: row.get("segments"),
        attempt: row.get("attempt"),
    }
}

/// Takes messages of a canceled campaign from the queue.
pub(crate) async fn queue_take_canceled(tx: &SystemTx<'_>, campaign: Uuid, limit: i64) -> Result<Vec<Taken>> {
    let rows = query(tx, include_str!("queue/queue_take_canceled.sql"), &[&campaign, &limit]).await?;
    Ok(rows.into_iter().map(taken).collect())
}

/// Takes messages whose validity has ended from the queue.
pub(crate) async fn queue_take_expired(tx: &SystemTx<'_>, campaign: Uuid, limit: i64) -> Result<Vec<Taken>> {
    let sql = include_str!("queue/queue_take_expired.sql");
    Ok(query(tx, sql, &[&campaign, &Micros::now(), &limit]).await?.into_iter().map(taken).collect())
}

/// Canceled campaigns whose unsent messages are still with texters, or waiting for one.
pub(crate) async fn canceled_with_assignments(tx: &SystemTx<'_>) -> Result<Vec<Uuid>> {
    let sql = include_str!("queue/canceled_with_assignments.sql");
    let rows = query(tx, sql, &[&(CampaignState::Canceled as i16)]).await?;
    Ok(rows.into_iter().map(|row| row.get(0)).collect())
}

/// Takes unsent messages of a canceled click campaign away from texters.
pub(crate) async fn assignments_take_canceled(
    tx: &SystemTx<'_>,
    campaign: Uuid,
    limit: i64,
) -> Result<Vec<Attempt>> {
    let sql = include_str!("queue/assignments_take_canceled.sql");
    let rows = query(tx, sql, &[&campaign, &limit]).await?;
    Ok(rows.into_iter().map(|row| Attempt { message: row.get(0), attempt: 1, number: None }).collect())
}

/// Puts messages back into the queue, due at `due_times`: after a withdrawn order or for another attempt.
pub(crate) async fn queue_return(
    tx: &Transaction<'_>,
    messages: &[Uuid],
    due_times: &[Micros],
) -> Result<()> {
    execute(tx, include_str!("queue/queue_return.sql"), &[&messages, &due_times]).await?;
    Ok(())
}

/// What the dispatcher does with the messages it takes, for a campaign in this state.
pub(crate) fn way_out(state: CampaignState) -> Option<Decision> {
    match state {
        CampaignState::Running => Some(Decision::Order),
        CampaignState::Canceled => Some(Decision::Cancel),
        CampaignState::Paused | CampaignState::Draft => None,
    }
}

/// The lock of the one dispatcher.
const DISPATCH_LOCK: i64 = 0x006d_7573_7465_7201;

/// Takes the lock of the one dispatcher for as long as the connection lives. False where another has it.
pub(crate) async fn queue_lock_try(client: &deadpool_postgres::ClientWrapper) -> Result<bool> {
    let statement = client.prepare_cached(include_str!("queue/queue_lock_try.sql")).await?;
    Ok(client.query_one(&statement, &[&DISPATCH_LOCK]).await?.get(0))
}
