//! `gateways-rolling`: while a campaign's receipts and replies come in, two gateways are restarted one after the other,
//! asked to end and killed with -9 by turns: no webhook is lost, none counts twice, and every count equals the ledger.
//!
//! Providers know one URL, behind which a balancer leads to whichever gateway listens. The next gateway's turn comes when
//! the one before serves again and webhooks have been taken since.

mod report;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use muster_provider_sim::behaviour::Behaviour;

pub use self::report::{Report, Restart};
use super::Tell;
use super::broadcast::{Role, open, start_both};
use super::claims::millis;
use crate::Front;
use crate::lab::thousands;
use crate::process::Process;
use crate::stack::{Service, Stack, StackOptions};
use crate::wait;

/// How long a gateway may take to end: its drain's 25 seconds and a moment.
const EXITED_WITHIN: Duration = Duration::from_secs(30);
/// How long anything else may take that is waited for. Only a failure waits this long.
const WITHIN: Duration = Duration::from_secs(120);
/// Webhooks that are taken between two restarts at least.
const WEBHOOKS_BETWEEN: u64 = 50;
/// How often it is asked whether they were.
const PAUSE: Duration = Duration::from_millis(20);

/// How to tell it.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// How many texts, half of them through each provider.
    #[arg(long, default_value_t = 30_000)]
    pub texts: usize,
    /// How often each gateway is restarted.
    #[arg(long, default_value_t = 6)]
    pub rounds: usize,
    /// How long the numbers need for all texts, in seconds.
    #[arg(long, default_value_t = 60)]
    pub sending_s: u32,
    /// What the contacts and the fates of the texts follow from.
    #[arg(long, default_value_t = 23)]
    pub seed: u64,
}

/// Tells it. An error where a gateway does not end or does not come back; otherwise the report says whether all is right.
pub async fn gateways_rolling(options: Options, tell: Tell<'_>) -> Result<Report> {
    let begun = Instant::now();
    tell("starting everything, with two gateways behind a balancer");
    let front = Front::start().await?;
    let mut stack = Stack::start(stack_options(&front, options.seed)).await?;
    let (mut second, port) = stack.another_gateway().await?;
    front.leads_to(vec![stack.webhooks_port()?, port]);
    tell(&format!("importing {} contacts", thousands(options.texts)));
    let both = start_both(&stack, Role::both(options.texts, options.seed, options.sending_s)).await?;
    webhooks_taken(&stack, WEBHOOKS_BETWEEN).await?;
    tell("both campaigns are under way, and webhooks come in");
    let mut restarts = Vec::new();
    for turn in 0..2 * options.rounds {
        let left = open(&both).await?;
        ensure!(left > 0, "all texts were sent before the last restart: give sending more time");
        // Each gateway in order first, and with -9 the next time.
        let gateway = if turn % 2 == 0 { &mut stack.gateway } else { &mut second };
        let restart = restart(gateway, turn / 2 % 2 == 1).await?;
        webhooks_taken(&stack, WEBHOOKS_BETWEEN).await?;
        tell(&restart.to_string());
        restarts.push(restart);
    }
    tell("waiting until every text is settled and every webhook has arrived");
    stack.settled(WITHIN + Duration::from_secs(options.sending_s.into())).await?;
    tell("checking against the simulator's ledger");
    let (verdict, stats) = (stack.judge().await?, stack.simulator.stats().await?);
    let aside = stack.sql().await?.query_one(report::SET_ASIDE, &[]).await?.get(0);
    let in_order = second.terminate(EXITED_WITHIN).await?.success();
    ensure!(in_order, "the second gateway ended badly:\n{}", second.log_tail());
    stack.stop().await?;
    Ok(Report { options, restarts, verdict, stats, set_aside: aside, wall: begun.elapsed() })
}

fn stack_options(front: &Front, seed: u64) -> StackOptions {
    let public = |service| (service, "MUSTER_PUBLIC_BASE_URL".to_owned(), front.url());
    StackOptions {
        behaviour: providers(),
        seed,
        env: [Service::ControlPlane, Service::SenderNode, Service::Gateway].map(public).to_vec(),
        ..StackOptions::durable()
    }
}

/// Talkative people, and providers that are in a hurry to try again.
fn providers() -> Behaviour {
    Behaviour {
        undelivered_share: 0.04,
        receipt_ms: [50, 800],
        receipt_duplicate_share: 0.05,
        receipt_reorder_share: 0.05,
        reply_share: 0.3,
        reply_ms: [50, 1_000],
        reply_duplicate_share: 0.1,
        stop_share: 0.1,
        webhook_retries: 120,
        webhook_retry_ms: [50, 500],
        webhook_timeout_ms: 5_000,
        ..Behaviour::default()
    }
}

async fn restart(gateway: &mut Process, kill: bool) -> Result<Restart> {
    let at = Instant::now();
    let in_order = if kill {
        gateway.kill9().await?;
        None
    } else {
        Some(gateway.terminate(EXITED_WITHIN).await?.success())
    };
    let gone_ms = millis(at.elapsed());
    gateway.start_again().await.context("a gateway did not come back")?;
    Ok(Restart { gateway: gateway.name().to_owned(), in_order, gone_ms, back_ms: millis(at.elapsed()) })
}

/// Waits until so many more webhooks were taken.
async fn webhooks_taken(stack: &Stack, more: u64) -> Result<()> {
    let taken = async || {
        let stats = stack.simulator.stats().await?;
        anyhow::Ok(stats.receipts_acked + stats.replies_acked)
    };
    let wanted = taken().await? + more;
    let enough = async || Ok((taken().await? >= wanted).then_some(()));
    wait::until_every(PAUSE, "webhooks to be taken", WITHIN, enough).await
}
