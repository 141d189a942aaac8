//! Inquiries: what providers accepted in silence is found by asking them, receipts that do not come are asked for, and
//! what nobody knows of stays where it is, for all to see.

use std::collections::HashSet;

use anyhow::{Context, Result, ensure};
use muster_proto::v1::{CampaignMode, ListMessagesRequest, Message, MessageStatus, Provider};
use muster_provider_sim::behaviour::Behaviour;
use muster_tests::stack::{Organization, Service};
use muster_tests::{Stack, StackOptions, wait};

use crate::scene::{self, TEMPLATE, WITHIN};

const PROVIDERS: [Provider; 6] = [
    Provider::Twilio,
    Provider::Telnyx,
    Provider::Bandwidth,
    Provider::Plivo,
    Provider::Vonage,
    Provider::Sinch,
];
/// Texts of each organization.
const CONTACTS: usize = 24;

/// Providers whose answers are lost half of the time, and all of their receipts: asking is the only way to know.
fn silent() -> Behaviour {
    Behaviour { reset_share: 0.4, receipt_loss_share: 1.0, ..scene::quick() }
}

/// Providers that answer every call, and of whose receipts none comes.
fn mute() -> Behaviour {
    Behaviour { receipt_loss_share: 1.0, ..scene::quick() }
}

/// A stack that asks soon.
async fn stack(behaviour: Behaviour) -> Result<Stack> {
    let soon = ["MUSTER_INQUIRY_DELAY_S", "MUSTER_RECEIPT_DELAY_S"]
        .map(|name| (Service::ControlPlane, name.to_owned(), "1".to_owned()))
        .to_vec();
    Stack::start(StackOptions { behaviour, env: soon, ..StackOptions::default() }).await
}

/// A campaign whose calls have all ended.
async fn called(stack: &Stack, provider: Provider) -> Result<(Organization, String)> {
    let (organization, list) = scene::organization(stack, provider, CONTACTS).await?;
    let campaign = organization.draft(CampaignMode::Broadcast, &list, TEMPLATE).await?;
    organization.client.start(&campaign).await?;
    Ok((organization, campaign))
}

#[tokio::test]
async fn what_was_accepted_in_silence_is_found_by_asking() -> Result<()> {
    let stack = stack(silent()).await?;
    let mut campaigns = Vec::new();
    for provider in PROVIDERS {
        campaigns.push(called(&stack, provider).await?);
    }
    // So many at once are an alarm.
    let alarm = async || {
        let log = std::fs::read_to_string(stack.control_plane.log())?;
        Ok(log.contains("too many calls of the last minutes ended UNCONFIRMED").then_some(()))
    };
    wait::until("the alarm", WITHIN, alarm).await?;
    for (organization, campaign) in &campaigns {
        let found = async || {
            let ledger = stack.simulator.ledger().await?;
            let accepted: HashSet<String> = ledger
                .entries
                .iter()
                .filter_map(|entry| entry.message_id)
                .map(|id| format!("{}/messages/{id}", organization.tenant))
                .collect();
            let messages = organization.client.list_messages(&organization.tenant, campaign).await?;
            let known = |status| [MessageStatus::Sent, MessageStatus::Delivered].contains(&status);
            let right = |name: &String, status| match accepted.contains(name) {
                true => known(status),
                false => status == MessageStatus::Unconfirmed,
            };
            let all = messages.iter().all(|message| right(&message.name, message.status()));
            Ok((messages.len() == CONTACTS && all).then_some(messages))
        };
        let provider = format!("what {:?} accepted to be found", organization.provider);
        let messages = wait::until(&provider, WITHIN, found).await?;
        let mut asked = 0;
        for message in &messages {
            let message = organization.client.message(&message.name).await?;
            asked += usize::from(message.history.iter().any(|step| step.cause == "inquiry"));
        }
        ensure!(asked > 0, "{provider}: nothing was found by asking");
    }
    // That it says DELIVERED where no receipt ever did, only asking can tell: the judge holds against receipts.
    ensure!(stack.judge().await?.duplicates == 0);
    stack.stop().await
}

#[tokio::test]
async fn what_nobody_knows_of_for_three_days_is_said_to_stay_unconfirmed() -> Result<()> {
    let stack = stack(silent()).await?;
    let (organization, campaign) = called(&stack, Provider::Twilio).await?;
    let unconfirmed = async || {
        let open = stack.operator.report(&campaign).await?;
        let known = muster_tests::client::open_count(&open) == 0;
        let left = scene::count(&organization, &campaign, MessageStatus::Unconfirmed).await?;
        Ok((known && left > 0 && open.message_count == i64::try_from(CONTACTS)?).then_some(left))
    };
    wait::until("all calls to end", WITHIN, unconfirmed).await?;
    pass_three_days(&stack).await?;
    let messages = organization.client.list_messages(&organization.tenant, &campaign).await?;
    let stays = messages.iter().filter(|message| message.status() == MessageStatus::Unconfirmed);
    let count = i64::try_from(stays.clone().count())?;
    ensure!(count > 0 && count == scene::count(&organization, &campaign, MessageStatus::Unconfirmed).await?);
    for message in stays {
        let message = organization.client.message(&message.name).await?;
        let last = message.history.last().context("a history")?;
        ensure!((last.status(), &*last.cause) == (MessageStatus::Unconfirmed, "settled"), "{message:?}");
    }
    Ok(())
}

/// Makes inquiries as old as three days, until none is left.
async fn pass_three_days(stack: &Stack) -> Result<()> {
    let sql = stack.sql().await?;
    let age =
        "UPDATE inquiries SET since = since - interval '72 hours', due_time = due_time - interval '72 hours'";
    let waited = async || {
        sql.execute(age, &[]).await?;
        let left: i64 = sql.query_one("SELECT count(*) FROM inquiries", &[]).await?.get(0);
        Ok((left == 0).then_some(()))
    };
    wait::until("all inquiries to end", WITHIN, waited).await
}

#[tokio::test]
async fn a_receipt_that_does_not_come_is_asked_for() -> Result<()> {
    let stack = stack(mute()).await?;
    let mut campaigns = Vec::new();
    for provider in PROVIDERS {
        campaigns.push(called(&stack, provider).await?);
    }
    for (organization, campaign) in &campaigns {
        let provider = format!("the receipts of {:?}", organization.provider);
        let ended = async || {
            let delivered = scene::count(organization, campaign, MessageStatus::Delivered).await?;
            let undelivered = scene::count(organization, campaign, MessageStatus::Undelivered).await?;
            Ok((delivered + undelivered == i64::try_from(CONTACTS)?).then_some(()))
        };
        wait::until(&provider, WITHIN, ended).await?;
        for message in organization.client.list_messages(&organization.tenant, campaign).await? {
            let message = organization.client.message(&message.name).await?;
            let last = message.history.last().context("a history")?;
            ensure!(last.cause == "inquiry", "{provider}: {message:?}");
        }
    }
    stack.stop().await
}

#[tokio::test]
async fn what_no_receipt_came_for_in_three_days_is_said_to_stay_sent() -> Result<()> {
    // Providers that know no more themselves.
    let stack = stack(Behaviour { receipt_ms: [600_000, 600_000], sent_receipts: false, ..mute() }).await?;
    let (organization, campaign) = called(&stack, Provider::Twilio).await?;
    let all = i64::try_from(CONTACTS)?;
    let sql = stack.sql().await?;
    let asked = async || {
        let asked: i64 = sql.query_one("SELECT count(*) FROM inquiries WHERE asked > 2", &[]).await?.get(0);
        let sent = scene::count(&organization, &campaign, MessageStatus::Sent).await?;
        Ok((asked == all && sent == all).then_some(()))
    };
    wait::until("all to be asked about", WITHIN, asked).await?;
    pass_three_days(&stack).await?;
    ensure!(scene::count(&organization, &campaign, MessageStatus::Sent).await? == all);
    sql.execute("UPDATE message_states SET update_time = update_time - interval '72 hours'", &[]).await?;
    let list = async |statuses: &[MessageStatus]| -> Result<Vec<Message>> {
        let request = ListMessagesRequest {
            parent: organization.tenant.clone(),
            campaign: campaign.clone(),
            page_size: 1_000,
            statuses: statuses.iter().copied().map(i32::from).collect(),
            ..ListMessagesRequest::default()
        };
        Ok(organization.client.messages().list_messages(request).await?.into_inner().messages)
    };
    let sent = list(&[MessageStatus::Unconfirmed, MessageStatus::Sent]).await?;
    ensure!(sent.len() == CONTACTS && sent.iter().all(|message| message.settled), "{sent:?}");
    ensure!(list(&[MessageStatus::Unconfirmed]).await?.is_empty());
    for message in organization.client.list_messages(&organization.tenant, &campaign).await? {
        let message = organization.client.message(&message.name).await?;
        let last = message.history.last().context("a history")?;
        ensure!((last.status(), &*last.cause) == (MessageStatus::Sent, "settled"), "{message:?}");
    }
    Ok(())
}
