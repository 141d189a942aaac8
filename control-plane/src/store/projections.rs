//! Projection: the states that facts move, and how far the stream of facts has been projected.

use muster_domain::status::{State, Status};
use uuid::Uuid;

use crate::db::{Micros, Result, SystemTx};
use crate::store::transitions::{Owner, attempt_code, class_code, error_code, error_from};
use crate::store::{execute, query, query_one};

/// How far a stream has been projected.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Position {
    pub(crate) sequence: i64,
    /// When the stream was created that the sequence is of.
    pub(crate) stream_create_time: Micros,
}

/// How far a stream has been projected. Where it has not been begun, it begins with the one created at this time.
pub(crate) async fn projection_position(
    tx: &SystemTx<'_>,
    stream: &str,
    stream_create_time: Micros,
) -> Result<Position> {
    execute(tx, include_str!("projections/projection_begin.sql"), &[&stream, &stream_create_time]).await?;
    let row = query_one(tx, include_str!("projections/projection_position.sql"), &[&stream]).await?;
    Ok(Position { sequence: row.get("sequence"), stream_create_time: row.get("stream_create_time") })
}

/// Moves the position from where it was. False where it is elsewhere: somebody else projects, and this
/// transaction must not be committed.
pub(crate) async fn projection_advance(tx: &SystemTx<'_>, stream: &str, from: i64, to: i64) -> Result<bool> {
    let sql = include_str!("projections/projection_advance.sql");
    Ok(execute(tx, sql, &[&stream, &from, &to]).await? == 1)
}

/// Notes that all that JetStream had at `time` has been projected.
pub(crate) async fn projection_caught_up_set(tx: &SystemTx<'_>, stream: &str, time: Micros) -> Result<()> {
    execute(tx, include_str!("projections/projection_caught_up_set.sql"), &[&stream, &time]).await?;
    Ok(())
}

/// When the projection last had all that JetStream had; `None` where it was never begun.
pub(crate) async fn projection_caught_up(tx: &SystemTx<'_>) -> Result<Option<Micros>> {
    Ok(query_one(tx, include_str!("projections/projection_caught_up.sql"), &[]).await?.get(0))
}

/// An event that no transaction can hold, or of which nobody can make anything.
pub(crate) struct RejectedEvent {
    pub(crate) sequence: i64,
    /// Where in its frame it stands.
    pub(crate) place: i32,
    pub(crate) node: String,
    pub(crate) event: Vec<u8>,
    pub(crate) reason: String,
    pub(crate) tenant: Uuid,
}

pub(crate) async fn rejected_event_insert(
    tx: &SystemTx<'_>,
    stream: &str,
    event: &RejectedEvent,
) -> Result<()> {
    let sql = include_str!("projections/rejected_event_insert.sql");
    let RejectedEvent { sequence, place, node, event, reason, tenant } = event;
    execute(tx, sql, &[&stream, sequence, place, node, event, reason, tenant]).await?;
    Ok(())
}

/// The provider's own id of an attempt, as whoever called the provider was told it.
pub(crate) struct ProviderId {
    pub(crate) message: Uuid,
    pub(crate) attempt: u16,
    pub(crate) id: String,
}

/// The provider's own ids of the attempts at messages, as far as they are known from elsewhere than receipts.
pub(crate) async fn provider_ids_get(tx: &SystemTx<'_>, messages: &[Uuid]) -> Result<Vec<ProviderId>> {
    let rows = query(tx, include_str!("projections/provider_ids_get.sql"), &[&messages]).await?;
    let ids = rows.into_iter().map(|row| ProviderId {
        message: row.get("message_id"),
        attempt: row.get::<_, i16>("attempt").unsigned_abs(),
        id: row.get("provider_message_id"),
    });
    Ok(ids.collect())
}

/// A message's state as it is in the database.
pub(crate) struct StateRow {
    pub(crate) message: Uuid,
    pub(crate) owner: Owner,
    /// The number of ours that it is sent from.
    pub(crate) number: Uuid,
    pub(crate) state: State,
    /// Since when.
    pub(crate) since: Micros,
}

/// The states of messages; those that do not exist are missing.
pub(crate) async fn states_get(tx: &SystemTx<'_>, messages: &[Uuid]) -> Result<Vec<StateRow>> {
    let rows = query(tx, include_str!("projections/states_get.sql"), &[&messages]).await?;
    let states = rows.into_iter().filter_map(|row| {
        // A status that this build does not know is left to the build that does.
        let status = Status::from_code(row.get("status"))?;
        let attempt = row.get::<_, i16>("attempt").unsigned_abs();
        let error = error_from(row.get("error_class"), row.get("error_code"));
        Some(StateRow {
            message: row.get("message_id"),
            owner: Owner { tenant: row.get("tenant_id"), campaign: row.get("campaign_id") },
            number: row.get("number_id"),
            state: State { status, attempt, error },
            since: row.get("update_time"),
        })
    });
    Ok(states.collect())
}

/// A message's way from the state that was read to the one that facts lead to.
pub(crate) struct Move<'a> {
    pub(crate) message: Uuid,
    pub(crate) from: &'a State,
    pub(crate) to: &'a State,
}

/// Moves states that are still what was read, and returns how many were: fewer than `moves` (sorted by message)
/// means that somebody else moved one meanwhile, and that this transaction must not be committed.
pub(crate) async fn states_move(tx: &SystemTx<'_>, moves: &[Move<'_>], now: Micros) -> Result<u64> {
    let ids: Vec<Uuid> = moves.iter().map(|m| m.message).collect();
    let from_statuses: Vec<i16> = moves.iter().map(|m| m.from.status.code()).collect();
    let from_attempts: Vec<i16> = moves.iter().map(|m| attempt_code(m.from.attempt)).collect();
    let statuses: Vec<i16> = moves.iter().map(|m| m.to.status.code()).collect();
    let attempts: Vec<i16> = moves.iter().map(|m| attempt_code(m.to.attempt)).collect();
    let classes: Vec<i16> = moves.iter().map(|m| class_code(m.to.error.as_ref())).collect();
    let codes: Vec<&str> = moves.iter().map(|m| error_code(m.to.error.as_ref())).collect();
    let sql = include_str!("projections/states_move.sql");
    execute(tx, sql, &[&ids, &from_statuses, &from_attempts, &statuses, &attempts, &classes, &codes, &now])
        .await
}

/// A receipt that belongs to no message of its tenant, or says what the provider does not document.
pub(crate) struct UnmatchedReceipt {
    pub(crate) tenant: Uuid,
    pub(crate) message: Option<Uuid>,
    pub(crate) provider_message_id: String,
    pub(crate) state: String,
    pub(crate) time: Micros,
}

pub(crate) async fn unmatched_receipts_insert(
    tx: &SystemTx<'_>,
    receipts: &[UnmatchedReceipt],
) -> Result<()> {
    let tenants: Vec<Uuid> = receipts.iter().map(|r| r.tenant).collect();
    let messages: Vec<Option<Uuid>> = receipts.iter().map(|r| r.message).collect();
    let provider_ids: Vec<&str> = receipts.iter().map(|r| r.provider_message_id.as_str()).collect();
    let states: Vec<&str> = receipts.iter().map(|r| r.state.as_str()).collect();
    let times: Vec<Micros> = receipts.iter().map(|r| r.time).collect();
    let sql = include_str!("projections/unmatched_receipts_insert.sql");
    execute(tx, sql, &[&tenants, &messages, &provider_ids, &states, &times]).await?;
    Ok(())
}
