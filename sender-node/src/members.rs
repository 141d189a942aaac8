//! The sender nodes that live. Each says so every moment, with what it holds, and hears the others; whoever is silent
//! for too long is gone. So all nodes know of the same nodes, give or take a moment, and divide the shards alike. Where
//! two differ for that moment, the server still delivers a shard's orders to one of them only.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use futures::StreamExt as _;
use muster_proto::internal::v1::NodeReport;
use muster_runtime::bus::Bus;
use muster_runtime::frame::{id_bytes, id_from};
use muster_runtime::{clock, supervise::Tasks};
use prost::Message as _;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use uuid::Uuid;

use crate::gate::Gates;
use crate::metrics;
use crate::shards::shards_of;

/// How often a node says that it lives.
const REPORT: Duration = Duration::from_millis(250);
/// A node that was silent for this long is gone: ten reports, so that a lost one or a busy moment does not count.
const SILENCE_MAX: Duration = Duration::from_millis(2_500);
/// How long a new node only listens: two reports of the others.
const LISTEN_FIRST: Duration = Duration::from_millis(500);

/// Tells the others of this node, and finds out which shards are its own.
pub(crate) struct Members {
    bus: Bus,
    node: String,
    me: Uuid,
    gates: Arc<Gates>,
    shards: watch::Sender<BTreeSet<u16>>,
}

impl Members {
    /// Of the node called `node`, which holds what `gates` know of.
    pub(crate) fn new(bus: Bus, node: String, gates: Arc<Gates>) -> Self {
        Self { bus, node, me: clock::new_id(), gates, shards: watch::Sender::default() }
    }

    /// The shards that are this node's own, as they change.
    pub(crate) fn shards(&self) -> watch::Receiver<BTreeSet<u16>> {
        self.shards.subscribe()
    }

    /// Tells and listens until the service stops; the last word is that the node leaves.
    pub(crate) fn start(self, tasks: &Tasks) {
        let stop = tasks.stop();
        let members = Arc::new(self);
        let told = members.clone();
        tasks.keep_running("know the other nodes", move || {
            let members = members.clone();
            async move { members.run().await }
        });
        tasks.spawn(async move {
            stop.cancelled().await;
            // The others would find out, only later.
            if let Err(error) = told.tell(true).await {
                tracing::debug!(error = format!("{error:#}"), "the other nodes could not be told");
            }
        });
    }

    async fn run(&self) -> anyhow::Result<()> {
        let subject = self.bus.topology.nodes_subject();
        let mut reports =
            self.bus.jetstream.client().subscribe(subject).await.context("cannot hear the other nodes")?;
        let mut others: BTreeMap<Uuid, Instant> = BTreeMap::new();
        let begun = clock::instant();
        let mut tick = interval(REPORT);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = tick.tick() => self.tell(false).await?,
                report = reports.next() => {
                    let report = report.context("NATS is gone")?;
                    // Whatever else is published there says nothing to us.
                    let Ok(report) = NodeReport::decode(report.payload) else { continue };
                    let Some(other) = id_from(&report.instance_id) else { continue };
                    if report.leaving {
                        others.remove(&other);
                    } else {
                        others.insert(other, clock::instant());
                    }
                }
            }
            others.retain(|_, heard| clock::since(*heard) < SILENCE_MAX);
            if clock::since(begun) >= LISTEN_FIRST {
                self.divide(&others);
            }
        }
    }

    fn divide(&self, others: &BTreeMap<Uuid, Instant>) {
        let nodes = others.keys().copied().chain([self.me]).collect();
        let mine = shards_of(self.me, &nodes);
        self.shards.send_if_modified(|shards| {
            if *shards == mine {
                return false;
            }
            metrics::divided(mine.len(), nodes.len());
            tracing::info!(nodes = nodes.len(), shards = mine.len(), "the shards are divided anew");
            *shards = mine;
            true
        });
    }

    async fn tell(&self, leaving: bool) -> anyhow::Result<()> {
        let report = NodeReport {
            node: self.node.clone(),
            instance_id: id_bytes(self.me),
            leaving,
            accounts: self.gates.loads(),
        };
        let subject = self.bus.topology.nodes_subject();
        self.bus.jetstream.client().publish(subject, report.encode_to_vec().into()).await?;
        Ok(())
    }
}
