//! The whole platform as separate processes: real servers, one control-plane, sender nodes, one gateway, and the
//! provider simulator.
//!
//! Every stack has a database and a JetStream prefix of its own, so that many can share one pair of servers. A
//! story kills and restarts what it likes: the processes are plain fields.

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

pub use self::organization::{Organization, OrganizationOptions};
pub use self::plan::{KEK, Ports, Service};
pub use self::simulator::{Simulator, SimulatorOptions};
use crate::binaries::{Binaries, binaries};
use crate::canaries::{Canaries, plant_secret};
use crate::client::Client;
use crate::process::{Usage, run_to_end};
use crate::servers::MAINTENANCE_DATABASE;
use crate::wait;
use crate::{NatsOptions, NatsServer, Postgres, PostgresOptions, Process, RunDir, Shared, shared};

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
    /// Status streams, at the gateway (gRPC).
    pub status_url: String,
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
    database: String,
    ground: Ground,
    /// Dropped after the processes, whose logs it reads.
    _canaries: Canaries,
}

/// The servers under a stack.
#[derive(Debug)]
enum Ground {
    Shared(&'static Shared),
    Own(Box<(Postgres, NatsServer)>),
}

impl Ground {
    fn postgres(&self) -> &Postgres {
        match self {
            Self::Shared(shared) => &shared.postgres,
            Self::Own(own) => &own.0,
        }
    }

    fn nats(&self) -> &NatsServer {
        match self {
            Self::Shared(shared) => &shared.nats,
            Self::Own(own) => &own.1,
        }
    }
}

impl Stack {
    /// Starts everything; all of it is ready when this returns.
    pub async fn start(options: StackOptions) -> Result<Self> {
        let (binaries, run) = (binaries().await?, RunDir::create()?);
        let ground = ground(&run, &options).await?;
        let (database, prefix) = (database(&ground, binaries, &run).await?, prefix());
        let plan = plan::Plan::new(&options, &ground, &database, &prefix)?;
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
        let endpoints = plan.endpoints(&ground);
        plant_secret(&endpoints.operator_key);
        let operator = Client::new(&endpoints.api_url, &endpoints.status_url, &endpoints.operator_key)?;
        let stack = Self {
            control_plane,
            sender_nodes,
            gateway,
            simulator,
            endpoints,
            operator,
            _canaries: Canaries(Arc::clone(&run)),
            run,
            database,
            ground,
        };
        stack.serving().await?;
        Ok(stack)
    }

    /// Starts another control-plane beside the first one, told the same, on ports of its own; with an operator's client
    /// of it. The other processes go on calling the first one.
    pub async fn another_control_plane(&self) -> Result<(Process, Client)> {
        let (spec, api_url) = plan::another_control_plane(self.control_plane.spec())?;
        let process = Process::start(&self.run, spec).await?;
        health::serving(&api_url, &process).await?;
        let client = Client::new(&api_url, &self.endpoints.status_url, &self.endpoints.operator_key)?;
        Ok((process, client))
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
        tokio::try_join!(health::serving(api, &self.control_plane), health::serving(status, &self.gateway))?;
        Ok(())
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
        match &mut self.ground {
            Ground::Own(own) => Ok(&mut own.0),
            Ground::Shared(_) => bail!("others share this PostgreSQL: start a stack with its own"),
        }
    }

    /// nats-server, to be broken: an error where others share it.
    pub fn nats_mut(&mut self) -> Result<&mut NatsServer> {
        match &mut self.ground {
            Ground::Own(own) => Ok(&mut own.1),
            Ground::Shared(_) => bail!("others share this nats-server: start a stack with its own"),
        }
    }

    /// A connection to the stack's database as superuser, past every policy.
    pub async fn sql(&self) -> Result<tokio_postgres::Client> {
        self.postgres().connect(&self.database).await
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
        if let Ground::Own(own) = &self.ground {
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

async fn ground(run: &Arc<RunDir>, options: &StackOptions) -> Result<Ground> {
    match options.servers {
        Servers::Shared => Ok(Ground::Shared(shared().await?)),
        Servers::Own => {
            let Ports { postgres: port, nats, nats_monitor: monitor_port, .. } = options.ports;
            let settings = options.postgres_settings.clone();
            let postgres = PostgresOptions { durable: true, port, settings, ..PostgresOptions::default() };
            let nats = NatsOptions { port: nats, monitor_port, ..NatsOptions::default() };
            let own = tokio::try_join!(Postgres::start(run, postgres), NatsServer::start(run, nats))?;
            Ok(Ground::Own(Box::new(own)))
        }
    }
}

/// Makes the stack's database, with the schema in it: migrated once a server, then copied.
async fn database(ground: &Ground, binaries: &Binaries, run: &Arc<RunDir>) -> Result<String> {
    static MIGRATED: OnceCell<()> = OnceCell::const_new();
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let postgres = ground.postgres();
    if let Ground::Own(_) = ground {
        migrate::run(postgres, "muster", binaries, run).await?;
        return Ok("muster".to_owned());
    }
    MIGRATED.get_or_try_init(|| migrate::run(postgres, TEMPLATE, binaries, run)).await?;
    let name = format!("muster_{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let admin = postgres.connect(MAINTENANCE_DATABASE).await?;
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
