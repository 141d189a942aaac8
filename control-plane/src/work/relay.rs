//! The relays: publish what the outboxes hold, and let go of it only after JetStream's ack. A crash in between
//! publishes again, which is harmless: orders are claimed at most once, and watchers are told at least once. JetStream
//! knows most of what watchers are told again by its id, and drops it; orders have none, because the sweeper publishes
//! them again on purpose.

use std::time::Duration;

use async_nats::jetstream::message::PublishMessage;
use futures::future::try_join_all;
use muster_runtime::bus::Bus;
use uuid::Uuid;

use crate::db::SystemTx;
use crate::nudge::nudged;
use crate::store::outbox::{
    order_frames_published, order_frames_unpublished, status_frames_delete, status_frames_oldest,
};
use crate::work::{Context, order};

/// How often an outbox is looked at when nobody nudges.
const TIMER: Duration = Duration::from_millis(200);
/// Frames in one transaction.
const FRAMES: i64 = 200;

/// Relays orders to sender nodes.
pub(crate) async fn run_orders(context: Context) -> anyhow::Result<()> {
    loop {
        if !relay_orders(&context).await? {
            nudged(&context.nudges.orders, TIMER).await;
        }
    }
}

async fn relay_orders(context: &Context) -> anyhow::Result<bool> {
    let mut client = context.db.system().await?;
    let tx = SystemTx::begin(&mut client).await?;
    let frames = order_frames_unpublished(&tx, FRAMES).await?;
    if frames.is_empty() {
        return Ok(false);
    }
    let ids: Vec<Uuid> = frames.iter().map(|frame| frame.id).collect();
    let topology = &context.bus.topology;
    let messages = frames
        .into_iter()
        .map(|row| (topology.work_subject(row.shard.unsigned_abs()), to_publish(order::published(row))));
    publish_all(&context.bus, messages).await?;
    order_frames_published(&tx, &ids).await?;
    tx.commit().await?;
    Ok(true)
}

/// Relays what happened to the gateways' watchers.
pub(crate) async fn run_statuses(context: Context) -> anyhow::Result<()> {
    loop {
        if !relay_statuses(&context).await? {
            nudged(&context.nudges.statuses, TIMER).await;
        }
    }
}

async fn relay_statuses(context: &Context) -> anyhow::Result<bool> {
    let mut client = context.db.system().await?;
    let tx = SystemTx::begin(&mut client).await?;
    let frames = status_frames_oldest(&tx, FRAMES).await?;
    if frames.is_empty() {
        return Ok(false);
    }
    let ids: Vec<Uuid> = frames.iter().map(|frame| frame.id).collect();
    let topology = &context.bus.topology;
    let messages = frames.into_iter().map(|row| {
        let message = to_publish(row.payload.into()).message_id(row.id.simple().to_string());
        (topology.status_subject(row.tenant), message)
    });
    publish_all(&context.bus, messages).await?;
    status_frames_delete(&tx, &ids).await?;
    tx.commit().await?;
    Ok(true)
}

fn to_publish(payload: bytes::Bytes) -> PublishMessage {
    PublishMessage::build().payload(payload)
}

/// Publishes in order, then waits for all acks together.
async fn publish_all(
    bus: &Bus,
    messages: impl Iterator<Item = (String, PublishMessage)>,
) -> anyhow::Result<()> {
    let mut acks = Vec::new();
    for (subject, message) in messages {
        acks.push(bus.jetstream.send_publish(subject, message).await?.into_future());
    }
    try_join_all(acks).await?;
    Ok(())
}
