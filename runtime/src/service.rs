//! The frame of a service's `main`: logs, the runtime, and the wait for the signal to stop.

use std::future::Future;
use tokio::signal::unix::{SignalKind, signal};

use crate::config::Log;
use crate::telemetry::log;

/// Sets up logging and the crypto provider, and runs `service` on `threads` threads.
///
/// # Errors
/// Whatever `service` ends with.
pub fn run<F>(logs: &Log, threads: usize, service: F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>>,
{
    log::start(logs)?;
    // The only crypto provider; an error would mean that it is installed already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = if threads == 1 {
        tokio::runtime::Builder::new_current_thread().enable_all().build()?
    } else {
        tokio::runtime::Builder::new_multi_thread().worker_threads(threads.max(1)).enable_all().build()?
    };
    runtime.block_on(service)
}

/// Returns when the process is asked to stop: SIGTERM or SIGINT.
///
/// # Errors
/// Where the signals cannot be listened for.
pub async fn stop_requested() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("asked to stop");
    Ok(())
}

/// The process's name in events, claims and logs: the one given, or one made of the host's name and the
/// process's id, with something random because containers share both.
pub fn node_name(given: &str) -> String {
    if !given.is_empty() {
        return given.to_owned();
    }
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = if host.trim().is_empty() { "node" } else { host.trim() };
    let [.., high, low] = *crate::clock::new_id().as_bytes();
    format!("{host}-{}-{high:02x}{low:02x}", std::process::id())
}
