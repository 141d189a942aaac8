//! Pulls frames of orders, no faster than they can be claimed. A pull that fails or falls silent is begun again.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use async_nats::jetstream::consumer::pull::Stream;
use async_nats::jetstream::{AckKind, Message};
use futures::{FutureExt as _, StreamExt as _};
use muster_runtime::bus::Bus;
use muster_runtime::supervise::Tasks;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::work::Worker;

/// Frames asked for at once. Those that wait here wait for this node alone, so they are few.
const PULL_FRAMES_MAX: usize = 16;
/// Frames that wait for room or for their claims at once.
const CLAIMING_MAX: usize = 4;
/// Frames being worked on at once, those included whose outcomes are being published.
const FRAMES_MAX: usize = 64;
/// How often the server says that the pull is alive. After twice this silence it is begun again.
const HEARTBEAT: Duration = Duration::from_secs(2);
/// The pause before a pull that failed is begun again.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// Pulls frames and hands them to a worker.
pub(crate) struct Puller {
    bus: Bus,
    worker: Arc<Worker>,
    tasks: Tasks,
    claiming: Arc<Semaphore>,
    frames: Arc<Semaphore>,
}

impl Puller {
    /// A puller for `worker`.
    pub(crate) fn new(bus: Bus, worker: Arc<Worker>, tasks: Tasks) -> Self {
        let claiming = Arc::new(Semaphore::new(CLAIMING_MAX));
        let frames = Arc::new(Semaphore::new(FRAMES_MAX));
        Self { bus, worker, tasks, claiming, frames }
    }

    /// Pulls until the service stops.
    pub(crate) fn start(self) {
        // Not `keep_running`: what is buffered has to be given back when the service stops.
        self.tasks.clone().spawn(async move {
            let stop = self.tasks.stop();
            while !stop.is_cancelled() {
                let Err(error) = self.pull().await else { continue };
                tracing::warn!(error = format!("{error:#}"), "orders cannot be pulled; trying again");
                tokio::select! {
                    () = tokio::time::sleep(RETRY_PAUSE) => {}
                    () = stop.cancelled() => {}
                }
            }
        });
    }

    /// Pulls until the service stops or the pull fails.
    async fn pull(&self) -> anyhow::Result<()> {
        // The conveyor may have been lost with its server; orders are made again once it is there.
        self.bus.ensure_streams().await?;
        let consumer = self.bus.work_consumer().await?;
        let mut frames = consumer
            .stream()
            .max_messages_per_batch(PULL_FRAMES_MAX)
            .heartbeat(HEARTBEAT)
            .messages()
            .await
            .context("cannot pull orders")?;
        let stop = self.tasks.stop();
        loop {
            let next = tokio::select! {
                next = self.next(&mut frames) => next,
                () = stop.cancelled() => break,
            };
            let Some((message, claiming, slot)) = next? else { break };
            let worker = self.worker.clone();
            self.tasks.spawn(async move {
                worker.frame(message, claiming).await;
                drop(slot);
            });
        }
        give_back(frames).await;
        Ok(())
    }

    /// The next frame, once there is room to work on it. Nothing is lost where this is dropped half way.
    async fn next(
        &self,
        frames: &mut Stream,
    ) -> anyhow::Result<Option<(Message, OwnedSemaphorePermit, OwnedSemaphorePermit)>> {
        let slot = self.frames.clone().acquire_owned().await?;
        let claiming = self.claiming.clone().acquire_owned().await?;
        match frames.next().await {
            Some(message) => Ok(Some((message?, claiming, slot))),
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
