//! The purge: deletes all that is left of a tenant whose grace period is over, but for a tombstone and the audit log.
//!
//! A tenant is made a tombstone first, in one statement that also judges its time, so that it can no longer be undeleted.
//! Then its rows are deleted in batches, one transaction each, under a lock of its row: two purges at once leave one
//! another's tenants alone, and one that is killed is gone on with where it was. What comes late, such as an event that
//! waited in JetStream, is found when the purge looks again, a day after it found nothing.
//!
//! It also forgets how many texts tenants sent on days that nobody asks for any more.

use std::time::Duration;

use uuid::Uuid;

use crate::db::{Micros, SystemTx};
use crate::store::purge::{purge_batch, purge_begin, purge_due, purge_lock, purge_look_again};
use crate::store::texts::{day, texts_forget};
use crate::work::Context;

/// How often the purge looks.
const TIMER: Duration = Duration::from_secs(5);
/// Rows in one transaction, about.
const BATCH: i64 = 2_000;
/// Tenants that are worked on in one round.
const TENANTS: i64 = 20;
/// When a tenant of which nothing was left is looked at again: a day.
const AGAIN_US: i64 = 24 * 3_600 * 1_000_000;
/// Days of texts that are kept.
const DAYS_KEPT: i32 = 7;

/// Runs the purge.
pub(crate) async fn run(context: Context) -> anyhow::Result<()> {
    let mut forgotten = 0;
    loop {
        tokio::time::sleep(TIMER).await;
        while round(&context).await? {}
        let today = day(Micros::now());
        if forgotten != today {
            forget(&context, today).await?;
            forgotten = today;
        }
    }
}

/// One batch of each tenant that is due, so that a huge one does not hold up the others. Returns whether there is more.
async fn round(context: &Context) -> anyhow::Result<bool> {
    let now = Micros::now();
    let tenants = {
        let mut client = context.db.system().await?;
        let tx = SystemTx::begin(&mut client).await?;
        let begun = purge_begin(&tx, now).await?;
        let due = purge_due(&tx, now, TENANTS).await?;
        tx.commit().await?;
        if begun > 0 {
            tracing::info!(tenants = begun, "tenants are purged now; they can no longer be undeleted");
        }
        due
    };
    let mut more = false;
    for tenant in tenants {
        more |= batch(context, tenant, now).await?;
    }
    Ok(more)
}

/// Returns whether there may be more of this tenant to delete.
async fn batch(context: &Context, tenant: Uuid, now: Micros) -> anyhow::Result<bool> {
    let mut client = context.db.system().await?;
    let tx = SystemTx::begin(&mut client).await?;
    if !purge_lock(&tx, tenant).await? {
        return Ok(false);
    }
    let deleted = purge_batch(&tx, tenant, BATCH).await?;
    if deleted == 0 {
        purge_look_again(&tx, tenant, Micros(now.0 + AGAIN_US)).await?;
        tracing::info!(tenant.id = %tenant, "nothing is left of a purged tenant");
    }
    tx.commit().await?;
    Ok(deleted > 0)
}

async fn forget(context: &Context, today: i32) -> anyhow::Result<()> {
    let mut client = context.db.system().await?;
    let tx = SystemTx::begin(&mut client).await?;
    texts_forget(&tx, today - DAYS_KEPT).await?;
    Ok(tx.commit().await?)
}
