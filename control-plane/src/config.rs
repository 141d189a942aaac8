//! What the control-plane is told when it starts.

use std::time::Duration;

use muster_runtime::config::{Log, Nats};
use secrecy::SecretString;
use serde::Deserialize;

/// The configuration of `muster-control-plane`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// PostgreSQL.
    pub database: Database,
    /// NATS.
    pub nats: Nats,
    /// Logging.
    #[serde(default)]
    pub log: Log,
    /// Threads to run on; 1 keeps everything on one.
    #[serde(default = "threads")]
    pub threads: usize,
    /// Where the API listens.
    pub api: Listener,
    /// Where our own processes call.
    pub internal: Listener,
    /// What our own processes prove themselves with.
    pub internal_token: SecretString,
    /// The key of the operator.
    pub operator_key: SecretString,
    /// The public URL of the gateway, which providers call.
    pub public_base_url: String,
    /// How long a claim may stay without an outcome before its message is UNCONFIRMED, in seconds: more than a
    /// call may take.
    #[serde(default = "claim_deadline_s")]
    pub claim_deadline_s: u64,
    /// How long an order may stay unclaimed before it is published again, in seconds.
    #[serde(default = "order_deadline_s")]
    pub order_deadline_s: u64,
    /// How long a deleted tenant can be undeleted before it is purged, in days.
    #[serde(default = "tenant_grace_days")]
    pub tenant_grace_days: u32,
}

impl Config {
    /// How long a claim may stay without an outcome.
    pub fn claim_deadline(&self) -> Duration {
        Duration::from_secs(self.claim_deadline_s)
    }

    /// How long an order may stay unclaimed.
    pub fn order_deadline(&self) -> Duration {
        Duration::from_secs(self.order_deadline_s)
    }

    /// How long a deleted tenant can be undeleted.
    pub fn tenant_grace(&self) -> Duration {
        Duration::from_secs(u64::from(self.tenant_grace_days) * 24 * 3_600)
    }
}

/// The two roles that PostgreSQL is opened in. What serves must not know a third one's password, the owner's: it could
/// get around row-level security.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// As `muster_app`, which answers tenants' calls and sees one tenant at a time.
    pub app_url: SecretString,
    /// As `muster_system`, which runs the background loops.
    pub system_url: SecretString,
    /// Connections in each of the two pools.
    #[serde(default = "pool_size")]
    pub pool_size: usize,
}

/// The configuration of `muster-control-plane migrate`. It often runs with the settings of the service beside its own,
/// and passes over what it does not know: what it needs, it needs by name.
#[derive(Clone, Debug, Deserialize)]
pub struct Migrate {
    /// PostgreSQL.
    pub database: MigrateDatabase,
    /// Logging.
    #[serde(default)]
    pub log: Log,
}

/// The role that owns the schema.
#[derive(Clone, Debug, Deserialize)]
pub struct MigrateDatabase {
    /// As the owner of the schema, who may create roles.
    pub owner_url: SecretString,
}

/// An address to listen on.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listener {
    /// Host and port, such as `0.0.0.0:8443`.
    pub listen: String,
}

fn threads() -> usize {
    1
}

fn pool_size() -> usize {
    16
}

fn claim_deadline_s() -> u64 {
    60
}

fn order_deadline_s() -> u64 {
    60
}

fn tenant_grace_days() -> u32 {
    30
}
