//! The clock and the dice: the only place that reads either.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use uuid::Uuid;

/// Now, in microseconds since the Unix epoch.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
pub fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// Now, by a clock that never jumps: for deadlines. It is tokio's, so that it stands still where a test stops that.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
pub fn instant() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// How long ago that was.
pub fn since(then: Instant) -> Duration {
    instant().saturating_duration_since(then)
}

/// A new identifier, ordered by time (UUIDv7, RFC 9562). Those of one process are strictly ascending.
#[expect(clippy::disallowed_methods, reason = "the one place that makes ids")]
pub fn new_id() -> Uuid {
    Uuid::now_v7()
}

/// The API's timestamp in microseconds since the Unix epoch; none where it does not fit.
pub fn micros(time: prost_types::Timestamp) -> Option<i64> {
    time.seconds.checked_mul(1_000_000)?.checked_add(i64::from(time.nanos) / 1_000)
}

/// `micros` since the Unix epoch as the API's timestamp.
pub fn timestamp(micros: i64) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: micros.div_euclid(1_000_000),
        nanos: i32::try_from(micros.rem_euclid(1_000_000)).unwrap_or(0) * 1_000,
    }
}
