//! The real servers beside us: PostgreSQL and nats-server, started with no set-up, gone when we are.
//!
//! Each is a [`Process`](crate::Process) with its own verbs on top. A story that breaks them starts its own; all
//! other tests of one binary share [`shared`], which cannot be broken: there is no exclusive access to it.

mod nats;
mod postgres;

use std::sync::Arc;

use anyhow::Result;
use tokio::sync::OnceCell;

pub use self::nats::{NatsOptions, NatsServer};
pub use self::postgres::{MAINTENANCE_DATABASE, Postgres, PostgresOptions, SUPERUSER};
use crate::run_dir::RunDir;

/// One PostgreSQL and one nats-server.
#[derive(Debug)]
pub struct Shared {
    /// Fast, not durable.
    pub postgres: Postgres,
    /// JetStream on file; every user has a prefix of its own for streams and subjects.
    pub nats: NatsServer,
    /// Where they live.
    pub run: Arc<RunDir>,
}

/// The pair of servers that all tests of this binary share; started by the first that asks.
pub async fn shared() -> Result<&'static Shared> {
    static SHARED: OnceCell<Shared> = OnceCell::const_new();
    SHARED.get_or_try_init(start).await
}

async fn start() -> Result<Shared> {
    let run = RunDir::create()?;
    let (postgres, nats) = tokio::try_join!(
        Postgres::start(&run, PostgresOptions::default()),
        NatsServer::start(&run, NatsOptions::default())
    )?;
    Ok(Shared { postgres, nats, run })
}
