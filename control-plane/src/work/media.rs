//! Erases objects whose rows are erased: after them, so that nothing is lost where an erasure fails, and as often as it
//! takes. Each is deleted at once and once more a day later, for a gateway that was so slow that it stored it again after
//! the first time.

use std::time::Duration;

use futures::{StreamExt as _, stream};

use crate::db::{Micros, SystemTx};
use crate::store::media::{erased_objects_done, erased_objects_take};
use crate::work::Context;

/// How often it looks.
const TIMER: Duration = Duration::from_secs(5);
/// Objects in one round.
const BATCH: i64 = 100;
/// Objects that are deleted at the same time.
const OPEN_MAX: usize = 8;
/// How long one process has objects to itself, in microseconds: 5 minutes. What it could not delete is tried again then.
const TAKEN_US: i64 = 300 * 1_000_000;
/// When an object is deleted again: a day.
const AGAIN_US: i64 = 24 * 3_600 * 1_000_000;

/// Runs the loop.
pub(crate) async fn run(context: Context) -> anyhow::Result<()> {
    loop {
        tokio::time::sleep(TIMER).await;
        while round(&context).await? {}
    }
}

/// Returns whether there may be more.
async fn round(context: &Context) -> anyhow::Result<bool> {
    let now = Micros::now();
    let keys = {
        let mut client = context.db.system().await?;
        let tx = SystemTx::begin(&mut client).await?;
        let keys = erased_objects_take(&tx, now, Micros(now.0 + TAKEN_US), BATCH).await?;
        tx.commit().await?;
        keys
    };
    let more = i64::try_from(keys.len())? == BATCH;
    let deleted = stream::iter(keys).map(async |key| match context.objects.delete(&key).await {
        Ok(()) => Some(key),
        Err(error) => {
            tracing::warn!(
                error = format!("{error}"),
                "an object could not be erased; it will be tried again"
            );
            None
        }
    });
    let deleted: Vec<String> =
        deleted.buffer_unordered(OPEN_MAX).filter_map(std::future::ready).collect().await;
    if !deleted.is_empty() {
        let mut client = context.db.system().await?;
        let tx = SystemTx::begin(&mut client).await?;
        erased_objects_done(&tx, &deleted, Micros(now.0 + AGAIN_US)).await?;
        tx.commit().await?;
    }
    Ok(more)
}
