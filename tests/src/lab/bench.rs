//! `cargo bench-campaign`: what a text costs, beside what its parts would cost bare. `cargo bench-webhooks`: what a
//! webhook costs, beside a bare handler.

use anyhow::{Context as _, Result};
use clap::Args;
use muster_proto::v1::Provider;

use super::{Outcome, unless_stopped};
use crate::bench::webhooks::{self, WebhooksOptions};
use crate::bench::{self, BenchOptions};
use crate::binaries::binaries;

/// How much more CPU than a bare handler the gateway may take.
const RATIO_MAX: f64 = 2.0;

/// What to measure.
#[derive(Args)]
pub(super) struct Options {
    /// How many texts.
    #[arg(long, default_value_t = 200_000)]
    texts: usize,
    /// How many sender nodes.
    #[arg(long, default_value_t = 2)]
    sender_nodes: usize,
    /// Leave out the floors: what the parts would cost bare.
    #[arg(long)]
    no_floors: bool,
    /// End with one object for programs on the last line of stdout.
    #[arg(long)]
    json: bool,
}

/// Runs the benchmark. Right, only where every text is accounted for.
pub(super) async fn run(options: Options) -> Result<Outcome> {
    let Options { texts, sender_nodes, no_floors, json } = options;
    let options = BenchOptions { texts, sender_nodes, floors: !no_floors, progress: true };
    let bench = unless_stopped(Box::pin(bench::run(options))).await?;
    bench::print(&bench, json);
    Ok(if bench.ok() { Outcome::Right } else { Outcome::Wrong })
}

/// What to measure of webhooks.
#[derive(Args)]
pub(super) struct OfWebhooks {
    /// How many webhooks of each round to each of the two.
    #[arg(long, default_value_t = 100_000)]
    webhooks: usize,
    /// How many rounds.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Whose webhooks, by the provider's name in lower case.
    #[arg(long, default_value = "twilio")]
    provider: String,
    /// End with one object for programs on the last line of stdout.
    #[arg(long)]
    json: bool,
}

/// Runs that benchmark. Right, only where the gateway takes no more than it may.
pub(super) async fn run_of_webhooks(options: OfWebhooks) -> Result<Outcome> {
    let OfWebhooks { webhooks, rounds, provider, json } = options;
    let provider = Provider::from_str_name(&format!("PROVIDER_{}", provider.to_uppercase()))
        .context("no provider is called that")?;
    unless_stopped(binaries()).await?;
    let options = WebhooksOptions { webhooks, rounds, provider };
    let measured = unless_stopped(Box::pin(webhooks::run(options))).await?;
    print!("{}", measured.to_text());
    if json {
        println!("{}", measured.to_json());
    }
    Ok(if measured.ratio() <= RATIO_MAX { Outcome::Right } else { Outcome::Wrong })
}
