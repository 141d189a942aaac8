//! The stream that is projected: whether it is still the one that the position belongs to, and what of it is gone.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, ensure};
use async_nats::jetstream::stream::{Info, Stream};
use muster_runtime::clock;

use crate::db::Micros;
use crate::store::projections::Position;

/// How long a look at the stream is good for. A stream that takes its place meanwhile is noticed then: the position
/// still names the old one, so nothing of the new one is lost by what was applied of it.
const GOOD_FOR: Duration = Duration::from_secs(1);

/// What JetStream says of a stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// When it was created: a stream that was deleted and made again has another.
    pub(super) created: Micros,
    first: i64,
    last: i64,
}

impl Seen {
    pub(super) fn of(info: &Info) -> anyhow::Result<Self> {
        let created = SystemTime::from(info.created).duration_since(UNIX_EPOCH);
        let created = created.context("the stream of events was created before 1970")?.as_micros();
        Ok(Self {
            created: Micros(i64::try_from(created)?),
            first: i64::try_from(info.state.first_sequence)?,
            last: i64::try_from(info.state.last_sequence)?,
        })
    }

    /// How many frames after `position` are gone.
    ///
    /// # Errors
    /// Where this is not the stream that was projected: its sequences then mean something else.
    fn gone(&self, position: &Position) -> anyhow::Result<i64> {
        ensure!(
            self.created == position.stream_create_time,
            "the stream of events was created anew since it was projected up to {}: it is not the stream that was \
             projected. Nothing is applied until an operator has looked; to begin with the new one, delete the row of \
             the old one from the table projections",
            position.sequence
        );
        ensure!(
            self.last >= position.sequence,
            "the stream of events ends at {} but has been projected up to {}: it is not the stream that was \
             projected; nothing is applied until an operator has looked",
            self.last,
            position.sequence
        );
        Ok((self.first - position.sequence - 1).max(0))
    }
}

/// What a look at the stream told.
#[derive(Clone, Copy, Debug)]
pub(super) enum Look {
    /// The last look is still good.
    StillGood,
    /// All that the stream had at this time has been projected.
    AllProjected(Micros),
    /// The stream has more.
    SomeToProject,
}

impl Look {
    /// Up to when the projection is known to have everything, where that is news: by this look or, where there is more
    /// to project, by the time at which JetStream took what was `applied` last.
    pub(super) fn caught_up(self, applied: Option<Micros>) -> Option<Micros> {
        match self {
            Self::StillGood => None,
            Self::AllProjected(time) => Some(time),
            Self::SomeToProject => applied,
        }
    }
}

/// The stream, looked at again and again.
pub(super) struct Watched {
    stream: Stream,
    looked: Instant,
}

impl Watched {
    /// `stream`, of which `seen` was just said.
    ///
    /// # Errors
    /// Where it is not the one that `position` belongs to.
    pub(super) fn begin(stream: Stream, seen: Seen, position: &Position) -> anyhow::Result<Self> {
        let gone = seen.gone(position)?;
        if gone > 0 {
            tracing::error!(
                position = position.sequence,
                first = seen.first,
                "{gone} frames of events were deleted before they were projected: what they told is lost"
            );
        }
        Ok(Self { stream, looked: clock::instant() })
    }

    /// How long the last look is still good for.
    pub(super) fn good_for(&self) -> Duration {
        (self.looked + GOOD_FOR).saturating_duration_since(clock::instant())
    }

    /// Looks again, where the last look is not good any more.
    ///
    /// # Errors
    /// As for [`Self::begin`].
    pub(super) async fn look(&mut self, position: &Position) -> anyhow::Result<Look> {
        if !self.good_for().is_zero() {
            return Ok(Look::StillGood);
        }
        let time = Micros::now();
        let seen = Seen::of(&self.stream.get_info().await?)?;
        seen.gone(position)?;
        self.looked = clock::instant();
        Ok(if seen.last == position.sequence { Look::AllProjected(time) } else { Look::SomeToProject })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_stream_that_was_projected_is_projected_on() {
        let position = Position { sequence: 10, stream_create_time: Micros(1) };
        let seen = |created, first, last| Seen { created: Micros(created), first, last }.gone(&position).ok();
        assert_eq!(seen(1, 1, 10), Some(0));
        assert_eq!(seen(1, 11, 10), Some(0), "all of it was projected, and then deleted for its age");
        assert_eq!(seen(1, 14, 20), Some(3));
        assert_eq!(seen(1, 1, 9), None, "it lost its end");
        assert_eq!(seen(2, 1, 20), None, "another one, longer by now");
        let new = Position { sequence: 0, stream_create_time: Micros(1) };
        let empty = Seen { created: Micros(1), first: 0, last: 0 };
        assert_eq!(empty.gone(&new).ok(), Some(0));
    }
}
