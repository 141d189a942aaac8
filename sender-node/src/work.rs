//! A frame of orders, from claim to reported outcomes.

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the tests play a control-plane that fails")]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::{AckKind, Message};
use futures::stream::{self, FuturesUnordered, StreamExt as _};
use muster_runtime::batch::Events;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::account::Accounts;
use crate::claim::{Claimed, Claims, NotClaimed};
use crate::http::Pool;
use crate::order::Order;

/// Messages in one claim at most.
const CLAIM_MESSAGES_MAX: usize = 200;
/// Parts of a large frame that are claimed at once.
const PARTS_MAX: usize = 4;
/// How often JetStream is told that a frame is still being worked on; well under its ack wait.
const PROGRESS: Duration = Duration::from_secs(20);

/// Does the work of frames.
pub(crate) struct Worker {
    claims: Claims,
    accounts: Accounts,
    pool: Arc<Pool>,
    events: Events,
    /// Calls that may still be opened.
    room: Arc<Semaphore>,
    claim_messages_max: usize,
}

/// Why a frame's work is not done, the more urgent reason last: what may still be claimed must come again, whatever
/// became of the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Unfinished {
    /// Some of it is no order, and never will be.
    Refused,
    /// An outcome was not published.
    NotReported,
    /// Some of it is left to be claimed by another node.
    Stopping,
}

impl From<NotClaimed> for Unfinished {
    fn from(not_claimed: NotClaimed) -> Self {
        match not_claimed {
            NotClaimed::Stopping => Self::Stopping,
            NotClaimed::Refused => Self::Refused,
        }
    }
}

impl Worker {
    /// A worker with at most `calls_max` calls open at once.
    pub(crate) fn new(
        claims: Claims,
        accounts: Accounts,
        pool: Arc<Pool>,
        events: Events,
        calls_max: usize,
    ) -> Self {
        let calls_max = calls_max.clamp(1, Semaphore::MAX_PERMITS);
        // Half of the room, so that one claim can be asked for while another's calls are made.
        let claim_messages_max = (calls_max / 2).clamp(1, CLAIM_MESSAGES_MAX);
        let room = Arc::new(Semaphore::new(calls_max));
        Self { claims, accounts, pool, events, room, claim_messages_max }
    }

    /// Works on one frame and acks it once JetStream has the outcome of every call made for it. `claiming` is
    /// given back as soon as its claims are answered, so that the next frame may be claimed.
    pub(crate) async fn frame(&self, message: Message, claiming: OwnedSemaphorePermit) {
        let order = match Order::read(message.payload.clone()) {
            Ok(order) => order,
            Err(error) => {
                tracing::error!(error = %error, "a frame of orders was unreadable; it is dropped");
                return ack(&message, AckKind::Term).await;
            }
        };
        match in_progress(&message, self.order(order, claiming)).await {
            Ok(()) => ack(&message, AckKind::Ack).await,
            Err(Unfinished::Stopping) => ack(&message, AckKind::Nak(None)).await,
            Err(Unfinished::Refused) => ack(&message, AckKind::Term).await,
            // It will come again, and nothing of it will be granted again.
            Err(Unfinished::NotReported) => {}
        }
    }

    /// Does all parts of an order to their end, whatever becomes of one of them: a part that is dropped half way
    /// leaves calls that nobody knows the outcome of.
    async fn order(&self, order: Order, claiming: OwnedSemaphorePermit) -> Result<(), Unfinished> {
        let claiming = Arc::new(claiming);
        let parts = order.split(self.claim_messages_max).into_iter().map(|part| (part, claiming.clone()));
        let parts: Vec<_> = parts.collect();
        drop(claiming);
        stream::iter(parts)
            .map(|(part, claiming)| self.part(part, claiming))
            .buffer_unordered(PARTS_MAX)
            .fold(Ok(()), async |all: Result<(), Unfinished>, part| all.max(part))
            .await
    }

    async fn part(&self, order: Order, claiming: Arc<OwnedSemaphorePermit>) -> Result<(), Unfinished> {
        let mut room = self.room_for(order.len()).await?;
        let claimed = self.claims.claim(order).await?;
        drop(claiming);
        let calls = claimed.into_iter().map(|claimed| self.call(claimed, room.split(1)));
        let mut calls: FuturesUnordered<_> = calls.collect();
        // What was not granted needs no room.
        drop(room);
        let mut reported = Ok(());
        while let Some(one) = calls.next().await {
            reported = reported.max(one);
        }
        reported
    }

    /// Room for `calls` calls, before they are claimed: so that no message waits between its claim and its call.
    async fn room_for(&self, calls: usize) -> Result<OwnedSemaphorePermit, NotClaimed> {
        let calls = u32::try_from(calls).unwrap_or(u32::MAX);
        tokio::select! {
            // First, so that nothing is claimed any more once the node is stopping.
            biased;
            () = self.claims.stopping() => Err(NotClaimed::Stopping),
            room = self.room.clone().acquire_many_owned(calls) => room.map_err(|_closed| NotClaimed::Stopping),
        }
    }

    async fn call(&self, claimed: Claimed, room: Option<OwnedSemaphorePermit>) -> Result<(), Unfinished> {
        let outcome = claimed.call(&self.accounts, &self.pool).await;
        drop(room);
        self.events.report(outcome.into()).await.map_err(|_lost| Unfinished::NotReported)
    }
}

/// Does `work`, and tells JetStream now and then that it is still being done.
async fn in_progress<T>(message: &Message, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    loop {
        match tokio::time::timeout(PROGRESS, work.as_mut()).await {
            Ok(done) => return done,
            Err(_elapsed) => ack(message, AckKind::Progress).await,
        }
    }
}

async fn ack(message: &Message, kind: AckKind) {
    // Without the ack the frame comes again, and nothing of it is granted again.
    if let Err(error) = message.ack_with(kind).await {
        tracing::warn!(error = %error, "a frame of orders could not be acked");
    }
}
