//! One typed configuration a service: defaults, then a TOML file named by `MUSTER_CONFIG`, then the environment.
//!
//! `MUSTER_NATS__URL` sets `nats.url`: a double underscore goes one level down.

use figment::Figment;
use figment::providers::{Env, Format as _, Toml};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::tls::{ClientFiles, ServerFiles};

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

/// The listener for operators: metrics, probes, and what is logged.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Admin {
    /// Where it listens, such as `127.0.0.1:7411`. Empty: nowhere.
    pub listen: String,
    /// TLS; without it, it listens in plaintext.
    pub tls: Option<ServerFiles>,
}

/// Where metrics and traces are pushed to.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Telemetry {
    /// A collector of OpenTelemetry, by OTLP over gRPC: `http://127.0.0.1:4317`, or `https`. Empty: nothing is pushed.
    #[serde(default)]
    pub otlp: String,
    /// TLS to the collector, where its URL begins with `https`.
    pub tls: Option<ClientFiles>,
    /// The share of texts, and of calls without a trace of their caller's, that are traced: 0 to 1. The same for all
    /// services.
    #[serde(default = "sampling_ratio")]
    pub sampling_ratio: f64,
    /// How often metrics are pushed, in seconds.
    #[serde(default = "push_interval_s")]
    pub push_interval_s: u64,
    /// More attributes of the process, in the syntax of `OTEL_RESOURCE_ATTRIBUTES`: `deployment.environment.name=prod`.
    #[serde(default)]
    pub resource: String,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self {
            otlp: String::new(),
            tls: None,
            sampling_ratio: sampling_ratio(),
            push_interval_s: push_interval_s(),
            resource: String::new(),
        }
    }
}

fn sampling_ratio() -> f64 {
    0.01
}

fn push_interval_s() -> u64 {
    15
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
