//! `senders-rolling`: under load every sender node is asked to end (SIGTERM), and started again when it has, one after
//! the other and all of them more than once: nothing is UNCONFIRMED, nobody is texted twice, and no number waits long.
//!
//! The next node's turn comes when the one before claims again. A number has something to send from the beginning of its
//! campaign to its last claim, so the longest time between two of its claims is how long it stood still.

mod report;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use muster_provider_sim::behaviour::Behaviour;

pub use self::report::{Report, Restart};
use super::Tell;
use super::broadcast::{Role, open, start_both};
use super::claims::{Claims, millis, percentile_ms};
use crate::lab::thousands;
use crate::stack::{Stack, StackOptions};
use crate::wait;

/// How long a node may take to end: its drain's 25 seconds and a moment.
const EXITED_WITHIN: Duration = Duration::from_secs(30);
/// How long anything else may take that is waited for. Only a failure waits this long.
const WITHIN: Duration = Duration::from_secs(120);
/// How often it is asked whether a node has claimed.
const PAUSE: Duration = Duration::from_millis(20);

/// Whether a node has claimed anything since a moment.
const CLAIMED_SINCE: &str = "SELECT count(*) FROM claim_batches WHERE node = $1 AND claim_time > $2";

/// How to tell it.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// How many texts, half of them through each provider.
    #[arg(long, default_value_t = 30_000)]
    pub texts: usize,
    /// How many sender nodes.
    #[arg(long, default_value_t = 3)]
    pub nodes: usize,
    /// How often each of them is restarted.
    #[arg(long, default_value_t = 2)]
    pub rounds: usize,
    /// How long the numbers would need for all texts if nothing were restarted, in seconds.
    #[arg(long, default_value_t = 60)]
    pub sending_s: u32,
    /// How long a number that has something to send may go without a claim, in milliseconds.
    #[arg(long, default_value_t = 2_000)]
    pub gap_ms_max: u64,
    /// What the contacts and the fates of the texts follow from.
    #[arg(long, default_value_t = 17)]
    pub seed: u64,
}

/// Tells it. An error where a node does not end or does not claim again; otherwise the report says whether all is right.
pub async fn senders_rolling(options: Options, tell: Tell<'_>) -> Result<Report> {
    let begun = Instant::now();
    tell(&format!("starting everything, with {} sender nodes", options.nodes));
    let mut stack = Stack::start(StackOptions {
        sender_nodes: options.nodes,
        behaviour: providers(),
        seed: options.seed,
        ..StackOptions::durable()
    })
    .await?;
    tell(&format!("importing {} contacts", thousands(options.texts)));
    let both = start_both(&stack, Role::both(options.texts, options.seed, options.sending_s)).await?;
    for place in 0..options.nodes {
        claims_since(&stack, place, Timestamp::UNIX_EPOCH).await?;
    }
    tell("both campaigns are under way, and all nodes work");
    let (from, mut restarts) = (Timestamp::now(), Vec::new());
    for place in (0..options.rounds).flat_map(|_| 0..options.nodes) {
        let left = open(&both).await?;
        ensure!(left > 0, "all texts were sent before the last restart: give sending more time");
        let restart = restart(&mut stack, place, left).await?;
        tell(&format!(
            "{} ended in {} ms, claims again {} ms after the signal; {} texts were still to be sent",
            restart.node,
            thousands(restart.exit_ms),
            thousands(restart.claims_ms),
            thousands(left)
        ));
        restarts.push(restart);
    }
    tell("waiting until every text is settled");
    stack.settled(WITHIN + Duration::from_secs(options.sending_s.into())).await?;
    stack.orders_are_acked(WITHIN).await?;
    tell("checking against the simulator's ledger");
    let verdict = stack.judge().await?;
    let gaps = Claims::read(&stack).await?.gaps(from);
    stack.stop().await?;
    let (gap_p50_ms, gap_ms) = (percentile_ms(&gaps, 50), percentile_ms(&gaps, 100));
    Ok(Report { options, restarts, gap_p50_ms, gap_ms, verdict, wall: begun.elapsed() })
}

/// Slow enough to answer that calls are open whenever a node is asked to end.
fn providers() -> Behaviour {
    Behaviour { answer_ms: [40, 250], receipt_ms: [100, 1_200], ..Behaviour::default() }
}

async fn restart(stack: &mut Stack, place: usize, open: u64) -> Result<Restart> {
    let node = stack.sender_nodes.get_mut(place).context("there is no such sender node")?;
    let (name, at) = (node.name().to_owned(), Instant::now());
    let status = node.terminate(EXITED_WITHIN).await?;
    let exited = at.elapsed();
    let back = Timestamp::now();
    node.start_again().await?;
    claims_since(stack, place, back).await?;
    let (exit_ms, claims_ms) = (millis(exited), millis(at.elapsed()));
    Ok(Restart { node: name, open, exit_ms, claims_ms, in_order: status.success() })
}

/// Waits until a node has claimed something after a moment.
async fn claims_since(stack: &Stack, place: usize, since: Timestamp) -> Result<()> {
    let (name, database) = (stack.sender_nodes[place].name(), stack.sql().await?);
    let claimed = async || {
        let row = database.query_one(CLAIMED_SINCE, &[&name, &since]).await?;
        Ok((row.get::<_, i64>(0) > 0).then_some(()))
    };
    wait::until_every(PAUSE, &format!("{name} to claim"), WITHIN, claimed).await
}
