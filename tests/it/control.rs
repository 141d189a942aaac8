//! Pausing, resuming and canceling: nothing is sent that was not granted before.

use anyhow::{Result, ensure};
use muster_proto::v1::{CampaignMode, CampaignState, MessageStatus, Provider, Tenant};
use muster_tests::client::{Seen, open_count};
use muster_tests::stack::{Organization, OrganizationOptions};
use muster_tests::{Stack, contacts, wait};
use tonic::Code;

use crate::scene::{self, TEMPLATE, WITHIN, refused};

/// Contacts: at the rate below, some seconds of sending.
pub(crate) const CONTACTS: usize = 150;

/// A broadcast from one slow number, of which some texts are out and most are not.
pub(crate) async fn under_way(stack: &Stack) -> Result<(Organization, String)> {
    let mut options = OrganizationOptions::of(Provider::Twilio);
    options.numbers.truncate(1);
    options.segments_per_second = 40.0;
    let organization = stack.organization(options).await?;
    let (list, _) = organization.list("Voters", &contacts::tidy(1, CONTACTS).bytes).await?;
    let campaign = organization.draft(CampaignMode::Broadcast, &list, TEMPLATE).await?;
    let watch = organization.client.watch(&organization.tenant, &campaign, |_| ()).await?;
    organization.client.start(&campaign).await?;
    let some = |seen: &Seen| seen.count(MessageStatus::Sent) + seen.count(MessageStatus::Delivered) >= 5;
    watch.until("the first texts", WITHIN, some).await?;
    Ok((organization, campaign))
}

#[tokio::test]
async fn a_broadcast_waits_once_its_tenant_may_not_broadcast_any_more() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let (organization, campaign) = under_way(&stack).await?;
    let client = &organization.client;
    let allow = async |broadcast_allowed| {
        let tenant = Tenant { name: organization.tenant.clone(), broadcast_allowed, ..Tenant::default() };
        stack.operator.update_tenant(tenant, &["broadcast_allowed"]).await
    };
    allow(false).await?;
    let withdrawn = async || {
        let ordered = scene::count(&organization, &campaign, MessageStatus::Ordered).await?;
        let claimed = scene::count(&organization, &campaign, MessageStatus::Claimed).await?;
        Ok((ordered + claimed == 0).then_some(()))
    };
    wait::until("nothing to be on its way", WITHIN, withdrawn).await?;
    let sent = stack.simulator.stats().await?.accepted;
    client.pause(&campaign).await?;
    refused(client.resume(&campaign).await, Code::FailedPrecondition)?;
    let later = stack.simulator.stats().await?.accepted;
    ensure!(sent == later && sent < CONTACTS as u64, "{sent} texts went out, then {later}");

    allow(true).await?;
    client.resume(&campaign).await?;
    stack.settled(WITHIN).await?;
    let verdict = stack.judge().await?;
    verdict.demand()?;
    ensure!(verdict.delivered == CONTACTS as u64, "{verdict:?}");
    Ok(())
}

#[tokio::test]
async fn a_paused_campaign_waits_and_goes_on() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let (organization, campaign) = under_way(&stack).await?;
    let client = &organization.client;
    ensure!(client.pause(&campaign).await?.state() == CampaignState::Paused);
    // Who asks again, because the answer was lost, gets the same one.
    ensure!(client.pause(&campaign).await?.state() == CampaignState::Paused);
    stack.settled(WITHIN).await?;
    let verdict = stack.judge().await?;
    verdict.demand()?;
    let (out, all) = (verdict.accepted, CONTACTS as u64);
    ensure!(out < all, "everything was sent before the pause: {verdict:?}");
    ensure!(verdict.by_status.get("QUEUED") == Some(&(all - out)), "{verdict:?}");

    client.resume(&campaign).await?;
    ensure!(client.resume(&campaign).await?.state() == CampaignState::Running);
    stack.settled(WITHIN).await?;
    let verdict = stack.judge().await?;
    verdict.demand()?;
    ensure!(verdict.delivered == all && verdict.accepted == all, "{verdict:?}");
    Ok(())
}

#[tokio::test]
async fn a_canceled_campaign_ends_at_once_and_for_good() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let (organization, campaign) = under_way(&stack).await?;
    let client = &organization.client;
    ensure!(client.cancel(&campaign).await?.state() == CampaignState::Canceled);
    stack.settled(WITHIN).await?;
    let verdict = stack.judge().await?;
    verdict.demand()?;
    let canceled = verdict.by_status.get("CANCELED").copied().unwrap_or(0);
    ensure!(canceled > 0 && canceled + verdict.accepted == CONTACTS as u64, "{verdict:?}");
    refused(client.resume(&campaign).await, Code::FailedPrecondition)?;
    refused(client.pause(&campaign).await, Code::FailedPrecondition)?;
    ensure!(client.cancel(&campaign).await?.state() == CampaignState::Canceled);
    refused(client.start(&campaign).await, Code::FailedPrecondition)
}

#[tokio::test]
async fn canceling_takes_contacts_away_from_texters() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let (organization, list) = scene::organization(&stack, Provider::Twilio, 20).await?;
    let client = &organization.client;
    let campaign = organization.draft(CampaignMode::Click, &list, TEMPLATE).await?;
    client.start(&campaign).await?;
    let taken = async || {
        let taken = client.claim_contacts(&campaign, "Amina", 5).await?;
        Ok((!taken.is_empty()).then_some(taken))
    };
    let taken = wait::until("contacts to claim", WITHIN, taken).await?;
    client.send(&taken[0].name, "Amina", "").await?;
    stack.settled(WITHIN).await?;
    client.cancel(&campaign).await?;
    refused(client.send(&taken[1].name, "Amina", "").await, Code::FailedPrecondition)?;
    let ended = async || {
        let report = client.report(&campaign).await?;
        let created = report.status_counts.iter().find(|count| count.status() == MessageStatus::Created);
        Ok((created.is_none_or(|count| count.count == 0) && open_count(&report) == 0).then_some(()))
    };
    wait::until("all messages to be canceled", WITHIN, ended).await?;
    let verdict = stack.judge().await?;
    verdict.demand()?;
    ensure!((verdict.accepted, verdict.by_status.get("CANCELED")) == (1, Some(&19)), "{verdict:?}");
    Ok(())
}
