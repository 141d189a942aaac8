//! The frame of a service's `main`: telemetry, the runtime, and the wait for the signal to stop.

use std::future::Future;

use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::config::Log;

/// Sets up logging and the crypto provider, and runs `service` on `threads` threads.
///
/// # Errors
/// Whatever `service` ends with.
pub fn run<F>(log: &Log, threads: usize, service: F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>>,
{
    let filter = EnvFilter::try_new(&log.filter)?;
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if log.json {
        logs.json().init()
    } else {
        logs.init()
    }
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
