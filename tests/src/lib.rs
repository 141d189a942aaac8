//! The harness behind the tests, the demo and the lab: real servers and our own binaries as processes.
//!
//! It promises that nothing has to be set up first (servers are found or fetched), that whatever it starts
//! ends with it, even when it is killed with -9, and that no test is skipped because a server is missing:
//! then it fails and says what would help.
//!
//! - [`servers`] starts PostgreSQL and nats-server; [`shared`] is the pair that one test binary shares.
//! - [`process`] runs any program with a log, a readiness check, kill -9, restart and its use of CPU and memory.
//! - [`tls`] makes certificates, and calls whoever shows them.
//! - [`binaries`] builds our own binaries once.
//! - [`stack`] is the whole platform over those, [`client`] calls its API, [`contacts`] makes contact files and
//!   says what an import must do, and [`judge`] holds the truth against the simulator's ledger.
//! - [`collector`] takes what processes tell by OpenTelemetry, [`operators`] asks them as an operator does.
//! - [`issuer`] is an OpenID Connect issuer to sign in with.
//! - [`stories`] are long scenarios over all of that.
//! - [`canaries`] are what a run plants and no log may hold.
//! - [`devtools`] finds or fetches the servers' programs.

pub mod bench;
pub mod binaries;
pub mod canaries;
pub mod client;
pub mod collector;
pub mod contacts;
pub mod devtools;
mod environment;
pub mod front;
pub mod issuer;
pub mod judge;
pub mod lab;
pub mod operators;
pub mod process;
pub mod run_dir;
pub mod servers;
pub mod stack;
pub mod stories;
pub mod teller;
pub mod tls;
pub mod wait;

pub use client::Client;
pub use collector::Collector;
pub use front::Front;
pub use issuer::Issuer;
pub use process::{Process, Ready, Spec, Usage};
pub use run_dir::RunDir;
pub use servers::{NatsOptions, NatsServer, Postgres, PostgresOptions, Shared, shared};
pub use stack::{Stack, StackOptions};
