//! A tenant's status frames from a fixed place on, in order and without gaps.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, ensure};
use async_nats::jetstream::consumer::pull::{self, Stream};
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, PullConsumer};
use async_nats::jetstream::stream::Info;
use futures::StreamExt as _;
use muster_domain::id::TenantId;
use muster_proto::internal::v1::StatusFrame;
use muster_runtime::bus::Bus;
use muster_runtime::{Error, Result};
use prost::Message as _;

use super::position::Position;

/// Frames asked for at once: few, because they wait here while a watcher is slow.
const PULL_FRAMES_MAX: usize = 8;
/// How often the server says that the pull is alive.
const HEARTBEAT: Duration = Duration::from_secs(2);
/// How long the server keeps a consumer that nobody pulls from, where it could not be deleted.
const INACTIVE_MAX: Duration = Duration::from_secs(60);

/// Status frames, one after the other.
pub(super) struct Source {
    bus: Bus,
    tenant: TenantId,
    /// The last frame that was handed out.
    position: Position,
    frames: Stream,
    /// Frames that the consumer has delivered; a leap is a gap.
    delivered: u64,
}

impl Source {
    /// Opens the tenant's frames after `from`, or from now on.
    ///
    /// # Errors
    /// OUT_OF_RANGE where frames after `from` may be gone; UNAVAILABLE where NATS does not answer.
    pub(super) async fn open(bus: Bus, tenant: TenantId, from: Option<Position>) -> Result<Self> {
        let stream = bus.jetstream.get_stream(bus.topology.status_stream()).await;
        let stream = stream.map_err(Error::unavailable)?;
        let position = place(stream.cached_info(), from)?;
        let frames = consume(&bus, tenant, position).await.map_err(Error::unavailable)?;
        Ok(Self { bus, tenant, position, frames, delivered: 0 })
    }

    /// Opens it again where it was, after it was lost.
    ///
    /// # Errors
    /// As for [`Self::open`].
    pub(super) async fn reopen(&mut self) -> Result<()> {
        *self = Self::open(self.bus.clone(), self.tenant, Some(self.position)).await?;
        Ok(())
    }

    /// Where it is.
    pub(super) fn position(&self) -> Position {
        self.position
    }

    /// The next frame and where it is. May be dropped half way.
    ///
    /// # Errors
    /// Where it was lost and must be opened again.
    pub(super) async fn next(&mut self) -> anyhow::Result<StatusFrame> {
        let message = self.frames.next().await.context("the pull of status frames ended")??;
        let info = message.info().map_err(anyhow::Error::from_boxed)?;
        ensure!(info.consumer_sequence == self.delivered + 1, "a status frame is missing");
        self.delivered = info.consumer_sequence;
        self.position.sequence = info.stream_sequence;
        StatusFrame::decode(message.payload.clone()).context("a status frame does not decode")
    }
}

/// Where to begin: at `from`, if nothing after it can be gone; otherwise at the stream's end. The end is taken
/// before the consumer is made, so everything that is published after this is seen.
fn place(stream: &Info, from: Option<Position>) -> Result<Position> {
    let created = SystemTime::from(stream.created).duration_since(UNIX_EPOCH).unwrap_or_default();
    let created = u64::try_from(created.as_nanos()).unwrap_or(u64::MAX);
    let now = Position { stream: created, sequence: stream.state.last_sequence };
    let Some(from) = from else { return Ok(now) };
    let known = from.stream == now.stream
        && from.sequence <= now.sequence
        && from.sequence.saturating_add(1) >= stream.state.first_sequence;
    if known { Ok(from) } else { Err(gone()) }
}

fn gone() -> Error {
    Error::out_of_range(
        "RESUME_TOKEN_TOO_OLD",
        "changes after this resume_token are not kept any longer: list the messages, and watch without a token",
    )
}

async fn consume(bus: &Bus, tenant: TenantId, position: Position) -> anyhow::Result<Stream> {
    let config = pull::Config {
        deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: position.sequence + 1 },
        ack_policy: AckPolicy::None,
        filter_subject: bus.topology.status_subject(tenant.0),
        inactive_threshold: INACTIVE_MAX,
        memory_storage: true,
        num_replicas: 1,
        ..pull::Config::default()
    };
    let consumer: PullConsumer =
        bus.jetstream.create_consumer_on_stream(config, bus.topology.status_stream()).await?;
    let frames = consumer.stream().max_messages_per_batch(PULL_FRAMES_MAX).heartbeat(HEARTBEAT).messages();
    Ok(frames.await?)
}
