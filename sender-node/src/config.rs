//! What a sender node is told: a file, then the environment.

use std::time::Duration;

use anyhow::ensure;
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
    /// How long a provider may take to answer, in seconds: 1 to 15. What takes longer is unconfirmed.
    #[serde(default = "call_timeout_s")]
    pub call_timeout_s: u64,
    /// The listener for operators.
    #[serde(default)]
    pub admin: Admin,
    /// What is told, and to whom.
    #[serde(default)]
    pub telemetry: Telemetry,
}

/// The longest that a provider may take to answer, in seconds: a stop leaves time for this, and so does the deadline of
/// claims.
const CALL_TIMEOUT_MAX_S: u64 = 15;

impl Config {
    /// Refuses what cannot be kept.
    ///
    /// # Errors
    /// With the name of the setting.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        ensure!(
            (1..=CALL_TIMEOUT_MAX_S).contains(&self.call_timeout_s),
            "call_timeout_s must be 1 to {CALL_TIMEOUT_MAX_S}"
        );
        Ok(())
    }

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
