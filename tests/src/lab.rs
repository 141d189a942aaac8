//! The lab: what people run over the whole platform, each with one command (the aliases are in
//! `.cargo/config.toml`).
//!
//! Words for people go to stdout and progress to stderr; with `--json` the last line of stdout is one object for
//! programs.

mod bench;
mod demo;
mod dev;
mod number;
mod progress;
mod story;
mod table;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

use crate::bench::webhooks;

pub use self::number::thousands;
pub use self::progress::Progress;
pub use self::table::Table;

/// Muster's lab.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Sends two campaigns over a messy contact file, end to end, and checks every text against the ledger.
    Demo(demo::Options),
    /// Runs the whole platform, empty, on fixed ports until Ctrl-C.
    Dev(dev::Options),
    /// Measures what a text costs: one large campaign on durable servers, checked against the ledger.
    BenchCampaign(bench::Options),
    /// Measures what a webhook costs the gateway, beside a bare handler that reads and answers.
    BenchWebhooks(bench::OfWebhooks),
    /// That bare handler, as a process of its own.
    #[command(hide = true)]
    BareHandler {
        /// The port on loopback that it listens on.
        port: u16,
    },
    /// Tells one long story of the whole platform; without a name, lists them.
    Story(story::Options),
}

/// Whether what was run came out as it must.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It did.
    Right,
    /// It ran to its end, and found something wrong.
    Wrong,
}

/// Runs the command of this process's arguments.
pub fn main() -> ExitCode {
    let Arguments { command } = Arguments::parse_from(arguments());
    match run(command) {
        Ok(Outcome::Right) => ExitCode::SUCCESS,
        Ok(Outcome::Wrong) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// This process's arguments. `cargo demo -- --json` hands on the `--` too, because the alias already has one of its
/// own; it says nothing here.
fn arguments() -> impl Iterator<Item = OsString> {
    let mut dashes = 0;
    std::env::args_os().filter(move |argument| {
        dashes += usize::from(argument == "--");
        argument != "--" || dashes > 1
    })
}

fn run(command: Command) -> Result<Outcome> {
    if let Command::BareHandler { port } = command {
        // On one thread, as a gateway is.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(webhooks::bare_handler(port))?;
        return Ok(Outcome::Right);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let outcome = runtime.block_on(async {
        match command {
            Command::Demo(options) => Box::pin(demo::run(options)).await,
            Command::Dev(options) => Box::pin(dev::run(options)).await,
            Command::BenchCampaign(options) => Box::pin(bench::run(options)).await,
            Command::BenchWebhooks(options) => Box::pin(bench::run_of_webhooks(options)).await,
            // Has a runtime of its own.
            Command::BareHandler { .. } => Ok(Outcome::Right),
            Command::Story(options) => Box::pin(story::run(options)).await,
        }
    });
    // Without this, a build that somebody has stopped waiting for would be waited for all the same.
    runtime.shutdown_background();
    outcome
}

/// Does the work, unless somebody asks this process to end first: that is an error, and so everything that was
/// started ends as well.
async fn unless_stopped<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::select! {
        done = work => done,
        stopped = stop_requested() => {
            stopped?;
            bail!("stopped by a signal")
        }
    }
}

/// Returns when somebody asks this process to end.
async fn stop_requested() -> Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
