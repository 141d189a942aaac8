//! Which process listens where, and what each is told when it starts.

use anyhow::Result;

use super::{Endpoints, Ground, StackOptions};
use crate::binaries::Binaries;
use crate::process::Signal;
use crate::run_dir::free_port;
use crate::servers::SUPERUSER;
use crate::{Ready, Spec};

/// A process of our own that settings can be given to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// The control-plane.
    ControlPlane,
    /// Every sender node.
    SenderNode,
    /// The gateway.
    Gateway,
}

/// Where everything listens on loopback; a free port where it does not say.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ports {
    /// The API.
    pub api: Option<u16>,
    /// The control-plane, for our own processes.
    pub internal: Option<u16>,
    /// The gateway, for providers.
    pub webhooks: Option<u16>,
    /// The gateway, for watchers.
    pub status: Option<u16>,
    /// The provider simulator.
    pub simulator: Option<u16>,
    /// PostgreSQL, where it is the stack's own.
    pub postgres: Option<u16>,
    /// nats-server, where it is the stack's own.
    pub nats: Option<u16>,
    /// The monitoring pages of nats-server, where it is the stack's own.
    pub nats_monitor: Option<u16>,
}

/// What our own processes prove themselves with. Only loopback ever sees it.
const INTERNAL_TOKEN: &str = "internal-token-of-this-stack-alone";
/// The operator's key, the same each time: a developer's shell history stays good.
const OPERATOR_KEY: &str = "operator-key-for-local-use-only";

/// The id of the key that secrets of provider accounts are sealed under.
const KEK_ID: &str = "local";
/// That key, the same each time: what a developer kept stays readable.
pub const KEK: &str = "a2V5LWVuY3J5cHRpb24ta2V5LWZvci1sb2NhbC11c2U=";

/// Ports, once they are chosen.
pub(super) struct Chosen {
    pub(super) api: u16,
    pub(super) internal: u16,
    pub(super) webhooks: u16,
    pub(super) status: u16,
    pub(super) simulator: u16,
    nodes: Vec<u16>,
}

/// Everything that the processes of a stack are told.
pub(super) struct Plan<'a> {
    pub(super) ports: Chosen,
    options: &'a StackOptions,
    database: [String; 3],
    nats_url: String,
    prefix: &'a str,
}

impl<'a> Plan<'a> {
    pub(super) fn new(
        options: &'a StackOptions,
        ground: &Ground,
        database: &str,
        prefix: &'a str,
    ) -> Result<Self> {
        let choose = |port: Option<u16>| port.map_or_else(free_port, Ok);
        let ports = Chosen {
            api: choose(options.ports.api)?,
            internal: choose(options.ports.internal)?,
            webhooks: choose(options.ports.webhooks)?,
            status: choose(options.ports.status)?,
            simulator: choose(options.ports.simulator)?,
            nodes: (0..options.sender_nodes).map(|_| free_port()).collect::<Result<_>>()?,
        };
        let roles = [SUPERUSER, "muster_app", "muster_system"];
        let database = roles.map(|role| ground.postgres().url(database, role));
        Ok(Self { ports, options, database, nats_url: ground.nats().url(), prefix })
    }

    pub(super) fn endpoints(&self, ground: &Ground) -> Endpoints {
        let Chosen { api, webhooks, status, simulator, .. } = self.ports;
        Endpoints {
            api_url: http(api),
            status_url: http(status),
            webhook_url: http(webhooks),
            simulator_url: http(simulator),
            operator_key: OPERATOR_KEY.to_owned(),
            postgres_url: self.database[0].clone(),
            nats_url: ground.nats().url(),
            nats_prefix: self.prefix.to_owned(),
        }
    }

    pub(super) fn control_plane(&self, binaries: &Binaries) -> Spec {
        let [_, app_url, system_url] = &self.database;
        let options = self.options;
        let spec = Spec::new("control-plane", &binaries.control_plane)
            .env("MUSTER_DATABASE__APP_URL", app_url)
            .env("MUSTER_DATABASE__SYSTEM_URL", system_url)
            .env("MUSTER_DATABASE__POOL_SIZE", options.pool_size.to_string())
            .env("MUSTER_API__LISTEN", loopback(self.ports.api))
            .env("MUSTER_INTERNAL__LISTEN", loopback(self.ports.internal))
            .env("MUSTER_OPERATOR_KEY", OPERATOR_KEY)
            // Tests are run at any time of the day; those that are about hours say their own.
            .env("MUSTER_SENDING_HOURS__OPEN", "00:00")
            .env("MUSTER_SENDING_HOURS__CLOSE", "24:00")
            .env("MUSTER_KEK__CURRENT", KEK_ID)
            .env(format!("MUSTER_KEK__KEYS__{}", KEK_ID.to_uppercase()), KEK)
            .env("MUSTER_CLAIM_DEADLINE_S", options.claim_deadline_s.to_string())
            .env("MUSTER_ORDER_DEADLINE_S", options.order_deadline_s.to_string())
            .ready(Ready::Tcp(self.ports.internal));
        self.common(spec, Service::ControlPlane)
    }

    pub(super) fn sender_node(&self, binaries: &Binaries, number: usize) -> Spec {
        let name = format!("sender-node-{number}");
        let port = self.ports.nodes[number];
        let spec = Spec::new(&name, &binaries.sender_node)
            .env("MUSTER_NODE", &name)
            .env("MUSTER_ADMIN__LISTEN", loopback(port))
            .env("MUSTER_CONTROL_PLANE__URL", http(self.ports.internal))
            .ready(Ready::Tcp(port));
        self.common(spec, Service::SenderNode)
    }

    pub(super) fn gateway(&self, binaries: &Binaries) -> Spec {
        let spec = Spec::new("gateway", &binaries.gateway)
            .env("MUSTER_NODE", "gateway")
            .env("MUSTER_WEBHOOKS__LISTEN", loopback(self.ports.webhooks))
            .env("MUSTER_GRPC__LISTEN", loopback(self.ports.status))
            .env("MUSTER_CONTROL_PLANE__URL", http(self.ports.internal))
            .ready(Ready::Tcp(self.ports.webhooks));
        self.common(spec, Service::Gateway)
    }

    fn common(&self, spec: Spec, service: Service) -> Spec {
        let mut spec = spec
            .env("MUSTER_NATS__URL", &self.nats_url)
            .env("MUSTER_NATS__PREFIX", self.prefix)
            .env("MUSTER_INTERNAL_TOKEN", INTERNAL_TOKEN)
            .env("MUSTER_PUBLIC_BASE_URL", http(self.ports.webhooks))
            .env("MUSTER_LOG__FILTER", &self.options.log_filter)
            .env("MUSTER_LOG__JSON", "false");
        for (_, name, value) in self.options.env.iter().filter(|(of, _, _)| *of == service) {
            spec = spec.env(name, value);
        }
        // Whoever wants it to end in order says so (see `Stack::stop`); a test that is over does not wait.
        spec.on_drop = Signal::KILL;
        spec
    }
}

/// A control-plane like `first` on ports of its own, and the URL of its API.
pub(super) fn another_control_plane(first: &Spec) -> Result<(Spec, String)> {
    let (api, internal) = (free_port()?, free_port()?);
    let mut spec = first
        .clone()
        .env("MUSTER_API__LISTEN", loopback(api))
        .env("MUSTER_INTERNAL__LISTEN", loopback(internal))
        .ready(Ready::Tcp(internal));
    spec.name = "control-plane-2".to_owned();
    Ok((spec, http(api)))
}

fn loopback(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

fn http(port: u16) -> String {
    format!("http://{}", loopback(port))
}
