//! The sweeper: an order that nobody claimed in time is published again (JetStream may have lost it), and frames
//! whose orders have all been dealt with are forgotten. Publishing twice is harmless: a claim is granted once.

use std::time::Duration;

use anyhow::Context as _;
use muster_domain::status::Status;

use crate::db::{Micros, SystemTx};
use crate::store::outbox::{order_frames_forget, order_frames_revive};
use crate::work::Context;

/// How often the sweeper looks.
const TIMER: Duration = Duration::from_secs(2);

/// Runs the sweeper.
pub(crate) async fn run(context: Context) -> anyhow::Result<()> {
    let mut work = context.bus.work_consumer().await?;
    loop {
        tokio::time::sleep(TIMER).await;
        let waiting = work.info().await.context("cannot see how many orders wait")?.num_pending;
        let mut client = context.db.system().await?;
        let tx = SystemTx::begin(&mut client).await?;
        let before = Micros(Micros::now().0 - i64::try_from(context.order_deadline.as_micros())?);
        order_frames_forget(&tx, before, Status::Ordered.code()).await?;
        // While orders wait for a sender node, an unclaimed one is not lost: it waits as well.
        let revived = if waiting == 0 { order_frames_revive(&tx, before).await? } else { 0 };
        tx.commit().await?;
        if revived > 0 {
            tracing::warn!(frames = revived, "orders were not claimed in time; they are published again");
            context.nudges.orders.notify_one();
        }
    }
}
