//! The journey of a text, through the public door: a contact file in, texts out, receipts back, an exact report.

use std::time::Duration;

use anyhow::{Result, ensure};
use muster_proto::v1::{CampaignMode, MessageStatus, Provider};
use muster_provider_sim::behaviour::Behaviour;
use muster_tests::stack::OrganizationOptions;
use muster_tests::{Stack, StackOptions, contacts};

/// Far more than it takes; only a failure waits this long.
const WITHIN: Duration = Duration::from_secs(60);

/// Providers of which some texts are refused, some undelivered, and some answered.
fn lively() -> Behaviour {
    Behaviour {
        refused_share: 0.03,
        undelivered_share: 0.05,
        failed_share: 0.01,
        receipt_ms: [5, 50],
        receipt_duplicate_share: 0.1,
        receipt_reorder_share: 0.1,
        reply_share: 0.2,
        reply_ms: [5, 100],
        stop_share: 0.3,
        ..Behaviour::default()
    }
}

#[tokio::test]
async fn a_broadcast_reaches_everybody_once_and_every_count_is_right() -> Result<()> {
    let stack = Stack::start(StackOptions { behaviour: lively(), ..StackOptions::default() }).await?;
    for provider in [Provider::Twilio, Provider::Telnyx] {
        let organization = stack.organization(OrganizationOptions::of(provider)).await?;
        let (list, imported) = organization.list("Voters", &contacts::tidy(1, 300).bytes).await?;
        ensure!(imported.imported_count == 300, "{imported:?}");
        let campaign = organization
            .draft(CampaignMode::Broadcast, &list, "Hi {first_name|friend}, vote Tuesday!")
            .await?;
        let watch = organization.client.watch(&organization.tenant, &campaign, |_| ()).await?;
        organization.client.start(&campaign).await?;
        stack.settled(WITHIN).await?;
        let report = organization.client.report(&campaign).await?;
        ensure!(report.message_count == 300, "{report:?}");
        for count in &report.status_counts {
            let (status, reported) = (count.status(), usize::try_from(count.count)?);
            let all = |seen: &muster_tests::client::Seen| seen.count(status) == reported;
            watch.until(&format!("{reported} in {status:?}"), WITHIN, all).await?;
        }
    }
    let verdict = stack.judge().await?;
    verdict.demand()?;
    ensure!(verdict.messages == 600 && verdict.replies > 20 && verdict.opt_outs > 2, "{verdict:?}");
    ensure!(verdict.by_status.contains_key("FAILED") && verdict.by_status.contains_key("UNDELIVERED"));
    let by_sql = stack.judge_by_sql().await?;
    by_sql.demand()?;
    ensure!(by_sql.by_status == verdict.by_status && by_sql.by_error == verdict.by_error);
    ensure!(verdict.delivered > 0 && MessageStatus::Delivered as i32 == 6);
    stack.stop().await
}
