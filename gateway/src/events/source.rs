//! A tenant's frames as JetStream delivers them, from a place on, in order and without gaps.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context as _, ensure};
use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::pull::{self, Stream};
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, PullConsumer};
use futures::StreamExt as _;
use muster_domain::id::TenantId;
use muster_proto::internal::v1::StatusFrame;
use muster_runtime::bus::Bus;
use muster_runtime::frame::id_from;
use prost::Message as _;
use uuid::Uuid;

use super::extent::{Extent, micros};
use super::frame::Frame;
use super::record::events;

/// Frames asked for at once.
const PULL_FRAMES_MAX: usize = 64;
/// How often the server says that the pull is alive.
const HEARTBEAT: Duration = Duration::from_secs(2);
/// How long the server keeps a consumer that nobody pulls from, where it could not be deleted.
const INACTIVE_MAX: Duration = Duration::from_secs(60);
/// Frames whose ids are remembered: what is told twice is told twice within seconds.
const HEARD_MAX: usize = 1_024;

/// Makes a tenant's frames of what was delivered.
pub(super) struct Reading {
    tenant: TenantId,
    /// When the stream was made, in nanoseconds since the Unix epoch.
    stream: u64,
    /// The last frames, to tell which come again.
    heard: (VecDeque<Uuid>, HashSet<Uuid>),
}

impl Reading {
    pub(super) fn new(tenant: TenantId, stream: u64) -> Self {
        Self { tenant, stream, heard: Default::default() }
    }

    /// The frame in `message`. One that does not decode, which no build of ours writes, holds nothing.
    pub(super) fn frame(&mut self, message: &Message) -> anyhow::Result<Arc<Frame>> {
        let info = message.info().map_err(anyhow::Error::from_boxed)?;
        let frame = StatusFrame::decode(message.payload.clone()).unwrap_or_else(|error| {
            let (error, sequence) = (error.to_string(), info.stream_sequence);
            tracing::error!(
                error,
                sequence,
                "a frame of the status stream does not decode; it is passed over"
            );
            StatusFrame::default()
        });
        let given = id_from(&frame.frame_id);
        let duplicate = given.is_some_and(|id| self.heard_before(id));
        let id = given.unwrap_or_else(|| Uuid::from_u64_pair(self.stream, info.stream_sequence));
        let events = events(frame, self.tenant, id, duplicate);
        Ok(Arc::new(Frame::of(info.stream_sequence, micros(info.published), events)))
    }

    fn heard_before(&mut self, id: Uuid) -> bool {
        let (order, heard) = &mut self.heard;
        if !heard.insert(id) {
            return true;
        }
        order.push_back(id);
        if order.len() > HEARD_MAX
            && let Some(oldest) = order.pop_front()
        {
            heard.remove(&oldest);
        }
        false
    }
}

/// Frames as they come, one after the other.
pub(super) struct Source {
    bus: Bus,
    consumer: PullConsumer,
    messages: Stream,
    /// Messages that the consumer has delivered; a leap is a gap.
    delivered: u64,
}

impl Source {
    /// The frames after a sequence.
    ///
    /// # Errors
    /// Where JetStream does not answer.
    pub(super) async fn open(bus: &Bus, tenant: TenantId, after: u64) -> anyhow::Result<Self> {
        let consumer = consumer(bus, tenant, from(after)).await?;
        let pull = consumer.stream().max_messages_per_batch(PULL_FRAMES_MAX).heartbeat(HEARTBEAT);
        let messages = pull.messages().await?;
        Ok(Self { bus: bus.clone(), consumer, messages, delivered: 0 })
    }

    /// The next one. May be dropped half way.
    ///
    /// # Errors
    /// Where it was lost, and must be opened again.
    pub(super) async fn next(&mut self) -> anyhow::Result<Message> {
        let message = self.messages.next().await.context("the pull of status frames ended")??;
        let sequence = message.info().map_err(anyhow::Error::from_boxed)?.consumer_sequence;
        ensure!(sequence == self.delivered + 1, "a status frame is missing");
        self.delivered = sequence;
        Ok(message)
    }

    /// The sequence up to which every frame has been delivered here, where none waits.
    ///
    /// # Errors
    /// Where JetStream does not answer, or has lost the consumer.
    pub(super) async fn passed(&self) -> anyhow::Result<Option<u64>> {
        // Before the look at the consumer: what comes in between may wait there, and is not counted.
        let extent = Extent::of(&self.bus).await?;
        let info = self.consumer.get_info().await?;
        let all = info.num_pending == 0 && info.delivered.consumer_sequence == self.delivered;
        Ok(all.then_some(extent.last))
    }
}

/// Up to `max` frames after a sequence, all that are there where they are fewer.
///
/// # Errors
/// Where JetStream does not answer.
pub(super) async fn read(
    bus: &Bus,
    tenant: TenantId,
    after: u64,
    max: usize,
) -> anyhow::Result<Vec<Message>> {
    fetch(bus, tenant, from(after), max).await
}

/// The sequence before the first frame that the stream took at a time, in microseconds since the Unix epoch, or later; none
/// where it has no such frame.
///
/// # Errors
/// Where JetStream does not answer.
pub(super) async fn before(bus: &Bus, tenant: TenantId, time_us: i64) -> anyhow::Result<Option<u64>> {
    let time = UNIX_EPOCH + Duration::from_micros(u64::try_from(time_us).unwrap_or(0));
    let policy = DeliverPolicy::ByStartTime { start_time: time.into() };
    let first = fetch(bus, tenant, policy, 1).await?;
    let first = first.first().map(Message::info).transpose().map_err(anyhow::Error::from_boxed)?;
    Ok(first.map(|info| info.stream_sequence - 1))
}

fn from(after: u64) -> DeliverPolicy {
    DeliverPolicy::ByStartSequence { start_sequence: after + 1 }
}

/// What a consumer of its own brings at once.
async fn fetch(
    bus: &Bus,
    tenant: TenantId,
    policy: DeliverPolicy,
    max: usize,
) -> anyhow::Result<Vec<Message>> {
    let consumer = consumer(bus, tenant, policy).await?;
    let mut batch = consumer.fetch().max_messages(max).messages().await?;
    let mut messages = Vec::new();
    while let Some(message) = batch.next().await {
        let message = message.map_err(anyhow::Error::from_boxed)?;
        let sequence = message.info().map_err(anyhow::Error::from_boxed)?.consumer_sequence;
        messages.push(message);
        ensure!(usize::try_from(sequence) == Ok(messages.len()), "a status frame is missing");
    }
    // Where it cannot be deleted, the server does that by itself.
    let _ = bus
        .jetstream
        .delete_consumer_from_stream(&consumer.cached_info().name, bus.topology.status_stream())
        .await;
    Ok(messages)
}

async fn consumer(
    bus: &Bus,
    tenant: TenantId,
    deliver_policy: DeliverPolicy,
) -> anyhow::Result<PullConsumer> {
    let config = pull::Config {
        deliver_policy,
        ack_policy: AckPolicy::None,
        filter_subject: bus.topology.status_subject(tenant.0),
        inactive_threshold: INACTIVE_MAX,
        memory_storage: true,
        num_replicas: 1,
        ..pull::Config::default()
    };
    Ok(bus.jetstream.create_consumer_on_stream(config, bus.topology.status_stream()).await?)
}
