//! `cargo bench-campaign`: what a text costs, beside what its parts would cost bare.

use anyhow::Result;
use clap::Args;

use super::{Outcome, unless_stopped};
use crate::bench::{self, BenchOptions};

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
