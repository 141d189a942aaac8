//! A genuine webhook with one thing wrong: refused, without a trace in JetStream, and counted. Where the provider's proof
//! does not cover what was changed, it is taken, and says nothing that the genuine one did not say.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use async_nats::jetstream;
use muster_proto::v1::{Message, MessageStatus, Provider};
use muster_provider_sim::behaviour::Behaviour;
use muster_tests::stack::{Organization, Service};
use muster_tests::{Stack, StackOptions};
use serde_json::Value;

use super::letters::{Letters, id, provider_name};
use super::table::{Becomes, Mutation, mutations};
use crate::scene::{self, WITHIN};

/// The fewest mutations of a webhook that are refused.
const REFUSED_MIN: usize = 20;

/// Webhooks by provider and fate.
type Counts = BTreeMap<(String, String), u64>;

/// The last frame of the stream of events.
async fn last_event(stack: &Stack) -> Result<u64> {
    let jetstream = jetstream::new(async_nats::connect(&stack.endpoints.nats_url).await?);
    let name = format!("{}_EVENTS", stack.endpoints.nats_prefix.to_uppercase());
    Ok(jetstream.get_stream(name).await?.get_info().await?.state.last_sequence)
}

/// What the gateway counted, as it says when it ends.
fn counted(log: &str) -> Counts {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let counts =
        lines.filter(|line| line["fields"]["message"] == "webhooks since the start").filter_map(|line| {
            let text = |name: &str| line["fields"][name].as_str().map(str::to_owned);
            Some(((text("provider")?, text("fate")?), line["fields"]["count"].as_u64()?))
        });
    counts.collect()
}

/// An organization whose texts were sent and of which nothing was heard since, and another one at the same provider.
struct Scene {
    organization: Organization,
    campaign: String,
    texts: Vec<String>,
    mutations: Vec<Mutation>,
    letters: Letters,
}

impl Scene {
    async fn set(stack: &Stack, provider: Provider) -> Result<Self> {
        let (organization, list) = scene::organization(stack, provider, 2).await?;
        let (stranger, _) = scene::organization(stack, provider, 1).await?;
        let campaign = scene::broadcast(stack, &organization, &list).await?;
        let messages = organization.client.list_messages(&organization.tenant, &campaign).await?;
        let texts: Vec<String> = messages.into_iter().map(|message| message.name).collect();
        let [text, another] = &texts[..] else { anyhow::bail!("two texts") };
        let letters = Letters::of(stack, &organization, [id(text)?, id(another)?], &stranger).await?;
        let mutations = mutations(provider, &letters);
        Ok(Self { organization, campaign, texts, mutations, letters })
    }

    fn name(&self) -> String {
        provider_name(&self.organization)
    }

    async fn messages(&self) -> Result<Vec<Message>> {
        let mut messages = Vec::new();
        for text in &self.texts {
            messages.push(self.organization.client.message(text).await?);
        }
        Ok(messages)
    }

    fn refused(&self) -> impl Iterator<Item = (&Mutation, u16, &'static str)> {
        self.mutations.iter().filter_map(|mutation| match mutation.2 {
            Becomes::Refused(status, fate) => Some((mutation, status, fate)),
            Becomes::Harmless(_) => None,
        })
    }

    fn harmless(&self) -> impl Iterator<Item = (&Mutation, &'static str)> {
        self.mutations.iter().filter_map(|mutation| match mutation.2 {
            Becomes::Refused(..) => None,
            Becomes::Harmless(fate) => Some((mutation, fate)),
        })
    }
}

fn add(counts: &mut Counts, provider: &str, fate: &str, more: u64) {
    if !fate.is_empty() {
        *counts.entry((provider.to_owned(), fate.to_owned())).or_default() += more;
    }
}

/// Posts what must be refused: each is, as it must be, and nothing comes in.
async fn are_refused(stack: &Stack, scene: &Scene, expected: &mut Counts) -> Result<()> {
    let name = scene.name();
    let before = (scene.messages().await?, last_event(stack).await?);
    ensure!(scene.refused().count() >= REFUSED_MIN, "{name}: {}", scene.refused().count());
    for ((what, wire, _), status, fate) in scene.refused() {
        let answer = wire.post().await.with_context(|| format!("{name}: {what}"))?;
        ensure!(answer == status, "{name}: {what}: {answer}, not {status}");
        add(expected, if fate == "unknown" { "unknown" } else { &name }, fate, 1);
    }
    ensure!((scene.messages().await?, last_event(stack).await?) == before, "{name}: something came in");
    Ok(())
}

/// Posts what a proof does not cover, once the genuine one came: nothing changes.
async fn are_harmless(stack: &Stack, scene: &Scene, expected: &mut Counts) -> Result<()> {
    let name = scene.name();
    let before = scene.messages().await?;
    let statuses: Vec<_> = before.iter().map(Message::status).collect();
    ensure!(statuses == [MessageStatus::Delivered, MessageStatus::Sent], "{name}: {statuses:?}");
    for ((what, wire, _), fate) in scene.harmless() {
        let answer = wire.post().await.with_context(|| format!("{name}: {what}"))?;
        ensure!(answer == 200, "{name}: {what}: {answer}");
        add(expected, &name, fate, 1);
    }
    stack.events_are_projected(WITHIN).await?;
    ensure!(scene.messages().await? == before, "{name}: one of them changed something");
    let organization = &scene.organization;
    ensure!(organization.client.list_replies(&organization.tenant).await?.is_empty(), "{name}: a reply");
    ensure!(scene::count(organization, &scene.campaign, MessageStatus::Delivered).await? == 1);
    Ok(())
}

#[tokio::test]
async fn a_webhook_with_one_thing_wrong_is_refused_or_says_nothing_new() -> Result<()> {
    let options = StackOptions {
        behaviour: Behaviour { receipt_loss_share: 1.0, ..scene::quick() },
        env: vec![(Service::Gateway, "MUSTER_LOG__JSON".to_owned(), "true".to_owned())],
        ..StackOptions::default()
    };
    let mut stack = Stack::start(options).await?;
    let providers = [
        Provider::Twilio,
        Provider::Telnyx,
        Provider::Bandwidth,
        Provider::Plivo,
        Provider::Vonage,
        Provider::Sinch,
    ];
    let mut scenes = Vec::new();
    for provider in providers {
        scenes.push(Scene::set(&stack, provider).await?);
    }
    stack.settled(WITHIN).await?;
    let mut expected = Counts::new();
    for scene in &scenes {
        are_refused(&stack, scene, &mut expected).await?;
    }
    for scene in &scenes {
        let name = scene.name();
        ensure!(scene.letters.genuine.post().await? == 200, "{name}: the genuine one");
        add(&mut expected, &name, "accepted", 1);
    }
    stack.events_are_projected(WITHIN).await?;
    for scene in &scenes {
        are_harmless(&stack, scene, &mut expected).await?;
    }
    stack.gateway.terminate(WITHIN).await?;
    let counts = counted(&std::fs::read_to_string(stack.gateway.log())?);
    for key in counts.keys().chain(expected.keys()) {
        let [counted, expected] = [&counts, &expected].map(|all| all.get(key).copied().unwrap_or(0));
        ensure!(counted == expected, "{key:?}: {counted} counted, {expected} expected");
    }
    let unreadable: u64 = expected.iter().filter(|((_, fate), _)| fate == "unreadable").map(|(_, n)| n).sum();
    let row = stack.sql().await?.query_one("SELECT count(*) FROM rejected_events", &[]).await?;
    ensure!(u64::try_from(row.get::<_, i64>(0))? == unreadable, "not all that was unreadable was kept");
    for scene in &scenes {
        println!(
            "{}: {} refused, {} harmless",
            scene.name(),
            scene.refused().count(),
            scene.harmless().count()
        );
    }
    Ok(())
}
