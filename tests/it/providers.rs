//! Providers misbehave: what certainly was not accepted is tried again, and what may have been never is.

use anyhow::{Result, ensure};
use muster_proto::v1::{CampaignMode, Provider};
use muster_provider_sim::behaviour::Behaviour;

use crate::scene::{self, TEMPLATE, WITHIN};

#[tokio::test]
async fn nobody_is_texted_twice_when_providers_are_slow_busy_or_broken() -> Result<()> {
    let stack = scene::stack(Behaviour {
        // Each further attempt waits twice as long as the one before: few of them, so that the test is short.
        rate_share: 0.04,
        retry_after_s: 0,
        server_error_share: 0.1,
        timeout_share: 0.05,
        timeout_ms: 100,
        reset_share: 0.1,
        ..scene::quick()
    })
    .await?;
    let mut campaigns = Vec::new();
    for provider in [
        Provider::Twilio,
        Provider::Telnyx,
        Provider::Bandwidth,
        Provider::Plivo,
        Provider::Vonage,
        Provider::Sinch,
    ] {
        let (organization, list) = scene::organization(&stack, provider, 200).await?;
        let campaign = organization.draft(CampaignMode::Broadcast, &list, TEMPLATE).await?;
        organization.client.start(&campaign).await?;
        campaigns.push((organization, campaign));
    }
    stack.settled(WITHIN).await?;
    for (organization, campaign) in &campaigns {
        let messages = organization.client.list_messages(&organization.tenant, campaign).await?;
        ensure!(messages.iter().any(|message| message.attempt > 1), "nothing was tried again");
    }
    let (verdict, stats) = (stack.judge().await?, stack.simulator.stats().await?);
    verdict.demand()?;
    ensure!(stats.accepted_in_silence > 10 && stats.rate_limited > 4, "{stats:?}");
    // What was accepted in silence shows in its receipts; what was not stays unconfirmed.
    ensure!(
        verdict.unconfirmed == stats.server_errors + stats.timeouts + stats.resets,
        "{verdict:?} {stats:?}"
    );
    Ok(())
}
