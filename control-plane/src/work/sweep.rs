//! The sweeper: an order that nobody claimed in time is published again (JetStream may have lost it), and frames
//! whose orders have all been dealt with are forgotten. Publishing twice is harmless: a claim is granted once.

use std::time::Duration;

use muster_domain::status::Status;

use crate::db::{Micros, SystemTx};
use crate::metrics::METRICS;
use crate::store::outbox::{order_frames_forget, order_frames_revive};
use crate::work::Context;

/// How often the sweeper looks.
const TIMER: Duration = Duration::from_secs(2);

/// How many deadlines an order may stay unclaimed while orders wait for sender nodes.
const DEADLINES_IN_LINE: i64 = 5;

/// Runs the sweeper.
pub(crate) async fn run(context: Context) -> anyhow::Result<()> {
    context.bus.ensure_shards().await?;
    let deadline_us = i64::try_from(context.order_deadline.as_micros())?;
    loop {
        tokio::time::sleep(TIMER).await;
        let waiting: u64 = context.bus.frames_waiting().await?.iter().sum();
        let mut client = context.db.system().await?;
        let tx = SystemTx::begin(&mut client).await?;
        let now = Micros::now();
        order_frames_forget(&tx, Micros(now.0 - deadline_us), Status::Ordered.code()).await?;
        // While orders wait for a sender node, an unclaimed one most likely waits as well. Most likely: where orders
        // always wait, a lost one must be made again all the same, only later.
        let patience = if waiting == 0 { 1 } else { DEADLINES_IN_LINE };
        let revived = order_frames_revive(&tx, Micros(now.0 - patience * deadline_us)).await?;
        tx.commit().await?;
        METRICS.orders_revived.add(revived, &[]);
        if revived > 0 {
            tracing::warn!(frames = revived, "orders were not claimed in time; they are published again");
            context.nudges.orders.notify_one();
        }
    }
}
