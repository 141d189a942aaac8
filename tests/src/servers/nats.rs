//! nats-server with JetStream on file, in the run's folder.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use async_nats::ConnectOptions;

use crate::devtools::{self, Found};
use crate::process::{Process, Ready, Spec, Usage};
use crate::run_dir::{RunDir, free_port};
use crate::tls::Pair;

const START_WITHIN: Duration = Duration::from_secs(60);
const STOP_WITHIN: Duration = Duration::from_secs(30);

/// How to run it.
#[derive(Clone, Debug, Default)]
pub struct NatsOptions {
    /// The port for clients; a free one if not said.
    pub port: Option<u16>,
    /// The port of the monitoring pages; a free one if not said.
    pub monitor_port: Option<u16>,
    /// Whether every write is synced to disk before its ack, as production wants it for events.
    pub sync_always: bool,
    /// The certificate that it shows, and its authority: then it takes clients over TLS only.
    pub tls: Option<(Pair, PathBuf)>,
    /// More lines for the configuration file.
    pub extra: String,
    /// The program to use; found or fetched if not said.
    pub program: Option<Found>,
}

/// A running nats-server.
#[derive(Debug)]
pub struct NatsServer {
    process: Process,
    port: u16,
    monitor_port: u16,
    version: String,
    /// The authority of its certificate, where it has one.
    ca: Option<PathBuf>,
}

impl NatsServer {
    /// Starts it in the run's folder; JetStream is up and its streams are recovered when this returns.
    pub async fn start(run: &Arc<RunDir>, options: NatsOptions) -> Result<Self> {
        let found = match options.program.clone() {
            Some(found) => found,
            None => tokio::task::spawn_blocking(devtools::nats_server).await??,
        };
        let port = options.port.map_or_else(free_port, Ok)?;
        let monitor_port = options.monitor_port.map_or_else(free_port, Ok)?;
        let name = format!("nats-{port}");
        let config = run.path().join(format!("{name}.conf"));
        let store = run.path().join(format!("{name}-data"));
        std::fs::write(&config, configuration(port, monitor_port, &store.display().to_string(), &options))?;
        let spec = Spec::new(name, &found.path)
            .arg("--config")
            .arg(&config)
            .ready(Ready::Http(monitor_port, "/healthz".into()))
            .ready_within(START_WITHIN);
        let process = Process::start(run, spec).await?;
        let ca = options.tls.map(|(_, ca)| ca);
        Ok(Self { process, port, monitor_port, version: found.version, ca })
    }

    /// Where a client connects to.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.ca.is_some() { "tls" } else { "nats" };
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    /// The authority of its certificate, where it takes clients over TLS.
    #[must_use]
    pub fn ca(&self) -> Option<&Path> {
        self.ca.as_deref()
    }

    /// A connection of a client.
    pub async fn connect(&self) -> Result<async_nats::Client> {
        let trusting = |options: ConnectOptions, ca: &PathBuf| options.add_root_certificates(ca.clone());
        let options = self.ca.iter().fold(ConnectOptions::new(), trusting);
        Box::pin(options.connect(self.url())).await.context("cannot connect to nats-server")
    }

    /// The address of the monitoring pages.
    #[must_use]
    pub fn monitor_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.monitor_port)
    }

    /// The port for clients, the same after a restart.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What the program calls itself, for instance `2.15.1`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// kill -9. When this returns it is gone.
    pub async fn kill9(&mut self) -> Result<()> {
        self.process.kill9().await
    }

    /// Starts it with the same ports and data: after a kill, or after ending it in order.
    pub async fn restart(&mut self) -> Result<()> {
        if self.process.is_running() {
            self.process.terminate(STOP_WITHIN).await?;
        }
        self.process.start_again().await
    }

    /// Its process id; an error when it does not run.
    pub fn pid(&self) -> Result<u32> {
        self.process.pid()
    }

    /// The ids of all its processes (it is one).
    #[must_use]
    pub fn pids(&self) -> Vec<u32> {
        self.process.pids()
    }

    /// CPU and memory, over its restarts.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.process.usage()
    }

    /// The process itself: pause, resume, log.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }
}

fn configuration(port: u16, monitor_port: u16, store: &str, options: &NatsOptions) -> String {
    let sync = if options.sync_always { "always" } else { "2m" };
    let tls = options.tls.as_ref().map(|(Pair { certificate, key }, _)| {
        format!("tls {{ cert_file: {certificate:?}, key_file: {key:?} }}")
    });
    format!(
        "listen: \"127.0.0.1:{port}\"\n\
         http: \"127.0.0.1:{monitor_port}\"\n\
         server_name: \"muster-{port}\"\n\
         jetstream {{ store_dir: {store:?}, max_memory_store: 1GB, max_file_store: 50GB, sync_interval: {sync} }}\n\
         {}\n{}\n",
        tls.unwrap_or_default(),
        options.extra
    )
}
