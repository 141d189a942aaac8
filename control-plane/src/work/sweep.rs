//! The sweeper: an order that nobody claimed in time is published again (JetStream may have lost it), and frames
//! whose orders have all been dealt with are forgotten. Publishing twice is harmless: a claim is granted once.

use std::time::Duration;

use muster_domain::status::Status;

use crate::db::{Micros, SystemTx};
use crate::store::outbox::{order_frames_forget, order_frames_revive};
use crate::work::Context;

/// How often the sweeper looks.
const TIMER: Duration = Duration::from_secs(2);

/// Runs the sweeper.
pub(crate) async fn run(context: Context) -> anyhow::Result<()> {
    loop {
        tokio::time::sleep(TIMER).await;
        let mut client = context.db.system().await?;
        let tx = SystemTx::begin(&mut client).await?;
        let before = Micros(Micros::now().0 - i64::try_from(context.order_deadline.as_micros())?);
        order_frames_forget(&tx, before, Status::Ordered.code()).await?;
        let revived = order_frames_revive(&tx, before).await?;
        tx.commit().await?;
        if revived > 0 {
            tracing::warn!(frames = revived, "orders were not claimed in time; they are published again");
            context.nudges.orders.notify_one();
        }
    }
}
