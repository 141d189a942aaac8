//! The journey of a text, through the public door: a contact file in, texts out, receipts back, an exact report.

use anyhow::{Context, Result, ensure};
use muster_proto::v1::{CampaignMode, CampaignReport, MessageStatus, Provider};
use muster_provider_sim::behaviour::Behaviour;
use muster_tests::client::{Seen, Watch};
use muster_tests::wait;
use tonic::Code;

use crate::scene::{self, TEMPLATE, WITHIN, refused};

/// Providers of which some texts are refused, some undelivered, and some answered.
fn lively() -> Behaviour {
    Behaviour {
        refused_share: 0.03,
        undelivered_share: 0.05,
        failed_share: 0.01,
        receipt_ms: [5, 50],
        reply_share: 0.2,
        reply_ms: [5, 100],
        stop_share: 0.3,
        ..Behaviour::default()
    }
}

/// Waits until a watcher has seen every message where the report counts it.
async fn seen_all(watch: &Watch, report: &CampaignReport) -> Result<()> {
    for count in &report.status_counts {
        let (status, reported) = (count.status(), usize::try_from(count.count)?);
        let all = |seen: &Seen| seen.count(status) == reported;
        watch.until(&format!("{reported} in {status:?}"), WITHIN, all).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_broadcast_reaches_everybody_once_and_every_count_is_right() -> Result<()> {
    let stack = scene::stack(lively()).await?;
    for provider in [Provider::Twilio, Provider::Telnyx] {
        let (organization, list) = scene::organization(&stack, provider, 300).await?;
        let campaign = organization.draft(CampaignMode::Broadcast, &list, TEMPLATE).await?;
        let watch = organization.client.watch(&organization.tenant, &campaign, |_| ()).await?;
        organization.client.start(&campaign).await?;
        stack.settled(WITHIN).await?;
        let report = organization.client.report(&campaign).await?;
        ensure!(report.message_count == 300, "{report:?}");
        seen_all(&watch, &report).await?;
    }
    let verdict = stack.judge().await?;
    verdict.demand()?;
    ensure!(verdict.messages == 600 && verdict.replies > 20 && verdict.opt_outs > 2, "{verdict:?}");
    ensure!(verdict.by_status.contains_key("FAILED") && verdict.by_status.contains_key("UNDELIVERED"));
    let by_sql = stack.judge_by_sql().await?;
    by_sql.demand()?;
    ensure!(by_sql.by_status == verdict.by_status && by_sql.by_error == verdict.by_error);
    stack.stop().await
}

#[tokio::test]
async fn one_click_sends_one_text() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let (organization, list) = scene::organization(&stack, Provider::Telnyx, 30).await?;
    let client = &organization.client;
    let campaign = organization.draft(CampaignMode::Click, &list, TEMPLATE).await?;
    refused(client.claim_contacts(&campaign, "Amina", 5).await, Code::FailedPrecondition)?;
    client.start(&campaign).await?;
    let planned = async || Ok(client.campaign(&campaign).await?.planned.then_some(()));
    wait::until("the campaign to be planned", WITHIN, planned).await?;

    let amina = client.claim_contacts(&campaign, "Amina", 10).await?;
    ensure!(amina.len() == 10, "{}", amina.len());
    // Whoever of these is faster has more, and none of the contacts is with two.
    let (bo, carmen) = tokio::try_join!(
        client.claim_contacts(&campaign, "Bo", 200),
        client.claim_contacts(&campaign, "Carmen", 15)
    )?;
    ensure!(bo.len() + carmen.len() == 20, "{} and {}", bo.len(), carmen.len());
    ensure!(client.claim_contacts(&campaign, "Dmitri", 10).await?.is_empty());
    let first = amina.first().context("Amina has contacts")?;
    ensure!(first.status() == MessageStatus::Created && first.body.starts_with("Hi "), "{first:?}");
    // Only who has it can send it; and who sends it twice, or ten times at once, sends it once.
    refused(client.send(&first.name, "Bo", "").await, Code::FailedPrecondition)?;
    futures::future::try_join_all((0..10).map(|_| client.send(&first.name, "Amina", "tablet 3"))).await?;
    for (texter, taken) in [("Bo", &bo), ("Carmen", &carmen)] {
        for message in taken {
            client.send(&message.name, texter, "").await?;
        }
    }
    stack.settled(WITHIN).await?;

    let sent = client.message(&first.name).await?;
    let steps: Vec<_> = sent.history.iter().map(|entry| (entry.status(), entry.cause.as_str())).collect();
    ensure!(steps.contains(&(MessageStatus::Queued, "texter:Amina/tablet 3")), "{steps:?}");
    ensure!(steps.iter().filter(|(status, _)| *status == MessageStatus::Queued).count() == 1, "{steps:?}");
    ensure!(sent.status() == MessageStatus::Delivered, "{sent:?}");
    ensure!(sent.history.iter().any(|entry| !entry.provider_message_id.is_empty()), "{sent:?}");
    let verdict = stack.judge().await?;
    verdict.demand()?;
    ensure!((verdict.accepted, verdict.by_status.get("CREATED")) == (21, Some(&9)), "{verdict:?}");
    Ok(())
}
