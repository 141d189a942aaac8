//! What it costs to take a webhook: the gateway beside a bare handler that reads the body and answers, each a process of
//! its own with one thread, under the same load over as many connections, by turns in one run.
//!
//! The gateway's cost is its own: JetStream, which acks every frame, and the projection are processes of their own, and
//! are not counted. What is posted is genuine, and about texts that there are not: so each receipt is believed, published
//! and kept, and nothing else happens.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use muster_proto::v1::Provider;
use muster_provider_sim::control::{LetterSpec, ReceiptSpec};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use uuid::Uuid;

use super::floors::{exchange_all, on_own_thread, serve};
use crate::run_dir::free_port;
use crate::stack::OrganizationOptions;
use crate::{Process, Ready, Spec, Stack, StackOptions};

/// Webhooks that are written; they are posted again and again.
const LETTERS: usize = 1_000;
/// How long the projection may take to catch up, so that it does not run into the next round.
const PROJECTED_WITHIN: Duration = Duration::from_secs(300);

/// What to measure.
#[derive(Clone, Copy, Debug)]
pub struct WebhooksOptions {
    /// Webhooks of each round to each of the two.
    pub webhooks: usize,
    /// Rounds.
    pub rounds: usize,
    /// Whose webhooks.
    pub provider: Provider,
}

/// What one round, or all of them, came to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// Webhooks taken.
    pub webhooks: usize,
    /// How long that took.
    pub wall: Duration,
    /// CPU time of the process that took them, in seconds.
    pub cpu_s: f64,
}

impl Cost {
    /// Webhooks a second.
    #[expect(clippy::cast_precision_loss, reason = "counts of a benchmark are far below 2^52")]
    pub fn per_s(&self) -> f64 {
        self.webhooks as f64 / self.wall.as_secs_f64()
    }

    /// CPU-seconds of a million webhooks.
    #[expect(clippy::cast_precision_loss, reason = "counts of a benchmark are far below 2^52")]
    pub fn cpu_s_per_million(&self) -> f64 {
        self.cpu_s * 1e6 / self.webhooks as f64
    }

    fn plus(self, other: Self) -> Self {
        Self {
            webhooks: self.webhooks + other.webhooks,
            wall: self.wall + other.wall,
            cpu_s: self.cpu_s + other.cpu_s,
        }
    }
}

/// What was measured, round by round.
#[derive(Clone, Debug, Default)]
pub struct Webhooks {
    /// The gateway.
    pub gateway: Vec<Cost>,
    /// The bare handler.
    pub bare: Vec<Cost>,
}

impl Webhooks {
    fn total(rounds: &[Cost]) -> Cost {
        rounds.iter().copied().reduce(Cost::plus).unwrap_or_default()
    }

    /// How much more CPU the gateway takes, over all rounds.
    pub fn ratio(&self) -> f64 {
        Self::total(&self.gateway).cpu_s / Self::total(&self.bare).cpu_s
    }

    /// One object for programs.
    pub fn to_json(&self) -> Value {
        let cost = |rounds: &[Cost]| {
            let total = Self::total(rounds);
            let each: Vec<_> = rounds.iter().map(|round| round.cpu_s_per_million()).collect();
            json!({"webhooks": total.webhooks, "per_s": total.per_s(), "cpu_s_per_million": total.cpu_s_per_million(),
                   "rounds": each})
        };
        json!({"gateway": cost(&self.gateway), "bare": cost(&self.bare), "ratio": self.ratio()})
    }

    /// A table for people.
    pub fn to_text(&self) -> String {
        let line = |name: &str, cost: Cost| {
            format!("  {name:<16} {:>9.0} {:>15.2}", cost.per_s(), cost.cpu_s_per_million())
        };
        let mut lines = vec!["\nround             a second   CPU-s/million".to_owned()];
        for (gateway, bare) in self.gateway.iter().zip(&self.bare) {
            lines.extend([line("gateway", *gateway), line("bare handler", *bare)]);
        }
        lines.push("all rounds".to_owned());
        lines.extend([
            line("gateway", Self::total(&self.gateway)),
            line("bare handler", Self::total(&self.bare)),
        ]);
        lines.push(format!("the gateway takes {:.2} times the CPU of a bare handler\n", self.ratio()));
        lines.join("\n")
    }
}

/// A request, ready to be sent any number of times.
struct Letter {
    head: http::request::Parts,
    body: Bytes,
}

impl Letter {
    fn request(&self) -> Request<Full<Bytes>> {
        Request::from_parts(self.head.clone(), Full::new(self.body.clone()))
    }
}

/// Runs it.
pub async fn run(options: WebhooksOptions) -> Result<Webhooks> {
    let stack_options = StackOptions { log_filter: "warn".to_owned(), ..StackOptions::durable() };
    let stack = Stack::start(stack_options).await?;
    let letters = Arc::new(letters(&stack, options.provider).await?);
    let port = free_port()?;
    let ourselves = std::env::current_exe().context("our own program")?;
    let spec = Spec::new("bare-handler", &ourselves)
        .args(["bare-handler".to_owned(), port.to_string()])
        .ready(Ready::Tcp(port));
    let bare = Process::start(&stack.run, spec).await?;
    let mut measured = Webhooks::default();
    for round in 1..=options.rounds {
        let gateway = measure(&stack.gateway, stack.webhooks_port()?, &letters, options.webhooks).await?;
        stack.events_are_projected(PROJECTED_WITHIN).await?;
        let bare = measure(&bare, port, &letters, options.webhooks).await?;
        let [ours, floor] = [gateway, bare].map(|cost| cost.cpu_s_per_million());
        eprintln!("round {round}: {ours:.1} and {floor:.1} CPU-seconds a million");
        measured.gateway.push(gateway);
        measured.bare.push(bare);
    }
    stack.stop().await?;
    Ok(measured)
}

/// The bare handler's process, until it is ended.
pub async fn bare_handler(port: u16) -> Result<()> {
    serve(TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port))).await?).await
}

async fn letters(stack: &Stack, provider: Provider) -> Result<Vec<Letter>> {
    let organization = stack.organization(OrganizationOptions::of(provider)).await?;
    let url = organization.client.account(&organization.account).await?.status_webhook_url;
    let name = provider.as_str_name().trim_start_matches("PROVIDER_").to_lowercase();
    let mut letters = Vec::with_capacity(LETTERS);
    for _ in 0..LETTERS {
        let message = Uuid::now_v7();
        let receipt = ReceiptSpec {
            provider: name.clone(),
            account_sid: organization.account_sid.clone(),
            state: "delivered".to_owned(),
            message_id: Some(message),
            callback: Some(format!("{url}?m={message}&a=1")),
            ..ReceiptSpec::default()
        };
        let written =
            stack.simulator.letter(&LetterSpec { receipt: Some(receipt), inbound: None, age_s: 0 }).await?;
        let target = written.url.splitn(4, '/').nth(3).context("a path")?;
        let mut request = Request::post(format!("/{target}")).header("host", "127.0.0.1");
        for (name, value) in &written.headers {
            request = request.header(name, value);
        }
        let (head, ()) = request.body(())?.into_parts();
        letters.push(Letter { head, body: written.body.into() });
    }
    Ok(letters)
}

async fn measure(process: &Process, port: u16, letters: &Arc<Vec<Letter>>, webhooks: usize) -> Result<Cost> {
    let (letters, address) = (Arc::clone(letters), SocketAddr::from(([127, 0, 0, 1], port)));
    let (before, begun) = (process.usage().cpu_s, Instant::now());
    let request = move |number: usize| letters[number % letters.len()].request();
    on_own_thread(move || exchange_all(address, webhooks, Arc::new(request))).await?;
    Ok(Cost { webhooks, wall: begun.elapsed(), cpu_s: process.usage().cpu_s - before })
}
