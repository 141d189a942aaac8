//! Runs the provider simulator until SIGTERM or SIGINT.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Parser;
use muster_provider_sim::account::AccountSpec;
use muster_provider_sim::{Options, start};
use tokio::signal::unix::{SignalKind, signal};

/// A simulator of SMS providers, with a ledger of every text that it accepted.
#[derive(Parser)]
struct Arguments {
    /// The address to listen on; port 0 for any.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The file of the ledger; appended to where there is one.
    #[arg(long)]
    ledger: PathBuf,
    /// What chance follows from: the same seed and texts have the same fates.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A JSON file with a list of accounts to open, as `POST /sim/accounts` has them.
    #[arg(long)]
    accounts: Option<PathBuf>,
    /// Threads to run on.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..))]
    threads: u8,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    // One thread without a scheduler between threads is the cheapest way to serve, by far.
    let mut builder = match arguments.threads {
        1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    if arguments.threads > 1 {
        builder.worker_threads(arguments.threads.into());
    }
    builder.enable_all().build().context("start the runtime")?.block_on(run(arguments))
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let Arguments { listen, ledger, seed, accounts, threads: _ } = arguments;
    let accounts = accounts.as_deref().map(read_accounts).transpose()?.unwrap_or_default();
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    let running = start(Options { listen, ledger, seed, accounts }).await?;
    println!("{}", serde_json::json!({"listening": running.url()}));
    tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
    running.stop().await
}

fn read_accounts(path: &Path) -> anyhow::Result<Vec<AccountSpec>> {
    let text = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("read the accounts in {}", path.display()))
}
