//! STOP is obeyed from the moment it is committed, START takes it back, and nobody can say either for another.

use std::collections::HashSet;

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use muster_proto::v1::{CampaignMode, Message, MessageStatus, Provider};
use muster_provider_sim::control::InboundSpec;
use muster_tests::client::Seen;
use muster_tests::stack::{Organization, OrganizationOptions};
use muster_tests::{Stack, contacts};
use uuid::Uuid;

use crate::scene::{self, TEMPLATE, WITHIN};

/// The recipient of a message answers it.
async fn answer(stack: &Stack, message: &Message, body: &str) -> Result<()> {
    let spec = reply(message, body);
    let posted = stack.simulator.inbound(&spec).await?;
    ensure!(posted.answers.iter().all(|answer| answer.is_some_and(|code| code / 100 == 2)), "{posted:?}");
    Ok(())
}

fn reply(message: &Message, body: &str) -> InboundSpec {
    InboundSpec {
        from: message.to.clone(),
        to: message.from.clone(),
        body: body.to_owned(),
        times: 1,
        ..InboundSpec::default()
    }
}

#[tokio::test]
async fn who_says_stop_is_not_texted_again_until_they_say_start() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    for provider in [Provider::Twilio, Provider::Telnyx] {
        let (organization, list) = scene::organization(&stack, provider, 30).await?;
        let first = scene::broadcast(&stack, &organization, &list).await?;
        let messages = organization.client.list_messages(&organization.tenant, &first).await?;
        let [a, b, c] = messages.first_chunk().context("there are messages")?;
        answer(&stack, a, "STOP").await?;
        answer(&stack, b, " unsubscribe ").await?;
        // The provider delivers it twice, and that is one reply.
        let twice = InboundSpec { times: 2, ..reply(c, "Stop!") };
        stack.simulator.inbound(&twice).await?;
        stack.settled(WITHIN).await?;
        ensure!(organization.client.list_opt_outs(&organization.tenant).await?.len() == 3);
        ensure!(organization.client.list_replies(&organization.tenant).await?.len() == 3);

        let second = scene::broadcast(&stack, &organization, &list).await?;
        ensure!(scene::count(&organization, &second, MessageStatus::Suppressed).await? == 3);
        ensure!(scene::count(&organization, &second, MessageStatus::Delivered).await? == 27);
        answer(&stack, a, "START").await?;
        stack.settled(WITHIN).await?;
        let third = scene::broadcast(&stack, &organization, &list).await?;
        ensure!(scene::count(&organization, &third, MessageStatus::Suppressed).await? == 2);
    }
    // The other organization, with the same people on its list, texted them all the same.
    stack.judge().await?.demand()
}

/// When a message was claimed, if it was.
fn claimed(message: &Message) -> Result<Option<Timestamp>> {
    let claim = message.history.iter().find(|entry| entry.status() == MessageStatus::Claimed);
    let Some(time) = claim.and_then(|claim| claim.time.as_ref()) else { return Ok(None) };
    Ok(Some(Timestamp::new(time.seconds, time.nanos)?))
}

/// A broadcast over the same people that is under way, from one slow number. Returns its name.
async fn again(stack: &Stack, organization: &Organization, list: &str) -> Result<String> {
    let campaign = organization.draft(CampaignMode::Broadcast, list, TEMPLATE).await?;
    let watch = organization.client.watch(&organization.tenant, &campaign, |_| ()).await?;
    organization.client.start(&campaign).await?;
    let some = |seen: &Seen| seen.count(MessageStatus::Sent) + seen.count(MessageStatus::Delivered) >= 5;
    watch.until("the first texts", WITHIN, some).await.with_context(|| stack.control_plane.log_tail())?;
    Ok(campaign)
}

#[tokio::test]
async fn a_stop_in_the_middle_of_a_broadcast_holds_for_every_claim_after_it() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    for provider in [Provider::Twilio, Provider::Telnyx] {
        let mut options = OrganizationOptions::of(provider);
        options.numbers.truncate(1);
        options.segments_per_second = 40.0;
        let organization = stack.organization(options).await?;
        let client = &organization.client;
        let (list, _) = organization.list("Voters", &contacts::tidy(1, 120).bytes).await?;
        let first = scene::broadcast(&stack, &organization, &list).await?;
        let texts = client.list_messages(&organization.tenant, &first).await?;
        let campaign = again(&stack, &organization, &list).await?;
        let (_, leaving) = texts.split_at(20);
        futures::future::try_join_all(leaving.iter().map(|text| answer(&stack, text, "STOP"))).await?;
        stack.events_are_projected(WITHIN).await?;
        let projected = Timestamp::now();
        stack.settled(WITHIN).await?;

        let leaving: HashSet<&str> = leaving.iter().map(|text| text.to.as_str()).collect();
        let mut suppressed = 0;
        for message in client.list_messages(&organization.tenant, &campaign).await? {
            let message = client.message(&message.name).await?;
            if !leaving.contains(message.to.as_str()) {
                ensure!(message.status() == MessageStatus::Delivered, "{message:?}");
            } else if message.status() == MessageStatus::Suppressed {
                let id = message.name.rsplit('/').next().context("a name")?;
                let accepted = stack.simulator.accepted(Uuid::parse_str(id)?).await?;
                ensure!(claimed(&message)?.is_none() && accepted.is_empty(), "{message:?} {accepted:?}");
                suppressed += 1;
            } else {
                ensure!(claimed(&message)?.is_some_and(|time| time <= projected), "{message:?}");
            }
        }
        ensure!(suppressed > 10, "only {suppressed} were stopped in time to see anything");
    }
    stack.judge().await?.demand()
}

#[tokio::test]
async fn a_forged_stop_is_refused() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    for provider in [Provider::Twilio, Provider::Telnyx] {
        let (organization, list) = scene::organization(&stack, provider, 1).await?;
        let campaign = scene::broadcast(&stack, &organization, &list).await?;
        let messages = organization.client.list_messages(&organization.tenant, &campaign).await?;
        let message = messages.first().context("there is a message")?;
        let forged = InboundSpec { forged: true, ..reply(message, "STOP") };
        let posted = stack.simulator.inbound(&forged).await?;
        ensure!(posted.answers == [Some(403)], "{provider:?}: {posted:?}");
        stack.events_are_projected(WITHIN).await?;
        ensure!(organization.client.list_opt_outs(&organization.tenant).await?.is_empty());
        ensure!(organization.client.list_replies(&organization.tenant).await?.is_empty());
    }
    Ok(())
}
