//! `receipts`: providers tell every receipt in the worst way they can. Three in ten come twice, three in ten in the wrong
//! order, all of them long after the send's own outcome or before anybody could note it; and half of all fall into an
//! outage of NATS of 20 seconds, in which the gateway can make nothing safe and says so. In the end every message is
//! where the simulator's ledger says, and every count is exact.

mod report;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use muster_provider_sim::behaviour::Behaviour;

pub use self::report::Report;
use super::Tell;
use super::broadcast::{Role, start_both};
use crate::lab::thousands;
use crate::stack::{Stack, StackOptions};
use crate::wait;

/// How long anything may take that is waited for, beside the outage. Only a failure waits this long.
const WITHIN: Duration = Duration::from_secs(180);
/// How often it is asked how many texts were accepted.
const PAUSE: Duration = Duration::from_millis(20);

/// How to tell it.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// How many texts, half of them through each provider.
    #[arg(long, default_value_t = 20_000)]
    pub texts: usize,
    /// How long the numbers need for all texts, in seconds.
    #[arg(long, default_value_t = 10)]
    pub sending_s: u32,
    /// How long NATS is away, in seconds.
    #[arg(long, default_value_t = 20)]
    pub outage_s: u32,
    /// What the contacts and the fates of the texts follow from.
    #[arg(long, default_value_t = 23)]
    pub seed: u64,
}

/// Tells it. An error where something never ends; otherwise the report says whether all is right.
pub async fn receipts(options: Options, tell: Tell<'_>) -> Result<Report> {
    let begun = Instant::now();
    tell("starting everything");
    let mut stack = Stack::start(StackOptions {
        behaviour: providers(options.outage_s),
        seed: options.seed,
        ..StackOptions::durable()
    })
    .await?;
    tell(&format!("importing {} contacts", thousands(options.texts)));
    start_both(&stack, Role::both(options.texts, options.seed, options.sending_s)).await?;
    let most = options.texts as u64 * 19 / 20;
    let accepted = async || Ok((stack.simulator.stats().await?.accepted >= most).then_some(()));
    wait::until_every(PAUSE, "nearly all texts to be accepted", WITHIN, accepted).await?;
    let before = stack.simulator.stats().await?;
    tell(&format!("{} texts were accepted; NATS is killed", thousands(before.accepted)));
    stack.nats_mut()?.kill9().await.context("kill NATS")?;
    // Not to wait for something: the outage is what the story is about.
    tokio::time::sleep(Duration::from_secs(options.outage_s.into())).await;
    let after = stack.simulator.stats().await?;
    stack.nats_mut()?.restart().await.context("start NATS again")?;
    tell(&format!(
        "NATS is back; {} receipts came meanwhile, and {} webhooks again",
        thousands(after.receipts_sent - before.receipts_sent),
        thousands(after.webhook_retries - before.webhook_retries)
    ));
    ensure!(after.receipts_acked >= before.receipts_acked, "the simulator's counts went back");
    tell("waiting until every text is settled and every webhook has arrived");
    stack.settled(WITHIN).await?;
    tell("checking against the simulator's ledger");
    let verdict = stack.judge().await?;
    let stats = stack.simulator.stats().await?;
    stack.stop().await?;
    Ok(Report {
        in_outage: after.receipts_sent - before.receipts_sent,
        acked_in_outage: after.receipts_acked - before.receipts_acked,
        options,
        verdict,
        stats,
        wall: begun.elapsed(),
    })
}

/// Receipts spread over the outage, which begins when most of the texts were accepted. Providers that are patient enough.
fn providers(outage_s: u32) -> Behaviour {
    let outage_ms = u64::from(outage_s) * 1_000;
    Behaviour {
        answer_ms: [5, 100],
        undelivered_share: 0.05,
        failed_share: 0.02,
        receipt_ms: [outage_ms / 3, outage_ms],
        receipt_duplicate_share: 0.3,
        receipt_reorder_share: 0.3,
        reply_share: 0.03,
        reply_ms: [200, outage_ms],
        stop_share: 0.2,
        webhook_retries: 200,
        webhook_retry_ms: [200, 1_500],
        webhook_timeout_ms: 5_000,
        webhooks_in_flight: 1_024,
        ..Behaviour::default()
    }
}
