//! `muster-control-plane`: runs the control-plane, or with `migrate` brings the schema up to date.

use clap::{Parser, Subcommand};
use muster_control_plane::config::{Config, Migrate};
use muster_control_plane::{db, server};
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
    }
}
