//! A frame of orders, from pacing and claim to reported outcomes.

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the tests play a control-plane that fails")]
mod tests;

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::jetstream::{AckKind, Message};
use bytes::Bytes;
use futures::stream::{FuturesUnordered, StreamExt as _};
use muster_domain::error::{ErrorClass, SendError};
use muster_domain::status::Fact;
use muster_providers::Answer;
use muster_runtime::batch::Events;
use muster_runtime::frame::id_from;
use muster_runtime::telemetry::trace::{self, Span, SpanKind, within};
use muster_runtime::{bus, clock};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use crate::account::Accounts;
use crate::claim::{CLAIM_MESSAGES_MAX, Claimed, Claims, NotClaimed};
use crate::gate::{self, Gate, Gates};
use crate::http::Pool;
use crate::metrics;
use crate::order::{Order, Part};
use crate::pace::{Pace, Paced};
use crate::pull::Place;
use crate::window::Window;

/// How often JetStream is told that a frame is still being worked on; well under its ack wait.
const PROGRESS: Duration = Duration::from_secs(3);

/// Does the work of frames.
pub(crate) struct Worker {
    claims: Claims,
    accounts: Arc<Accounts>,
    pool: Arc<Pool>,
    events: Events,
    gates: Arc<Gates>,
    /// When numbers may claim, and when they may call.
    orders: Mutex<Pace>,
    calls: Mutex<Pace>,
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
    Left,
}

impl From<NotClaimed> for Unfinished {
    fn from(not_claimed: NotClaimed) -> Self {
        match not_claimed {
            NotClaimed::Stopping => Self::Left,
            NotClaimed::Refused => Self::Refused,
        }
    }
}

impl Worker {
    /// A worker with as many calls open at once as `gates` let.
    pub(crate) fn new(
        claims: Claims,
        accounts: Arc<Accounts>,
        pool: Arc<Pool>,
        events: Events,
        gates: Arc<Gates>,
    ) -> Self {
        // Half of the room, so that one claim can be asked for while another's calls are made.
        let claim_messages_max = (gates.shared().calls_max() / 2).clamp(1, CLAIM_MESSAGES_MAX);
        let (orders, calls) = Default::default();
        Self { claims, accounts, pool, events, gates, orders, calls, claim_messages_max }
    }

    /// Works on one frame and acks it once JetStream has the outcome of every call made for it. When the frame's shard
    /// is `lost`, what is not claimed yet is left to the shard's next node.
    pub(crate) async fn frame(&self, message: Message, place: Place, lost: &CancellationToken) {
        let order = match Order::read(message.payload.clone()) {
            Ok(order) => order,
            Err(error) => {
                tracing::error!(error = %error, "a frame of orders was unreadable; it is dropped");
                return ack(&message, AckKind::Term).await;
            }
        };
        let span = bus::place_of(&message);
        let span = span.map(|parent| Span::begin(Some(parent), "process work", SpanKind::Consumer));
        let begun = clock::instant();
        let work = within(span.as_ref().map(Span::place), self.order(order, place, lost));
        let mut work = pin!(in_progress(&message, work));
        let done = tokio::select! {
            biased;
            done = &mut work => done,
            () = lost.cancelled() => {
                // At once: the shard's next node does not wait for the calls that are open here. Of what is claimed
                // here, nothing is granted to it.
                ack(&message, AckKind::Nak(None)).await;
                let _ = work.await;
                return;
            }
        };
        metrics::frame(clock::since(begun));
        span.into_iter().for_each(Span::end);
        match done {
            Ok(()) => ack(&message, AckKind::Ack).await,
            Err(Unfinished::Left) => ack(&message, AckKind::Nak(None)).await,
            Err(Unfinished::Refused) => ack(&message, AckKind::Term).await,
            // It will come again, and nothing of it will be granted again.
            Err(Unfinished::NotReported) => {}
        }
    }

    /// Does all parts of an order to their end, whatever becomes of one of them: a part that is dropped half way
    /// leaves calls that nobody knows the outcome of.
    async fn order(&self, order: Order, place: Place, lost: &CancellationToken) -> Result<(), Unfinished> {
        let parts = order.parts(&mut lock(&self.orders), clock::instant());
        let place = Arc::new(place);
        let parts = parts.into_iter().map(|(account, part)| {
            let (gate, place) = (self.gates.of(account), place.clone());
            async move { self.part(part, &gate, place, lost).await }
        });
        let parts: Vec<_> = parts.collect();
        // It is the parts that wait.
        drop(place);
        all_of(parts).await
    }

    /// Claims the messages of a part when their time has come, as many at once as there is room for.
    async fn part(
        &self,
        mut part: Part,
        gate: &Gate,
        place: Arc<Place>,
        lost: &CancellationToken,
    ) -> Result<(), Unfinished> {
        if part.begin > clock::instant() {
            tokio::select! {
                biased;
                () = lost.cancelled() => return Err(Unfinished::Left),
                () = tokio::time::sleep_until(part.begin.into()) => {}
            }
        }
        let mut waiting = gate.waiting(place.shard, part.wanted.len());
        let mut chunks = FuturesUnordered::new();
        let mut done = Ok(());
        while part.wanted.len() > 0 {
            let wanted = part.wanted.len().min(self.claim_messages_max);
            let mut room = pin!(self.room_for(wanted, gate));
            let room = loop {
                tokio::select! {
                    // First, so that nothing is claimed any more once the shard is another node's.
                    biased;
                    () = lost.cancelled() => break None,
                    room = &mut room => break room,
                    Some(chunk) = chunks.next() => done = done.max(chunk),
                }
            };
            let Some(room) = room else {
                done = Err(Unfinished::Left);
                break;
            };
            let chunk = part.split(room.account.calls());
            waiting.less(chunk.wanted.len());
            chunks.push(self.chunk(chunk, gate, room));
        }
        drop((waiting, place));
        while let Some(chunk) = chunks.next().await {
            done = done.max(chunk);
        }
        done
    }

    /// Room for some calls, before they are claimed: so that no message waits between its claim and its call.
    async fn room_for<'a>(&self, calls: usize, gate: &'a Gate) -> Option<Room<'a>> {
        let account = gate.room(calls).await?;
        let node = self.gates.shared().take(account.calls()).await?;
        Some(Room { account, node })
    }

    async fn chunk(&self, chunk: Part, gate: &Gate, mut room: Room<'_>) -> Result<(), Unfinished> {
        let ids = chunk.wanted.ids().map(Bytes::copy_from_slice);
        let paced: HashMap<Bytes, Paced> = ids.zip(chunk.paced).collect();
        let (asked_us, ordered_us) = (clock::now_us(), chunk.ordered_us);
        let claimed = self.claims.claim(chunk.wanted).await?;
        trace_claimed(&claimed, asked_us);
        let calls = claimed.into_iter().map(|claimed| {
            let paced = paced.get(&claimed.message.message_id).copied();
            self.call(claimed, (paced, ordered_us), gate, room.split())
        });
        let calls: Vec<_> = calls.collect();
        // What was not granted needs no room.
        drop(room);
        all_of(calls).await
    }

    async fn call(
        &self,
        claimed: Claimed,
        (paced, ordered_us): (Option<Paced>, Option<i64>),
        gate: &Gate,
        room: Option<Room<'_>>,
    ) -> Result<(), Unfinished> {
        let in_time = self.paced(paced, &claimed.window).await;
        let closed = room.as_ref().is_none_or(|room| room.account.is_closed()).then_some(Duration::ZERO);
        let outcome = match gate.open_for().or(closed) {
            Some(open_for) => claimed.answered(circuit_open(open_for)),
            None if !in_time => claimed.late(),
            None => {
                let begun = clock::instant();
                let outcome = claimed.call(&self.accounts, &self.pool).await;
                outcome.provider().into_iter().for_each(|provider| gate.is_of(provider));
                if let Some(went) = outcome.went() {
                    gate.done(went, clock::since(begun));
                }
                outcome
            }
        };
        drop(room);
        let name = outcome.name();
        self.events.report(outcome.into()).await.map_err(|_lost| Unfinished::NotReported)?;
        if let Some(ordered_us) = ordered_us {
            let took_us = clock::now_us().saturating_sub(ordered_us).max(0);
            metrics::order_done(name, Duration::from_micros(took_us.unsigned_abs()));
        }
        Ok(())
    }

    /// Waits until the number of a text may send it. `false`, without waiting, where `window` is over by then.
    async fn paced(&self, paced: Option<Paced>, window: &Window) -> bool {
        let Some(paced) = paced else { return true };
        let begin = lock(&self.calls).call(paced, clock::instant(), window.end());
        match begin {
            Some(begin) => window.lasts_until(begin).await,
            None => false,
        }
    }
}

/// Tells of the claim in the traces of those texts that are traced.
fn trace_claimed(claimed: &[Claimed], asked_us: i64) {
    let ids = claimed.iter().filter_map(|claimed| id_from(&claimed.message.message_id));
    for place in ids.filter_map(trace::text) {
        Span::begin(Some(place), "claim", SpanKind::Client).since(asked_us).link_current().end();
    }
}

/// Room for calls: at their account, and of the node.
struct Room<'a> {
    account: gate::Room<'a>,
    node: OwnedSemaphorePermit,
}

impl Room<'_> {
    /// Room for one call, which is taken from this.
    fn split(&mut self) -> Option<Self> {
        Some(Self { account: self.account.split()?, node: self.node.split(1)? })
    }
}

/// The answer that a message gets without being called, while its provider answers nobody.
fn circuit_open(open_for: Duration) -> Answer {
    let error = SendError { class: ErrorClass::Transient, code: "circuit-open".to_owned() };
    let seconds = u32::try_from(open_for.as_secs()).unwrap_or(u32::MAX);
    Answer {
        fact: Fact::NotAccepted(error),
        provider_message_id: None,
        retry_after_s: Some(seconds.saturating_add(1)),
    }
}

fn lock(pace: &Mutex<Pace>) -> MutexGuard<'_, Pace> {
    pace.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits for all, and returns the most urgent of what is unfinished.
async fn all_of<F>(work: impl IntoIterator<Item = F>) -> Result<(), Unfinished>
where
    F: Future<Output = Result<(), Unfinished>>,
{
    let work: FuturesUnordered<F> = work.into_iter().collect();
    work.fold(Ok(()), async |all: Result<(), Unfinished>, one| all.max(one)).await
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
