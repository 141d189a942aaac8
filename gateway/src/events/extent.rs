//! How far the stream reaches: what of it is there, and what is gone.

use std::time::{SystemTime, UNIX_EPOCH};

use async_nats::datetime::DateTime;
use muster_runtime::bus::Bus;
use muster_runtime::{Error, Result};

use super::position::Position;

/// What the stream held at a moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extent {
    /// When it was made, in nanoseconds since the Unix epoch.
    pub(super) created: u64,
    /// The first sequence that it holds; where it holds none, the next that it will.
    first: u64,
    /// The last sequence that it has given, 0 before any.
    pub(super) last: u64,
    /// When it took the first frame that it holds; where it holds none, the last that it held.
    first_us: i64,
}

impl Extent {
    /// What it holds now.
    ///
    /// # Errors
    /// UNAVAILABLE where JetStream does not answer.
    pub(super) async fn of(bus: &Bus) -> Result<Self> {
        let stream = bus.jetstream.get_stream(bus.topology.status_stream()).await;
        let stream = stream.map_err(Error::unavailable)?;
        let info = stream.cached_info();
        let (state, created) = (&info.state, SystemTime::from(info.created).duration_since(UNIX_EPOCH));
        let oldest = if state.messages == 0 { state.last_timestamp } else { state.first_timestamp };
        Ok(Self {
            created: u64::try_from(created.unwrap_or_default().as_nanos()).unwrap_or(u64::MAX),
            first: state.first_sequence,
            last: state.last_sequence,
            first_us: micros(oldest),
        })
    }

    /// The place after all that it has.
    pub(super) fn end(&self) -> Position {
        Position { stream: self.created, sequence: self.last, offset: 0 }
    }

    /// Refuses a place after which frames may be gone.
    ///
    /// # Errors
    /// OUT_OF_RANGE.
    pub(super) fn reaches(&self, position: Position) -> Result<()> {
        let known = position.stream == self.created
            && position.sequence <= self.last
            && position.sequence.saturating_add(1) >= self.first;
        if known { Ok(()) } else { Err(gone("RESUME_TOKEN_TOO_OLD", "events after this resume_token")) }
    }

    /// Refuses a time since which frames may be gone.
    ///
    /// # Errors
    /// OUT_OF_RANGE.
    pub(super) fn reaches_back_to(&self, time_us: i64) -> Result<()> {
        let dropped = self.first > 1;
        if dropped && time_us < self.first_us {
            return Err(gone("START_TIME_TOO_OLD", "events since this start_time"));
        }
        Ok(())
    }
}

fn gone(reason: &'static str, what: &str) -> Error {
    let message = format!(
        "{what} are not kept any longer: begin to watch from now, then list the resources to see where they are"
    );
    Error::out_of_range(reason, message)
}

/// A time of JetStream's, in microseconds since the Unix epoch.
pub(super) fn micros(time: DateTime) -> i64 {
    let since = SystemTime::from(time).duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    const EXTENT: Extent = Extent { created: 5, first: 10, last: 20, first_us: 1_000 };

    fn place(stream: u64, sequence: u64) -> Position {
        Position { stream, sequence, offset: 0 }
    }

    #[test]
    fn goes_on_where_nothing_is_missing_and_nowhere_else() {
        for sequence in [9, 10, 20] {
            assert!(EXTENT.reaches(place(5, sequence)).is_ok(), "{sequence}");
        }
        for (stream, sequence) in [(5, 8), (5, 21), (4, 15), (5, u64::MAX)] {
            let error = EXTENT.reaches(place(stream, sequence)).expect_err("it is gone");
            assert_eq!(error.code(), Code::OutOfRange, "{sequence}");
        }
        assert!(EXTENT.reaches(EXTENT.end()).is_ok());
    }

    #[test]
    fn a_time_is_too_old_only_where_something_was_dropped() {
        assert!(EXTENT.reaches_back_to(1_000).is_ok());
        assert_eq!(EXTENT.reaches_back_to(999).expect_err("it is gone").code(), Code::OutOfRange);
        assert!(Extent { first: 1, ..EXTENT }.reaches_back_to(0).is_ok());
    }
}
