//! How long things take on their way: percentiles, from the history in the database and from a watcher.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use muster_proto::v1::{MessageStatus, StatusChange};
use serde::Serialize;

/// How long most, nearly all and the slowest took, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Percentiles {
    /// Half were faster.
    pub p50: f64,
    /// 99 of 100 were faster.
    pub p99: f64,
    /// The slowest.
    pub max: f64,
}

/// From queued to sent, by each message's own history.
pub(super) async fn queued_to_sent(database: &tokio_postgres::Client) -> Result<Percentiles> {
    let sql = "
        WITH took AS (
            SELECT extract(epoch FROM min(time) FILTER (WHERE status = 5) - min(time) FILTER (WHERE status = 2))
                   * 1000.0 AS ms
            FROM message_events
            GROUP BY message_id
        )
        SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY ms)::float8,
               percentile_disc(0.99) WITHIN GROUP (ORDER BY ms)::float8,
               max(ms)::float8
        FROM took";
    let row = database.query_one(sql, &[]).await?;
    Ok(Percentiles { p50: row.get(0), p99: row.get(1), max: row.get(2) })
}

/// Delays of deliveries, as a watcher sees them. One clock: everything runs on this machine.
#[derive(Clone, Debug, Default)]
pub(super) struct Latencies(Arc<Mutex<Vec<f32>>>);

impl Latencies {
    /// What a watcher is to do with each change.
    pub(super) fn watcher(&self) -> impl FnMut(&StatusChange) + Send + 'static {
        let all = Arc::clone(&self.0);
        move |change| {
            if change.status() != MessageStatus::Delivered {
                return;
            }
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let Some(time) = change.time else { return };
            #[expect(clippy::cast_precision_loss, reason = "the difference is small")]
            let seconds = (i64::try_from(now.as_secs()).unwrap_or(0) - time.seconds) as f64;
            let nanos = f64::from(now.subsec_nanos()) - f64::from(time.nanos);
            #[expect(clippy::cast_possible_truncation, reason = "microseconds of a few seconds")]
            let ms = (seconds * 1e3 + nanos / 1e6) as f32;
            all.lock().unwrap_or_else(PoisonError::into_inner).push(ms);
        }
    }

    /// The percentiles of what was seen.
    pub(super) fn percentiles(&self) -> Percentiles {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        all.sort_by(f32::total_cmp);
        let at = |hundredths: usize| all.get(all.len().saturating_sub(1) * hundredths / 100).copied();
        let ms = |hundredths| f64::from(at(hundredths).unwrap_or_default());
        Percentiles { p50: ms(50), p99: ms(99), max: ms(100) }
    }
}
