//! Which process listens where, and what each is told when it starts.

use std::ffi::OsString;

use anyhow::Result;

use super::{Endpoints, Ground, StackOptions};
use crate::binaries::Binaries;
use crate::process::Signal;
use crate::run_dir::free_port;
use crate::servers::SUPERUSER;
use crate::tls::{self, Authority, Pair};
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
    /// The listeners for operators: of the control-plane and of the gateway.
    admin: [u16; 2],
    nodes: Vec<u16>,
}

/// Everything that the processes of a stack are told.
pub(super) struct Plan<'a> {
    pub(super) ports: Chosen,
    options: &'a StackOptions,
    database: [String; 3],
    ground: &'a Ground,
    prefix: &'a str,
    authority: &'a Authority,
}

impl<'a> Plan<'a> {
    pub(super) fn new(
        options: &'a StackOptions,
        ground: &'a Ground,
        database: &str,
        prefix: &'a str,
        authority: &'a Authority,
    ) -> Result<Self> {
        let choose = |port: Option<u16>| port.map_or_else(free_port, Ok);
        let ports = Chosen {
            api: choose(options.ports.api)?,
            internal: choose(options.ports.internal)?,
            webhooks: choose(options.ports.webhooks)?,
            status: choose(options.ports.status)?,
            simulator: choose(options.ports.simulator)?,
            admin: [free_port()?, free_port()?],
            nodes: (0..options.sender_nodes).map(|_| free_port()).collect::<Result<_>>()?,
        };
        let roles = [SUPERUSER, "muster_app", "muster_system"];
        let database = roles.map(|role| ground.database_url(database, role));
        let plan = Self { ports, options, database, ground, prefix, authority };
        plan.issue()?;
        Ok(plan)
    }

    /// Makes the certificate of each listener and each process that calls another.
    fn issue(&self) -> Result<()> {
        for listener in ["internal", "api", "status", "health"] {
            self.authority.issue(listener, &tls::LOOPBACK)?;
        }
        self.authority.issue("sender-node", &tls::SENDER_NODE)?;
        self.authority.issue("gateway", &tls::GATEWAY)?;
        Ok(())
    }

    pub(super) fn endpoints(&self) -> Endpoints {
        let Chosen { api, internal, webhooks, status, simulator, admin, .. } = self.ports;
        Endpoints {
            control_plane_admin_url: self.public(admin[0]),
            gateway_admin_url: self.public(admin[1]),
            sender_node_admin_urls: self.ports.nodes.iter().map(|port| self.public(*port)).collect(),
            api_url: self.public(api),
            status_url: self.public(status),
            internal_url: https(internal),
            certificates: self.authority.folder().display().to_string(),
            webhook_url: http(webhooks),
            simulator_url: http(simulator),
            operator_key: OPERATOR_KEY.to_owned(),
            postgres_url: self.database[0].clone(),
            nats_url: self.ground.nats().url(),
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
            .env("MUSTER_MEDIA__STORE", self.media())
            .env("MUSTER_CLAIM_DEADLINE_S", options.claim_deadline_s.to_string())
            .env("MUSTER_ORDER_DEADLINE_S", options.order_deadline_s.to_string())
            .envs(self.ground.database_tls())
            .envs(shows("INTERNAL", &self.authority.pair("internal")))
            .env("MUSTER_INTERNAL__TLS__CLIENT_CA", self.authority.bundle())
            .envs(self.publicly("API", "api"))
            .env("MUSTER_ADMIN__LISTEN", loopback(self.ports.admin[0]))
            .envs(self.publicly("ADMIN", "health"))
            .ready(Ready::Tcp(self.ports.internal));
        self.common(spec, Service::ControlPlane)
    }

    /// The folder where media of replies are kept.
    fn media(&self) -> OsString {
        self.authority.folder().with_file_name("media").into()
    }

    pub(super) fn sender_node(&self, binaries: &Binaries, number: usize) -> Spec {
        let name = format!("sender-node-{number}");
        let port = self.ports.nodes[number];
        let spec = Spec::new(&name, &binaries.sender_node)
            .env("MUSTER_NODE", &name)
            .env("MUSTER_ADMIN__LISTEN", loopback(port))
            .envs(self.control_plane_for("sender-node"))
            .envs(self.publicly("ADMIN", "health"))
            .ready(Ready::Tcp(port));
        self.common(spec, Service::SenderNode)
    }

    pub(super) fn gateway(&self, binaries: &Binaries) -> Spec {
        let spec = Spec::new("gateway", &binaries.gateway)
            .env("MUSTER_NODE", "gateway")
            .env("MUSTER_WEBHOOKS__LISTEN", loopback(self.ports.webhooks))
            .env("MUSTER_GRPC__LISTEN", loopback(self.ports.status))
            .env("MUSTER_MEDIA__STORE", self.media())
            .env("MUSTER_MEDIA__TRUSTED_HOSTS", format!("[\"{}\"]", loopback(self.ports.simulator)))
            .envs(self.control_plane_for("gateway"))
            .envs(self.publicly("GRPC", "status"))
            .env("MUSTER_ADMIN__LISTEN", loopback(self.ports.admin[1]))
            .envs(self.publicly("ADMIN", "health"))
            .ready(Ready::Tcp(self.ports.webhooks));
        self.common(spec, Service::Gateway)
    }

    /// How a process of ours calls the control-plane, by the certificate of this name.
    fn control_plane_for(&self, name: &str) -> Vec<(String, OsString)> {
        let mut settings = shows("CONTROL_PLANE", &self.authority.pair(name)).to_vec();
        settings.push(("MUSTER_CONTROL_PLANE__TLS__CA".to_owned(), self.authority.bundle().into()));
        settings.push(("MUSTER_CONTROL_PLANE__URL".to_owned(), https(self.ports.internal).into()));
        settings
    }

    /// TLS of a listener for others, where the stack has it.
    fn publicly(&self, section: &str, name: &str) -> Vec<(String, OsString)> {
        if self.options.tls { shows(section, &self.authority.pair(name)).to_vec() } else { Vec::new() }
    }

    /// The URL of a listener for others.
    fn public(&self, port: u16) -> String {
        if self.options.tls { https(port) } else { http(port) }
    }

    fn common(&self, spec: Spec, service: Service) -> Spec {
        let mut spec = spec
            .env("MUSTER_NATS__URL", self.ground.nats().url())
            .envs(self.ground.nats_tls())
            .env("MUSTER_NATS__PREFIX", self.prefix)
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

/// A control-plane like `first` on ports of its own, and the URL of its API, which begins as that of the first.
pub(super) fn another_control_plane(first: &Spec, api_url: &str) -> Result<(Spec, String)> {
    let (api, internal) = (free_port()?, free_port()?);
    let mut spec = first
        .clone()
        .env("MUSTER_API__LISTEN", loopback(api))
        .env("MUSTER_INTERNAL__LISTEN", loopback(internal))
        .env("MUSTER_ADMIN__LISTEN", loopback(free_port()?))
        .ready(Ready::Tcp(internal));
    spec.name = "control-plane-2".to_owned();
    let scheme = if api_url.starts_with("https") { https } else { http };
    Ok((spec, scheme(api)))
}

/// A gateway like `first` on ports of its own, and the one that it takes webhooks on.
pub(super) fn another_gateway(first: &Spec) -> Result<(Spec, u16)> {
    let (webhooks, status) = (free_port()?, free_port()?);
    let mut spec = first
        .clone()
        .env("MUSTER_NODE", "gateway-2")
        .env("MUSTER_WEBHOOKS__LISTEN", loopback(webhooks))
        .env("MUSTER_GRPC__LISTEN", loopback(status))
        .env("MUSTER_ADMIN__LISTEN", loopback(free_port()?))
        .ready(Ready::Tcp(webhooks));
    spec.name = "gateway-2".to_owned();
    Ok((spec, webhooks))
}

/// The certificate that a section of the settings shows.
fn shows(section: &str, pair: &Pair) -> [(String, OsString); 2] {
    let setting = |name: &str| format!("MUSTER_{section}__TLS__{name}");
    [(setting("CERTIFICATE"), pair.certificate.clone().into()), (setting("KEY"), pair.key.clone().into())]
}

fn loopback(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

fn http(port: u16) -> String {
    format!("http://{}", loopback(port))
}

fn https(port: u16) -> String {
    format!("https://{}", loopback(port))
}
