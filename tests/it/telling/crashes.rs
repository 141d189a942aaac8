//! Whatever dies in between, watchers are told all that was committed.

use anyhow::{Context, Result, ensure};
use async_nats::jetstream::{self, consumer};
use futures::StreamExt as _;
use muster_proto::internal::v1::StatusFrame;
use muster_proto::v1::{CampaignMode, CampaignState, MessageStatus, Provider};
use muster_provider_sim::behaviour::Behaviour;
use muster_tests::{Stack, wait};
use prost::Message as _;

use super::{Kind, Watcher, progress, receipt, say};
use crate::scene::{self, TEMPLATE, WITHIN};

/// The lock of whoever tells of progress.
const TELL_LOCK: i64 = 0x006d_7573_7465_7202;

/// How often the control-plane has logged this.
fn logged(stack: &Stack, text: &str) -> Result<usize> {
    Ok(std::fs::read_to_string(stack.control_plane.log())?.matches(text).count())
}

/// Waits until the relay of statuses has failed once more.
async fn relay_fails(stack: &Stack) -> Result<()> {
    let before = logged(stack, "relay statuses")?;
    let failed = async || Ok((logged(stack, "relay statuses")? > before).then_some(()));
    wait::until("the relay to fail", WITHIN, failed).await
}

async fn die_and_live(stack: &mut Stack) -> Result<()> {
    stack.control_plane.kill9().await?;
    stack.control_plane.start_again().await?;
    stack.serving().await
}

fn delivered(told: &[Kind]) -> usize {
    let is = |kind: &&Kind| matches!(kind, Kind::StatusChange(c) if c.status() == MessageStatus::Delivered);
    told.iter().filter(is).count()
}

#[tokio::test]
async fn what_was_committed_and_not_published_is_told_by_the_next() -> Result<()> {
    let mut stack = scene::stack(scene::quick()).await?;
    let (organization, list) = scene::organization(&stack, Provider::Twilio, 30).await?;
    let watcher = Watcher::begin(&organization).await?;
    let database = stack.sql().await?;
    // It writes the outbox, and cannot read it.
    database.batch_execute("REVOKE SELECT ON status_frames FROM muster_system").await?;
    let campaign = scene::broadcast(&stack, &organization, &list).await?;
    let messages = organization.client.list_messages(&organization.tenant, &campaign).await?;
    say(&stack, messages.first().context("there are messages")?, "STOP").await?;
    relay_fails(&stack).await?;
    die_and_live(&mut stack).await?;
    database.batch_execute("GRANT SELECT ON status_frames TO muster_system").await?;

    let mut watcher = Watcher::since(&organization, &watcher.token).await?;
    watcher.at_rest(&organization, &campaign).await?;
    ensure!(delivered(&watcher.told) == 30, "{:#?}", watcher.told);
    ensure!(super::replies(&watcher.told).len() == 1 && super::opt_outs(&watcher.told).len() == 1);
    Ok(())
}

#[tokio::test]
async fn what_is_published_again_after_a_crash_is_there_once() -> Result<()> {
    let mut stack = scene::stack(scene::quick()).await?;
    let (organization, list) = scene::organization(&stack, Provider::Twilio, 30).await?;
    let watcher = Watcher::begin(&organization).await?;
    let database = stack.sql().await?;
    // It publishes, and cannot note that it did.
    database.batch_execute("REVOKE DELETE ON status_frames FROM muster_system").await?;
    let campaign = scene::broadcast(&stack, &organization, &list).await?;
    relay_fails(&stack).await?;
    die_and_live(&mut stack).await?;
    relay_fails(&stack).await?;
    database.batch_execute("GRANT DELETE ON status_frames TO muster_system").await?;
    let mut watcher = Watcher::since(&organization, &watcher.token).await?;
    watcher.at_rest(&organization, &campaign).await?;
    ensure!(delivered(&watcher.told) == 30, "{:#?}", watcher.told);

    let mut ids = frame_ids(&stack).await?;
    let frames = ids.len();
    ids.sort_unstable();
    ids.dedup();
    ensure!(frames > 3 && ids.len() == frames, "{frames} frames, {} of them different", ids.len());
    Ok(())
}

/// The ids of all frames that JetStream holds for watchers.
async fn frame_ids(stack: &Stack) -> Result<Vec<Vec<u8>>> {
    let nats = jetstream::new(async_nats::connect(&stack.endpoints.nats_url).await?);
    let stream = nats.get_stream(format!("{}_STATUS", stack.endpoints.nats_prefix.to_uppercase())).await?;
    let count = usize::try_from(stream.get_info().await?.state.messages)?;
    let reader = stream.create_consumer(consumer::pull::OrderedConfig::default()).await?;
    let frames: Vec<_> = reader.messages().await?.take(count).collect().await;
    let id = |message: Result<jetstream::Message, _>| {
        let frame = StatusFrame::decode(&message.map_err(anyhow::Error::from)?.payload[..])?;
        ensure!(frame.frame_id.len() == 16, "{frame:?}");
        Ok(frame.frame_id.to_vec())
    };
    frames.into_iter().map(id).collect()
}

#[tokio::test]
async fn where_campaigns_are_is_told_by_the_next_of_a_control_plane_that_died_before_it_told() -> Result<()> {
    let mut stack = scene::stack(Behaviour { receipt_loss_share: 1.0, ..scene::quick() }).await?;
    let (organization, list) = scene::organization(&stack, Provider::Twilio, 3).await?;
    let mut watcher = Watcher::begin(&organization).await?;
    let client = &organization.client;
    // One that has ended, but for its receipts, and one that waits for clicks.
    let ended = scene::broadcast(&stack, &organization, &list).await?;
    let has_ended = async || Ok(client.campaign(&ended).await?.end_time.map(|_| ()));
    wait::until("the campaign to end", WITHIN, has_ended).await?;
    let waiting = organization.draft(CampaignMode::Click, &list, TEMPLATE).await?;
    client.start(&waiting).await?;
    stack.settled(WITHIN).await?;
    watcher.at_rest(&organization, &waiting).await?;
    watcher.at_rest(&organization, &ended).await?;

    // Whoever tells waits for somebody else, and dies.
    let database = stack.sql().await?;
    database.execute("SELECT pg_advisory_lock($1)", &[&TELL_LOCK]).await?;
    let messages = client.list_messages(&organization.tenant, &ended).await?;
    let message = messages.first().context("there are messages")?;
    receipt(&stack, &organization, message, ("delivered", None), 1).await?;
    stack.events_are_projected(WITHIN).await?;
    client.pause(&waiting).await?;
    stack.control_plane.kill9().await?;
    database.execute("SELECT pg_advisory_unlock($1)", &[&TELL_LOCK]).await?;
    stack.control_plane.start_again().await?;
    stack.serving().await?;

    let mut watcher = Watcher::since(&organization, &watcher.token).await?;
    watcher.at_rest(&organization, &ended).await?;
    let paused = |told: &[Kind]| {
        progress(told, &waiting).last().is_some_and(|told| told.state() == CampaignState::Paused)
    };
    watcher.until("the pause", |told| paused(told).then_some(())).await
}

#[tokio::test]
async fn one_that_is_frozen_while_it_tells_holds_up_the_others_for_a_moment_only() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let (second, operator) = stack.another_control_plane().await?;
    let (organization, list) = scene::organization(&stack, Provider::Telnyx, 1).await?;
    let campaign = scene::broadcast(&stack, &organization, &list).await?;
    let mut watcher = Watcher::begin(&organization).await?;
    watcher.at_rest(&organization, &campaign).await?;
    // The second one tells of a pause, and cannot write it down yet.
    let mut blocker = stack.sql().await?;
    let blocking = blocker.transaction().await?;
    blocking.batch_execute("LOCK TABLE status_frames IN SHARE MODE").await?;
    operator.with_key(&organization.key)?.pause(&campaign).await?;
    let database = stack.sql().await?;
    let waits = "SELECT count(*) FROM pg_locks l JOIN pg_locks t USING (pid) \
                 WHERE l.locktype = 'advisory' AND l.granted AND t.relation = 'status_frames'::regclass \
                 AND NOT t.granted AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    let tells = async || Ok((database.query_one(waits, &[]).await?.get::<_, i64>(0) > 0).then_some(()));
    wait::until("the second one to tell", WITHIN, tells).await?;
    second.pause()?;
    blocking.rollback().await?;
    let before = jiff::Timestamp::now();
    organization.client.resume(&campaign).await?;
    let resumed = |told: &[Kind]| {
        let last = progress(told, &campaign).last()?.clone();
        let time = last.read_time.filter(|_| last.state() == CampaignState::Running)?;
        (jiff::Timestamp::new(time.seconds, time.nanos).ok()? > before).then_some(())
    };
    watcher.until("what the first one tells", resumed).await
}
