//! Receipts come early, twice, out of order, and forged; a text is counted once, where it really is.

use anyhow::{Context, Result, ensure};
use muster_proto::v1::{MessageStatus, Provider};
use muster_provider_sim::behaviour::Behaviour;
use muster_provider_sim::control::ReceiptSpec;
use muster_tests::stack::Organization;
use muster_tests::{Stack, wait};
use uuid::Uuid;

use crate::scene::{self, WITHIN};

#[tokio::test]
async fn receipts_may_come_before_the_answer_twice_and_out_of_order() -> Result<()> {
    let behaviours = [
        Behaviour { receipt_before_answer: true, ..scene::quick() },
        Behaviour { receipt_duplicate_share: 1.0, receipt_reorder_share: 1.0, ..scene::quick() },
        Behaviour { sent_receipts: false, receipt_ms: [0, 0], ..scene::quick() },
    ];
    for behaviour in behaviours {
        let behaviour = Behaviour { undelivered_share: 0.2, failed_share: 0.1, ..behaviour };
        let stack = scene::stack(behaviour).await?;
        for provider in [Provider::Twilio, Provider::Telnyx] {
            let (organization, list) = scene::organization(&stack, provider, 60).await?;
            scene::broadcast(&stack, &organization, &list).await?;
        }
        let verdict = stack.judge().await?;
        verdict.demand()?;
        ensure!(verdict.accepted == 120 && verdict.untold == 0, "{verdict:?}");
    }
    Ok(())
}

/// A receipt for one message, in the provider's own words.
fn receipt(organization: &Organization, message: &str, state: &str) -> Result<ReceiptSpec> {
    let id = message.rsplit('/').next().context("a name")?;
    Ok(ReceiptSpec {
        provider: organization.provider.as_str_name().trim_start_matches("PROVIDER_").to_lowercase(),
        account_sid: organization.account_sid.clone(),
        state: state.to_owned(),
        message_id: Some(Uuid::parse_str(id)?),
        times: 1,
        ..ReceiptSpec::default()
    })
}

/// Posts it, and gives the codes that the gateway answered with.
async fn post(stack: &Stack, spec: ReceiptSpec) -> Result<Vec<Option<u16>>> {
    let answers = stack.simulator.receipt(&spec).await?.answers;
    stack.events_are_projected(WITHIN).await?;
    Ok(answers)
}

#[tokio::test]
async fn a_forged_receipt_is_refused_and_a_late_one_settles_a_text_once() -> Result<()> {
    let stack = scene::stack(Behaviour { receipt_loss_share: 1.0, ..scene::quick() }).await?;
    for provider in [Provider::Twilio, Provider::Telnyx] {
        let (organization, list) = scene::organization(&stack, provider, 3).await?;
        let campaign = scene::broadcast(&stack, &organization, &list).await?;
        ensure!(scene::count(&organization, &campaign, MessageStatus::Sent).await? == 3);
        let messages = organization.client.list_messages(&organization.tenant, &campaign).await?;
        let name = &messages.first().context("there is a message")?.name;

        let forged = ReceiptSpec { forged: true, ..receipt(&organization, name, "delivered")? };
        ensure!(post(&stack, forged).await? == [Some(403)]);
        ensure!(organization.client.message(name).await?.status() == MessageStatus::Sent);

        let twice = ReceiptSpec { times: 2, ..receipt(&organization, name, "delivered")? };
        ensure!(post(&stack, twice).await?.iter().all(|code| code.is_some_and(|code| code / 100 == 2)));
        // What comes late does not undo what came before.
        post(&stack, receipt(&organization, name, "sent")?).await?;
        let settled = async || {
            let delivered = scene::count(&organization, &campaign, MessageStatus::Delivered).await?;
            Ok((delivered == 1).then_some(()))
        };
        wait::until("the receipt to count", WITHIN, settled).await?;
        let message = organization.client.message(name).await?;
        let delivered = message.history.iter().filter(|entry| entry.status() == MessageStatus::Delivered);
        ensure!(message.status() == MessageStatus::Delivered && delivered.count() == 1, "{message:?}");
        ensure!(scene::count(&organization, &campaign, MessageStatus::Sent).await? == 2);
    }
    Ok(())
}

#[tokio::test]
async fn a_receipt_about_anothers_message_changes_nothing_and_is_kept() -> Result<()> {
    let stack = scene::stack(Behaviour { receipt_loss_share: 1.0, ..scene::quick() }).await?;
    let kept = "SELECT count(*) FROM unmatched_receipts WHERE tenant_id = $1 AND message_id = $2";
    for provider in [Provider::Twilio, Provider::Telnyx] {
        let (owner, list) = scene::organization(&stack, provider, 2).await?;
        let campaign = scene::broadcast(&stack, &owner, &list).await?;
        let messages = owner.client.list_messages(&owner.tenant, &campaign).await?;
        let name = &messages.first().context("there is a message")?.name;
        let before = (owner.client.message(name).await?, owner.client.report(&campaign).await?.status_counts);
        let (stranger, list) = scene::organization(&stack, provider, 2).await?;
        let own = scene::broadcast(&stack, &stranger, &list).await?;
        let tenant = stranger.tenant.rsplit('/').next().context("a name")?;
        let message = name.rsplit('/').next().context("a name")?;
        // Genuine, for all that the gateway can tell: signed with the stranger's secret, for the stranger's account.
        for (at, state) in (1..).zip(["delivered", "sent", "delivered"]) {
            let answers = post(&stack, receipt(&stranger, name, state)?).await?;
            ensure!(answers.iter().all(|code| code.is_some_and(|code| code / 100 == 2)), "{answers:?}");
            let ids = [Uuid::parse_str(tenant)?, Uuid::parse_str(message)?];
            let row = stack.sql().await?.query_one(kept, &[&ids[0], &ids[1]]).await?;
            ensure!(row.get::<_, i64>(0) == at, "{provider:?}: {} kept after {at}", row.get::<_, i64>(0));
        }
        let after = (owner.client.message(name).await?, owner.client.report(&campaign).await?.status_counts);
        ensure!(after == before && before.0.status() == MessageStatus::Sent, "{before:?}, then {after:?}");
        ensure!(scene::count(&stranger, &own, MessageStatus::Sent).await? == 2);
    }
    stack.judge().await?.demand()
}
