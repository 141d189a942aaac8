//! Every service is scaled by its number of processes: more than one may run, and any may be asked to end.

use std::time::Duration;

use anyhow::{Result, ensure};
use muster_proto::v1::{CampaignMode, Provider};
use muster_provider_sim::behaviour::Behaviour;
use muster_tests::stack::Service;
use muster_tests::{Stack, StackOptions, wait};

use crate::scene::{self, TEMPLATE, WITHIN};

/// How long a sender node may take to finish its open calls.
const DRAIN_WITHIN: Duration = Duration::from_secs(30);

#[tokio::test]
async fn two_control_planes_at_once_send_everything_once() -> Result<()> {
    let stack = scene::stack(Behaviour { reply_share: 0.2, stop_share: 0.5, ..scene::quick() }).await?;
    let (_second, operator) = stack.another_control_plane().await?;
    let (one, list) = scene::organization(&stack, Provider::Twilio, 300).await?;
    let (other, other_list) = scene::organization(&stack, Provider::Telnyx, 300).await?;
    // The second one's door is as good as the first one's, and both one's loops work on both campaigns.
    let at_second = operator.with_key(&other.key)?;
    let first = one.draft(CampaignMode::Broadcast, &list, TEMPLATE).await?;
    let second = other.draft(CampaignMode::Broadcast, &other_list, TEMPLATE).await?;
    tokio::try_join!(one.client.start(&first), at_second.start(&second))?;
    stack.settled(WITHIN).await?;
    ensure!(at_second.report(&second).await?.message_count == 300);
    let verdict = stack.judge().await?;
    verdict.demand()?;
    ensure!((verdict.accepted, verdict.delivered) == (600, 600), "{verdict:?}");
    stack.stop().await
}

#[tokio::test]
async fn a_sender_node_that_is_asked_to_end_leaves_nothing_unconfirmed() -> Result<()> {
    let behaviour = Behaviour { answer_ms: [50, 150], ..scene::quick() };
    // Few calls at once, so that the campaign takes seconds and the node ends in its middle.
    let env = vec![(Service::SenderNode, "MUSTER_CALLS_MAX".to_owned(), "20".to_owned())];
    let options = StackOptions { behaviour, sender_nodes: 2, env, ..StackOptions::default() };
    let mut stack = Stack::start(options).await?;
    let (organization, list) = scene::organization(&stack, Provider::Twilio, 1_000).await?;
    let campaign = organization.draft(CampaignMode::Broadcast, &list, TEMPLATE).await?;
    organization.client.start(&campaign).await?;
    let database = stack.sql().await?;
    let claimed = "SELECT count(*) FROM claim_batches WHERE node = $1";
    let name = stack.sender_nodes[0].name().to_owned();
    let works = async || {
        let row = database.query_one(claimed, &[&name]).await?;
        Ok((row.get::<_, i64>(0) > 0).then_some(()))
    };
    wait::until("the node to claim", WITHIN, works).await?;
    let status = stack.sender_nodes[0].terminate(DRAIN_WITHIN).await?;
    ensure!(status.success(), "{status}: {}", stack.sender_nodes[0].log_tail());
    let sent = stack.simulator.stats().await?.accepted;
    ensure!(sent < 1_000, "everything was sent before the node ended");
    stack.settled(WITHIN).await?;
    let verdict = stack.judge().await?;
    verdict.demand()?;
    ensure!((verdict.unconfirmed, verdict.delivered) == (0, 1_000), "{verdict:?}");
    Ok(())
}
