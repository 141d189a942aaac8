//! A text whose validity ends before it is claimed is never sent.

use anyhow::{Context, Result, ensure};
use muster_proto::v1::{CampaignMode, MessageStatus, Provider};
use muster_tests::{Stack, wait};
use uuid::Uuid;

use crate::control::{CONTACTS, under_way};
use crate::scene::{self, TEMPLATE, WITHIN};

/// The least validity is a minute: rather than wait for it, the campaign is made as old as its validity is long, and
/// what waits in it as well.
const AGE: &str = "
WITH aged AS (
    UPDATE campaigns SET start_time = start_time - make_interval(secs => validity_s) WHERE id = $1
    RETURNING id, make_interval(secs => validity_s) AS age
), queued AS (
    UPDATE queue SET expire_time = expire_time - age FROM aged WHERE campaign_id = id
)
UPDATE message_states SET expire_time = expire_time - age FROM aged WHERE campaign_id = id AND status IN (2, 3)";

/// Ends the validity of everything in a campaign that was not claimed yet; returns how many texts that are.
async fn age(stack: &Stack, campaign: &str) -> Result<u64> {
    let id = Uuid::parse_str(campaign.rsplit('/').next().context("a name")?)?;
    Ok(stack.sql().await?.execute(AGE, &[&id]).await?)
}

#[tokio::test]
async fn what_expires_in_a_paused_campaign_is_not_sent_when_it_goes_on() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let (organization, campaign) = under_way(&stack).await?;
    organization.client.pause(&campaign).await?;
    stack.settled(WITHIN).await?;
    let out = stack.judge().await?.accepted;
    let left = CONTACTS as u64 - out;
    ensure!(age(&stack, &campaign).await? == left && left > 0, "{out} were sent before the pause");

    organization.client.resume(&campaign).await?;
    stack.settled(WITHIN).await?;
    let verdict = stack.judge().await?;
    verdict.demand()?;
    ensure!(verdict.accepted == out && verdict.by_status.get("EXPIRED") == Some(&left), "{verdict:?}");
    Ok(())
}

#[tokio::test]
async fn what_expires_after_it_was_ordered_is_not_granted() -> Result<()> {
    let mut stack = scene::stack(scene::quick()).await?;
    let (organization, list) = scene::organization(&stack, Provider::Telnyx, 20).await?;
    stack.sender_nodes[0].kill9().await?;
    let campaign = organization.draft(CampaignMode::Broadcast, &list, TEMPLATE).await?;
    organization.client.start(&campaign).await?;
    let ordered = async || {
        let ordered = scene::count(&organization, &campaign, MessageStatus::Ordered).await?;
        Ok((ordered == 20).then_some(()))
    };
    wait::until("all texts to be ordered", WITHIN, ordered).await?;
    ensure!(age(&stack, &campaign).await? == 20);
    stack.sender_nodes[0].start_again().await?;
    stack.settled(WITHIN).await?;
    let verdict = stack.judge().await?;
    verdict.demand()?;
    ensure!((verdict.accepted, verdict.by_status.get("EXPIRED")) == (0, Some(&20)), "{verdict:?}");
    Ok(())
}
