//! Applying a batch that holds an event which no transaction can hold: everything else of it is applied, and that one
//! event is set aside. Facts and replies that are applied twice on the way change nothing the second time.

use anyhow::Context as _;
use muster_proto::internal::v1::{Event, EventFrame};
use muster_runtime::frame;
use prost::Message as _;

use super::{Batch, Step};
use crate::db::{self, SystemTx};
use crate::metrics::METRICS;
use crate::store::projections::{RejectedEvent, rejected_event_insert};
use crate::work::Context;
use crate::work::facts::Framed;

/// Applies `batch` after `position`: in one transaction where that can be, and otherwise frame by frame.
pub(super) async fn apply(
    context: &Context,
    stream: &str,
    position: i64,
    batch: &Batch,
) -> anyhow::Result<()> {
    let frames = batch.frames.iter().collect();
    match step(context, stream, Step { frames, from: position, to: batch.last }).await {
        Err(error) if is_about_values(&error) => frame_by_frame(context, stream, position, batch).await,
        done => done,
    }
}

async fn step(context: &Context, stream: &str, step: Step<'_>) -> anyhow::Result<()> {
    while !super::apply(context, stream, &step).await? {}
    Ok(())
}

/// Whether the same statement would fail again, whenever it is tried.
fn is_about_values(error: &anyhow::Error) -> bool {
    error.downcast_ref::<db::Error>().is_some_and(db::Error::is_about_values)
}

async fn frame_by_frame(
    context: &Context,
    stream: &str,
    mut position: i64,
    batch: &Batch,
) -> anyhow::Result<()> {
    for framed in &batch.frames {
        let frames = vec![framed];
        match step(context, stream, Step { frames, from: position, to: framed.sequence }).await {
            Err(error) if is_about_values(&error) => {
                event_by_event(context, stream, position, framed).await?;
            }
            done => done?,
        }
        position = framed.sequence;
    }
    step(context, stream, Step { frames: Vec::new(), from: position, to: batch.last }).await
}

/// Applies a frame's events one after the other, and moves the position when all of them are dealt with.
async fn event_by_event(
    context: &Context,
    stream: &str,
    position: i64,
    framed: &Framed,
) -> anyhow::Result<()> {
    for (place, event) in (framed.place..).zip(&framed.frame.events) {
        let frame = EventFrame { node: framed.frame.node.clone(), events: vec![event.clone()] };
        let alone = Framed { sequence: framed.sequence, place, frame };
        match step(context, stream, Step { frames: vec![&alone], from: position, to: position }).await {
            Err(error) if is_about_values(&error) => {
                set_aside(context, stream, framed, (place, event), &error).await?;
            }
            done => done?,
        }
    }
    step(context, stream, Step { frames: Vec::new(), from: position, to: framed.sequence }).await
}

async fn set_aside(
    context: &Context,
    stream: &str,
    framed: &Framed,
    (place, event): (i32, &Event),
    error: &anyhow::Error,
) -> anyhow::Result<()> {
    let reason = format!("{error:#}");
    tracing::error!(sequence = framed.sequence, place, reason, "an event cannot be applied; it is set aside");
    // What has no tenant is passed over, and cannot come here.
    let tenant = frame::id_from(&event.tenant_id).context("the event has no tenant")?;
    let rejected = RejectedEvent {
        sequence: framed.sequence,
        place,
        node: framed.frame.node.clone(),
        event: event.encode_to_vec(),
        reason,
        tenant,
    };
    let mut client = context.db.system().await?;
    let tx = SystemTx::begin(&mut client).await?;
    rejected_event_insert(&tx, stream, &rejected).await?;
    tx.commit().await.context("the event was not set aside")?;
    METRICS.events_rejected.add(1, &[]);
    Ok(())
}
