//! Circuits: a provider that does not answer costs its own texts some time, and nobody else anything.

use anyhow::{Result, ensure};
use muster_proto::v1::{CampaignMode, MessageStatus, Provider, ProviderAccount};
use muster_tests::wait;

use crate::scene::{self, TEMPLATE, WITHIN};

/// Where nobody listens.
const NOBODY: &str = "http://127.0.0.1:9";
/// Texts of each organization.
const CONTACTS: usize = 1_500;
/// Orders that may be in vain: each text once, because the fast numbers of a test have all of them ordered before anybody
/// knows; and the trials.
const IN_VAIN_MAX: i64 = CONTACTS as i64 + 100;

/// How often messages of a campaign came back to the queue unsent.
const CAME_BACK: &str = "
SELECT count(*) FROM message_events e JOIN messages m ON m.id = e.message_id
WHERE m.campaign_id = $1::text::uuid AND e.status = $2 AND e.error_code <> ''";

#[tokio::test]
async fn a_provider_that_does_not_answer_holds_up_its_own_texts_alone() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let (cut_off, list) = scene::organization(&stack, Provider::Twilio, CONTACTS).await?;
    let (other, other_list) = scene::organization(&stack, Provider::Telnyx, CONTACTS).await?;
    let account = ProviderAccount { name: cut_off.account.clone(), ..ProviderAccount::default() };
    let gone = ProviderAccount { base_url: NOBODY.to_owned(), ..account.clone() };
    stack.operator.update_account(gone).await?;
    let waiting = cut_off.draft(CampaignMode::Broadcast, &list, TEMPLATE).await?;
    cut_off.client.start(&waiting).await?;
    let database = stack.sql().await?;
    let queued = i16::try_from(i32::from(MessageStatus::Queued))?;
    let id = waiting.rsplit('/').next().unwrap_or_default();
    let came_back =
        async || Ok::<i64, anyhow::Error>(database.query_one(CAME_BACK, &[&id, &queued]).await?.get(0));
    let tried = async || Ok((came_back().await? >= 8).then_some(()));
    wait::until("the provider to be found not to answer", WITHIN, tried).await?;

    let going = other.draft(CampaignMode::Broadcast, &other_list, TEMPLATE).await?;
    other.client.start(&going).await?;
    let arrived = async || {
        let delivered = scene::count(&other, &going, MessageStatus::Delivered).await?;
        Ok((usize::try_from(delivered)? == CONTACTS).then_some(()))
    };
    wait::until("the other's texts to arrive", WITHIN, arrived).await?;
    let in_vain = came_back().await?;
    ensure!(in_vain < IN_VAIN_MAX, "{in_vain} messages were ordered in vain");
    ensure!(scene::count(&cut_off, &waiting, MessageStatus::Unconfirmed).await? == 0);
    ensure!(scene::count(&cut_off, &waiting, MessageStatus::Failed).await? == 0);

    let back = ProviderAccount { base_url: stack.simulator.url(), ..account };
    stack.operator.update_account(back).await?;
    stack.settled(WITHIN).await?;
    let verdict = stack.judge().await?;
    verdict.demand()?;
    ensure!(verdict.delivered == 2 * CONTACTS as u64, "{verdict:?}");
    stack.stop().await
}
