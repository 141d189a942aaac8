//! Our own binaries, built once in the profile that we were built in.
//!
//! The tests know them as programs only. A nested cargo builds them, so `cargo test -p muster-tests` and
//! `cargo demo` need no step before them and never run a stale build.

use std::collections::HashMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::environment;
use crate::run_dir::target_dir;

const CONTROL_PLANE: &str = "muster-control-plane";
const SENDER_NODE: &str = "muster-sender-node";
const GATEWAY: &str = "muster-gateway";
const PROVIDER_SIM: &str = "muster-provider-sim";
/// The command-line client is not called as its package is.
const CLI: (&str, &str) = ("muster-cli", "muster");

/// Where our binaries are.
#[derive(Clone, Debug)]
pub struct Binaries {
    /// The control-plane.
    pub control_plane: PathBuf,
    /// The sender node.
    pub sender_node: PathBuf,
    /// The gateway.
    pub gateway: PathBuf,
    /// The simulator of SMS providers.
    pub provider_sim: PathBuf,
    /// The command-line client.
    pub cli: PathBuf,
}

/// Our binaries, up to date with the sources; built by the first that asks.
pub async fn binaries() -> Result<&'static Binaries> {
    static BINARIES: OnceCell<Binaries> = OnceCell::const_new();
    BINARIES.get_or_try_init(async || tokio::task::spawn_blocking(build).await?).await
}

fn build() -> Result<Binaries> {
    let people_watch = std::io::stderr().is_terminal();
    let output = cargo_build(&target_dir()?)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(if people_watch { Stdio::inherit() } else { Stdio::piped() })
        .output()
        .context("cannot run cargo")?;
    if !output.status.success() {
        bail!("our own binaries do not build:\n{}", String::from_utf8_lossy(&output.stderr));
    }
    let mut programs = executables(&String::from_utf8_lossy(&output.stdout));
    let mut program =
        |name| programs.remove(name).with_context(|| format!("cargo built no binary named {name}"));
    Ok(Binaries {
        control_plane: program(CONTROL_PLANE)?,
        sender_node: program(SENDER_NODE)?,
        gateway: program(GATEWAY)?,
        provider_sim: program(PROVIDER_SIM)?,
        cli: program(CLI.1)?,
    })
}

fn cargo_build(target_dir: &Path) -> Command {
    let mut command = Command::new(environment::cargo());
    command.arg("build").arg("--message-format=json-render-diagnostics");
    // Not where somebody happened to start us: the toolchain and cargo's settings are looked for from here.
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
    command.arg("--target-dir").arg(target_dir);
    for package in [CONTROL_PLANE, SENDER_NODE, GATEWAY, PROVIDER_SIM, CLI.0] {
        command.args(["--package", package]);
    }
    // Only what went wrong.
    if !std::io::stderr().is_terminal() {
        command.arg("--quiet");
    }
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    // What the outer cargo told us about our own package would look like a change to build scripts.
    for name in environment::names() {
        let about_us = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"];
        if about_us.iter().any(|prefix| name.starts_with(prefix)) || name == "CARGO_CRATE_NAME" {
            command.env_remove(name);
        }
    }
    command
}

/// The programs that cargo reports, by name.
fn executables(messages: &str) -> HashMap<String, PathBuf> {
    let reports = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    reports
        .filter_map(|report| {
            let name = report["target"]["name"].as_str()?.to_owned();
            Some((name, PathBuf::from(report["executable"].as_str()?)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_runs_where_the_toolchain_is_named() {
        let command = cargo_build(Path::new("/target"));
        let folder = command.get_current_dir().expect("a folder");
        assert!(folder.join("rust-toolchain.toml").is_file(), "{}", folder.display());
        assert!(folder.join("Cargo.lock").is_file(), "{}", folder.display());
    }
}
