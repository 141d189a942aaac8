//! The frames of the stream of events from a place on, in order and without gaps, for as long as one consumer lasts.
//!
//! Whatever goes wrong ends this, and the projector begins again from the position in the database. An ordered
//! consumer would mend itself, but takes half a minute of silence to notice that its server was restarted; and while
//! the projection is behind, nothing is claimed.

use std::time::Duration;

use anyhow::ensure;
use async_nats::jetstream;
use async_nats::jetstream::consumer::pull::{self, Stream as Pull};
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy};
use async_nats::jetstream::stream::Stream;
use futures::StreamExt as _;

/// Frames asked for at once.
const PULL_FRAMES_MAX: usize = 200;
/// How often the server says that the pull is alive. After twice this silence it is begun again.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// How long the server keeps a consumer that nobody pulls from.
const INACTIVE_MAX: Duration = Duration::from_secs(60);

/// Frames, one after the other.
pub(super) struct Source {
    pull: Pull,
    /// Frames that the consumer has delivered; a leap is a gap.
    delivered: u64,
}

impl Source {
    /// The frames of `stream` that come after `position`.
    ///
    /// # Errors
    /// Where JetStream does not answer.
    pub(super) async fn open(stream: &Stream, position: i64) -> anyhow::Result<Self> {
        let config = pull::Config {
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: u64::try_from(position)? + 1 },
            ack_policy: AckPolicy::None,
            inactive_threshold: INACTIVE_MAX,
            memory_storage: true,
            num_replicas: 1,
            ..pull::Config::default()
        };
        let consumer = stream.create_consumer(config).await?;
        let pull = consumer.stream().max_messages_per_batch(PULL_FRAMES_MAX).heartbeat(HEARTBEAT);
        Ok(Self { pull: pull.messages().await?, delivered: 0 })
    }

    /// The next frame and all that are there already, `most` at most. Nothing is lost where this is dropped.
    ///
    /// # Errors
    /// Where the consumer was lost, or a frame was.
    pub(super) async fn next(&mut self, most: usize) -> anyhow::Result<Vec<jetstream::Message>> {
        let mut ready = self.pull.by_ref().ready_chunks(most);
        let Some(chunk) = ready.next().await else { anyhow::bail!("the pull of events ended") };
        let mut messages = Vec::with_capacity(chunk.len());
        for message in chunk {
            let message = message?;
            let info =
                message.info().map_err(|error| anyhow::anyhow!("a message without its place: {error}"))?;
            ensure!(info.consumer_sequence == self.delivered + 1, "a frame of events is missing");
            self.delivered = info.consumer_sequence;
            messages.push(message);
        }
        Ok(messages)
    }
}
