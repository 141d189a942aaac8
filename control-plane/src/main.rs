//! `muster-control-plane`: runs the control-plane, or with `migrate` brings the schema up to date, or with
//! `rewrap-secrets` rotates the key that secrets are sealed under.

use clap::{Parser, Subcommand};
use muster_control_plane::config::{Config, Migrate, Rewrap};
use muster_control_plane::{db, secrets, server};
use muster_runtime::{config, service};

/// Muster's control-plane. Settings come from a TOML file named by `MUSTER_CONFIG` and from `MUSTER_*` in the
/// environment, where a double underscore goes one level down: `MUSTER_NATS__URL` is `nats.url`.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the control-plane; the default.
    Serve,
    /// Brings the database's schema up to date, as its owner, and ends.
    Migrate,
    /// Wraps the keys of all sealed secrets under the current key-encryption key, and ends; fails where some are left
    /// under another one.
    RewrapSecrets,
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command.unwrap_or(Command::Serve) {
        Command::Serve => {
            let config: Config = config::load()?;
            service::run(&config.log.clone(), config.threads, server::run(config))
        }
        Command::Migrate => {
            let config: Migrate = config::load()?;
            service::run(&config.log, 1, db::migrate(&config.database))
        }
        Command::RewrapSecrets => {
            let config: Rewrap = config::load()?;
            service::run(&config.log.clone(), 1, secrets::rewrap(config))
        }
    }
}
