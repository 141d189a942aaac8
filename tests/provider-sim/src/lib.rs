//! A simulator of SMS providers: the ground truth of every test.
//!
//! It speaks the dialects of all providers that Muster sends through, refuses what they refuse, with their
//! codes, sends signed receipts and replies, misbehaves on request, and keeps a [`ledger`] of every text that
//! it accepted. It shares no code with the adapters under test except the keyed hash itself, and never asks
//! Muster anything: what it knows, it knows from its own side of the wire.
//!
//! Tests start the binary, or [`start`] it in their own process, and steer it through `/sim/` (see
//! [`control`]).

pub mod account;
pub mod behaviour;
mod chance;
mod clock;
pub mod control;
mod dialect;
mod id;
pub mod ledger;
mod message;
mod plan;
mod post;
mod schedule;
mod send;
mod server;
mod sim;
pub mod stats;
mod target;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

pub use server::media::PICTURE;
pub use target::Unusable;

use account::AccountSpec;
use sim::Sim;

/// How long lines of the ledger are gathered before they are written together.
const FLUSH_EVERY: Duration = Duration::from_millis(5);

/// How to start a simulator.
#[derive(Clone, Debug)]
pub struct Options {
    /// The address to listen on; port 0 for any.
    pub listen: SocketAddr,
    /// The file of the ledger; appended to where there is one.
    pub ledger: PathBuf,
    /// What chance follows from.
    pub seed: u64,
    /// Accounts to open.
    pub accounts: Vec<AccountSpec>,
}

/// A simulator that runs until it is stopped or dropped.
pub struct Running {
    url: String,
    sim: Arc<Sim>,
    tasks: JoinSet<()>,
}

/// Starts a simulator on the current runtime.
///
/// # Errors
/// Where it cannot listen, open its ledger or open an account.
pub async fn start(options: Options) -> anyhow::Result<Running> {
    let ledger = &options.ledger;
    let sim = Sim::open(options.seed, ledger).with_context(|| format!("open {}", ledger.display()))?;
    let sim = Arc::new(sim);
    for spec in &options.accounts {
        sim.accounts.open(spec).with_context(|| format!("open account {:?}", spec.account_sid))?;
    }
    let listener =
        TcpListener::bind(options.listen).await.with_context(|| format!("listen on {}", options.listen))?;
    let url = format!("http://{}", listener.local_addr()?);
    sim.listens_at(&url);
    let mut tasks = JoinSet::new();
    tasks.spawn(server::run(Arc::clone(&sim), listener));
    tasks.spawn(schedule::run(Arc::clone(&sim)));
    tasks.spawn(keep_flushing(Arc::clone(&sim)));
    Ok(Running { url, sim, tasks })
}

impl Running {
    /// Its base URL, such as `http://127.0.0.1:4010`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Stops it, with the ledger complete on disk.
    ///
    /// # Errors
    /// Where the ledger cannot be written.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.tasks.shutdown().await;
        self.sim.outbox.stop();
        self.sim.book.flush().context("write the ledger")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.sim.outbox.stop();
    }
}

async fn keep_flushing(sim: Arc<Sim>) {
    loop {
        tokio::time::sleep(FLUSH_EVERY).await;
        if let Err(error) = sim.book.flush() {
            // A ledger with holes is worse than none: nothing that follows could be trusted.
            eprintln!("cannot write the ledger {}: {error}", sim.book.path().display());
            std::process::abort();
        }
    }
}

/// Locks. A poisoned lock only says that another task panicked; the counts and queues here stay whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
