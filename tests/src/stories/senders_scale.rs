//! `senders-scale`: providers take 200 ms to answer, numbers are ample, and a node may have so many calls open and no
//! more: then throughput grows with the number of nodes, until the processor is full.
//!
//! Every number of nodes has a platform of its own. Throughput and use are measured in the middle of the campaign, by
//! the texts that the simulator accepts there, when all nodes have work.

mod machine;
mod report;

use std::time::{Duration, Instant};

use anyhow::Result;
use muster_proto::v1::Provider;
use muster_provider_sim::behaviour::Behaviour;

use self::machine::Machine;
pub use self::report::{Report, Run};
use super::Tell;
use super::broadcast::{Broadcast, NUMBERS};
use crate::contacts::sending_numbers;
use crate::lab::thousands;
use crate::stack::{OrganizationOptions, Service, Stack, StackOptions};
use crate::wait;

/// How long the providers take to answer.
const ANSWER_MS: u64 = 200;
/// Numbers for each area code: so many that every node has about as many of them.
const NUMBERS_PER_PLACE: usize = 10;
/// The part of the texts that is measured, in hundredths: from when all nodes are up to speed until the first one has
/// nothing left.
const MEASURED: [u64; 2] = [20, 70];
/// How often it is asked how far sending is.
const PAUSE: Duration = Duration::from_millis(10);
/// How long a run may take beyond what it takes ideally, and how many times as long. Only a failure waits this long.
const WITHIN: Duration = Duration::from_secs(120);
const PATIENCE: u32 = 10;

/// How to tell it.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// How many sender nodes, one run after the other.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2, 4])]
    pub nodes: Vec<usize>,
    /// How many calls a node may have open at once.
    #[arg(long, default_value_t = 64)]
    pub calls_max: usize,
    /// How long a run takes ideally, in seconds.
    #[arg(long, default_value_t = 30)]
    pub sending_s: u32,
    /// What the contacts follow from.
    #[arg(long, default_value_t = 19)]
    pub seed: u64,
}

impl Options {
    /// Texts a second that so many nodes send if nothing but the providers takes time.
    fn ideal_per_s(&self, nodes: usize) -> u64 {
        (nodes * self.calls_max) as u64 * 1_000 / ANSWER_MS
    }
}

/// Tells it. An error where a run does not end; otherwise the report says whether all is right.
pub async fn senders_scale(options: Options, tell: Tell<'_>) -> Result<Report> {
    let (begun, mut runs) = (Instant::now(), Vec::new());
    for nodes in options.nodes.clone() {
        let run = Box::pin(run(&options, nodes, tell)).await?;
        tell(&format!("{nodes} sender nodes: {:.0} texts a second", run.texts_per_s));
        runs.push(run);
    }
    Ok(Report { options, runs, wall: begun.elapsed() })
}

async fn run(options: &Options, nodes: usize, tell: Tell<'_>) -> Result<Run> {
    let ideal_per_s = options.ideal_per_s(nodes);
    let texts = ideal_per_s * u64::from(options.sending_s.max(1));
    tell(&format!("starting everything, with {nodes} sender nodes, for {} texts", thousands(texts)));
    let stack = Stack::start(stack_options(options, nodes)).await?;
    let numbers = sending_numbers(NUMBERS * NUMBERS_PER_PLACE);
    let organization = OrganizationOptions { numbers, ..OrganizationOptions::of(Provider::Twilio) };
    let broadcast = Broadcast::of(&stack, organization, usize::try_from(texts)?, options.seed).await?;
    broadcast.start().await?;
    let within = WITHIN + PATIENCE * Duration::from_secs(options.sending_s.into());
    let [from, until] = MEASURED.map(|percent| texts * percent / 100);
    let from = at(&stack, from, within).await?;
    let until = at(&stack, until, within).await?;
    stack.settled(within).await?;
    let verdict = stack.judge().await?;
    stack.stop().await?;
    Ok(Run::between(&from, &until, nodes, ideal_per_s, verdict))
}

fn stack_options(options: &Options, nodes: usize) -> StackOptions {
    let calls_max = (Service::SenderNode, "MUSTER_CALLS_MAX".to_owned(), options.calls_max.to_string());
    StackOptions {
        sender_nodes: nodes,
        behaviour: Behaviour { answer_ms: [ANSWER_MS; 2], webhooks_in_flight: 256, ..Behaviour::default() },
        seed: options.seed,
        log_filter: "warn".to_owned(),
        env: vec![calls_max],
        ..StackOptions::durable()
    }
}

/// How far everything is at one moment.
struct Moment {
    at: Instant,
    accepted: u64,
    nodes_cpu_s: f64,
    all_cpu_s: f64,
    machine: Machine,
}

/// The moment when so many texts have been accepted.
async fn at(stack: &Stack, count: u64, within: Duration) -> Result<Moment> {
    let reached = async || {
        let accepted = stack.simulator.stats().await?.accepted;
        Ok((accepted >= count).then_some((Instant::now(), accepted)))
    };
    let what = format!("{count} texts to be accepted");
    let (at, accepted) = wait::until_every(PAUSE, &what, within, reached).await?;
    let usage = stack.usage();
    let nodes = usage.iter().filter(|(part, _)| *part == "sender-nodes").map(|(_, usage)| usage.cpu_s).sum();
    let all = usage.iter().map(|(_, usage)| usage.cpu_s).sum();
    Ok(Moment { at, accepted, nodes_cpu_s: nodes, all_cpu_s: all, machine: Machine::read()? })
}
