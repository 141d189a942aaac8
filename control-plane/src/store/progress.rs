//! Where campaigns are: what their watchers are told.

use std::collections::HashMap;

use uuid::Uuid;

use crate::db::{Micros, Result, SystemTx};
use crate::store::campaigns::CampaignState;
use crate::store::{execute, query, query_one};

/// The lock of whoever tells.
const TELL_LOCK: i64 = 0x006d_7573_7465_7202;

/// Where a campaign was at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    pub(crate) campaign: Uuid,
    pub(crate) tenant: Uuid,
    /// As the API numbers it.
    pub(crate) state: i16,
    pub(crate) planned: bool,
    /// Messages by status; those that have none are missing.
    pub(crate) counts: HashMap<i16, i64>,
    pub(crate) read_time: Micros,
}

impl Progress {
    /// Whether nothing has changed since `before`.
    pub(crate) fn is_as(&self, before: &Self) -> bool {
        (self.state, self.planned, &self.counts) == (before.state, before.planned, &before.counts)
    }
}

/// Where these campaigns are; those that do not exist are missing.
///
/// Until the end of the transaction nobody else reads them this way, in whichever process: so of two snapshots the later
/// one has the later time, and the newest that a watcher gets is where the campaign came to. A process that freezes in
/// between holds up the others for 5 seconds: then PostgreSQL ends its transaction.
pub(crate) async fn progress_read(tx: &SystemTx<'_>, campaigns: &[Uuid]) -> Result<Vec<Progress>> {
    execute(tx, include_str!("progress/tell_bound.sql"), &[]).await?;
    query_one(tx, include_str!("progress/tell_lock.sql"), &[&TELL_LOCK]).await?;
    let rows = query(tx, include_str!("progress/progress_read.sql"), &[&campaigns]).await?;
    let progress = rows.into_iter().map(|row| {
        let (statuses, counts): (Vec<i16>, Vec<i64>) = (row.get("statuses"), row.get("counts"));
        Progress {
            campaign: row.get("id"),
            tenant: row.get("tenant_id"),
            state: row.get("state"),
            planned: row.get("planned"),
            counts: statuses.into_iter().zip(counts).collect(),
            read_time: row.get("read_time"),
        }
    });
    Ok(progress.collect())
}

/// The next campaigns after `after`, by their ids, that are no drafts and have not ended, or ended since
/// `ended_since`.
pub(crate) async fn campaigns_to_tell(
    tx: &SystemTx<'_>,
    after: Uuid,
    ended_since: Micros,
    limit: i64,
) -> Result<Vec<Uuid>> {
    let sql = include_str!("progress/campaigns_to_tell.sql");
    let rows = query(tx, sql, &[&after, &ended_since, &limit, &(CampaignState::Draft as i16)]).await?;
    Ok(rows.into_iter().map(|row| row.get(0)).collect())
}
