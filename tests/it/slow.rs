//! Slow providers: one that takes long to answer, and answers, costs the texts of other accounts nothing.

use anyhow::{Context, Result, ensure};
use muster_proto::v1::{CampaignMode, MessageStatus, Provider};
use muster_provider_sim::behaviour::Behaviour;
use muster_runtime::topology::shard_of;
use muster_tests::contacts::{sending_numbers, tidy};
use muster_tests::stack::{Organization, OrganizationOptions, Service};
use muster_tests::{Stack, StackOptions, wait};
use uuid::Uuid;

use crate::scene::{self, TEMPLATE, WITHIN};

/// How long the slow one takes to answer, in milliseconds.
const SLOW_MS: u64 = 10_000;

/// A stack of one node with room for so many calls, over a Twilio that is slow and other providers that are not.
async fn stack(calls_max: usize) -> Result<Stack> {
    let slow = [("twilio".to_owned(), [SLOW_MS; 2])].into();
    let behaviour = Behaviour { answer_ms_at: slow, ..scene::quick() };
    let env = vec![(Service::SenderNode, "MUSTER_CALLS_MAX".to_owned(), calls_max.to_string())];
    Stack::start(StackOptions { behaviour, env, ..StackOptions::default() }).await
}

async fn broadcast(organization: &Organization, contacts: usize) -> Result<String> {
    let (list, _) = organization.list("Voters", &tidy(1, contacts).bytes).await?;
    let campaign = organization.draft(CampaignMode::Broadcast, &list, TEMPLATE).await?;
    organization.client.start(&campaign).await?;
    Ok(campaign)
}

/// Waits until so many texts of a campaign are in a status, or more.
async fn are(organization: &Organization, campaign: &str, status: MessageStatus, texts: usize) -> Result<()> {
    let are = async || {
        let count = scene::count(organization, campaign, status).await?;
        Ok((usize::try_from(count)? >= texts).then_some(()))
    };
    wait::until(&format!("{texts} texts to be {}", status.as_str_name()), WITHIN, are).await
}

#[tokio::test]
async fn calls_that_take_long_leave_room_for_the_other_accounts() -> Result<()> {
    const CALLS_MAX: usize = 64;
    const TEXTS: usize = 1_000;
    let stack = stack(CALLS_MAX).await?;
    let slow = stack.organization(OrganizationOptions::of(Provider::Twilio)).await?;
    let other = stack.organization(OrganizationOptions::of(Provider::Telnyx)).await?;
    let waiting = broadcast(&slow, TEXTS).await?;
    // Alone it may have all of it, and has as soon as it is known to answer.
    are(&slow, &waiting, MessageStatus::Claimed, CALLS_MAX).await?;
    let going = broadcast(&other, TEXTS).await?;
    are(&other, &going, MessageStatus::Delivered, TEXTS).await?;
    ensure!(scene::count(&slow, &waiting, MessageStatus::Delivered).await? < TEXTS as i64 / 2);
    ensure!(scene::count(&slow, &waiting, MessageStatus::Unconfirmed).await? == 0);
    Ok(())
}

/// One number that sends so many segments a second, of an organization that has no others. Where there is a neighbor, it
/// is of the same shard.
async fn one_number(
    stack: &Stack,
    provider: Provider,
    (place, rate): (usize, f64),
    neighbor: Option<Uuid>,
) -> Result<(Organization, Uuid)> {
    const NUMBERS: usize = 300;
    let options = OrganizationOptions {
        numbers: sending_numbers(2 * NUMBERS).split_off(place * NUMBERS)[..NUMBERS].to_vec(),
        segments_per_second: rate,
        ..OrganizationOptions::of(provider)
    };
    let organization = stack.organization(options).await?;
    let (database, tenant) = (stack.sql().await?, organization.tenant.replace("tenants/", ""));
    let all = "SELECT id FROM phone_numbers WHERE tenant_id = $1::text::uuid";
    let all = database.query(all, &[&tenant]).await?.into_iter().map(|row| row.get::<_, Uuid>(0));
    let beside = |id: &Uuid| neighbor.is_none_or(|neighbor| shard_of(neighbor) == shard_of(*id));
    let number = all.into_iter().find(beside).context("of so many numbers one is in the shard")?;
    let others = "DELETE FROM phone_numbers WHERE tenant_id = $1::text::uuid AND id <> $2";
    database.execute(others, &[&tenant, &number]).await?;
    Ok((organization, number))
}

#[tokio::test]
async fn a_number_that_trickles_through_a_slow_account_stops_no_other_of_its_shard() -> Result<()> {
    const TEXTS: usize = 400;
    let stack = stack(16).await?;
    let (slow, number) = one_number(&stack, Provider::Twilio, (0, 20.0), None).await?;
    let (other, _) = one_number(&stack, Provider::Telnyx, (1, 20.0), Some(number)).await?;
    let waiting = broadcast(&slow, TEXTS).await?;
    are(&slow, &waiting, MessageStatus::Ordered, 16).await?;
    let going = broadcast(&other, TEXTS).await?;
    are(&other, &going, MessageStatus::Delivered, TEXTS).await?;
    ensure!(scene::count(&slow, &waiting, MessageStatus::Delivered).await? < TEXTS as i64 / 2);
    Ok(())
}
