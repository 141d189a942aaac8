//! `senders-killed`: sender nodes are killed with -9 and started again all the time, one of them is frozen for a while,
//! and providers withhold answers, also of texts that they accepted: nobody is texted twice.
//!
//! One organization sends through Twilio, the other through Telnyx. Kills come at fixed times, whether all has gone on
//! after the one before or not. In the end, when even the orders have come again that killed nodes had taken, the
//! ledger judges; and every message that stayed UNCONFIRMED must be one whose call timed out, by the simulator's own
//! account of what it withheld, or whose node was killed or frozen with its claim.

mod faults;
mod report;
mod unconfirmed;

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use muster_provider_sim::behaviour::Behaviour;

pub use self::faults::{Fault, Kind};
pub use self::report::Report;
use self::unconfirmed::Unconfirmed;
use super::Tell;
use super::broadcast::{Role, start_both};
use super::claims::Claims;
use crate::lab::thousands;
use crate::stack::{Service, Stack, StackOptions};

/// How long a claim may stay without an outcome, and an order unclaimed: short, so that the story ends soon.
const DEADLINE_S: u64 = 8;
/// How long a provider may take to answer: more than it ever takes unless it withholds the answer.
const CALL_TIMEOUT_S: u64 = 3;
/// How long an answer is withheld.
const WITHHELD_MS: u64 = 6_000;
/// How long everything may take to be settled after the last fault. Only a failure waits this long.
const SETTLED_WITHIN: Duration = Duration::from_secs(180);

/// How to tell it.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// How many texts, half of them through each provider.
    #[arg(long, default_value_t = 50_000)]
    pub texts: usize,
    /// How many sender nodes.
    #[arg(long, default_value_t = 3)]
    pub nodes: usize,
    /// How often one of them is killed, in milliseconds.
    #[arg(long, default_value_t = 3_000)]
    pub every_ms: u64,
    /// For how long one of them is frozen, in seconds.
    #[arg(long, default_value_t = 20)]
    pub frozen_s: u64,
    /// The share of calls whose answer is withheld. Half of these are accepted.
    #[arg(long, default_value_t = 0.004)]
    pub timeout_share: f64,
    /// How long the numbers would need for all texts if nothing broke, in seconds.
    #[arg(long, default_value_t = 100)]
    pub sending_s: u32,
    /// What the contacts, the fates of the texts and the choice of nodes follow from.
    #[arg(long, default_value_t = 13)]
    pub seed: u64,
}

/// Tells it. An error where sending never ended; otherwise the report says whether all is right.
pub async fn senders_killed(options: Options, tell: Tell<'_>) -> Result<Report> {
    let begun = Instant::now();
    ensure!(options.nodes >= 2, "with one node alone, nobody is left while it is frozen");
    tell(&format!("starting everything, with {} sender nodes", options.nodes));
    let mut stack = Stack::start(stack_options(&options)).await?;
    tell(&format!("importing {} contacts", thousands(options.texts)));
    let both = start_both(&stack, Role::both(options.texts, options.seed, options.sending_s)).await?;
    tell("both campaigns are under way");
    let faults = faults::all(&mut stack, &options, &both, tell).await?;
    // The ledger judges what never settles, too: it says more than that.
    let unsettled = settle(&stack, tell).await.err().map(|error| format!("{error:#}"));
    let fallen = stack.fallen();
    ensure!(fallen.is_none(), "ended by itself: {}", fallen.unwrap_or_default());
    tell("looking for what explains each UNCONFIRMED message");
    let stats = stack.simulator.stats().await?;
    let mut unconfirmed = Unconfirmed::default();
    for broadcast in &both {
        unconfirmed.explain(broadcast, &faults).await?;
    }
    unconfirmed.hold_against(&stats);
    let taken_over = report::taken_over(&Claims::read(&stack).await?, &faults);
    tell("checking against the simulator's ledger");
    let verdict = stack.judge_allowing(unconfirmed.by_faults()).await?;
    stack.stop().await?;
    let wall = begun.elapsed();
    Ok(Report { options, faults, taken_over, unsettled, verdict, stats, unconfirmed, wall })
}

async fn settle(stack: &Stack, tell: Tell<'_>) -> Result<()> {
    tell("waiting until every text is settled and every webhook has arrived");
    stack.settled(SETTLED_WITHIN).await?;
    tell("waiting until the orders have come again that killed sender nodes had taken");
    stack.orders_are_acked(SETTLED_WITHIN).await?;
    stack.settled(SETTLED_WITHIN).await
}

fn stack_options(options: &Options) -> StackOptions {
    StackOptions {
        sender_nodes: options.nodes,
        claim_deadline_s: DEADLINE_S,
        order_deadline_s: DEADLINE_S,
        behaviour: providers(options.timeout_share),
        seed: options.seed,
        env: vec![(Service::SenderNode, "MUSTER_CALL_TIMEOUT_S".to_owned(), CALL_TIMEOUT_S.to_string())],
        ..StackOptions::durable()
    }
}

/// Slow enough to answer that a killed sender node leaves calls open.
fn providers(timeout_share: f64) -> Behaviour {
    Behaviour {
        answer_ms: [40, 250],
        timeout_share,
        timeout_ms: WITHHELD_MS,
        timeout_accepted_share: 0.5,
        refused_share: 0.01,
        undelivered_share: 0.04,
        failed_share: 0.01,
        receipt_ms: [100, 1_200],
        receipt_duplicate_share: 0.05,
        receipt_reorder_share: 0.05,
        webhook_retries: 120,
        webhook_retry_ms: [100, 1_000],
        ..Behaviour::default()
    }
}
