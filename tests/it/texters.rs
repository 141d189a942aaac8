//! A texter sees the conversations that are theirs, and sends in their own name.

use anyhow::{Context, Result, ensure};
use muster_proto::v1::{CampaignMode, Message, Provider, Reply};
use muster_provider_sim::control::InboundSpec;
use muster_tests::stack::Organization;
use muster_tests::{Client, Stack, wait};
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::scene::{self, TEMPLATE, WITHIN, refused};

/// People on the list.
const PEOPLE: usize = 4;

/// Somebody of the organization, by their personal key.
pub(crate) async fn somebody(
    stack: &Stack,
    organization: &Organization,
    name: &str,
    role: &str,
) -> Result<Client> {
    let email = format!("{name}@example.org");
    let (_, secret) = stack.operator.join(&organization.tenant, &email, role).await?;
    stack.operator.with_key(&secret)
}

/// A click campaign whose messages are there to be taken.
pub(crate) async fn click(organization: &Organization, list: &str, people: usize) -> Result<String> {
    let campaign = organization.draft(CampaignMode::Click, list, TEMPLATE).await?;
    organization.client.start(&campaign).await?;
    let planned = async || {
        let planned = organization.client.list_messages(&organization.tenant, &campaign).await?.len();
        Ok((planned == people).then_some(()))
    };
    wait::until("the messages", WITHIN, planned).await?;
    Ok(campaign)
}

/// Takes this many people, and sends to each.
pub(crate) async fn text(texter: &Client, campaign: &str, people: i32) -> Result<Vec<Message>> {
    let taken = texter.claim_contacts(campaign, "", people).await?;
    ensure!(i32::try_from(taken.len())? == people, "{} were there", taken.len());
    for message in &taken {
        texter.send(&message.name, "", "").await?;
    }
    Ok(taken)
}

/// Whom the replies are from that somebody sees, in order.
fn senders(replies: &[Reply]) -> Vec<&str> {
    let mut senders: Vec<&str> = replies.iter().map(|reply| reply.from.as_str()).collect();
    senders.sort_unstable();
    senders
}

/// Whom messages were sent to, in order.
fn recipients(messages: &[Message]) -> Vec<&str> {
    let mut recipients: Vec<&str> = messages.iter().map(|message| message.to.as_str()).collect();
    recipients.sort_unstable();
    recipients
}

#[tokio::test]
async fn a_texter_sees_the_replies_of_those_whom_they_have_texted() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let (organization, list) = scene::organization(&stack, Provider::Twilio, PEOPLE).await?;
    let tenant = &organization.tenant;
    let amina = somebody(&stack, &organization, "amina", "roles/texter").await?;
    let bruno = somebody(&stack, &organization, "bruno", "roles/texter").await?;
    let clara = somebody(&stack, &organization, "clara", "roles/texter").await?;
    let viewer = somebody(&stack, &organization, "viewer", "roles/viewer").await?;

    let campaign = click(&organization, &list, PEOPLE).await?;
    let (hers, his) = (text(&amina, &campaign, 2).await?, text(&bruno, &campaign, 2).await?);
    stack.settled(WITHIN).await?;
    for message in hers.iter().chain(&his) {
        let (from, to) = (message.to.clone(), message.from.clone());
        let spec = InboundSpec { from, to, body: "Yes!".to_owned(), times: 1, ..InboundSpec::default() };
        stack.simulator.inbound(&spec).await?;
    }
    stack.settled(WITHIN).await?;
    ensure!(senders(&amina.list_replies(tenant).await?) == recipients(&hers));
    ensure!(senders(&bruno.list_replies(tenant).await?) == recipients(&his));
    ensure!(clara.list_replies(tenant).await?.is_empty(), "a texter sees what is nobody's or another's");
    ensure!(viewer.list_replies(tenant).await?.len() == PEOPLE);

    // The next campaign reaches the same people from the same numbers, and who sends to them has the conversation.
    let again = click(&organization, &list, PEOPLE).await?;
    let all = text(&bruno, &again, i32::try_from(PEOPLE)?).await?;
    let from = |messages: &[Message], to: &str| {
        messages.iter().find(|message| message.to == to).map(|message| message.from.clone())
    };
    ensure!(hers.iter().all(|message| from(&all, &message.to).as_ref() == Some(&message.from)), "{all:?}");
    ensure!(amina.list_replies(tenant).await?.is_empty(), "the conversations did not move");
    ensure!(senders(&bruno.list_replies(tenant).await?) == recipients(&all));
    ensure!(viewer.list_replies(tenant).await?.len() == PEOPLE);
    Ok(())
}

#[tokio::test]
async fn a_texter_clicks_in_their_own_name_alone() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let (organization, list) = scene::organization(&stack, Provider::Telnyx, PEOPLE).await?;
    let amina = somebody(&stack, &organization, "amina", "roles/texter").await?;
    let bruno = somebody(&stack, &organization, "bruno", "roles/texter").await?;
    let campaign = click(&organization, &list, PEOPLE).await?;
    let hers = amina.claim_contacts(&campaign, "", 1).await?;
    let first = &hers.first().context("a message")?.name;
    let name = amina.access().get_caller(muster_proto::v1::GetCallerRequest {}).await?.into_inner().caller;

    refused(bruno.claim_contacts(&campaign, &name, 1).await, Code::PermissionDenied)?;
    refused(bruno.send(first, &name, "").await, Code::PermissionDenied)?;
    let status = scene::refusal(bruno.send(first, "", "").await)?;
    let reason = status.get_details_error_info().context("an ErrorInfo")?.reason;
    ensure!(reason == "NOT_ASSIGNED", "{status:?}");
    amina.send(first, &name, "").await?;
    // Whoever clicked may ask again, and sees their own text; another sees nothing of it, now that it is sent.
    amina.send(first, "", "").await?;
    refused(bruno.send(first, "", "").await, Code::FailedPrecondition)?;

    // The organization's own front end names whom it clicks for: a member, or a name of its own.
    let front_end = &organization.client;
    let taken = front_end.claim_contacts(&campaign, &name, 1).await?;
    let second = &taken.first().context("a message")?.name;
    refused(bruno.send(second, "", "").await, Code::FailedPrecondition)?;
    front_end.send(second, &name, "").await?;
    let taken = front_end.claim_contacts(&campaign, "Desk 3", 1).await?;
    front_end.send(&taken.first().context("a message")?.name, "Desk 3", "morning").await?;
    let history = front_end.message(&taken[0].name).await?.history;
    ensure!(history.iter().any(|entry| entry.cause == "texter:Desk 3/morning"), "{history:?}");
    Ok(())
}
