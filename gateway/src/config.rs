//! What a gateway is told: a file, then the environment.

use std::collections::BTreeMap;

use muster_runtime::config::{Admin, Log, Nats, Telemetry};
use muster_runtime::directory::ControlPlane;
use muster_runtime::tls::ServerFiles;
use secrecy::SecretString;
use serde::Deserialize;

/// A gateway's configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where events go and status changes come from.
    pub nats: Nats,
    /// Who knows accounts and keys.
    pub control_plane: ControlPlane,
    /// What the URLs that providers were given begin with. Signatures are checked against this, never against
    /// what a request says of itself.
    pub public_base_url: String,
    /// The listener for providers.
    pub webhooks: Webhooks,
    /// The listener for watchers.
    pub grpc: Grpc,
    /// Media of replies.
    pub media: Media,
    /// What is logged.
    #[serde(default)]
    pub log: Log,
    /// The listener for operators.
    #[serde(default)]
    pub admin: Admin,
    /// What is told, and to whom.
    #[serde(default)]
    pub telemetry: Telemetry,
    /// Threads. One is best up to a core's worth of webhooks; run more gateways rather than more threads.
    #[serde(default = "threads")]
    pub threads: usize,
    /// The gateway's name in events and logs. Empty: made of the host's name and the process's id.
    #[serde(default)]
    pub node: String,
}

/// The listener for providers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhooks {
    /// Where it listens, such as `0.0.0.0:7421`.
    pub listen: String,
    /// TLS; without it, it listens in plaintext, behind what ends TLS.
    pub tls: Option<ServerFiles>,
    /// Connections that may be open at once.
    #[serde(default = "connections_max")]
    pub connections_max: usize,
    /// Connections that one address may have open at once (of IPv6, one /64). Behind a load balancer all come from its
    /// addresses.
    #[serde(default = "connections_of_address_max")]
    pub connections_of_address_max: usize,
    /// How long a request's head may take to arrive, from the end of the request before, in seconds: how long a
    /// connection may be idle, too.
    #[serde(default = "head_timeout_s")]
    pub head_timeout_s: u64,
}

/// The listener for watchers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grpc {
    /// Where it listens, such as `0.0.0.0:7431`.
    pub listen: String,
    /// TLS; without it, it listens in plaintext, behind what ends TLS.
    pub tls: Option<ServerFiles>,
    /// Event streams that may be open at once.
    #[serde(default = "watches_max")]
    pub watches_max: usize,
    /// Memory for the newest events of all tenants that are watched, in bytes: how far a watcher may fall behind.
    #[serde(default = "held_bytes_max")]
    pub held_bytes_max: usize,
}

/// Where media of replies come from, and where they are kept.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Media {
    /// A folder, or `s3://bucket/prefix`.
    pub store: String,
    /// Options of S3, such as `region`.
    #[serde(default)]
    pub store_options: BTreeMap<String, SecretString>,
    /// The largest medium that is kept, in bytes.
    #[serde(default = "bytes_max")]
    pub bytes_max: usize,
    /// Hosts with their ports, such as `10.0.0.7:8080`, that media may be fetched from although they are inside our own
    /// network or without TLS.
    #[serde(default)]
    pub trusted_hosts: Vec<String>,
}

fn bytes_max() -> usize {
    5_000_000
}

fn threads() -> usize {
    1
}

fn connections_max() -> usize {
    4_096
}

fn connections_of_address_max() -> usize {
    512
}

fn head_timeout_s() -> u64 {
    5
}

fn watches_max() -> usize {
    5_000
}

fn held_bytes_max() -> usize {
    67_108_864
}
