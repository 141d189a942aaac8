//! Nobody is texted twice and no text is lost, whatever the conveyor under the sender nodes repeats, forgets or brings
//! back, and whenever a sender node falls silent. `docs/claim-protocol.md` says why.

use std::collections::HashSet;

use anyhow::{Context, Result, ensure};
use async_nats::jetstream::{self, stream};
use muster_proto::internal::v1::OrderFrame;
use muster_proto::v1::{CampaignMode, Message, MessageStatus, Provider};
use muster_provider_sim::behaviour::Behaviour;
use muster_tests::stack::{Organization, OrganizationOptions, Servers, Service};
use muster_tests::{Stack, StackOptions, contacts, wait};
use prost::Message as _;
use uuid::Uuid;

use crate::scene::{self, TEMPLATE, WITHIN};

/// Contacts of a campaign that something happens in the middle of.
const CONTACTS: usize = 120;
/// Calls that a node may have open in such a campaign: few, so that it has a middle.
const CALLS_MAX: u64 = 20;

/// A stack for such a campaign.
async fn slow_stack() -> Result<Stack> {
    Stack::start(StackOptions {
        behaviour: Behaviour { answer_ms: [150, 150], ..scene::quick() },
        claim_deadline_s: 4,
        order_deadline_s: 2,
        env: vec![(Service::SenderNode, "MUSTER_CALLS_MAX".to_owned(), CALLS_MAX.to_string())],
        ..StackOptions::default()
    })
    .await
}

/// An organization of which a broadcast is under way. All of it is from one number, so that its orders share frames.
async fn under_way(stack: &Stack) -> Result<(Organization, String)> {
    let mut options = OrganizationOptions::of(Provider::Twilio);
    options.numbers.truncate(1);
    let organization = stack.organization(options).await?;
    let (list, _) = organization.list("Voters", &contacts::tidy(1, CONTACTS).bytes).await?;
    let campaign = organization.draft(CampaignMode::Broadcast, &list, TEMPLATE).await?;
    organization.client.start(&campaign).await?;
    at_least(&organization, &campaign, MessageStatus::Delivered, 10).await?;
    Ok((organization, campaign))
}

async fn at_least(
    organization: &Organization,
    campaign: &str,
    status: MessageStatus,
    count: i64,
) -> Result<()> {
    let reached = async || Ok((scene::count(organization, campaign, status).await? >= count).then_some(()));
    wait::until(&format!("{count} messages in {status:?}"), WITHIN, reached).await
}

/// A stream, with all that is in it.
struct Kept {
    jetstream: jetstream::Context,
    config: stream::Config,
    frames: Vec<jetstream::message::StreamMessage>,
}

impl Kept {
    /// What is in the stream of that name now.
    async fn of(stack: &Stack, name: &str) -> Result<Self> {
        let jetstream = jetstream::new(stack.nats().connect().await?);
        let name = format!("{}_{name}", stack.endpoints.nats_prefix.to_uppercase());
        let mut stream = jetstream.get_stream(&name).await?;
        let info = stream.info().await?.clone();
        let mut frames = Vec::new();
        for sequence in info.state.first_sequence..=info.state.last_sequence {
            // What was acked is not there any more.
            frames.extend(stream.get_raw_message(sequence).await.ok());
        }
        Ok(Self { jetstream, config: info.config, frames })
    }

    /// Publishes all of it again.
    async fn publish_again(&self) -> Result<()> {
        for frame in &self.frames {
            self.jetstream.publish(frame.subject.clone(), frame.payload.clone()).await?.await?;
        }
        Ok(())
    }

    /// The messages that are ordered in it.
    fn ordered(&self) -> Result<HashSet<Uuid>> {
        let mut ordered = HashSet::new();
        for frame in &self.frames {
            let ids = OrderFrame::decode(frame.payload.clone())?.message_ids;
            ordered.extend(ids.chunks(16).filter_map(|id| Uuid::from_slice(id).ok()));
        }
        Ok(ordered)
    }
}

fn id(message: &Message) -> Result<Uuid> {
    Ok(Uuid::parse_str(message.name.rsplit('/').next().context("a name has parts")?)?)
}

#[tokio::test]
async fn orders_whose_outcomes_were_published_and_that_come_again_are_not_sent_again() -> Result<()> {
    let mut stack = slow_stack().await?;
    let (organization, campaign) = under_way(&stack).await?;
    stack.sender_nodes[0].kill9().await?;
    let kept = Kept::of(&stack, "WORK").await?;
    let ordered = kept.ordered()?;
    let messages = organization.client.list_messages(&organization.tenant, &campaign).await?;
    let is_ordered = |message: &Message| id(message).is_ok_and(|id| ordered.contains(&id));
    let told = messages.iter().filter(|message| message.status() == MessageStatus::Delivered);
    ensure!(told.filter(|message| is_ordered(message)).count() > 0, "every frame had been acked");

    // As JetStream would, once its ack wait is over.
    kept.publish_again().await?;
    stack.sender_nodes[0].start_again().await?;
    stack.settled(WITHIN).await?;
    let verdict = stack.judge_allowing(CALLS_MAX).await?;
    verdict.demand()?;
    ensure!(verdict.accepted + verdict.unconfirmed == CONTACTS as u64, "{verdict:?}");
    Ok(())
}

#[tokio::test]
async fn a_stream_of_orders_that_is_made_anew_from_a_copy_sends_nothing_twice_and_loses_nothing() -> Result<()>
{
    let stack = slow_stack().await?;
    under_way(&stack).await?;
    let kept = Kept::of(&stack, "WORK").await?;
    ensure!(!kept.frames.is_empty(), "nothing was on the conveyor");
    kept.jetstream.delete_stream(&kept.config.name).await?;
    kept.jetstream.create_stream(kept.config.clone()).await?;
    kept.publish_again().await?;
    kept.publish_again().await?;
    stack.settled(WITHIN).await?;
    let verdict = stack.judge().await?;
    verdict.demand()?;
    ensure!((verdict.accepted, verdict.unconfirmed) == (CONTACTS as u64, 0), "{verdict:?}");
    Ok(())
}

#[tokio::test]
async fn a_jetstream_that_forgot_what_it_had_seen_takes_everything_again_and_nothing_changes() -> Result<()> {
    let behaviour = Behaviour { undelivered_share: 0.2, refused_share: 0.1, ..scene::quick() };
    let options = StackOptions { servers: Servers::Own, behaviour, ..StackOptions::default() };
    let mut stack = Stack::start(options).await?;
    let (organization, list) = scene::organization(&stack, Provider::Telnyx, 60).await?;
    let campaign = scene::broadcast(&stack, &organization, &list).await?;
    let shown = async || {
        let report = organization.client.report(&campaign).await?;
        let messages = organization.client.list_messages(&organization.tenant, &campaign).await?;
        let history = history_lengths(&organization, &messages).await?;
        anyhow::Ok((report.status_counts, messages, history))
    };
    let before = shown().await?;

    // De-duplication ids are in memory: after this, nothing that JetStream is told looks old to it.
    stack.nats_mut()?.kill9().await?;
    stack.nats_mut()?.restart().await?;
    let mut events = Kept::of(&stack, "EVENTS").await?;
    ensure!(!events.frames.is_empty(), "nothing had happened");
    events.frames.reverse();
    events.publish_again().await?;
    let orders = OrderFrame {
        message_ids: before
            .1
            .iter()
            .filter_map(|message| id(message).ok())
            .flat_map(Uuid::into_bytes)
            .collect(),
        attempts: vec![1; before.1.len()],
        ..OrderFrame::default()
    };
    let subject = format!("{}.work.0", stack.endpoints.nats_prefix);
    events.jetstream.publish(subject, orders.encode_to_vec().into()).await?.await?;
    stack.orders_are_acked(WITHIN).await?;
    stack.settled(WITHIN).await?;
    let after = shown().await?;
    ensure!(after == before, "{before:?}, then {after:?}");
    let verdict = stack.judge().await?;
    verdict.demand()?;
    ensure!(verdict.by_status.contains_key("FAILED") && verdict.by_status.contains_key("UNDELIVERED"));
    Ok(())
}

/// How many entries each message's history has.
async fn history_lengths(organization: &Organization, messages: &[Message]) -> Result<Vec<usize>> {
    let mut entries = Vec::new();
    for message in messages {
        entries.push(organization.client.message(&message.name).await?.history.len());
    }
    Ok(entries)
}

#[tokio::test]
async fn the_answer_to_a_node_that_was_given_up_counts_all_the_same() -> Result<()> {
    let stack = Stack::start(StackOptions {
        // No receipt says it in the node's place.
        behaviour: Behaviour { answer_ms: [2_000, 2_000], receipt_loss_share: 1.0, ..scene::quick() },
        claim_deadline_s: 1,
        ..StackOptions::default()
    })
    .await?;
    let (organization, list) = scene::organization(&stack, Provider::Twilio, 10).await?;
    let campaign = organization.draft(CampaignMode::Broadcast, &list, TEMPLATE).await?;
    organization.client.start(&campaign).await?;
    at_least(&organization, &campaign, MessageStatus::Claimed, 10).await?;
    let node = stack.sender_nodes.first().context("there is a node")?;
    node.pause()?;
    at_least(&organization, &campaign, MessageStatus::Unconfirmed, 10).await?;
    node.resume()?;
    at_least(&organization, &campaign, MessageStatus::Sent, 10).await?;
    stack.settled(WITHIN).await?;
    let verdict = stack.judge().await?;
    verdict.demand()?;
    ensure!((verdict.accepted, verdict.unconfirmed) == (10, 0), "{verdict:?}");
    Ok(())
}

#[tokio::test]
async fn a_person_who_is_in_a_list_twice_is_texted_once() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let organization = stack.organization(OrganizationOptions::of(Provider::Telnyx)).await?;
    let file = contacts::tidy(1, 2);
    let phones = file.expected.contacts.iter().map(|contact| contact.phone_number.as_str());
    let rows = phones.map(|phone| {
        let (area, exchange, line) = (&phone[2..5], &phone[5..8], &phone[8..]);
        format!("{phone},Ann\n({area}) {exchange}-{line},Ann\n1-{area}-{exchange}-{line},Ann Marie\n")
    });
    let rows = format!("phone,first_name\n{}", rows.collect::<String>());
    let (list, imported) = organization.list("Voters", rows.as_bytes()).await?;
    ensure!((imported.row_count, imported.imported_count) == (6, 2), "{imported:?}");
    organization.client.import(&list, rows.as_bytes()).await?;
    scene::broadcast(&stack, &organization, &list).await?;
    let verdict = stack.judge().await?;
    verdict.demand()?;
    ensure!((verdict.messages, verdict.accepted) == (2, 2), "{verdict:?}");
    Ok(())
}
