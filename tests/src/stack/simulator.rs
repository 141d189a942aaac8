//! The provider simulator as a process, its control API, and its ledger.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use muster_provider_sim::account::{AccountOpened, AccountSpec};
use muster_provider_sim::behaviour::Behaviour;
use muster_provider_sim::control::{
    Flushed, Found, InboundSpec, LetterSpec, Posted, Quiet, ReceiptSpec, Written,
};
use muster_provider_sim::ledger::Ledger;
use muster_provider_sim::stats::Stats;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;
use uuid::Uuid;

use crate::canaries::plant_text;
use crate::process::Signal;
use crate::{Process, Ready, RunDir, Spec};

/// How to start a simulator.
#[derive(Clone, Debug)]
pub struct SimulatorOptions {
    /// Where it listens.
    pub port: u16,
    /// What chance follows from.
    pub seed: u64,
    /// How the providers behave.
    pub behaviour: Behaviour,
}

/// A running simulator.
#[derive(Debug)]
pub struct Simulator {
    /// The process.
    pub process: Process,
    port: u16,
    ledger: PathBuf,
}

impl Simulator {
    /// Starts one whose ledger is in the run's folder.
    pub async fn start(run: &Arc<RunDir>, program: &Path, options: SimulatorOptions) -> Result<Self> {
        let SimulatorOptions { port, seed, behaviour } = options;
        let ledger = run.path().join(format!("ledger-{port}.tsv"));
        let mut spec = Spec::new("provider-sim", program)
            .args(["--listen".to_owned(), format!("127.0.0.1:{port}")])
            .args(["--seed".to_owned(), seed.to_string()])
            .arg("--ledger")
            .arg(&ledger)
            .ready(Ready::Tcp(port));
        // Whoever wants the whole ledger asks for it (see `Simulator::ledger`).
        spec.on_drop = Signal::KILL;
        let simulator = Self { process: Process::start(run, spec).await?, port, ledger };
        simulator.behave(&behaviour).await?;
        Ok(simulator)
    }

    /// The base URL of every provider.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Opens an account, or changes it.
    pub async fn open_account(&self, spec: &AccountSpec) -> Result<AccountOpened> {
        self.command(Method::POST, "accounts", Some(spec)).await
    }

    /// Changes how the providers behave.
    pub async fn behave(&self, behaviour: &Behaviour) -> Result<()> {
        let _all: Behaviour = self.command(Method::PUT, "behaviour", Some(behaviour)).await?;
        Ok(())
    }

    /// What happened so far, counted.
    pub async fn stats(&self) -> Result<Stats> {
        self.command(Method::GET, "stats", None::<&()>).await
    }

    /// Waits until no webhook is pending; false where that takes too long.
    pub async fn quiet(&self, within: Duration) -> Result<bool> {
        let command = format!("quiet?timeout_ms={}", within.as_millis());
        let Quiet { quiet } = self.command(Method::GET, &command, None::<&()>).await?;
        Ok(quiet)
    }

    /// Sends a reply now.
    pub async fn inbound(&self, spec: &InboundSpec) -> Result<Posted> {
        plant_text(&spec.body);
        self.command(Method::POST, "inbound", Some(spec)).await
    }

    /// Sends a receipt now.
    pub async fn receipt(&self, spec: &ReceiptSpec) -> Result<Posted> {
        self.command(Method::POST, "receipt", Some(spec)).await
    }

    /// Writes and signs a webhook, and leaves it to the caller to post it.
    pub async fn letter(&self, spec: &LetterSpec) -> Result<Written> {
        self.command(Method::POST, "letter", Some(spec)).await
    }

    /// What it accepted for a message of ours.
    pub async fn accepted(&self, message: Uuid) -> Result<Vec<Found>> {
        self.command(Method::GET, &format!("ledger?message={message}"), None::<&()>).await
    }

    /// The file of the ledger, complete up to now.
    pub async fn ledger_path(&self) -> Result<&Path> {
        let _flushed: Flushed = self.command(Method::POST, "ledger/flush", None::<&()>).await?;
        Ok(&self.ledger)
    }

    /// The whole ledger up to now.
    pub async fn ledger(&self) -> Result<Ledger> {
        let path = self.ledger_path().await?.to_owned();
        tokio::task::spawn_blocking(move || Ledger::read(&path)).await?.context("read the ledger")
    }

    async fn command<T: DeserializeOwned>(
        &self,
        method: Method,
        command: &str,
        body: Option<&impl Serialize>,
    ) -> Result<T> {
        let body = body.map(serde_json::to_vec).transpose()?.unwrap_or_default();
        let (status, answer) = self.exchange(method, command, body.into()).await.with_context(|| {
            format!("the simulator did not answer {command}:\n{}", self.process.log_tail())
        })?;
        if !status.is_success() {
            bail!("the simulator refused {command} with {status}: {}", String::from_utf8_lossy(&answer));
        }
        serde_json::from_slice(&answer).with_context(|| format!("the simulator's answer to {command}"))
    }

    async fn exchange(
        &self,
        method: Method,
        command: &str,
        body: Bytes,
    ) -> Result<(http::StatusCode, Bytes)> {
        let stream = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], self.port))).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let request = Request::builder()
            .method(method)
            .uri(format!("/sim/{command}"))
            .header("host", format!("127.0.0.1:{}", self.port))
            .body(Full::new(body))?;
        let exchange = async {
            let (head, body) = sender.send_request(request).await?.into_parts();
            anyhow::Ok((head.status, body.collect().await?.to_bytes()))
        };
        // The connection ends with the answer; what it says after that is of no interest.
        tokio::select! {
            biased;
            exchanged = exchange => exchanged,
            ended = connection => bail!("the connection ended early: {ended:?}"),
        }
    }
}
