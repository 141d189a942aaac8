//! Pulls frames of orders of the shards that are this node's. A pull that fails or falls silent is begun again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use async_nats::jetstream::consumer::pull::Stream;
use async_nats::jetstream::{AckKind, Message};
use futures::{FutureExt as _, StreamExt as _};
use muster_runtime::bus::Bus;
use muster_runtime::supervise::Tasks;
use muster_runtime::topology::{SHARD_OWNER, SHARD_PULL_EXPIRES};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::sync::CancellationToken;

use crate::work::Worker;

/// Frames of a shard asked for at once. Those that wait here wait for this node alone, so they are few.
const PULL_FRAMES_MAX: usize = 4;
/// Frames of a shard of which something waits here, for its time or for room: several times what the dispatcher lets one
/// account have waiting in a shard, so that one that is slow does not stop the others'.
const SHARD_FRAMES_MAX: usize = 192;
/// How often the server says that the pull is alive. After twice this silence it is begun again.
const HEARTBEAT: Duration = Duration::from_millis(500);
/// The pause before a pull that failed is begun again.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// A frame's place among those of its shard that wait here. It is given up once nothing of the frame waits any more: then
/// it is room for calls that bounds them.
pub(crate) struct Place {
    /// The shard.
    pub(crate) shard: u16,
    _permit: OwnedSemaphorePermit,
}

impl Place {
    /// A place in a shard, for as long as there is `permit`.
    pub(crate) fn of(shard: u16, permit: OwnedSemaphorePermit) -> Self {
        Self { shard, _permit: permit }
    }
}

/// Pulls frames and hands them to a worker.
#[derive(Clone)]
pub(crate) struct Puller {
    bus: Bus,
    worker: Arc<Worker>,
    tasks: Tasks,
}

impl Puller {
    /// A puller for `worker`.
    pub(crate) fn new(bus: Bus, worker: Arc<Worker>, tasks: Tasks) -> Self {
        Self { bus, worker, tasks }
    }

    /// Pulls from the shards in `shards`, as they come and go, until the service stops.
    pub(crate) fn start(self, mut shards: watch::Receiver<BTreeSet<u16>>) {
        // Not `keep_running`: what is buffered has to be given back when the service stops.
        self.tasks.clone().spawn(async move {
            let stop = self.tasks.stop();
            let mut pulled: BTreeMap<u16, CancellationToken> = BTreeMap::new();
            loop {
                let mine = shards.borrow_and_update().clone();
                pulled.retain(|shard, lost| {
                    mine.contains(shard) || {
                        lost.cancel();
                        false
                    }
                });
                for shard in mine {
                    pulled.entry(shard).or_insert_with(|| self.start_shard(shard, stop.child_token()));
                }
                tokio::select! {
                    changed = shards.changed() => if changed.is_err() { return },
                    () = stop.cancelled() => return,
                }
            }
        });
    }

    fn start_shard(&self, shard: u16, lost: CancellationToken) -> CancellationToken {
        let pull = ShardPull {
            shard,
            bus: self.bus.clone(),
            worker: self.worker.clone(),
            tasks: self.tasks.clone(),
            lost: lost.clone(),
            frames: Arc::new(Semaphore::new(SHARD_FRAMES_MAX)),
        };
        self.tasks.spawn(pull.run());
        lost
    }
}

/// The pull of one shard, for as long as it is this node's.
struct ShardPull {
    shard: u16,
    bus: Bus,
    worker: Arc<Worker>,
    tasks: Tasks,
    lost: CancellationToken,
    frames: Arc<Semaphore>,
}

impl ShardPull {
    async fn run(self) {
        while !self.lost.is_cancelled() {
            let Err(error) = self.pull().await else { continue };
            let error = format!("{error:#}");
            tracing::warn!(shard = self.shard, error, "orders cannot be pulled; trying again");
            tokio::select! {
                () = tokio::time::sleep(RETRY_PAUSE) => {}
                () = self.lost.cancelled() => {}
            }
        }
    }

    /// Pulls until the shard is lost or the pull fails.
    async fn pull(&self) -> anyhow::Result<()> {
        let mut frames = match self.stream().await {
            Ok(frames) => frames,
            // The conveyor may have been lost with its server; orders are made again once it is there.
            Err(_) => {
                self.bus.ensure_streams().await?;
                self.stream().await?
            }
        };
        loop {
            let next = tokio::select! {
                next = self.next(&mut frames) => next,
                () = self.lost.cancelled() => break,
            };
            let Some((message, place)) = next? else { return Ok(()) };
            let (worker, lost) = (self.worker.clone(), self.lost.clone());
            self.tasks.spawn(async move { worker.frame(message, place, &lost).await });
        }
        // Otherwise the server would wait for this node for some seconds more.
        if let Err(error) = self.bus.leave_shard(self.shard).await {
            tracing::debug!(shard = self.shard, error = format!("{error:#}"), "a shard was not handed over");
        }
        give_back(frames).await;
        Ok(())
    }

    async fn stream(&self) -> anyhow::Result<Stream> {
        let consumer = self.bus.shard_consumer(self.shard).await?;
        let frames = consumer
            .stream()
            .group(SHARD_OWNER)
            .max_messages_per_batch(PULL_FRAMES_MAX)
            .expires(SHARD_PULL_EXPIRES)
            .heartbeat(HEARTBEAT);
        frames.messages().await.context("cannot pull orders")
    }

    /// The next frame, once there is a place for it. Nothing is lost where this is dropped half way.
    async fn next(&self, frames: &mut Stream) -> anyhow::Result<Option<(Message, Place)>> {
        let place = Place::of(self.shard, self.frames.clone().acquire_owned().await?);
        match frames.next().await {
            Some(message) => Ok(Some((message?, place))),
            None => Ok(None),
        }
    }
}

/// Gives frames that were pulled and not begun to other nodes, at once rather than after their ack wait.
async fn give_back(mut frames: Stream) {
    while let Some(Some(Ok(message))) = frames.next().now_or_never() {
        if let Err(error) = message.ack_with(AckKind::Nak(None)).await {
            tracing::debug!(error = %error, "a frame could not be given back");
        }
    }
}
