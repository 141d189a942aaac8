//! Media of replies: which are to be fetched, what became of them, and which objects are to be erased.

use muster_runtime::{clock, key};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::db::{Micros, Result, SystemTx, TenantTx};
use crate::store::{execute, query, query_opt};

/// Where a medium is in its life, numbered as in the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i16)]
pub(crate) enum MediaState {
    Pending = 1,
    Stored = 2,
    Refused = 3,
    Gone = 4,
}

/// A medium of a reply that just came.
pub(crate) struct NewMedium {
    pub(crate) id: Uuid,
    pub(crate) object_key: String,
}

impl NewMedium {
    /// One of a tenant's. Where it will be stored nobody can guess.
    pub(crate) fn of(tenant: Uuid) -> muster_runtime::Result<Self> {
        Ok(Self { id: clock::new_id(), object_key: format!("{tenant}/{}", key::random_secret()?) })
    }
}

/// A medium that a gateway is to fetch.
pub(crate) struct TakenMedium {
    pub(crate) id: Uuid,
    pub(crate) account: Uuid,
    pub(crate) url: String,
    pub(crate) object_key: String,
}

/// When media are taken.
pub(crate) struct Taking {
    pub(crate) now: Micros,
    /// Until then nobody else takes them.
    pub(crate) until: Micros,
    /// Media of replies that came before this are given up.
    pub(crate) gone_before: Micros,
    pub(crate) limit: i64,
}

/// Takes media that are due, and gives up those that nobody could have for too long. Returns the former, and how many there
/// were of both.
pub(crate) async fn media_take(tx: &SystemTx<'_>, taking: &Taking) -> Result<(Vec<TakenMedium>, usize)> {
    let sql = include_str!("media/media_take.sql");
    let (pending, gone) = (MediaState::Pending as i16, MediaState::Gone as i16);
    let Taking { now, until, gone_before, limit } = taking;
    let rows = query(tx, sql, &[&pending, now, limit, until, gone_before, &gone]).await?;
    let count = rows.len();
    let taken = rows.into_iter().filter(|row| row.get::<_, i16>("state") == pending).filter_map(|row| {
        Some(TakenMedium {
            id: row.get("id"),
            account: row.get("account_id"),
            url: row.get::<_, Option<String>>("url")?,
            object_key: row.get("object_key"),
        })
    });
    Ok((taken.collect(), count))
}

/// How often a medium that is still pending was tried, locked until the end of the transaction. `None` where it is not
/// pending any more, or erased.
pub(crate) async fn medium_lock(tx: &SystemTx<'_>, id: Uuid) -> Result<Option<u32>> {
    let sql = include_str!("media/medium_lock.sql");
    let row = query_opt(tx, sql, &[&id, &(MediaState::Pending as i16)]).await?;
    Ok(row.map(|row| u32::from(row.get::<_, i16>("tries").unsigned_abs())))
}

/// What is in the store.
pub(crate) struct StoredMedium {
    pub(crate) content_type: String,
    pub(crate) size_bytes: i64,
    pub(crate) sha256: Vec<u8>,
}

/// What became of a medium, for good.
pub(crate) enum Settled {
    Stored(StoredMedium),
    /// It will never be taken, for this reason.
    Refused(i16),
}

/// Notes what became of a medium.
pub(crate) async fn medium_settle(tx: &SystemTx<'_>, id: Uuid, settled: &Settled) -> Result<()> {
    let sql = include_str!("media/medium_settle.sql");
    let (state, reason, stored) = match settled {
        Settled::Stored(stored) => (MediaState::Stored, 0, Some(stored)),
        Settled::Refused(reason) => (MediaState::Refused, *reason, None),
    };
    let content_type = stored.map(|stored| &*stored.content_type);
    let (size_bytes, sha256) = (stored.map(|stored| stored.size_bytes), stored.map(|stored| &*stored.sha256));
    execute(tx, sql, &[&id, &(state as i16), &reason, &content_type, &size_bytes, &sha256]).await?;
    Ok(())
}

/// Notes why a medium could not be had this time, and when it is tried again.
pub(crate) async fn medium_retry(tx: &SystemTx<'_>, id: Uuid, reason: i16, next: Micros) -> Result<()> {
    execute(tx, include_str!("media/medium_retry.sql"), &[&id, &reason, &next]).await?;
    Ok(())
}

/// A medium as it is known now.
pub(crate) struct Medium {
    pub(crate) id: Uuid,
    pub(crate) reply: Uuid,
    pub(crate) state: i16,
    pub(crate) reason: i16,
    pub(crate) object_key: String,
    pub(crate) content_type: String,
    pub(crate) size_bytes: i64,
}

impl From<Row> for Medium {
    fn from(row: Row) -> Self {
        Self {
            id: row.get("id"),
            reply: row.get("reply_id"),
            state: row.get("state"),
            reason: row.get("reason"),
            object_key: row.get("object_key"),
            content_type: row.get("content_type"),
            size_bytes: row.get("size_bytes"),
        }
    }
}

/// The media of these replies, those of each in their order.
pub(crate) async fn media_of_replies(tx: &TenantTx<'_>, replies: &[Uuid]) -> Result<Vec<Medium>> {
    let rows = query(tx, include_str!("media/media_of_replies.sql"), &[&replies]).await?;
    Ok(rows.into_iter().map(Medium::from).collect())
}

/// A medium of a reply; only if the conversation is of `texter`, where there is one.
pub(crate) async fn medium_get(
    tx: &TenantTx<'_>,
    reply: Uuid,
    id: Uuid,
    texter: Option<&str>,
) -> Result<Option<Medium>> {
    let sql = include_str!("media/medium_get.sql");
    Ok(query_opt(tx, sql, &[&id, &reply, &texter]).await?.map(Medium::from))
}

/// Takes objects that are to be deleted now, so that until `until` nobody else does.
pub(crate) async fn erased_objects_take(
    tx: &SystemTx<'_>,
    now: Micros,
    until: Micros,
    limit: i64,
) -> Result<Vec<String>> {
    let rows = query(tx, include_str!("media/erased_objects_take.sql"), &[&now, &until, &limit]).await?;
    Ok(rows.into_iter().map(|row| row.get("object_key")).collect())
}

/// Notes that objects were deleted: once, and then they are deleted again after `again`; or twice, and then they are
/// forgotten.
pub(crate) async fn erased_objects_done(tx: &SystemTx<'_>, keys: &[String], again: Micros) -> Result<()> {
    execute(tx, include_str!("media/erased_objects_done.sql"), &[&keys, &again]).await?;
    Ok(())
}
