//! JetStream may lose orders: the truth is in PostgreSQL, and work is made again.

use anyhow::{Result, ensure};
use async_nats::jetstream;
use muster_proto::v1::{CampaignMode, MessageStatus, Provider};
use muster_tests::{Stack, StackOptions, wait};

use crate::scene::{self, TEMPLATE, WITHIN};

/// How long an order may stay unclaimed: short, because the story waits for it.
const ORDER_DEADLINE_S: u64 = 2;
/// Contacts: less than the dispatcher orders ahead of sender nodes.
const CONTACTS: usize = 60;

#[tokio::test]
async fn orders_that_jetstream_lost_are_published_again() -> Result<()> {
    let behaviour = scene::quick();
    let options = StackOptions { behaviour, order_deadline_s: ORDER_DEADLINE_S, ..StackOptions::default() };
    let mut stack = Stack::start(options).await?;
    let (organization, list) = scene::organization(&stack, Provider::Twilio, CONTACTS).await?;
    stack.sender_nodes[0].kill9().await?;
    let campaign = organization.draft(CampaignMode::Broadcast, &list, TEMPLATE).await?;
    organization.client.start(&campaign).await?;
    let database = stack.sql().await?;
    let published = async || {
        let ordered = scene::count(&organization, &campaign, MessageStatus::Ordered).await?;
        let waiting = "SELECT count(*) FROM order_frames WHERE publish_time IS NULL";
        let waiting: i64 = database.query_one(waiting, &[]).await?.get(0);
        Ok((usize::try_from(ordered)? == CONTACTS && waiting == 0).then_some(()))
    };
    wait::until("all orders to be published", WITHIN, published).await?;

    let nats = jetstream::new(async_nats::connect(&stack.endpoints.nats_url).await?);
    let work = nats.get_stream(format!("{}_WORK", stack.endpoints.nats_prefix.to_uppercase())).await?;
    ensure!(work.purge().await?.purged > 0, "there was nothing to lose");
    stack.sender_nodes[0].start_again().await?;
    stack.settled(WITHIN).await?;
    let verdict = stack.judge().await?;
    verdict.demand()?;
    ensure!((verdict.accepted, verdict.delivered) == (CONTACTS as u64, CONTACTS as u64), "{verdict:?}");
    Ok(())
}
