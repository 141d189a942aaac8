//! The whole platform as separate processes: real servers, one control-plane, sender nodes, one gateway, and the
//! provider simulator.
//!
//! Every stack has a database and a JetStream prefix of its own, so that many can share one pair of servers. A
//! story kills and restarts what it likes: the processes are plain fields.

mod ground;
mod health;
mod migrate;
mod organization;
mod plan;
mod settle;
mod simulator;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use muster_provider_sim::behaviour::Behaviour;
use serde::Serialize;
use tokio::sync::OnceCell;

use self::ground::Ground;
pub use self::organization::{Organization, OrganizationOptions};
pub use self::plan::{KEK, Ports, Service};
pub use self::simulator::{Simulator, SimulatorOptions};
use crate::binaries::{Binaries, binaries};
use crate::canaries::{Canaries, plant_secret};
use crate::client::Client;
use crate::process::{Usage, run_to_end};
use crate::servers::MAINTENANCE_DATABASE;
use crate::tls::{Authority, Dial};
use crate::wait;
use crate::{NatsServer, Postgres, Process, RunDir};

/// The database that others are copied from.
const TEMPLATE: &str = "muster_template";
/// How long a copy of the template may take to be allowed: until the migration's backend has gone.
const COPY_WITHIN: Duration = Duration::from_secs(20);
/// How long our processes may take to end in order.
const STOP_WITHIN: Duration = Duration::from_secs(20);

/// Which servers a stack stands on.
#[derive(Clone, Debug)]
pub enum Servers {
    /// Those that all tests of this binary share. Nobody may break them.
    Shared,
    /// Its own, which survive a power cut: PostgreSQL syncs every commit, JetStream is on file.
    Own,
}

/// How to start a stack.
#[derive(Clone, Debug)]
pub struct StackOptions {
    /// Which servers it stands on.
    pub servers: Servers,
    /// How many sender nodes.
    pub sender_nodes: usize,
    /// Where everything listens.
    pub ports: Ports,
    /// How long a claim may stay without an outcome, in seconds.
    pub claim_deadline_s: u64,
    /// How long an order may stay unclaimed, in seconds.
    pub order_deadline_s: u64,
    /// How the simulated providers behave.
    pub behaviour: Behaviour,
    /// What their chance follows from.
    pub seed: u64,
    /// What our processes log.
    pub log_filter: String,
    /// Connections in each of the control-plane's two pools.
    pub pool_size: usize,
    /// More settings, as `(service, name, value)`; they win over ours.
    pub env: Vec<(Service, String, String)>,
    /// Settings of PostgreSQL, where it is the stack's own.
    pub postgres_settings: Vec<(String, String)>,
    /// TLS also where plaintext is allowed: to the API, to event streams, to health, to PostgreSQL and, where it is
    /// the stack's own, to NATS. The simulator posts webhooks in plaintext only. Our own processes always call one
    /// another over TLS.
    pub tls: bool,
}

impl Default for StackOptions {
    fn default() -> Self {
        Self {
            servers: Servers::Shared,
            sender_nodes: 1,
            ports: Ports::default(),
            claim_deadline_s: 60,
            order_deadline_s: 60,
            behaviour: Behaviour::default(),
            seed: 1,
            log_filter: "info".to_owned(),
            pool_size: 6,
            env: Vec::new(),
            postgres_settings: Vec::new(),
            tls: false,
        }
    }
}

impl StackOptions {
    /// A stack for the demo, the bench and stories that break things: its own durable servers, two sender nodes.
    pub fn durable() -> Self {
        Self { servers: Servers::Own, sender_nodes: 2, pool_size: 16, ..Self::default() }
    }
}

/// Where to find everything.
#[derive(Clone, Debug, Serialize)]
pub struct Endpoints {
    /// The API, at the control-plane (gRPC).
    pub api_url: String,
    /// Event streams, at the gateway (gRPC).
    pub status_url: String,
    /// The control-plane, for operators: metrics, probes, the level of its log.
    pub control_plane_admin_url: String,
    /// The gateway, for operators.
    pub gateway_admin_url: String,
    /// The sender nodes, for operators.
    pub sender_node_admin_urls: Vec<String>,
    /// What sender nodes and gateways call, at the control-plane (gRPC, with a certificate).
    pub internal_url: String,
    /// The folder of the certificates, with the authority that signs them.
    pub certificates: String,
    /// What providers post to, at the gateway.
    pub webhook_url: String,
    /// The provider simulator: the base URL of every provider, and `/sim/` to control it.
    pub simulator_url: String,
    /// The key of the operator.
    pub operator_key: String,
    /// PostgreSQL, as superuser.
    pub postgres_url: String,
    /// NATS.
    pub nats_url: String,
    /// What the names of our streams and subjects there begin with.
    pub nats_prefix: String,
}

/// The whole platform. Dropped, all of it ends.
#[derive(Debug)]
pub struct Stack {
    /// The control-plane.
    pub control_plane: Process,
    /// The sender nodes.
    pub sender_nodes: Vec<Process>,
    /// The gateway.
    pub gateway: Process,
    /// The provider simulator, with its ledger.
    pub simulator: Simulator,
    /// Where to find everything.
    pub endpoints: Endpoints,
    /// An operator's client.
    pub operator: Client,
    /// The folder of its data and logs.
    pub run: Arc<RunDir>,
    /// What signs the certificates of its listeners and processes.
    pub authority: Authority,
    database: String,
    ground: Ground,
    /// Dropped after the processes, whose logs it reads.
    _canaries: Canaries,
}

impl Stack {
    /// Starts everything; all of it is ready when this returns.
    pub async fn start(options: StackOptions) -> Result<Self> {
        let (binaries, run) = (binaries().await?, RunDir::create()?);
        let authority = Authority::create(&run.path().join("tls"))?;
        let ground = Ground::start(&run, &options, &authority).await?;
        let (database, prefix) = (database(&ground, binaries, &run).await?, prefix());
        let plan = plan::Plan::new(&options, &ground, &database, &prefix, &authority)?;
        let simulator = SimulatorOptions {
            port: plan.ports.simulator,
            seed: options.seed,
            behaviour: options.behaviour.clone(),
        };
        let (control_plane, simulator) = tokio::try_join!(
            Process::start(&run, plan.control_plane(binaries)),
            Simulator::start(&run, &binaries.provider_sim, simulator)
        )?;
        let nodes = (0..options.sender_nodes).map(|number| plan.sender_node(binaries, number));
        let nodes = futures::future::try_join_all(nodes.map(|spec| Process::start(&run, spec)));
        let (sender_nodes, gateway) = tokio::try_join!(nodes, Process::start(&run, plan.gateway(binaries)))?;
        let endpoints = plan.endpoints();
        plant_secret(&endpoints.operator_key);
        let dial = Dial::trusting(&authority);
        let operator =
            Client::new(&dial, &endpoints.api_url, &endpoints.status_url, &endpoints.operator_key)?;
        let stack = Self {
            control_plane,
            sender_nodes,
            gateway,
            simulator,
            endpoints,
            operator,
            _canaries: Canaries(Arc::clone(&run)),
            run,
            authority,
            database,
            ground,
        };
        stack.serving().await?;
        Ok(stack)
    }

    /// Starts another control-plane beside the first one, told the same, on ports of its own; with an operator's client
    /// of it. The other processes go on calling the first one.
    pub async fn another_control_plane(&self) -> Result<(Process, Client)> {
        let (spec, api_url) =
            plan::another_control_plane(self.control_plane.spec(), &self.endpoints.api_url)?;
        let process = Process::start(&self.run, spec).await?;
        let dial = self.dial();
        health::serving(&dial, &api_url, &process).await?;
        let client = Client::new(&dial, &api_url, &self.endpoints.status_url, &self.endpoints.operator_key)?;
        Ok((process, client))
    }

    /// Another gateway beside the first one, told the same, on ports of its own; with the port that it takes webhooks on.
    pub async fn another_gateway(&self) -> Result<(Process, u16)> {
        let (spec, port) = plan::another_gateway(self.gateway.spec())?;
        Ok((Process::start(&self.run, spec).await?, port))
    }

    /// The port on loopback that the gateway takes webhooks on.
    pub fn webhooks_port(&self) -> Result<u16> {
        let (_, port) = self.endpoints.webhook_url.rsplit_once(':').context("a port")?;
        Ok(port.parse()?)
    }

    /// Runs another command of the control-plane, told the same as it will be when it is started again, to its end; an
    /// error with what it said where it fails.
    pub async fn run_command(&self, command: &str) -> Result<()> {
        let mut spec = self.control_plane.spec().clone().arg(command);
        spec.name = command.to_owned();
        run_to_end(&self.run, spec).await
    }

    /// Waits until control-plane and gateway say that they serve.
    pub async fn serving(&self) -> Result<()> {
        let (api, status) = (&self.endpoints.api_url, &self.endpoints.status_url);
        let dial = self.dial();
        tokio::try_join!(
            health::serving(&dial, api, &self.control_plane),
            health::serving(&dial, status, &self.gateway)
        )?;
        Ok(())
    }

    /// What calls its listeners: trusts its authority, and shows no certificate.
    pub fn dial(&self) -> Dial {
        Dial::trusting(&self.authority)
    }

    /// PostgreSQL.
    pub fn postgres(&self) -> &Postgres {
        self.ground.postgres()
    }

    /// nats-server.
    pub fn nats(&self) -> &NatsServer {
        self.ground.nats()
    }

    /// PostgreSQL, to be broken: an error where others share it.
    pub fn postgres_mut(&mut self) -> Result<&mut Postgres> {
        Ok(&mut self.ground.own_mut()?.0)
    }

    /// nats-server, to be broken: an error where others share it.
    pub fn nats_mut(&mut self) -> Result<&mut NatsServer> {
        Ok(&mut self.ground.own_mut()?.1)
    }

    /// A connection to the stack's database as superuser, past every policy.
    pub async fn sql(&self) -> Result<tokio_postgres::Client> {
        self.postgres().connect(&self.database).await
    }

    /// A dump of the stack's database, as SQL, and a connection to what was restored of it; none where this PostgreSQL came
    /// without the programs for that.
    pub async fn restored(&self) -> Result<Option<(Vec<u8>, tokio_postgres::Client)>> {
        let restored = format!("{}_restored", self.database);
        let Some(dump) = self.postgres().dump(&self.run, &self.database, &restored).await? else {
            return Ok(None);
        };
        Ok(Some((dump, self.postgres().connect(&restored).await?)))
    }

    /// CPU and memory of each part since it was started: the sender nodes as one. Servers that others share are
    /// left out.
    pub fn usage(&self) -> Vec<(&'static str, Usage)> {
        let nodes = self.sender_nodes.iter().map(Process::usage).reduce(both).unwrap_or_default();
        let mut usage = vec![
            ("control-plane", self.control_plane.usage()),
            ("sender-nodes", nodes),
            ("gateway", self.gateway.usage()),
            ("simulator", self.simulator.process.usage()),
        ];
        if let Some(own) = self.ground.own() {
            usage.push(("postgresql", own.0.usage()));
            usage.push(("nats-server", own.1.usage()));
        }
        usage
    }

    /// The first process that has ended by itself, with the end of its log.
    pub fn fallen(&self) -> Option<String> {
        let ours = self.sender_nodes.iter().chain([
            &self.control_plane,
            &self.gateway,
            &self.simulator.process,
            self.postgres().process(),
            self.nats().process(),
        ]);
        let mut fallen = ours.filter(|process| !process.is_running());
        fallen.next().map(|process| format!("{}\n{}", process.name(), process.log_tail()))
    }

    /// Ends our own processes in order, the way a deployment would; an error where one does not end well.
    pub async fn stop(mut self) -> Result<()> {
        let services = self.sender_nodes.iter_mut().chain([&mut self.gateway, &mut self.control_plane]);
        let stopping = services.map(async |service| {
            let status = service.terminate(STOP_WITHIN).await?;
            match status.success() {
                true => Ok(()),
                false => bail!("{} ended with {status}:\n{}", service.name(), service.log_tail()),
            }
        });
        futures::future::try_join_all(stopping).await?;
        Ok(())
    }
}

/// The use of two processes, taken together.
fn both(a: Usage, b: Usage) -> Usage {
    Usage {
        cpu_s: a.cpu_s + b.cpu_s,
        rss_mib: a.rss_mib + b.rss_mib,
        rss_peak_mib: a.rss_peak_mib + b.rss_peak_mib,
    }
}

/// Makes the stack's database, with the schema in it: migrated once a server, then copied.
async fn database(ground: &Ground, binaries: &Binaries, run: &Arc<RunDir>) -> Result<String> {
    static MIGRATED: OnceCell<()> = OnceCell::const_new();
    static NEXT: AtomicU32 = AtomicU32::new(0);
    if ground.own().is_some() {
        migrate::run(ground, "muster", binaries, run).await?;
        return Ok("muster".to_owned());
    }
    MIGRATED.get_or_try_init(|| migrate::run(ground, TEMPLATE, binaries, run)).await?;
    let name = format!("muster_{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let admin = ground.postgres().connect(MAINTENANCE_DATABASE).await?;
    let statement = format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE}");
    // The backend of the migration lets go of the template a moment after its client.
    let copied = async || match admin.batch_execute(&statement).await {
        Ok(()) => Ok(Some(())),
        Err(error) if error.code() == Some(&tokio_postgres::error::SqlState::OBJECT_IN_USE) => Ok(None),
        Err(error) => Err(error).context("copy the template database"),
    };
    wait::until("the copy of the template database", COPY_WITHIN, copied).await?;
    Ok(name)
}

/// A prefix that no other stack of this binary has.
fn prefix() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    match NEXT.fetch_add(1, Ordering::Relaxed) {
        0 => "muster".to_owned(),
        number => format!("muster{number}"),
    }
}
