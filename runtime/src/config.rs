//! One typed configuration a service: defaults, then a TOML file named by `MUSTER_CONFIG`, then the environment.
//!
//! `MUSTER_NATS__URL` sets `nats.url`: a double underscore goes one level down.

use figment::Figment;
use figment::providers::{Env, Format as _, Toml};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::tls::ClientFiles;

/// How to reach NATS, and how our streams are named there.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nats {
    /// The server, such as `nats://127.0.0.1:4222`. With `user:password@` or `token@` before the host where it asks
    /// who we are; that part is never logged.
    pub url: String,
    /// What the names of our streams and subjects begin with, so that several systems can share a server.
    #[serde(default = "prefix")]
    pub prefix: String,
    /// How many servers of the cluster keep each stream: 1, 3 or 5.
    #[serde(default = "replicas")]
    pub replicas: usize,
    /// TLS. Given, it is demanded; otherwise a URL that begins with `tls` demands it, with the system's authorities.
    pub tls: Option<ClientFiles>,
}

fn prefix() -> String {
    "muster".to_owned()
}

fn replicas() -> usize {
    1
}

/// What is logged and how.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// Which events, in the syntax of `tracing_subscriber::EnvFilter`.
    pub filter: String,
    /// One JSON object a line, for machines; otherwise text, for people.
    pub json: bool,
}

impl Default for Log {
    fn default() -> Self {
        Self { filter: "info".to_owned(), json: true }
    }
}

/// Reads a service's configuration.
///
/// # Errors
/// Names the setting that is missing or wrong, and where it came from.
pub fn load<T: DeserializeOwned>() -> anyhow::Result<T> {
    let file = Env::var("MUSTER_CONFIG");
    let mut figment = Figment::new();
    if let Some(path) = file {
        figment = figment.merge(Toml::file_exact(path));
    }
    // The harness has settings of its own beside ours; they are not any service's.
    let environment =
        Env::prefixed("MUSTER_").ignore(&["config"]).filter(|key| !key.starts_with("test_")).split("__");
    Ok(figment.merge(environment).extract()?)
}
