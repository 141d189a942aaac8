//! The outboxes: what was decided in a transaction and must reach JetStream after it.

use deadpool_postgres::Transaction;
use uuid::Uuid;

use crate::db::{Micros, Result, SystemTx};
use crate::store::{execute, query};

/// Orders that are published together.
#[derive(Clone, Debug)]
pub(crate) struct OrderFrameRow {
    pub(crate) id: Uuid,
    pub(crate) shard: i16,
    pub(crate) messages: Vec<Uuid>,
    pub(crate) attempts: Vec<i16>,
    /// What is published. `None`: the frame was written by a version that published the ids alone.
    pub(crate) payload: Option<Vec<u8>>,
}

pub(crate) async fn order_frame_insert(tx: &SystemTx<'_>, frame: &OrderFrameRow) -> Result<()> {
    let sql = include_str!("outbox/order_frame_insert.sql");
    execute(tx, sql, &[&frame.id, &frame.shard, &frame.messages, &frame.attempts, &frame.payload]).await?;
    Ok(())
}

/// Frames that JetStream does not have yet, oldest first, locked until the end of the transaction.
pub(crate) async fn order_frames_unpublished(tx: &SystemTx<'_>, limit: i64) -> Result<Vec<OrderFrameRow>> {
    let rows = query(tx, include_str!("outbox/order_frames_unpublished.sql"), &[&limit]).await?;
    let frames = rows.into_iter().map(|row| OrderFrameRow {
        id: row.get("id"),
        shard: row.get("shard"),
        messages: row.get("message_ids"),
        attempts: row.get("attempts"),
        payload: row.get("payload"),
    });
    Ok(frames.collect())
}

pub(crate) async fn order_frames_published(tx: &SystemTx<'_>, frames: &[Uuid]) -> Result<()> {
    execute(tx, include_str!("outbox/order_frames_published.sql"), &[&frames, &Micros::now()]).await?;
    Ok(())
}

/// Forgets the frames published before `before` that hold no ordered message any more.
pub(crate) async fn order_frames_forget(tx: &SystemTx<'_>, before: Micros, ordered: i16) -> Result<u64> {
    execute(tx, include_str!("outbox/order_frames_forget.sql"), &[&before, &ordered]).await
}

/// Has the frames published before `before` published once more.
pub(crate) async fn order_frames_revive(tx: &SystemTx<'_>, before: Micros) -> Result<u64> {
    execute(tx, include_str!("outbox/order_frames_revive.sql"), &[&before]).await
}

/// What one tenant's watchers are told.
pub(crate) struct StatusFrameRow {
    pub(crate) id: Uuid,
    pub(crate) tenant: Uuid,
    pub(crate) payload: Vec<u8>,
}

pub(crate) async fn status_frames_insert(tx: &Transaction<'_>, frames: &[StatusFrameRow]) -> Result<()> {
    if frames.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = frames.iter().map(|frame| frame.id).collect();
    let tenants: Vec<Uuid> = frames.iter().map(|frame| frame.tenant).collect();
    let payloads: Vec<&[u8]> = frames.iter().map(|frame| frame.payload.as_slice()).collect();
    execute(tx, include_str!("outbox/status_frames_insert.sql"), &[&ids, &tenants, &payloads]).await?;
    Ok(())
}

/// The oldest status frames, locked until the end of the transaction.
pub(crate) async fn status_frames_oldest(tx: &SystemTx<'_>, limit: i64) -> Result<Vec<StatusFrameRow>> {
    let rows = query(tx, include_str!("outbox/status_frames_oldest.sql"), &[&limit]).await?;
    let frames = rows.into_iter().map(|row| StatusFrameRow {
        id: row.get("id"),
        tenant: row.get("tenant_id"),
        payload: row.get("payload"),
    });
    Ok(frames.collect())
}

pub(crate) async fn status_frames_delete(tx: &SystemTx<'_>, frames: &[Uuid]) -> Result<()> {
    execute(tx, include_str!("outbox/status_frames_delete.sql"), &[&frames]).await?;
    Ok(())
}
