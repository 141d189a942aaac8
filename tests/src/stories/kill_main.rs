//! `kill-main`: in the middle of two broadcast campaigns every process of the platform is killed with -9 and
//! started again, one after the other, and every text is accounted for.
//!
//! One organization sends through Twilio, the other through Telnyx, on servers of their own. The next process is
//! killed only when sending and receipts have gone on after the one before. A watcher on each organization's
//! event stream must have seen every message's last status, over all reconnections. In the end, when even the
//! orders have come again that a killed sender node had taken, the ledger judges; and every message that stayed
//! UNCONFIRMED must be one whose sender node, or whose claim's answer, was killed.

mod kills;
mod report;
mod side;
mod unconfirmed;

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use muster_provider_sim::behaviour::Behaviour;

use self::kills::Killer;
pub use self::kills::{Kill, Target};
pub use self::report::Report;
use self::side::Side;
use self::unconfirmed::Unconfirmed;
use super::Tell;
use super::broadcast::Role;
use crate::lab::thousands;
use crate::stack::{Service, Stack, StackOptions};

/// How long a claim may stay without an outcome, and an order unclaimed: short, so that the story ends soon. A call
/// takes a fraction of it.
const DEADLINE_S: u64 = 8;
/// How long a provider may take to answer: less than the deadline of a claim.
const CALL_TIMEOUT_S: u64 = 4;
/// How long everything may take to be settled after the last kill.
const SETTLED_WITHIN: Duration = Duration::from_secs(120);
/// How long orders may take to come again that a killed sender node had taken: JetStream waits 8 seconds for it, and
/// they wait for their turn. Only a failure waits this long.
const ORDERED_AGAIN_WITHIN: Duration = Duration::from_secs(60);

/// How to tell it.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// How many texts, half of them through each provider.
    #[arg(long, default_value_t = 20_000)]
    pub texts: usize,
    /// How often each process is killed: first in a fixed order, then in one that follows from the seed, with
    /// outages of up to two seconds.
    #[arg(long, default_value_t = 2)]
    pub rounds: usize,
    /// How long the numbers would need for all texts if nothing broke, in seconds.
    #[arg(long, default_value_t = 30)]
    pub sending_s: u32,
    /// What the contacts, the fates of the texts and the moments of the kills follow from.
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// Do not wait, for some seconds, until the orders that a killed sender node had taken have come again.
    #[arg(long)]
    pub quick: bool,
}

/// Tells it. An error where sending never went on; otherwise the report says whether all is right.
pub async fn kill_main(options: Options, tell: Tell<'_>) -> Result<Report> {
    let begun = Instant::now();
    tell("starting PostgreSQL, NATS, control-plane, two sender nodes, gateway and simulator");
    let mut stack = Stack::start(stack_options(options.seed)).await?;
    tell(&format!("importing {} contacts", thousands(options.texts)));
    let sides = sides(&stack, &options).await?;
    for side in &sides {
        side.broadcast.start().await?;
    }
    tell("both campaigns are under way");
    let kills = Killer::new(&options, begun, tell).all(&mut stack).await?;
    // The ledger judges what never settles, too: it says more than that.
    let unsettled = settle(&stack, &options, tell).await.err().map(|error| format!("{error:#}"));
    let fallen = stack.fallen();
    ensure!(fallen.is_none(), "ended by itself: {}", fallen.unwrap_or_default());
    tell("waiting until the watchers have seen all of it");
    let (mut unseen, mut reconnections, mut unconfirmed) = (0, 0, Unconfirmed::default());
    for side in &sides {
        let messages = side.broadcast.messages().await?;
        unseen += side.unseen(&messages).await?;
        reconnections += side.reconnections();
        unconfirmed.explain(side, &messages, &kills).await?;
    }
    tell("checking against the simulator's ledger");
    let verdict = stack.judge_allowing(unconfirmed.explained.values().sum()).await?;
    let stats = stack.simulator.stats().await?;
    stack.stop().await?;
    let wall = begun.elapsed();
    Ok(Report { options, kills, unsettled, verdict, stats, unconfirmed, unseen, reconnections, wall })
}

async fn settle(stack: &Stack, options: &Options, tell: Tell<'_>) -> Result<()> {
    tell("waiting until every text is settled and every webhook has arrived");
    stack.settled(SETTLED_WITHIN).await?;
    if !options.quick {
        tell("waiting until the orders have come again that killed sender nodes had taken");
        stack.orders_are_acked(ORDERED_AGAIN_WITHIN).await?;
        stack.settled(SETTLED_WITHIN).await?;
    }
    Ok(())
}

fn stack_options(seed: u64) -> StackOptions {
    StackOptions {
        claim_deadline_s: DEADLINE_S,
        order_deadline_s: DEADLINE_S,
        behaviour: providers(),
        seed,
        env: vec![(Service::SenderNode, "MUSTER_CALL_TIMEOUT_S".to_owned(), CALL_TIMEOUT_S.to_string())],
        ..StackOptions::durable()
    }
}

/// Providers as they are: slow enough to answer that a killed sender node leaves calls open, and patient enough with
/// webhooks that no outage of this story outlasts them.
fn providers() -> Behaviour {
    Behaviour {
        answer_ms: [40, 250],
        refused_share: 0.01,
        undelivered_share: 0.04,
        failed_share: 0.01,
        receipt_ms: [100, 1_200],
        receipt_duplicate_share: 0.05,
        receipt_reorder_share: 0.05,
        reply_share: 0.03,
        reply_ms: [200, 2_000],
        stop_share: 0.2,
        webhook_retries: 120,
        webhook_retry_ms: [100, 1_000],
        webhook_timeout_ms: 5_000,
        ..Behaviour::default()
    }
}

async fn sides(stack: &Stack, options: &Options) -> Result<[Side; 2]> {
    let [twilio, telnyx] = Role::both(options.texts, options.seed, options.sending_s);
    let (twilio, telnyx) = (Side::gather(stack, twilio), Side::gather(stack, telnyx));
    let (twilio, telnyx) = tokio::try_join!(twilio, telnyx)?;
    Ok([twilio, telnyx])
}
