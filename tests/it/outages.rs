//! What goes on, and what stops with a clear word, while a part of the platform is away or is not what it was.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use async_nats::jetstream;
use muster_proto::v1::{CampaignMode, MessageStatus, Provider};
use muster_provider_sim::behaviour::Behaviour;
use muster_provider_sim::control::ReceiptSpec;
use muster_tests::{Process, Stack, wait};
use uuid::Uuid;

use crate::scene::{self, WITHIN};

/// Longer than a gateway keeps an account without asking again.
const ACCOUNT_KEPT: Duration = Duration::from_secs(7);

#[tokio::test]
async fn receipts_are_taken_while_the_control_plane_is_away_and_count_when_it_is_back() -> Result<()> {
    let mut stack = scene::stack(Behaviour { receipt_loss_share: 1.0, ..scene::quick() }).await?;
    let (organization, list) = scene::organization(&stack, Provider::Twilio, 1).await?;
    let campaign = scene::broadcast(&stack, &organization, &list).await?;
    let messages = organization.client.list_messages(&organization.tenant, &campaign).await?;
    let message =
        messages.first().and_then(|message| message.name.rsplit('/').next()).context("a message")?;
    let receipt = |state: &str| {
        Ok::<_, anyhow::Error>(ReceiptSpec {
            provider: "twilio".to_owned(),
            account_sid: organization.account_sid.clone(),
            state: state.to_owned(),
            message_id: Some(Uuid::parse_str(message)?),
            times: 1,
            ..ReceiptSpec::default()
        })
    };
    ensure!(stack.simulator.receipt(&receipt("sent")?).await?.answers == [Some(200)]);
    stack.control_plane.kill9().await?;
    let away = Instant::now();
    while away.elapsed() < ACCOUNT_KEPT {
        let answers = stack.simulator.receipt(&receipt("delivered")?).await?.answers;
        ensure!(answers == [Some(200)], "{answers:?} after {:?}", away.elapsed());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    stack.control_plane.start_again().await?;
    stack.serving().await?;
    let counted = async || {
        let delivered = scene::count(&organization, &campaign, MessageStatus::Delivered).await?;
        Ok((delivered == 1).then_some(()))
    };
    wait::until("the receipts to count", WITHIN, counted).await
}

/// Publishes frames that say nothing, and returns the sequence of the last.
async fn publish_frames(stack: &Stack, count: u64) -> Result<i64> {
    let events = nats(stack).await?;
    let subject = format!("{}.events", stack.endpoints.nats_prefix);
    let mut last = 0;
    for _ in 0..count {
        last = events.publish(subject.clone(), "".into()).await?.await?.sequence;
    }
    Ok(i64::try_from(last)?)
}

async fn nats(stack: &Stack) -> Result<jetstream::Context> {
    Ok(jetstream::new(async_nats::connect(&stack.endpoints.nats_url).await?))
}

fn events_stream(stack: &Stack) -> String {
    format!("{}_EVENTS", stack.endpoints.nats_prefix.to_uppercase())
}

async fn position(stack: &Stack) -> Result<i64> {
    Ok(stack.sql().await?.query_one("SELECT sequence FROM projections", &[]).await?.get(0))
}

/// Waits until a process has logged this.
async fn logged(process: &Process, text: &str) -> Result<()> {
    let said = async || Ok(std::fs::read_to_string(process.log())?.contains(text).then_some(()));
    let waited = wait::until(&format!("`{text}` in the log"), WITHIN, said).await;
    waited.with_context(|| process.log_tail())
}

#[tokio::test]
async fn a_stream_of_events_that_was_made_anew_is_not_projected() -> Result<()> {
    let mut stack = scene::stack(scene::quick()).await?;
    publish_frames(&stack, 3).await?;
    stack.events_are_projected(WITHIN).await?;
    let before = position(&stack).await?;

    // While it is projected, and then to a control-plane that begins: it has grown past the position both times.
    let (nats, name) = (nats(&stack).await?, events_stream(&stack));
    let config = nats.get_stream(&name).await?.cached_info().config.clone();
    nats.delete_stream(&name).await?;
    nats.create_stream(config).await?;
    let grown = publish_frames(&stack, 3 + u64::try_from(before)?).await?;
    ensure!(grown > before);
    logged(&stack.control_plane, "was created anew").await?;
    stack.control_plane.kill9().await?;
    let reached = position(&stack).await?;
    std::fs::write(stack.control_plane.log(), "")?;
    stack.control_plane.start_again().await?;
    logged(&stack.control_plane, "was created anew").await?;
    ensure!(position(&stack).await? == reached, "events of another stream were projected");

    // What the message tells an operator to do.
    stack.sql().await?.execute("DELETE FROM projections", &[]).await?;
    stack.events_are_projected(WITHIN).await?;
    ensure!(position(&stack).await? == grown);
    Ok(())
}

#[tokio::test]
async fn events_that_are_gone_are_counted_and_the_rest_is_projected() -> Result<()> {
    let mut stack = scene::stack(scene::quick()).await?;
    publish_frames(&stack, 2).await?;
    stack.events_are_projected(WITHIN).await?;
    let before = position(&stack).await?;
    stack.control_plane.kill9().await?;
    let last = publish_frames(&stack, 5).await?;
    ensure!(last == before + 5);
    let stream = nats(&stack).await?.get_stream(events_stream(&stack)).await?;
    stream.purge().sequence(u64::try_from(last - 1)?).await?;
    stack.control_plane.start_again().await?;
    logged(&stack.control_plane, "3 frames of events were deleted before they were projected").await?;
    stack.events_are_projected(WITHIN).await
}

#[tokio::test]
async fn a_claim_that_takes_too_long_leaves_nothing_behind_and_is_asked_for_again() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let (organization, list) = scene::organization(&stack, Provider::Twilio, 20).await?;
    let mut blocker = stack.sql().await?;
    let blocking = blocker.transaction().await?;
    blocking.batch_execute("LOCK TABLE claim_batches IN ACCESS EXCLUSIVE MODE").await?;
    let campaign = organization.draft(CampaignMode::Broadcast, &list, scene::TEMPLATE).await?;
    organization.client.start(&campaign).await?;
    let node = stack.sender_nodes.first().context("there is a node")?;
    logged(node, "cannot claim; trying again").await?;
    // Asked for again and again, and no connection to PostgreSQL is lost to it.
    let waiting = "SELECT count(*) FROM pg_stat_activity \
                   WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let waiting: i64 = stack.sql().await?.query_one(waiting, &[]).await?.get(0);
    ensure!(waiting <= 6, "{waiting} connections wait for a lock");
    ensure!(
        !std::fs::read_to_string(node.log())?.contains("was not answered in time"),
        "{}",
        node.log_tail()
    );
    blocking.rollback().await?;
    stack.settled(WITHIN).await?;
    let verdict = stack.judge().await?;
    verdict.demand()?;
    ensure!(scene::count(&organization, &campaign, MessageStatus::Delivered).await? == 20, "{verdict:?}");
    Ok(())
}
