//! STOP is obeyed from the moment it is committed, START takes it back, and nobody can say either for another.

use anyhow::{Context, Result, ensure};
use muster_proto::v1::{Message, MessageStatus, Provider};
use muster_provider_sim::control::InboundSpec;
use muster_tests::Stack;

use crate::scene::{self, WITHIN};

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
    let verdict = stack.judge().await?;
    ensure!(verdict.duplicates == 0 && verdict.missing == 0, "{:?}", verdict.findings);
    Ok(())
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
