//! The servers under a stack: shared or its own, in plaintext or over TLS.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Result, bail};

use super::{Ports, Servers, StackOptions};
use crate::tls::{Authority, LOOPBACK, PostgresFront};
use crate::{NatsOptions, NatsServer, Postgres, PostgresOptions, RunDir, Shared, shared};

/// The servers under a stack.
#[derive(Debug)]
pub(super) struct Ground {
    servers: Standing,
    /// The way to PostgreSQL over TLS, with the authority of the certificate that it shows.
    front: Option<(PostgresFront, PathBuf)>,
}

#[derive(Debug)]
enum Standing {
    Shared(&'static Shared),
    Own(Box<(Postgres, NatsServer)>),
}

impl Ground {
    /// Starts the stack's own servers, or the shared ones unless they run.
    pub(super) async fn start(
        run: &Arc<RunDir>,
        options: &StackOptions,
        authority: &Authority,
    ) -> Result<Self> {
        let servers = match options.servers {
            Servers::Shared => Standing::Shared(shared().await?),
            Servers::Own => Standing::Own(Box::new(own(run, options, authority).await?)),
        };
        let mut ground = Self { servers, front: None };
        if options.tls {
            let pair = authority.issue("postgres", &LOOPBACK)?;
            let front = PostgresFront::start(ground.postgres().port(), &pair).await?;
            ground.front = Some((front, authority.bundle()));
        }
        Ok(ground)
    }

    /// The servers that are the stack's own.
    pub(super) fn own(&self) -> Option<&(Postgres, NatsServer)> {
        match &self.servers {
            Standing::Own(own) => Some(own),
            Standing::Shared(_) => None,
        }
    }

    /// The same, to be broken: an error where others share them.
    pub(super) fn own_mut(&mut self) -> Result<&mut (Postgres, NatsServer)> {
        match &mut self.servers {
            Standing::Own(own) => Ok(own),
            Standing::Shared(_) => bail!("others share these servers: start a stack with its own"),
        }
    }

    pub(super) fn postgres(&self) -> &Postgres {
        match &self.servers {
            Standing::Shared(shared) => &shared.postgres,
            Standing::Own(own) => &own.0,
        }
    }

    pub(super) fn nats(&self) -> &NatsServer {
        match &self.servers {
            Standing::Shared(shared) => &shared.nats,
            Standing::Own(own) => &own.1,
        }
    }

    /// Where our own processes reach a database.
    pub(super) fn database_url(&self, database: &str, role: &str) -> String {
        match &self.front {
            None => self.postgres().url(database, role),
            Some((front, _)) => format!("postgres://{role}@127.0.0.1:{}/{database}", front.port()),
        }
    }

    /// What they must know of TLS to reach it.
    pub(super) fn database_tls(&self) -> Option<(String, OsString)> {
        self.front.as_ref().map(|(_, ca)| ("MUSTER_DATABASE__TLS__CA".to_owned(), ca.into()))
    }

    /// What they must know of TLS to reach NATS.
    pub(super) fn nats_tls(&self) -> Option<(String, OsString)> {
        self.nats().ca().map(|ca| ("MUSTER_NATS__TLS__CA".to_owned(), ca.into()))
    }
}

async fn own(
    run: &Arc<RunDir>,
    options: &StackOptions,
    authority: &Authority,
) -> Result<(Postgres, NatsServer)> {
    let Ports { postgres: port, nats, nats_monitor: monitor_port, .. } = options.ports;
    let settings = options.postgres_settings.clone();
    let postgres = PostgresOptions { durable: true, port, settings, ..PostgresOptions::default() };
    let tls =
        if options.tls { Some((authority.issue("nats", &LOOPBACK)?, authority.bundle())) } else { None };
    let nats = NatsOptions { port: nats, monitor_port, tls, ..NatsOptions::default() };
    tokio::try_join!(Postgres::start(run, postgres), NatsServer::start(run, nats))
}
