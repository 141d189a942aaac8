//! What a sender node is told: a file, then the environment.

use std::time::Duration;

use muster_runtime::config::{Admin, Log, Nats, Telemetry};
use muster_runtime::directory::ControlPlane;
use serde::Deserialize;

/// A sender node's configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where orders come from and outcomes go.
    pub nats: Nats,
    /// Who grants claims and knows the accounts.
    pub control_plane: ControlPlane,
    /// What callback URLs begin with: the gateway, as providers reach it.
    pub public_base_url: String,
    /// What is logged.
    #[serde(default)]
    pub log: Log,
    /// Threads. One is best up to a core's worth of calls; run more nodes rather than more threads.
    #[serde(default = "threads")]
    pub threads: usize,
    /// The node's name in events and logs. Empty: made of the host's name and the process's id.
    #[serde(default)]
    pub node: String,
    /// HTTP calls that may be open at once.
    #[serde(default = "calls_max")]
    pub calls_max: usize,
    /// How long a provider may take to answer, in seconds. What takes longer is unconfirmed. A stop
    /// leaves time for 15 seconds, not more.
    #[serde(default = "call_timeout_s")]
    pub call_timeout_s: u64,
    /// The listener for operators.
    #[serde(default)]
    pub admin: Admin,
    /// What is told, and to whom.
    #[serde(default)]
    pub telemetry: Telemetry,
}

impl Config {
    /// How long a provider may take to answer.
    pub fn call_timeout(&self) -> Duration {
        Duration::from_secs(self.call_timeout_s)
    }
}

fn threads() -> usize {
    1
}

fn calls_max() -> usize {
    512
}

fn call_timeout_s() -> u64 {
    15
}
