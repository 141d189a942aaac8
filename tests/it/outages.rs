//! What goes on, and what stops with a clear word, while a part of the platform is away or is not what it was.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use muster_proto::v1::{MessageStatus, Provider};
use muster_provider_sim::behaviour::Behaviour;
use muster_provider_sim::control::ReceiptSpec;
use muster_tests::wait;
use uuid::Uuid;

use crate::scene::{self, WITHIN};

/// Longer than a gateway keeps an account without asking again.
const ACCOUNT_KEPT: Duration = Duration::from_secs(7);

#[tokio::test]
async fn receipts_are_taken_while_the_control_plane_is_away_and_count_when_it_is_back() -> Result<()> {
    let mut stack = scene::stack(Behaviour { receipt_loss_share: 1.0, ..scene::quick() }).await?;
    let (organization, list) = scene::organization(&stack, Provider::Twilio, 1).await?;
    let campaign = scene::broadcast(&stack, &organization, &list).await?;
    let messages = organization.client.list_messages(&organization.tenant, &campaign).await?;
    let message =
        messages.first().and_then(|message| message.name.rsplit('/').next()).context("a message")?;
    let receipt = |state: &str| {
        Ok::<_, anyhow::Error>(ReceiptSpec {
            provider: "twilio".to_owned(),
            account_sid: organization.account_sid.clone(),
            state: state.to_owned(),
            message_id: Some(Uuid::parse_str(message)?),
            times: 1,
            ..ReceiptSpec::default()
        })
    };
    ensure!(stack.simulator.receipt(&receipt("sent")?).await?.answers == [Some(200)]);
    stack.control_plane.kill9().await?;
    let away = Instant::now();
    while away.elapsed() < ACCOUNT_KEPT {
        let answers = stack.simulator.receipt(&receipt("delivered")?).await?.answers;
        ensure!(answers == [Some(200)], "{answers:?} after {:?}", away.elapsed());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    stack.control_plane.start_again().await?;
    stack.serving().await?;
    let counted = async || {
        let delivered = scene::count(&organization, &campaign, MessageStatus::Delivered).await?;
        Ok((delivered == 1).then_some(()))
    };
    wait::until("the receipts to count", WITHIN, counted).await
}
