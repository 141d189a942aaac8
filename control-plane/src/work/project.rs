//! The projector: applies what happened outside to the truth, exactly once.
//!
//! Frames are read from the stream of events in order, and a batch of them is applied in one transaction: the
//! states that facts lead to (muster-domain decides), their history and counters, replies and opt-outs, and the
//! position reached, moved from where it was. Should the transaction fail, or another projector have been faster,
//! nothing of it remains and the stream is read again from the position in the database. No ack is needed.
//! The position belongs to one stream: where another one has taken its place, nothing is applied. An event that no
//! transaction can hold is set aside, alone, so that it stops nothing behind it.

mod count;
mod one_by_one;
mod source;
mod stream;

use std::collections::HashSet;
use std::sync::PoisonError;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use async_nats::jetstream;
use muster_proto::internal::v1::EventFrame;
use muster_runtime::clock;
use prost::Message as _;
use uuid::Uuid;

use crate::db::{Micros, SystemTx};
use crate::store::conversations::opt_outs_of_messages;
use crate::store::numbers::numbers_hold;
use crate::store::projections::{
    Move, Position, projection_advance, projection_caught_up_set, projection_position, provider_ids_get,
    rejected_event_insert, states_get, states_move, unmatched_receipts_insert,
};
use crate::store::queue::queue_return;
use crate::store::transitions::record;
use crate::store::watchers::{OptOutCause, Record, tell};
use crate::work::Context;
use crate::work::facts::{self, Framed};
use crate::work::fold::{Fold, Known};
use crate::work::inbound::{self, opt_out_record};
use crate::work::project::source::Source;
use crate::work::project::stream::{Seen, Watched};

/// Frames applied in one transaction at most, of some hundred events each.
const FRAMES_MAX: usize = 100;
/// The time from one step to the next while events keep coming. An event after a pause is applied at once; under load
/// many are applied together: what becomes of a text within this time is written as one change of its state, and the
/// cost of a transaction is shared.
const STEP_PACE: Duration = Duration::from_millis(100);
/// The pause after another projector was faster: it is at work, and this one only stands by.
const STANDBY: Duration = Duration::from_secs(1);

/// Frames from the stream, and the sequence of the last; when JetStream took it.
struct Batch {
    frames: Vec<Framed>,
    last: i64,
    published: Micros,
}

/// What one transaction applies, and where it moves the position.
struct Step<'a> {
    frames: Vec<&'a Framed>,
    from: i64,
    to: i64,
}

/// Runs the projector.
pub(crate) async fn run(context: Context) -> anyhow::Result<()> {
    let stream_name = context.bus.topology.events_stream();
    let stream = context.bus.jetstream.get_stream(&stream_name).await?;
    let seen = Seen::of(stream.cached_info())?;
    let mut position = begin(&context, &stream_name, seen).await?;
    let mut watched = Watched::begin(stream.clone(), seen, &position)?;
    let mut source = Source::open(&stream, position.sequence).await?;
    let (mut applied, mut counts) = (None, count::Logged::default());
    loop {
        let next = tokio::time::timeout(watched.good_for(), source.next(FRAMES_MAX)).await;
        if let Some(time) = watched.look(&position).await?.caught_up(applied) {
            caught_up(&context, &stream_name, time).await?;
        }
        counts.log();
        let Ok(messages) = next else { continue };
        let messages = messages?;
        let begun = clock::instant();
        let batch = decode(&messages, &position)?;
        one_by_one::apply(&context, &stream_name, position.sequence, &batch).await?;
        position.sequence = batch.last;
        applied = Some(batch.published);
        context.nudges.statuses.notify_one();
        if messages.len() < FRAMES_MAX {
            tokio::time::sleep_until((begun + STEP_PACE).into()).await;
        }
    }
}

/// Where to go on; at the beginning where this stream has not been projected yet.
async fn begin(context: &Context, stream: &str, seen: Seen) -> anyhow::Result<Position> {
    let mut client = context.db.system().await?;
    let tx = SystemTx::begin(&mut client).await?;
    let position = projection_position(&tx, stream, seen.created).await?;
    tx.commit().await?;
    Ok(position)
}

/// Notes how far in time the projection has come: claims are granted only while that is a moment ago.
async fn caught_up(context: &Context, stream: &str, time: Micros) -> anyhow::Result<()> {
    let mut client = context.db.system().await?;
    let tx = SystemTx::begin(&mut client).await?;
    projection_caught_up_set(&tx, stream, time).await?;
    Ok(tx.commit().await?)
}

/// Reads what came after `position`; fails where it did not.
fn decode(messages: &[jetstream::Message], position: &Position) -> anyhow::Result<Batch> {
    let frames = Vec::with_capacity(messages.len());
    let mut batch = Batch { frames, last: position.sequence, published: Micros(0) };
    for message in messages {
        let info = message.info().map_err(|error| anyhow::anyhow!("a message without its place: {error}"))?;
        let sequence = i64::try_from(info.stream_sequence)?;
        ensure!(sequence > batch.last, "the stream went back from {} to {sequence}", batch.last);
        batch.last = sequence;
        batch.published = Micros(i64::try_from(info.published.unix_timestamp_nanos() / 1_000)?);
        match EventFrame::decode(&message.payload[..]) {
            Ok(frame) => batch.frames.push(Framed { sequence, place: 0, frame }),
            // Nothing can be made of it, ever: to stop here would stop everything behind it.
            Err(error) => {
                tracing::error!(%error, sequence = batch.last, "an unreadable frame is passed over")
            }
        }
    }
    Ok(batch)
}

/// Applies a step in one transaction. Returns false, and leaves nothing behind, where another transaction moved
/// one of its messages meanwhile: then the step must be judged anew.
async fn apply(context: &Context, stream: &str, step: &Step<'_>) -> anyhow::Result<bool> {
    let facts = facts::read(step.frames.iter().copied());
    let mut ids: Vec<Uuid> = facts.known.iter().map(|fact| fact.message).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut client = context.db.system().await?;
    let tx = SystemTx::begin(&mut client).await?;
    let mut fold = Fold::new(states_get(&tx, &ids).await?, facts.unmatched);
    let doubtful: Vec<Uuid> =
        facts.known.iter().filter(|fact| fact.by_url_alone).map(|fact| fact.message).collect();
    if !doubtful.is_empty() {
        fold.doubt(provider_ids_get(&tx, &doubtful).await?);
    }
    for fact in facts.known {
        fold.learn(fact);
    }
    let now = Micros::now();
    let moves: Vec<Move<'_>> = fold.changed().map(as_move).collect();
    if states_move(&tx, &moves, now).await? != u64::try_from(moves.len())? {
        return Ok(false);
    }
    if !projection_advance(&tx, stream, step.from, step.to).await? {
        tokio::time::sleep(STANDBY).await;
        bail!("another projector is at work");
    }
    let mut told = follow(&tx, &fold, now).await?;
    for event in &facts.unreadable {
        rejected_event_insert(&tx, stream, event).await?;
    }
    let replies_repeated = inbound::apply(&tx, facts.inbound, &mut told).await?;
    tell(&tx, told).await?;
    let _telling = context.nudges.telling(record(&tx, &fold.transitions).await?);
    tx.commit().await.context("the step was not committed")?;
    context.ends.lock().unwrap_or_else(PoisonError::into_inner).learn(&fold.transitions, now);
    count::add(fold.repeated + replies_repeated, fold.unmatched.len(), facts.unreadable.len());
    if fold.retries().next().is_some() {
        context.nudges.dispatch.notify_one();
    }
    Ok(true)
}

fn as_move(known: &Known) -> Move<'_> {
    Move { message: known.message, from: &known.before, to: &known.now }
}

/// What follows from the new states: another attempt, a number that is held, an opt-out that the provider knew of, receipts
/// to be kept. Returns what watchers are told of it.
async fn follow(tx: &SystemTx<'_>, fold: &Fold, now: Micros) -> anyhow::Result<Vec<(Uuid, Record)>> {
    let (retries, due_times): (Vec<Uuid>, Vec<Micros>) = fold.retries().unzip();
    if !retries.is_empty() {
        queue_return(tx, &retries, &due_times).await?;
    }
    let (capped, until): (Vec<Uuid>, Vec<Micros>) = fold.capped().unzip();
    if !capped.is_empty() {
        numbers_hold(tx, &capped, &until).await?;
    }
    let opted_out: HashSet<Uuid> = fold.opted_out_at_provider().collect();
    let mut told = Vec::new();
    if !opted_out.is_empty() {
        for (tenant, phone) in opt_outs_of_messages(tx, &opted_out, now).await? {
            told.push((tenant, opt_out_record(phone, true, OptOutCause::Provider, now)));
        }
    }
    if !fold.unmatched.is_empty() {
        unmatched_receipts_insert(tx, &fold.unmatched).await?;
    }
    Ok(told)
}
