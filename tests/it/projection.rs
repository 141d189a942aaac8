//! The projection stops for nothing that somebody sent, and while it does not know everything nobody is texted.

use anyhow::{Context, Result, ensure};
use async_nats::jetstream::{self, stream};
use bytes::Bytes;
use muster_proto::internal::v1::event::Kind;
use muster_proto::internal::v1::{Event, EventFrame, FactKind, Inbound, Outcome, Receipt};
use muster_proto::v1::{CampaignMode, ListPhoneNumbersRequest, MessageStatus, PhoneNumber, Provider};
use muster_provider_sim::behaviour::Behaviour;
use muster_provider_sim::control::InboundSpec;
use muster_tests::{Stack, wait};
use prost::Message as _;
use uuid::Uuid;

use crate::scene::{self, TEMPLATE, WITHIN};

/// The id that a resource name ends with.
fn id(name: &str) -> Result<Bytes> {
    let id = name.rsplit('/').next().context("a name has parts")?;
    Ok(Bytes::copy_from_slice(Uuid::parse_str(id)?.as_bytes()))
}

async fn jetstream(stack: &Stack) -> Result<jetstream::Context> {
    Ok(jetstream::new(async_nats::connect(&stack.endpoints.nats_url).await?))
}

#[tokio::test]
async fn an_event_that_the_database_refuses_is_set_aside_alone() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let (organization, list) = scene::organization(&stack, Provider::Twilio, 5).await?;
    let campaign = scene::broadcast(&stack, &organization, &list).await?;
    let messages = organization.client.list_messages(&organization.tenant, &campaign).await?;
    let message = messages.first().context("there are messages")?;
    // A gateway lets no NUL through; whoever publishes here is worse than any gateway.
    let reply = |body: &str| Event {
        time_us: 1_700_000_000_000_000,
        tenant_id: id(&organization.tenant).unwrap_or_default(),
        kind: Some(Kind::Inbound(Inbound {
            from: "+12125552368".to_owned(),
            to: message.from.clone(),
            body: body.to_owned(),
            media_urls: Vec::new(),
            provider_message_id: format!("SM-{}", body.len()),
            account_id: id(&organization.account).unwrap_or_default(),
        })),
    };
    let events = vec![reply("before"), reply("\0"), reply("and after")];
    let frame = EventFrame { node: "nobody".to_owned(), events };
    let subject = format!("{}.events", stack.endpoints.nats_prefix);
    jetstream(&stack).await?.publish(subject, frame.encode_to_vec().into()).await?.await?;

    let stop = InboundSpec {
        from: message.to.clone(),
        to: message.from.clone(),
        body: "STOP".to_owned(),
        times: 1,
        ..InboundSpec::default()
    };
    stack.simulator.inbound(&stop).await?;
    stack.settled(WITHIN).await?;
    ensure!(organization.client.list_opt_outs(&organization.tenant).await?.len() == 1);
    let replies = organization.client.list_replies(&organization.tenant).await?;
    let bodies: Vec<&str> = replies.iter().map(|reply| reply.body.as_str()).collect();
    ensure!(bodies == ["before", "and after", "STOP"], "{bodies:?}");
    let row = stack.sql().await?.query_one("SELECT count(*) FROM rejected_events", &[]).await?;
    ensure!(row.get::<_, i64>(0) == 1);
    Ok(())
}

#[tokio::test]
async fn a_url_that_nobody_signed_is_not_believed_against_the_providers_own_id() -> Result<()> {
    let stack = scene::stack(Behaviour { receipt_loss_share: 1.0, ..scene::quick() }).await?;
    let (organization, list) = scene::organization(&stack, Provider::Telnyx, 2).await?;
    let campaign = scene::broadcast(&stack, &organization, &list).await?;
    let messages = organization.client.list_messages(&organization.tenant, &campaign).await?;
    let texts: Vec<&str> = messages.iter().map(|message| message.name.as_str()).collect();
    let mut told = Vec::new();
    for text in &texts {
        let accepted = stack.simulator.accepted(Uuid::from_slice(&id(text)?)?).await?;
        told.push(accepted.first().context("it was accepted")?.provider_id.clone());
    }
    // Telnyx says of the first text that it was delivered; somebody sends that to the URL of the second, as if Telnyx had
    // not signed where it was to go.
    for (by_url_alone, text, provider_id, delivered) in [
        (true, texts[1], &told[0], 0),
        (true, texts[1], &told[1], 1),
        (false, texts[0], &"another".to_owned(), 2),
    ] {
        let receipt = Receipt {
            message_id: id(text)?,
            attempt: 1,
            fact: FactKind::ReceiptDelivered.into(),
            provider_message_id: provider_id.clone(),
            by_url_alone,
            ..Receipt::default()
        };
        let event = Event {
            time_us: 1_700_000_000_000_000,
            tenant_id: id(&organization.tenant)?,
            kind: Some(Kind::Receipt(receipt)),
        };
        let frame = EventFrame { node: "nobody".to_owned(), events: vec![event] };
        let subject = format!("{}.events", stack.endpoints.nats_prefix);
        jetstream(&stack).await?.publish(subject, frame.encode_to_vec().into()).await?.await?;
        stack.events_are_projected(WITHIN).await?;
        let found = scene::count(&organization, &campaign, MessageStatus::Delivered).await?;
        ensure!(found == delivered, "{found} delivered, not {delivered}");
    }
    let row = stack.sql().await?.query_one("SELECT count(*) FROM unmatched_receipts", &[]).await?;
    ensure!(row.get::<_, i64>(0) == 1);
    Ok(())
}

#[tokio::test]
async fn nothing_is_claimed_while_a_stop_may_not_have_been_seen() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let (organization, list) = scene::organization(&stack, Provider::Telnyx, 20).await?;
    // Another stream in the place of the one that was projected: the projector waits for an operator.
    let name = format!("{}_EVENTS", stack.endpoints.nats_prefix.to_uppercase());
    let jetstream = jetstream(&stack).await?;
    let config = jetstream.get_stream(&name).await?.cached_info().config.clone();
    jetstream.delete_stream(&name).await?;
    jetstream.create_stream(stream::Config { name, ..config }).await?;
    wait::until("the projector to stop", WITHIN, async || {
        let log = std::fs::read_to_string(stack.control_plane.log())?;
        Ok(log.contains("created anew").then_some(()))
    })
    .await?;
    let database = stack.sql().await?;
    database.execute("UPDATE projections SET caught_up_time = now() - interval '1 minute'", &[]).await?;

    let campaign = organization.draft(CampaignMode::Broadcast, &list, TEMPLATE).await?;
    organization.client.start(&campaign).await?;
    let node = stack.sender_nodes.first().context("there is a sender node")?;
    wait::until("a claim to be refused", WITHIN, async || {
        let log = std::fs::read_to_string(node.log())?;
        Ok(log.contains("cannot claim").then_some(()))
    })
    .await?;
    wait::until("all of it to be ordered, and none to be claimed", WITHIN, async || {
        Ok((scene::count(&organization, &campaign, MessageStatus::Ordered).await? == 20).then_some(()))
    })
    .await?;
    ensure!(stack.simulator.ledger().await?.entries.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_number_that_reached_its_cap_is_held() -> Result<()> {
    const CONTACTS: usize = 60;
    let stack = scene::stack(Behaviour { answer_ms: [2_000, 2_000], ..scene::quick() }).await?;
    let (organization, list) = scene::organization(&stack, Provider::Twilio, CONTACTS).await?;
    let client = &organization.client;
    let campaign = organization.draft(CampaignMode::Broadcast, &list, TEMPLATE).await?;
    client.start(&campaign).await?;
    let claimed = async || {
        let messages = client.list_messages(&organization.tenant, &campaign).await?;
        Ok(messages.into_iter().find(|message| message.status() == MessageStatus::Claimed))
    };
    let message = wait::until("a claim", WITHIN, claimed).await?;
    // The provider says so of a text whose call has not ended yet; the call's own end comes after it.
    let capped = Outcome {
        message_id: id(&message.name)?,
        attempt: 1,
        fact: FactKind::NotAccepted.into(),
        error_class: 13,
        error_code: "30023".to_owned(),
        ..Outcome::default()
    };
    let event = Event {
        time_us: jiff::Timestamp::now().as_microsecond(),
        tenant_id: id(&organization.tenant)?,
        kind: Some(Kind::Outcome(capped)),
    };
    let frame = EventFrame { node: "nobody".to_owned(), events: vec![event] };
    let subject = format!("{}.events", stack.endpoints.nats_prefix);
    jetstream(&stack).await?.publish(subject, frame.encode_to_vec().into()).await?.await?;
    let number = async || {
        let request = ListPhoneNumbersRequest {
            parent: organization.tenant.clone(),
            number_pool: organization.pool.clone(),
            ..ListPhoneNumbersRequest::default()
        };
        let numbers = client.numbers().list_phone_numbers(request).await?.into_inner().phone_numbers;
        Ok(numbers.into_iter().find(|number| number.hold_time.is_some()))
    };
    let held: PhoneNumber = wait::until("a number to be held", WITHIN, number).await?;
    ensure!(held.phone_number == message.from, "{held:?}");
    stack.simulator.behave(&scene::quick()).await?;
    stack.settled(WITHIN).await?;

    // Its texts wait, and those of all others go out.
    let campaign = organization.draft(CampaignMode::Broadcast, &list, TEMPLATE).await?;
    client.start(&campaign).await?;
    let mut waiting = Vec::new();
    wait::until("all others to arrive", WITHIN, async || {
        let messages = client.list_messages(&organization.tenant, &campaign).await?;
        let (own, others): (Vec<_>, Vec<_>) =
            messages.into_iter().partition(|message| message.from == held.phone_number);
        let arrived = others.iter().all(|message| message.status() == MessageStatus::Delivered);
        waiting = own.iter().map(|message| message.status()).collect();
        Ok((arrived && waiting.len() + others.len() == CONTACTS).then_some(()))
    })
    .await?;
    ensure!(
        !waiting.is_empty() && waiting.iter().all(|status| *status == MessageStatus::Queued),
        "{waiting:?}"
    );
    stack.sql().await?.execute("UPDATE phone_numbers SET hold_time = now()", &[]).await?;
    stack.settled(WITHIN).await?;
    stack.judge().await?.demand()?;
    stack.stop().await
}
