//! The sender node: takes orders from JetStream, claims them from the control-plane, makes the one HTTP call
//! for each message granted, and reports what came of it.
//!
//! - It calls only for what it was granted, and only within 10 seconds of asking; once it is told to stop, only within
//!   the next 5, so that every call has its 15 seconds and its outcome is published before the drain is over.
//! - One call is one HTTP request: no retries and no redirects once a byte of it may have been written.
//! - An order is acked only when JetStream has the outcome of every call made for it.
//! - It opens no database and keeps nothing: it may be killed at any instant. What was claimed and not yet
//!   reported is then unconfirmed, and never sent again.
//!
//! A message's stages are types, each taken by value by the next: `Order` (order.rs), `Claimed`
//! (claim.rs), `Outcome` (call.rs).

mod account;
mod call;
mod claim;
pub mod config;
mod gate;
mod http;
mod inquire;
mod limit;
mod members;
mod metrics;
mod order;
mod pace;
mod pull;
mod shards;
mod share;
mod window;
mod work;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use muster_runtime::batch::{Events, Limits};
use muster_runtime::bus::Bus;
use muster_runtime::directory::Directory;
use muster_runtime::health::Health;
use muster_runtime::service;
use muster_runtime::supervise::Tasks;
use muster_runtime::telemetry::{Telemetry, admin};

use crate::account::Accounts;
use crate::claim::{CLAIM_MESSAGES_MAX, Claims};
use crate::gate::Gates;
use crate::http::Pool;
use crate::inquire::Inquirer;
use crate::members::Members;
use crate::pull::Puller;
use crate::window::Stopped;
use crate::work::Worker;

pub use crate::config::Config;

/// How outcomes are gathered: long enough for frames of about a hundred under load.
const OUTCOMES: Limits =
    Limits { linger: Duration::from_millis(2), frame_events_max: 256, frames_inflight_max: 4 };
/// How often idle connections to providers are looked over.
const SWEEP: Duration = Duration::from_secs(2);

/// A running sender node.
pub struct SenderNode {
    tasks: Tasks,
    stopped: Stopped,
    bus: Bus,
    telemetry: Telemetry,
}

impl SenderNode {
    /// Connects to NATS and begins to work.
    ///
    /// # Errors
    /// Where the configuration is wrong, or NATS is not there or not as it must be.
    pub async fn start(config: Config) -> anyhow::Result<Self> {
        config.check()?;
        let node = service::node_name(&config.node);
        let (tasks, stopped) = (Tasks::default(), Stopped::default());
        let telemetry = Telemetry::start(&config.telemetry, "sender-node", &node, &tasks)?;
        let bus = Bus::connect(&config.nats, &node, &tasks).await?;
        let channel = config.control_plane.channel(&tasks)?;
        let pool = Arc::new(Pool::new(config.call_timeout()).context("cannot set up TLS")?);
        let gates = Arc::new(Gates::new(config.calls_max));
        metrics::observe_gates(&gates);
        let accounts = Arc::new(Accounts::new(Directory::new(channel.clone()), &config.public_base_url));
        let events = Events::start(bus.clone(), node.clone(), OUTCOMES, &tasks);
        let worker = Arc::new(Worker::new(
            Claims::start(channel.clone(), node.clone(), stopped.clone(), CLAIM_MESSAGES_MAX, &tasks),
            accounts.clone(),
            pool.clone(),
            events.clone(),
            gates.clone(),
        ));
        let inquirer = Inquirer::new(channel, node.clone(), accounts, pool.clone(), events, stopped.clone());
        let inquirer = Arc::new(inquirer);
        tasks.keep_running("ask providers about UNCONFIRMED messages", move || {
            let inquirer = inquirer.clone();
            async move { inquirer.run().await }
        });
        let members = Members::new(bus.clone(), node.clone(), gates);
        Puller::new(bus.clone(), worker, tasks.clone()).start(members.shards());
        members.start(&tasks);
        tasks.keep_running("sweep idle connections", move || sweep(pool.clone()));
        let (health, service) = Health::new(&tasks).await;
        admin::serve(&config.admin, &health, service, &tasks).await?;
        health.serving().await;
        tracing::info!(node, calls_max = config.calls_max, "the sender node is working");
        Ok(Self { tasks, stopped, bus, telemetry })
    }

    /// Stops taking orders, finishes the calls that are open, and reports what came of them.
    pub async fn drain(self) {
        self.stopped.now();
        self.tasks.drain().await;
        self.bus.flush().await;
        self.telemetry.end().await;
    }
}

async fn sweep(pool: Arc<Pool>) -> anyhow::Result<()> {
    loop {
        tokio::time::sleep(SWEEP).await;
        pool.sweep();
    }
}
