//! A campaign through a provider, whichever dialect it speaks: texts and media out, receipts and replies back, a forged
//! receipt refused.

use anyhow::{Context, Result, ensure};
use muster_proto::v1::{CampaignMode, MessageStatus, Provider};
use muster_provider_sim::behaviour::Behaviour;
use muster_provider_sim::control::{InboundSpec, ReceiptSpec};
use muster_tests::Stack;
use muster_tests::client::Draft;
use muster_tests::stack::Organization;

use crate::scene::{self, TEMPLATE, WITHIN};

#[tokio::test]
async fn a_campaign_through_twilio() -> Result<()> {
    campaign_through(Provider::Twilio, "delivered").await
}

#[tokio::test]
async fn a_campaign_through_telnyx() -> Result<()> {
    campaign_through(Provider::Telnyx, "delivered").await
}

#[tokio::test]
async fn a_campaign_through_bandwidth() -> Result<()> {
    campaign_through(Provider::Bandwidth, "message-delivered").await
}

#[tokio::test]
async fn a_campaign_through_plivo() -> Result<()> {
    campaign_through(Provider::Plivo, "delivered").await
}

#[tokio::test]
async fn a_campaign_through_vonage() -> Result<()> {
    campaign_through(Provider::Vonage, "delivered").await
}

#[tokio::test]
async fn a_campaign_through_sinch() -> Result<()> {
    campaign_through(Provider::Sinch, "Delivered").await
}

async fn campaign_through(provider: Provider, delivered: &str) -> Result<()> {
    let stack = scene::stack(Behaviour {
        refused_share: 0.05,
        undelivered_share: 0.1,
        failed_share: 0.05,
        receipt_ms: [5, 50],
        receipt_loss_share: 0.05,
        reply_share: 0.3,
        reply_ms: [5, 100],
        reply_media_share: 0.3,
        stop_share: 0.2,
        ..Behaviour::default()
    })
    .await?;
    let (organization, list) = scene::organization(&stack, provider, 200).await?;
    let texts = organization.draft(CampaignMode::Broadcast, &list, TEMPLATE).await?;
    organization.client.start(&texts).await?;
    stack.settled(WITHIN).await?;
    let media = broadcast_media(&organization, &list).await?;
    stack.settled(WITHIN).await?;

    let verdict = stack.judge().await?;
    verdict.demand()?;
    ensure!(verdict.replies > 20 && verdict.opt_outs > 2 && verdict.unconfirmed == 0, "{verdict:?}");
    for status in ["DELIVERED", "UNDELIVERED", "FAILED", "SENT", "SUPPRESSED"] {
        ensure!(verdict.by_status.contains_key(status), "none is {status}: {verdict:?}");
    }
    ensure!(scene::count(&organization, &media, MessageStatus::Delivered).await? > 50);
    let ledger = stack.simulator.ledger().await?;
    ensure!(ledger.entries.iter().any(|entry| !entry.media.is_empty()), "no text had a medium");
    forged_and_genuine(&stack, &organization, &texts, delivered).await?;
    stack.stop().await
}

/// The same people get a picture, but for those who said STOP. Returns the campaign's name.
async fn broadcast_media(organization: &Organization, list: &str) -> Result<String> {
    let draft = Draft {
        tenant: organization.tenant.clone(),
        list: list.to_owned(),
        pool: organization.pool.clone(),
        mode: CampaignMode::Broadcast,
        template: TEMPLATE.to_owned(),
        media_urls: vec!["https://media.example/leaflet.png".to_owned()],
    };
    let campaign = organization.client.create_campaign(draft).await?.name;
    organization.client.start(&campaign).await?;
    Ok(campaign)
}

/// What is signed with another secret is not believed, whatever it says; what is genuine is, each time it comes.
async fn forged_and_genuine(
    stack: &Stack,
    organization: &Organization,
    campaign: &str,
    delivered: &str,
) -> Result<()> {
    let messages = organization.client.list_messages(&organization.tenant, campaign).await?;
    let undelivered = messages.iter().find(|message| message.status() == MessageStatus::Undelivered);
    let undelivered = undelivered.context("a text that was not delivered")?;
    let id = undelivered.name.rsplit('/').next().context("a name")?;
    let provider = organization.provider.as_str_name().trim_start_matches("PROVIDER_").to_lowercase();
    let receipt = |forged| ReceiptSpec {
        provider: provider.clone(),
        account_sid: organization.account_sid.clone(),
        state: delivered.to_owned(),
        message_id: id.parse().ok(),
        forged,
        times: 1,
        ..ReceiptSpec::default()
    };
    let answers = stack.simulator.receipt(&receipt(true)).await?.answers;
    ensure!(answers == [Some(403)], "{answers:?}");
    stack.events_are_projected(WITHIN).await?;
    let now = organization.client.message(&undelivered.name).await?;
    ensure!(now.status() == MessageStatus::Undelivered, "{now:?}");
    let answers = stack.simulator.receipt(&receipt(false)).await?.answers;
    ensure!(answers == [Some(200)], "{answers:?}");
    stack.events_are_projected(WITHIN).await?;
    let now = organization.client.message(&undelivered.name).await?;
    ensure!(now.status() == MessageStatus::Delivered, "{now:?}");

    let reply = InboundSpec {
        from: undelivered.to.clone(),
        to: undelivered.from.clone(),
        body: "Who is this?".to_owned(),
        media: vec!["https://media.example/1.png".to_owned(), "https://media.example/2.png".to_owned()],
        times: 2,
        ..InboundSpec::default()
    };
    let answers = stack.simulator.inbound(&reply).await?.answers;
    ensure!(answers == [Some(200); 2], "{answers:?}");
    stack.events_are_projected(WITHIN).await?;
    let replies = stack.sql().await?;
    let kept = "SELECT body, media_urls FROM replies WHERE phone_from = $1 AND body = 'Who is this?'";
    let rows = replies.query(kept, &[&undelivered.to]).await?;
    let with_media = rows.iter().filter(|row| row.get::<_, Vec<String>>(1) == reply.media).count();
    ensure!(with_media == 1, "{with_media} of {} replies have the media", rows.len());
    Ok(())
}
