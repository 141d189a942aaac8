//! A program run as a process of its own: log, readiness, kill -9, restart, CPU and memory.
//!
//! Whatever is started here ends with this process, however that ends. What blocks (waiting for a process to
//! come up or go away) happens on a thread for blocking work, so the traffic of a story flows on meanwhile.

mod child;
mod guise;
mod spec;
mod usage;

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use self::child::{Ended, Running};
pub(crate) use self::guise::create_folder;
pub use self::spec::{Ready, Signal, Spec};
pub use self::usage::{Usage, is_alive};
use crate::run_dir::RunDir;
use crate::wait::until_blocking;

/// How long a process that we drop may take to end by itself.
const DROP_WITHIN: Duration = Duration::from_secs(10);
/// How long one attempt to connect or to read an answer may take.
const PROBE_TIMEOUT: Duration = Duration::from_millis(500);
/// How many of its last lines an error shows.
const LOG_LINES_SHOWN: usize = 20;
/// How far back it looks for them.
const LOG_BYTES_SHOWN_MAX: u64 = 64 * 1024;

/// A process that can be killed and started again. Dropped, it is asked to end, then made to.
#[derive(Debug)]
pub struct Process {
    spec: Spec,
    /// Keeps the folder of the log for as long as somebody writes into it.
    _run: Arc<RunDir>,
    log: PathBuf,
    running: Option<Running>,
    /// Of earlier lives; and the highest memory that any reading saw.
    past: Mutex<Usage>,
}

impl Process {
    /// Starts it and waits until it is ready.
    pub async fn start(run: &Arc<RunDir>, spec: Spec) -> Result<Self> {
        let log = run.log(&spec.name);
        let mut process =
            Self { spec, _run: Arc::clone(run), log, running: None, past: Mutex::new(Usage::default()) };
        process.start_again().await?;
        Ok(process)
    }

    /// Starts it after it was killed, was terminated or ended by itself, and waits until it is ready.
    pub async fn start_again(&mut self) -> Result<()> {
        if let Some(running) = self.running.take() {
            if !running.has_ended() {
                self.running = Some(running);
                bail!("{} runs already", self.spec.name);
            }
            self.bury(blocking(move || running.kill()).await?);
        }
        let (spec, log) = (self.spec.clone(), self.log.clone());
        self.running = Some(blocking(move || start_and_wait(&spec, &log)).await?);
        Ok(())
    }

    /// Ends it in order, then starts it again.
    pub async fn restart(&mut self, stop_within: Duration) -> Result<()> {
        self.terminate(stop_within).await?;
        self.start_again().await
    }

    /// kill -9, to it and all below it. When this returns they are gone.
    pub async fn kill9(&mut self) -> Result<()> {
        let running = self.take_running()?;
        let ended = blocking(move || running.kill()).await.with_context(|| self.spec.name.clone())?;
        self.bury(ended);
        Ok(())
    }

    /// Asks it to end (SIGTERM) and tells how it did. When it takes longer it is killed, and this fails.
    pub async fn terminate(&mut self, within: Duration) -> Result<ExitStatus> {
        let running = self.take_running()?;
        let signal = self.spec.stop;
        let ended =
            blocking(move || running.end(signal, within)).await.with_context(|| self.spec.name.clone())?;
        let status = ended.status;
        self.bury(ended);
        Ok(status)
    }

    /// Freezes it and all below it (SIGSTOP): alive, connected, and silent.
    pub fn pause(&self) -> Result<()> {
        self.running()?.signal_tree(Signal::STOP)
    }

    /// Lets it go on after [`Process::pause`] (SIGCONT).
    pub fn resume(&self) -> Result<()> {
        self.running()?.signal_tree(Signal::CONT)
    }

    /// How it is started.
    pub(crate) fn spec(&self) -> &Spec {
        &self.spec
    }

    /// Sets a variable of its environment for when it is started again.
    pub fn set_env(&mut self, name: &str, value: impl Into<OsString>) {
        self.spec = self.spec.clone().env(name, value);
    }

    /// What logs and errors call it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// Its id; an error when it does not run.
    pub fn pid(&self) -> Result<u32> {
        Ok(self.running()?.pid())
    }

    /// The ids of it and all below it; none when it does not run.
    #[must_use]
    pub fn pids(&self) -> Vec<u32> {
        self.running.as_ref().map(|running| usage::tree(running.pid())).unwrap_or_default()
    }

    /// Whether it runs at this moment.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.running.as_ref().is_some_and(|running| !running.has_ended())
    }

    /// CPU and memory over all its lives up to now.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let now =
            self.running.as_ref().and_then(|running| usage::read(running.pid()).ok()).unwrap_or_default();
        let mut past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        past.rss_peak_mib = past.rss_peak_mib.max(now.rss_peak_mib);
        Usage { cpu_s: past.cpu_s + now.cpu_s, rss_mib: now.rss_mib, rss_peak_mib: past.rss_peak_mib }
    }

    /// The file that its output goes to, over all its lives.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The last lines of its output, for an error message.
    #[must_use]
    pub fn log_tail(&self) -> String {
        let size = std::fs::metadata(&self.log).map_or(0, |metadata| metadata.len());
        tail(&read_log(&self.log, size.saturating_sub(LOG_BYTES_SHOWN_MAX)))
    }

    fn running(&self) -> Result<&Running> {
        self.running.as_ref().with_context(|| format!("{} does not run", self.spec.name))
    }

    fn take_running(&mut self) -> Result<Running> {
        self.running.take().with_context(|| format!("{} does not run", self.spec.name))
    }

    fn bury(&self, ended: Ended) {
        let mut past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        past.cpu_s += ended.usage.cpu_s;
        past.rss_peak_mib = past.rss_peak_mib.max(ended.usage.rss_peak_mib);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            // A paused process would not hear the request to end. Whatever fails here, the end of this process
            // is the end of that one.
            let _ = running.signal_tree(Signal::CONT);
            let _ = running.end(self.spec.on_drop, DROP_WITHIN);
        }
    }
}

/// Runs a program to its end, with the same ties to us; an error with its last lines when it fails.
pub(crate) async fn run_to_end(run: &Arc<RunDir>, spec: Spec) -> Result<()> {
    let log = run.log(&spec.name);
    blocking(move || {
        let running = Running::spawn(&spec, &log)?;
        let ended = until_blocking(spec.ready_within, || Ok(running.has_ended().then_some(())))?;
        let status = running.kill()?.status;
        if ended.is_none() || !status.success() {
            bail!("{} failed ({status}):\n{}", spec.name, tail(&read_log(&log, 0)));
        }
        Ok(())
    })
    .await
}

fn start_and_wait(spec: &Spec, log: &Path) -> Result<Running> {
    let running = Running::spawn(spec, log)?;
    let ready = until_blocking(spec.ready_within, || {
        if running.has_ended() {
            return Ok(Some(false));
        }
        Ok(is_ready(&spec.ready, log, running.log_from).then_some(true))
    })?;
    if ready == Some(true) {
        return Ok(running);
    }
    let log_from = running.log_from;
    let status = running.kill()?.status;
    let lines = tail(&read_log(log, log_from));
    match ready {
        Some(_) => bail!("{} ended before it was ready ({status}):\n{lines}", spec.name),
        None => {
            bail!("{} was not ready ({:?}) within {:?}:\n{lines}", spec.name, spec.ready, spec.ready_within)
        }
    }
}

fn is_ready(ready: &Ready, log: &Path, log_from: u64) -> bool {
    match ready {
        Ready::AtOnce => true,
        Ready::Line(text) => read_log(log, log_from).contains(text.as_str()),
        Ready::Tcp(port) => connect(*port).is_some(),
        Ready::Http(port, path) => answers_ok(*port, path).unwrap_or(false),
    }
}

fn connect(port: u16) -> Option<TcpStream> {
    TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), PROBE_TIMEOUT).ok()
}

fn answers_ok(port: u16, path: &str) -> Option<bool> {
    let mut stream = connect(port)?;
    stream.set_read_timeout(Some(PROBE_TIMEOUT)).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n").ok()?;
    let mut status = [0; "HTTP/1.1 200".len()];
    stream.read_exact(&mut status).ok()?;
    Some(status.ends_with(b" 200"))
}

fn read_log(log: &Path, from: u64) -> String {
    let mut bytes = Vec::new();
    if let Ok(mut file) = File::open(log) {
        let _ = file.seek(SeekFrom::Start(from)).and_then(|_| file.read_to_end(&mut bytes));
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].join("\n")
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.context("work on another thread was cut off")?
}
