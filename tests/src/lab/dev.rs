//! `cargo dev`: the whole platform, empty, on fixed ports, until somebody stops it.

use std::time::Duration;

use anyhow::{Result, bail};
use serde::Serialize;

use super::Outcome;
use crate::stack::{Endpoints, Ports, Stack, StackOptions};

/// How often it looks whether all processes still run.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What `dev` can be told.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Print the endpoints as one JSON object.
    #[arg(long)]
    json: bool,
    /// How many sender nodes to run.
    #[arg(long, default_value_t = 1)]
    sender_nodes: usize,
    /// Where the API listens (gRPC).
    #[arg(long, default_value_t = 7400)]
    api_port: u16,
    /// Where the control-plane listens for our own processes.
    #[arg(long, default_value_t = 7401)]
    internal_port: u16,
    /// Where the gateway takes webhooks.
    #[arg(long, default_value_t = 7402)]
    webhook_port: u16,
    /// Where the gateway serves event streams (gRPC).
    #[arg(long, default_value_t = 7403)]
    status_port: u16,
    /// Where the provider simulator listens.
    #[arg(long, default_value_t = 7404)]
    simulator_port: u16,
    /// Where PostgreSQL listens.
    #[arg(long, default_value_t = 7405)]
    postgres_port: u16,
    /// Where nats-server listens.
    #[arg(long, default_value_t = 7406)]
    nats_port: u16,
    /// Where nats-server serves its monitoring pages.
    #[arg(long, default_value_t = 7407)]
    nats_monitor_port: u16,
}

impl Options {
    fn ports(&self) -> Ports {
        Ports {
            api: Some(self.api_port),
            internal: Some(self.internal_port),
            webhooks: Some(self.webhook_port),
            status: Some(self.status_port),
            simulator: Some(self.simulator_port),
            postgres: Some(self.postgres_port),
            nats: Some(self.nats_port),
            nats_monitor: Some(self.nats_monitor_port),
        }
    }
}

/// What `--json` prints.
#[derive(Serialize)]
struct Up<'a> {
    ok: bool,
    #[serde(flatten)]
    endpoints: &'a Endpoints,
    logs: String,
}

/// Runs it.
pub(super) async fn run(options: Options) -> Result<Outcome> {
    if !options.json {
        eprintln!("Building and starting; the first time takes some minutes.");
    }
    let starting = Stack::start(StackOptions {
        ports: options.ports(),
        sender_nodes: options.sender_nodes,
        ..StackOptions::durable()
    });
    let stack = super::unless_stopped(starting).await?;
    let logs = stack.run.path().display().to_string();
    if options.json {
        println!("{}", serde_json::to_string(&Up { ok: true, endpoints: &stack.endpoints, logs })?);
    } else {
        print_endpoints(&stack.endpoints, &logs);
    }
    stay(stack).await
}

/// Keeps the stack up until somebody asks it to end.
pub(super) async fn stay(stack: Stack) -> Result<Outcome> {
    let mut stop = std::pin::pin!(super::stop_requested());
    loop {
        tokio::select! {
            stopped = &mut stop => {
                stopped?;
                eprintln!("Stopping.");
                stack.stop().await?;
                return Ok(Outcome::Right);
            }
            () = tokio::time::sleep(LOOK_EVERY) => {
                if let Some(fallen) = stack.fallen() {
                    bail!("a process ended by itself: {fallen}");
                }
            }
        }
    }
}

/// Where everything is, for people.
pub(super) fn print_endpoints(endpoints: &Endpoints, logs: &str) {
    let Endpoints {
        api_url,
        status_url,
        internal_url,
        certificates,
        webhook_url,
        simulator_url,
        operator_key,
        postgres_url,
        nats_url,
        nats_prefix: _,
        control_plane_admin_url,
        gateway_admin_url,
        sender_node_admin_urls,
    } = endpoints;
    println!("Muster is up.\n");
    println!("  API (gRPC)             {api_url}");
    println!("  event streams (gRPC)   {status_url}");
    println!("  claims (gRPC, mTLS)    {internal_url}");
    println!("    with certificates in {certificates}");
    println!("  webhooks               {webhook_url}");
    println!("  provider simulator     {simulator_url}");
    println!("  operator key           {operator_key}");
    println!("  PostgreSQL             {postgres_url}");
    println!("  NATS                   {nats_url}");
    for url in [control_plane_admin_url, gateway_admin_url].into_iter().chain(sender_node_admin_urls) {
        println!("  metrics                {url}/metrics");
    }
    println!("  logs and data          {logs}\n");
    println!("Try it (both listeners have reflection):\n");
    println!("  buf curl --protocol grpc --http2-prior-knowledge \\");
    println!("    -H 'authorization: Bearer {operator_key}' \\");
    println!("    -d '{{\"tenant\": {{\"display_name\": \"Neighbors\", \"broadcast_allowed\": true}}}}' \\");
    println!("    {api_url}/muster.v1.TenantService/CreateTenant\n");
    println!(
        "Open an account at the simulator, then give it to a provider account as its base_url, with the operator's key:\n"
    );
    println!("  curl {simulator_url}/sim/accounts -d '{{\"provider\": \"twilio\", \\");
    println!("    \"account_sid\": \"AC0123456789abcdef0123456789abcdef\", \"api_secret\": \"secret\"}}'\n");
    println!("Ctrl-C ends all of it.");
}
