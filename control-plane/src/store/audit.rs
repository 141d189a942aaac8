//! The audit log: entries, and for each tenant the end of its chain. Nothing here changes or deletes an entry, nor could
//! it: the database refuses both.

use deadpool_postgres::Transaction;
use futures::future::try_join;
use muster_domain::id::TenantId;
use tokio_postgres::Row;

use crate::audit::chain::{Entry, FIRST, Hash, Record};
use crate::db::{Micros, Result, TenantTx};
use crate::store::{execute, query, query_one, query_opt};

/// A hash as a row has it. The table holds none of another length.
fn hash_from(bytes: &[u8]) -> Hash {
    bytes.try_into().unwrap_or(FIRST)
}

impl From<Row> for Entry {
    fn from(row: Row) -> Self {
        Self {
            tenant: TenantId(row.get("tenant_id")),
            sequence: row.get("sequence"),
            record: Record {
                time: row.get("time"),
                caller: row.get("caller"),
                method: row.get("method"),
                resource: row.get("resource"),
                address: row.get("address"),
                before: row.get("before"),
                after: row.get("after"),
                result: row.get("result"),
            },
            hash: hash_from(row.get("hash")),
        }
    }
}

/// Takes the next `count` numbers of a tenant's chain, and locks its end until the commit: the first of the numbers, and
/// the hash of the entry before. `None` where there is no such tenant.
pub(crate) async fn head_advance(
    tx: &Transaction<'_>,
    tenant: TenantId,
    count: i64,
) -> Result<Option<(i64, Hash)>> {
    let row =
        query_opt(tx, include_str!("audit/head_advance.sql"), &[&tenant.0, &count, &&FIRST[..]]).await?;
    Ok(row.map(|row| (row.get::<_, i64>("sequence") - count + 1, hash_from(row.get("hash")))))
}

/// Writes entries of one tenant, the last of which is now the end of its chain.
pub(crate) async fn entries_append(tx: &Transaction<'_>, tenant: TenantId, entries: &[Entry]) -> Result<()> {
    let Some(last) = entries.last() else { return Ok(()) };
    let hash = &last.hash[..];
    let set = [&tenant.0 as _, &hash as _];
    try_join(entries_insert(tx, tenant, entries), execute(tx, include_str!("audit/head_set.sql"), &set))
        .await?;
    Ok(())
}

async fn entries_insert(tx: &Transaction<'_>, tenant: TenantId, entries: &[Entry]) -> Result<u64> {
    let sequences: Vec<i64> = entries.iter().map(|entry| entry.sequence).collect();
    let times: Vec<Micros> = entries.iter().map(|entry| entry.record.time).collect();
    let column = |of: fn(&Record) -> &String| -> Vec<&str> {
        entries.iter().map(|entry| of(&entry.record).as_str()).collect()
    };
    let hashes: Vec<&[u8]> = entries.iter().map(|entry| &entry.hash[..]).collect();
    let sql = include_str!("audit/entries_insert.sql");
    execute(
        tx,
        sql,
        &[
            &tenant.0,
            &sequences,
            &times,
            &column(|record| &record.caller),
            &column(|record| &record.method),
            &column(|record| &record.resource),
            &column(|record| &record.address),
            &column(|record| &record.before),
            &column(|record| &record.after),
            &column(|record| &record.result),
            &hashes,
        ],
    )
    .await
}

/// The end of a tenant's chain.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    /// The sequence of the last entry; 0 where there is none yet.
    pub(crate) sequence: i64,
    pub(crate) hash: Hash,
    /// The sequence of the last entry that is really there.
    pub(crate) last: i64,
}

pub(crate) async fn head_get(tx: &TenantTx<'_>, tenant: TenantId) -> Result<Head> {
    let row = query_one(tx, include_str!("audit/head_get.sql"), &[&tenant.0]).await?;
    let hash = row.get::<_, Option<&[u8]>>("hash").map_or(FIRST, hash_from);
    Ok(Head { sequence: row.get("sequence"), hash, last: row.get("last") })
}

/// Which entries to list.
#[derive(Clone, Debug)]
pub(crate) struct Wanted<'a> {
    /// Those after this sequence, up to and with that one.
    pub(crate) sequences: (i64, i64),
    /// Those from this time on, and before that one.
    pub(crate) times: (Micros, Micros),
    /// Only this caller's; empty for all.
    pub(crate) caller: &'a str,
    /// Only this method's; empty for all.
    pub(crate) method: &'a str,
    /// How many at most.
    pub(crate) limit: i64,
    /// No further one once those before have so many bytes of `before` and `after`.
    pub(crate) bytes: i64,
}

pub(crate) async fn entries_list(
    tx: &TenantTx<'_>,
    tenant: TenantId,
    wanted: &Wanted<'_>,
) -> Result<Vec<Entry>> {
    let ((after, up_to), (from, before)) = (wanted.sequences, wanted.times);
    let sql = include_str!("audit/entries_list.sql");
    let rows = query(
        tx,
        sql,
        &[
            &tenant.0,
            &after,
            &up_to,
            &from,
            &before,
            &wanted.caller,
            &wanted.method,
            &wanted.limit,
            &wanted.bytes,
        ],
    )
    .await?;
    Ok(rows.into_iter().map(Entry::from).collect())
}
