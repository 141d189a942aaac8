//! NATS: connecting, refusing servers that would silently ignore what we rely on, and making sure that streams
//! are what they must be.

mod server;

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use async_nats::jetstream::consumer::{self, PullConsumer};
use async_nats::jetstream::{self, stream};
use futures::StreamExt as _;

use self::server::Server;
use crate::config::Nats;
use crate::supervise::Tasks;
use crate::tls;
use crate::topology::{SHARD_OWNER, SHARDS, Topology};

/// The oldest nats-server that does what we rely on.
const SERVER_OLDEST: (i64, i64, i64) = (2, 12, 0);
/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an answer or an ack of JetStream is waited for. Little, because one that was lost with its server or
/// connection holds up what waits for it, such as the dispatcher and the relays with their transactions; and all
/// that is asked for or published can be asked for or published again.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// How long the last acks may take to be handed to the server.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);
/// Publishes that may wait for their acks at once.
const ACKS_INFLIGHT_MAX: usize = 4_096;

/// A connection to NATS with JetStream, and the names of our streams there.
#[derive(Clone, Debug)]
pub struct Bus {
    /// JetStream.
    pub jetstream: jetstream::Context,
    /// The names.
    pub topology: Topology,
}

impl Bus {
    /// Connects, checks the server's version, and creates or checks the streams.
    ///
    /// # Errors
    /// Where the server cannot be reached, is too old, or did not take a setting that we rely on.
    pub async fn connect(config: &Nats, name: &str, tasks: &Tasks) -> anyhow::Result<Self> {
        let server = Server::read(&config.url)?;
        let tls = tls::Client::start("NATS", config.tls.clone().unwrap_or_default(), tasks)?;
        let client = server
            .options()
            .tls_client_config(tls.config()?)
            .require_tls(config.tls.is_some())
            .name(name)
            .connection_timeout(CONNECT_TIMEOUT)
            .max_reconnects(None)
            .connect(&server.address)
            .await
            .with_context(|| format!("cannot reach NATS at {server}"))?;
        let (major, minor, patch) = SERVER_OLDEST;
        if !client.is_server_compatible(major, minor, patch) {
            let version = client.server_info().version;
            bail!(
                "nats-server {version} at {server} is too old: {major}.{minor} or newer is needed, because older \
                 ones silently ignore settings that keep texts from being lost"
            );
        }
        let jetstream = jetstream::context::ContextBuilder::new()
            .timeout(ANSWER_TIMEOUT)
            .ack_timeout(ANSWER_TIMEOUT)
            .max_ack_inflight(ACKS_INFLIGHT_MAX)
            .backpressure_on_inflight(true)
            .build(client);
        let bus = Self { jetstream, topology: Topology::new(config) };
        bus.ensure_streams().await?;
        Ok(bus)
    }

    /// Creates the streams that are not there, and checks those that are. A stream may be lost while services
    /// run; whoever notices calls this.
    ///
    /// # Errors
    /// Where a stream cannot be created, or is not as it must be.
    pub async fn ensure_streams(&self) -> anyhow::Result<()> {
        for wanted in self.topology.streams() {
            self.ensure_stream(wanted).await?;
        }
        Ok(())
    }

    async fn ensure_stream(&self, wanted: stream::Config) -> anyhow::Result<()> {
        let name = wanted.name.clone();
        let stream = self
            .jetstream
            .get_or_create_stream(wanted.clone())
            .await
            .with_context(|| format!("cannot create the stream {name}"))?;
        let got = &stream.cached_info().config;
        // Where none is wanted, the server sets a window of its own, and nothing rests on it.
        let window = |c: &stream::Config| (!wanted.duplicate_window.is_zero()).then_some(c.duplicate_window);
        let facts = |c: &stream::Config| {
            (c.subjects.clone(), c.retention, c.discard, c.storage, c.num_replicas, c.max_age, window(c))
        };
        ensure!(
            facts(got) == facts(&wanted),
            "the stream {name} is not as it must be: asked for {:?}, the server has {:?}; \
             delete it or correct it, then start again",
            facts(&wanted),
            facts(got)
        );
        Ok(())
    }

    /// Creates the consumers of all shards that are not there, and checks those that are.
    ///
    /// # Errors
    /// Where one cannot be created, or is not as it must be.
    pub async fn ensure_shards(&self) -> anyhow::Result<()> {
        for shard in 0..SHARDS {
            self.shard_consumer(shard).await?;
        }
        Ok(())
    }

    /// The consumer of a shard's orders.
    ///
    /// # Errors
    /// Where it cannot be created, or is not as it must be.
    pub async fn shard_consumer(&self, shard: u16) -> anyhow::Result<PullConsumer> {
        let wanted = self.topology.shard_consumer(shard);
        let consumer: PullConsumer = self
            .jetstream
            .create_consumer_on_stream(wanted.clone(), self.topology.work_stream())
            .await
            .with_context(|| format!("cannot create the consumer of shard {shard}"))?;
        let got = &consumer.cached_info().config;
        ensure!(
            (got.ack_policy, got.ack_wait, got.max_ack_pending, got.max_deliver)
                == (
                    consumer::AckPolicy::Explicit,
                    wanted.ack_wait,
                    wanted.max_ack_pending,
                    wanted.max_deliver
                )
                && (&got.priority_policy, got.priority_timeout)
                    == (&wanted.priority_policy, wanted.priority_timeout),
            "the consumer of shard {shard} is not as it must be: {got:?}"
        );
        Ok(consumer)
    }

    /// Lets go of a shard: the server gives it to the next client that asks for its orders.
    ///
    /// # Errors
    /// Where JetStream does not answer; it then lets go of it by itself, a little later.
    pub async fn leave_shard(&self, shard: u16) -> anyhow::Result<()> {
        let stream = self.jetstream.get_stream_no_info(self.topology.work_stream()).await?;
        stream.unpin_consumer(&self.topology.shard_consumer_name(shard), SHARD_OWNER).await?;
        Ok(())
    }

    /// How many frames of each shard wait for a sender node.
    ///
    /// # Errors
    /// Where JetStream does not answer, or has lost a consumer.
    pub async fn frames_waiting(&self) -> anyhow::Result<Vec<u64>> {
        let stream = self.jetstream.get_stream_no_info(self.topology.work_stream()).await?;
        let mut consumers = stream.consumers();
        let mut waiting = HashMap::new();
        while let Some(info) = consumers.next().await {
            let info = info.context("cannot see how many orders wait")?;
            waiting.insert(info.name, info.num_pending);
        }
        let of = |shard| {
            let name = self.topology.shard_consumer_name(shard);
            waiting.get(&name).copied().with_context(|| format!("the consumer {name} is gone"))
        };
        (0..SHARDS).map(of).collect()
    }

    /// Publishes one frame and waits until JetStream has it.
    ///
    /// # Errors
    /// Where no ack came in time: the frame may or may not be there, and publishing it again must be harmless.
    pub async fn publish(
        &self,
        subject: String,
        payload: bytes::Bytes,
    ) -> Result<(), jetstream::context::PublishError> {
        self.jetstream.publish(subject, payload).await?.await.map(|_ack| ())
    }

    /// Hands everything that was written, such as acks, to the server: the last thing before the process ends.
    pub async fn flush(&self) {
        let client = self.jetstream.client();
        match tokio::time::timeout(FLUSH_TIMEOUT, client.flush()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(error = %error, "the last acks may be lost; their frames come again")
            }
            Err(_elapsed) => tracing::warn!("the last acks may be lost; their frames come again"),
        }
    }
}
