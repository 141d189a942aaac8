//! One text, followed through all three services: in a trace that has the text's own id.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use muster_proto::v1::{CampaignMode, ClaimContactsRequest, Message, Provider, SendMessageRequest};
use muster_tests::collector::Told;
use muster_tests::stack::{Organization, Service};
use muster_tests::{Collector, Stack, StackOptions, wait};
use tonic::Request;
use uuid::Uuid;

use crate::scene::{self, TEMPLATE, WITHIN};

/// The trace of the caller's, and their span.
const CALLER: (u128, u64) = (0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c, 0xb7ad_6b71_6920_3331);

/// What a text's trace must have: the service and the span.
const STEPS: [(&str, &str); 9] = [
    ("control-plane", "text"),
    ("control-plane", "ordered"),
    ("control-plane", "claimed"),
    ("sender-node", "claim"),
    ("sender-node", "call"),
    ("control-plane", "sent"),
    ("gateway", "webhook"),
    ("control-plane", "delivered"),
    // Twilio tells of each step.
    ("gateway", "webhook"),
];

async fn stack(collector: &Collector, ratio: &str) -> Result<Stack> {
    let mut options = StackOptions { behaviour: scene::quick(), ..StackOptions::default() };
    for service in [Service::ControlPlane, Service::SenderNode, Service::Gateway] {
        for (name, value) in [("OTLP", collector.url()), ("SAMPLING_RATIO", ratio.to_owned())] {
            options.env.push((service, format!("MUSTER_TELEMETRY__{name}"), value));
        }
    }
    Stack::start(options).await
}

/// A request within the caller's trace.
fn traced<T>(request: T) -> Result<Request<T>> {
    let mut request = Request::new(request);
    let header = format!("00-{:032x}-{:016x}-01", CALLER.0, CALLER.1);
    request.metadata_mut().insert("traceparent", header.parse()?);
    Ok(request)
}

/// Sends one text by a click that is traced by whoever calls. Returns its campaign and itself.
async fn click(stack: &Stack, organization: &Organization, list: &str) -> Result<(String, Message)> {
    let client = &organization.client;
    let campaign = organization.draft(CampaignMode::Click, list, TEMPLATE).await?;
    client.start(&campaign).await?;
    let planned = async || Ok(client.campaign(&campaign).await?.planned.then_some(()));
    wait::until("the campaign to be planned", WITHIN, planned).await?;
    let request = ClaimContactsRequest { campaign: campaign.clone(), count: 1, ..Default::default() };
    let claimed = client.texting().claim_contacts(request).await?.into_inner().messages;
    let message = claimed.into_iter().next().context("a contact")?;
    let request = SendMessageRequest { name: message.name.clone(), ..Default::default() };
    client.texting().send_message(traced(request)?).await?;
    stack.settled(WITHIN).await?;
    Ok((campaign, message))
}

fn id_of(name: &str) -> Result<Uuid> {
    Ok(Uuid::parse_str(name.rsplit('/').next().context("a name")?)?)
}

/// The span that is called so.
fn of<'a>(spans: &'a [Told], name: &str) -> Result<&'a Told> {
    spans.iter().find(|told| told.span.name == name).with_context(|| format!("there is no span {name}"))
}

#[tokio::test]
async fn one_text_is_followed_through_all_services_in_its_own_trace() -> Result<()> {
    let collector = Collector::start().await?;
    let stack = stack(&collector, "1").await?;
    let (organization, list) = scene::organization(&stack, Provider::Twilio, 3).await?;
    let (campaign, message) = click(&stack, &organization, &list).await?;
    let (text, campaign) = (id_of(&message.name)?, id_of(&campaign)?);

    let has = |spans: &[Told]| -> BTreeSet<(String, String)> {
        spans.iter().map(|told| (told.service.clone(), told.span.name.clone())).collect()
    };
    let wanted: BTreeSet<(String, String)> =
        STEPS.iter().map(|(service, name)| ((*service).to_owned(), (*name).to_owned())).collect();
    let spans = collector.trace(text.as_bytes(), WITHIN, |spans| has(spans).is_superset(&wanted)).await?;

    // All of them are below the first, which every process knows by the text's id.
    let (_, root) = text.as_u64_pair();
    for told in &spans {
        let (id, parent) = (&told.span.span_id[..], &told.span.parent_span_id[..]);
        match told.span.name.as_str() {
            "text" => ensure!(id == root.to_be_bytes() && parent.is_empty(), "{told:?}"),
            _ => ensure!(parent == root.to_be_bytes(), "{told:?}"),
        }
        ensure!(told.span.end_time_unix_nano >= told.span.start_time_unix_nano, "{told:?}");
    }
    let first = of(&spans, "text")?;
    ensure!(first.is_linked_with(&CALLER.0.to_be_bytes()), "the click is not linked: {first:?}");
    ensure!(first.is_linked_with(campaign.as_bytes()), "the campaign is not linked: {first:?}");
    let call = of(&spans, "call")?;
    let told = ["muster.provider", "muster.outcome", "http.request.method", "http.response.status_code"]
        .map(|name| call.attribute(name));
    ensure!(told == ["twilio", "accepted", "POST", "201"], "{told:?}");
    ensure!(of(&spans, "claimed")?.attribute("muster.status") == "CLAIMED");

    // The caller's own trace holds their call, as a child of the span that they named.
    let calls = collector.trace(&CALLER.0.to_be_bytes(), WITHIN, |spans| !spans.is_empty()).await?;
    let call = of(&calls, "muster.v1.TextingService/SendMessage")?;
    ensure!(call.span.parent_span_id == CALLER.1.to_be_bytes() && call.service == "control-plane");
    let started = collector.trace(campaign.as_bytes(), WITHIN, |spans| !spans.is_empty()).await?;
    of(&started, "campaign")?;

    // Nothing of whom it went to and what it said.
    let everything = format!("{:?}", collector.spans());
    let digits = message.to.trim_start_matches('+');
    ensure!(!everything.contains(digits) && !everything.contains("vote on Tuesday"), "a span tells too much");
    Ok(())
}

#[tokio::test]
async fn what_texts_share_is_a_trace_of_its_own_that_goes_over_jetstream_and_grpc() -> Result<()> {
    let collector = Collector::start().await?;
    let stack = stack(&collector, "1").await?;
    let (organization, list) = scene::organization(&stack, Provider::Telnyx, 20).await?;
    let campaign = scene::broadcast(&stack, &organization, &list).await?;
    let messages = organization.client.list_messages(&organization.tenant, &campaign).await?;
    let text = id_of(&messages.first().context("a message")?.name)?;

    // The frame of its order: published by the control-plane, worked on by the sender node.
    let linked = |name: &'static str| {
        let collector = &collector;
        async move {
            let look = async || {
                let spans = collector.spans();
                let those = spans.into_iter().filter(|told| told.span.name == name);
                Ok(those.into_iter().find(|told| told.is_linked_with(text.as_bytes())))
            };
            wait::until(name, WITHIN, look).await
        }
    };
    let sent = linked("send work").await?;
    ensure!(sent.service == "control-plane");
    let frame =
        collector.trace(&sent.span.trace_id, WITHIN, |spans| of(spans, "process work").is_ok()).await?;
    let worked = of(&frame, "process work")?;
    ensure!(worked.service == "sender-node" && worked.span.parent_span_id == sent.span.span_id, "{worked:?}");

    // Its claim: asked for by the sender node, answered by the control-plane.
    let claim = linked("claim").await?;
    let answered = |spans: &[Told]| spans.iter().any(|told| told.service == "control-plane");
    let claim = collector.trace(&claim.span.trace_id, WITHIN, answered).await?;
    let ends: Vec<&Told> = claim
        .iter()
        .filter(|told| told.span.name == "muster.internal.v1.ClaimService/ClaimMessages")
        .collect();
    let client = ends.iter().find(|told| told.service == "sender-node").context("the client's span")?;
    let server = ends.iter().find(|told| told.service == "control-plane").context("the server's span")?;
    ensure!(server.span.parent_span_id == client.span.span_id);

    // What became of it, from the sender node to the projection.
    let reported = linked("send events").await?;
    let projected = linked("process events").await?;
    let frames = |told: &Told| told.service == "sender-node" || told.service == "gateway";
    ensure!(frames(&reported) && projected.service == "control-plane");
    let look = async || {
        let spans = collector.spans();
        let mut those = spans.iter().filter(|told| told.span.name == "process events");
        Ok(those.any(|told| told.is_linked_with(&reported.span.trace_id)).then_some(()))
    };
    wait::until("the frame to be linked where it is projected", WITHIN, look).await
}

#[tokio::test]
async fn what_is_not_sampled_is_not_traced() -> Result<()> {
    let collector = Collector::start().await?;
    let stack = stack(&collector, "0").await?;
    let (organization, list) = scene::organization(&stack, Provider::Twilio, 3).await?;
    let (_, message) = click(&stack, &organization, &list).await?;
    // The caller's own trace, and what a campaign begins with, are all that there is.
    collector.trace(&CALLER.0.to_be_bytes(), WITHIN, |spans| !spans.is_empty()).await?;
    let text = id_of(&message.name)?;
    stack.stop().await?;
    let spans = collector.spans();
    ensure!(!spans.iter().any(|told| told.span.trace_id == text.as_bytes()), "{spans:?}");
    ensure!(spans.len() <= 4, "{spans:?}");
    Ok(())
}
