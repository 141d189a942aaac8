//! Measures what only the database knows, every few seconds and not whenever metrics are read: how much waits and for how
//! long. A few probes of indexes, in one transaction; every replica measures the same.

use std::time::Duration;

use futures::future::try_join4;
use muster_domain::status::Status;
use muster_runtime::frame::made_us;

use crate::db::{Micros, SystemTx};
use crate::metrics::{METRICS, POSTGRESQL};
use crate::store::campaigns::Mode;
use crate::store::measures::{outboxes, queue_oldest, texts_open};
use crate::store::projections::projection_caught_up;
use crate::work::Context;

/// How often it measures.
const TIMER: Duration = Duration::from_secs(5);
/// The statuses of texts that are open.
const OPEN: [Status; 4] = [Status::Created, Status::Queued, Status::Ordered, Status::Claimed];

/// Measures until it fails.
pub(crate) async fn run(context: Context) -> anyhow::Result<()> {
    loop {
        let measured = measure(&context).await;
        POSTGRESQL.set(measured.is_ok());
        measured?;
        tokio::time::sleep(TIMER).await;
    }
}

async fn measure(context: &Context) -> anyhow::Result<()> {
    let mut client = context.db.system().await?;
    let tx = SystemTx::begin(&mut client).await?;
    let statuses = OPEN.map(Status::code);
    let (texts, oldest, outboxes, caught_up) =
        try_join4(texts_open(&tx, &statuses), queue_oldest(&tx), outboxes(&tx), projection_caught_up(&tx))
            .await?;
    let now = Micros::now();
    for mode in [Mode::Click, Mode::Broadcast] {
        for status in OPEN {
            let those = texts.iter().filter(|open| open.mode == mode && open.status == status.code());
            METRICS.open_texts(status, mode, those.map(|open| open.texts).sum());
        }
        let due = oldest.iter().find(|(of, _)| *of == mode).map_or(now, |(_, due)| *due);
        METRICS.queue_oldest(mode, due, now);
    }
    for outbox in outboxes {
        let made = outbox.oldest.and_then(made_us).map_or(now, Micros);
        METRICS.outbox(outbox.name, outbox.frames, made, now);
    }
    if let Some(caught_up) = caught_up {
        METRICS.projection_lag(caught_up, now);
    }
    Ok(())
}
