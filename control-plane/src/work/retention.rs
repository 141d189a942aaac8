//! The retention: erases what is personal in finished work once it is older than its tenant, or the platform, keeps it.
//!
//! First it notes which campaigns are over, from the counters: their age counts from there. Then each tenant that has a
//! retention is erased from in batches, one transaction each, under a lock of its row: two of these at once leave one
//! another's tenants alone, and one that is killed is gone on with where it was, because a batch and the cursor over it
//! are one transaction. A tenant of which nothing is too old is looked at again after a while, or when its retention
//! changes. Nothing that waits or is on its way is touched. There is a pause after each batch, so that texts that go out
//! meanwhile do not wait for the disk.

use std::time::Duration;

use muster_runtime::clock;
use uuid::Uuid;

use crate::db::{Micros, SystemTx};
use crate::store::retention::{
    Erasure, campaigns_end, campaigns_not_ended, erase_batch, tenant_look_again, tenant_take,
    tenants_to_look_at,
};
use crate::work::Context;

/// How often it looks.
const TIMER: Duration = Duration::from_secs(5);
/// How long it erases before it looks again which campaigns are over, however much there is to erase.
const ROUNDS: Duration = Duration::from_secs(30);
/// Campaigns that are looked at each time whether they are over.
const CAMPAIGNS: i64 = 200;
/// Tenants that are worked on in one round.
const TENANTS: i64 = 20;
/// Rows in one transaction, about.
const BATCH: i64 = 1_000;
/// The pause after each transaction: 10,000 rows a second at most.
const PAUSE: Duration = Duration::from_millis(100);
/// When a tenant of which nothing was too old is looked at again: an hour.
const AGAIN_US: i64 = 3_600 * 1_000_000;
const DAY_US: i64 = 24 * 3_600 * 1_000_000;

/// Runs the retention.
pub(crate) async fn run(context: Context) -> anyhow::Result<()> {
    let mut looked_at = Uuid::nil();
    loop {
        tokio::time::sleep(TIMER).await;
        looked_at = end(&context, looked_at).await?;
        let begun = clock::instant();
        while round(&context).await? && clock::since(begun) < ROUNDS {}
    }
}

/// Notes which of the next campaigns are over. Returns the last one looked at; after the last of all it begins anew.
async fn end(context: &Context, after: Uuid) -> anyhow::Result<Uuid> {
    let mut client = context.db.system().await?;
    let tx = SystemTx::begin(&mut client).await?;
    let campaigns = campaigns_not_ended(&tx, after, CAMPAIGNS).await?;
    let _telling = context.nudges.telling(campaigns_end(&tx, &campaigns, Micros::now()).await?);
    tx.commit().await?;
    let more = i64::try_from(campaigns.len())? == CAMPAIGNS;
    Ok(campaigns.last().filter(|_| more).copied().unwrap_or_default())
}

/// One batch of each tenant that is to be looked at, so that a huge one does not hold up the others. Returns whether there
/// is more.
async fn round(context: &Context) -> anyhow::Result<bool> {
    let tenants = {
        let mut client = context.db.system().await?;
        let tx = SystemTx::begin(&mut client).await?;
        tenants_to_look_at(&tx, context.retention_days_max, Micros::now(), TENANTS).await?
    };
    let mut more = false;
    for tenant in tenants {
        if batch(context, tenant).await? {
            more = true;
            tokio::time::sleep(PAUSE).await;
        }
    }
    Ok(more)
}

/// Returns whether there may be more of this tenant to erase.
async fn batch(context: &Context, tenant: Uuid) -> anyhow::Result<bool> {
    let mut client = context.db.system().await?;
    let tx = SystemTx::begin(&mut client).await?;
    let Some(days) = tenant_take(&tx, tenant, context.retention_days_max).await? else { return Ok(false) };
    let now = Micros::now();
    let before = Micros(now.0 - i64::from(days) * DAY_US);
    let erased = erase_batch(&tx, &Erasure { tenant, before, now, limit: BATCH }).await?;
    if !erased {
        tenant_look_again(&tx, tenant, Micros(now.0 + AGAIN_US)).await?;
    }
    tx.commit().await?;
    Ok(erased)
}
