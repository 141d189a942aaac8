//! The reaper: a claim whose deadline is over and that has no outcome becomes UNCONFIRMED. Each batch of claims is
//! looked at once. An outcome or receipt that comes later still counts.

use std::sync::Arc;
use std::time::Duration;

use muster_domain::status::{Decision, Status};

use crate::db::{Micros, SystemTx};
use crate::store::claims::claim_batches_take;
use crate::store::transitions::{decide, record};
use crate::work::Context;

/// How often the reaper looks.
const TIMER: Duration = Duration::from_secs(1);
/// Batches in one transaction.
const BATCHES: i64 = 100;

/// Runs the reaper.
pub(crate) async fn run(context: Context) -> anyhow::Result<()> {
    let cause: Arc<str> = "reaper".into();
    loop {
        tokio::time::sleep(TIMER).await;
        while reap(&context, &cause).await? {}
    }
}

async fn reap(context: &Context, cause: &Arc<str>) -> anyhow::Result<bool> {
    let mut client = context.db.system().await?;
    let tx = SystemTx::begin(&mut client).await?;
    let before = Micros(Micros::now().0 - i64::try_from(context.claim_deadline.as_micros())?);
    let attempts = claim_batches_take(&tx, before, BATCHES).await?;
    if attempts.is_empty() {
        return Ok(false);
    }
    let moved = decide(&tx, Decision::Reap, Status::Claimed, &attempts, cause).await?;
    let _telling = context.nudges.telling(record(&tx, &moved).await?);
    tx.commit().await?;
    if !moved.is_empty() {
        tracing::warn!(
            messages = moved.len(),
            "claims ended without an outcome; their messages are UNCONFIRMED"
        );
        context.nudges.statuses.notify_one();
    }
    Ok(true)
}
