//! Watchers hear when a number begins to have trouble, and when it is over.

use anyhow::{Context, Result, ensure};
use muster_proto::v1::{CampaignMode, Message, NumberCondition, NumberHealth, Provider, ProviderAccount};
use muster_provider_sim::behaviour::Behaviour;
use muster_tests::Stack;
use muster_tests::contacts::{self, sending_numbers};
use muster_tests::stack::{Organization, OrganizationOptions};

use super::{Kind, Watcher, receipt};
use crate::scene::{self, TEMPLATE, WITHIN};

/// Where nobody listens.
const NOBODY: &str = "http://127.0.0.1:9";
/// Codes of Twilio's: the carrier took it for spam; the number is not registered.
const SPAM: u32 = 30007;
const NOT_REGISTERED: u32 = 30034;

/// What was told of numbers.
fn health(told: &[Kind]) -> Vec<NumberHealth> {
    let of = |kind: &Kind| if let Kind::NumberHealth(health) = kind { Some(health.clone()) } else { None };
    told.iter().filter_map(of).collect()
}

/// Waits until the last that was told is `condition`, the `nth` change; returns it.
async fn turns(watcher: &mut Watcher, nth: usize, condition: NumberCondition) -> Result<NumberHealth> {
    let told = watcher
        .until(&format!("{condition:?}"), |told| Some(health(told)).filter(|told| told.len() >= nth))
        .await?;
    let last = told.last().context("a change")?.clone();
    ensure!(told.len() == nth && last.condition() == condition && last.time.is_some(), "{told:?}");
    Ok(last)
}

/// An organization with one number, and a list of so many contacts.
async fn one_number(stack: &Stack, contacts: usize) -> Result<(Organization, String)> {
    let numbers = sending_numbers(1);
    let options = OrganizationOptions { numbers, ..OrganizationOptions::of(Provider::Twilio) };
    let organization = stack.organization(options).await?;
    let (list, _) = organization.list("Voters", &contacts::tidy(1, contacts).bytes).await?;
    Ok((organization, list))
}

/// An organization with so many texts from its one number that were accepted and of which nothing is known yet.
async fn texts(stack: &Stack, texts: usize) -> Result<(Organization, Vec<Message>)> {
    let (organization, list) = one_number(stack, texts).await?;
    let campaign = scene::broadcast(stack, &organization, &list).await?;
    let messages = organization.client.list_messages(&organization.tenant, &campaign).await?;
    Ok((organization, messages))
}

#[tokio::test]
async fn a_number_is_poor_then_refused_then_well_again() -> Result<()> {
    let stack = scene::stack(Behaviour { receipt_loss_share: 1.0, ..scene::quick() }).await?;
    let (organization, messages) = texts(&stack, 85).await?;
    let mut watcher = Watcher::begin(&organization).await?;
    let mut messages = messages.iter();
    let mut end = async |texts: usize, word: (&str, Option<u32>)| -> Result<()> {
        for message in messages.by_ref().take(texts) {
            receipt(&stack, &organization, message, word, 1).await?;
        }
        stack.events_are_projected(WITHIN).await
    };
    end(15, ("delivered", None)).await?;
    end(5, ("undelivered", Some(SPAM))).await?;
    let poor = turns(&mut watcher, 1, NumberCondition::Poor).await?;
    ensure!((poor.delivered_count, poor.undelivered_count) == (15, 5), "{poor:?}");
    ensure!(poor.provider_account == organization.account, "{poor:?}");
    end(3, ("undelivered", Some(NOT_REGISTERED))).await?;
    turns(&mut watcher, 2, NumberCondition::Refused).await?;
    // 8 of 85 are fewer than one in ten. On the way it may be poor once more.
    end(62, ("delivered", None)).await?;
    let well =
        |told: &[Kind]| health(told).last().filter(|last| last.condition() == NumberCondition::Well).cloned();
    let well = watcher.until("it to be well", well).await?;
    ensure!(well.undelivered_count == 8 && well.phone_number == poor.phone_number, "{well:?}");
    ensure!(health(&watcher.told).len() <= 4, "{:?}", health(&watcher.told));
    Ok(())
}

#[tokio::test]
async fn a_number_whose_provider_does_not_answer_is_unreachable_until_it_does() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let (organization, list) = one_number(&stack, 100).await?;
    let mut watcher = Watcher::begin(&organization).await?;
    let account = ProviderAccount { name: organization.account.clone(), ..ProviderAccount::default() };
    let gone = ProviderAccount { base_url: NOBODY.to_owned(), ..account.clone() };
    stack.operator.update_account(gone).await?;
    let campaign = organization.draft(CampaignMode::Broadcast, &list, TEMPLATE).await?;
    organization.client.start(&campaign).await?;
    turns(&mut watcher, 1, NumberCondition::Unreachable).await?;
    let back = ProviderAccount { base_url: stack.simulator.url(), ..account };
    stack.operator.update_account(back).await?;
    turns(&mut watcher, 2, NumberCondition::Well).await?;
    Ok(())
}

#[tokio::test]
async fn a_trouble_of_which_nobody_sees_a_sign_any_more_is_over_whoever_died() -> Result<()> {
    let mut stack = scene::stack(Behaviour { receipt_loss_share: 1.0, ..scene::quick() }).await?;
    let (organization, messages) = texts(&stack, 3).await?;
    let mut watcher = Watcher::begin(&organization).await?;
    for message in &messages {
        receipt(&stack, &organization, message, ("undelivered", Some(NOT_REGISTERED)), 1).await?;
    }
    turns(&mut watcher, 1, NumberCondition::Refused).await?;
    stack.control_plane.kill9().await?;
    stack.control_plane.start_again().await?;
    stack.serving().await?;
    // Ten minutes later.
    let later = "UPDATE phone_numbers SET sign_time = sign_time - interval '10 minutes' WHERE condition <> 1";
    ensure!(stack.sql().await?.execute(later, &[]).await? == 1, "it does not know what it was told");
    let mut watcher = Watcher::since(&organization, &watcher.token).await?;
    turns(&mut watcher, 2, NumberCondition::Well).await?;
    Ok(())
}
