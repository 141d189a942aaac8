//! Where a run keeps its data and logs, and which ports it listens on.
//!
//! A folder `target/muster-run/run-...` belongs to one harness process, which holds a lock in it. It goes away
//! with its owner; what a killed owner left behind is removed by the next run, which finds the lock free.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};

use crate::environment;

const LOCK: &str = "owner.lock";
const PREFIX: &str = "run-";

/// A run's own folder.
#[derive(Debug)]
pub struct RunDir {
    path: PathBuf,
    /// Held for as long as the folder is in use.
    _lock: File,
}

impl RunDir {
    /// A new, empty folder; clears away what dead runs left.
    pub fn create() -> Result<Arc<Self>> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let root = root()?;
        // One at a time: a sweep must not meet a folder whose lock is about to be taken.
        let gate = File::create(root.join("gate.lock"))?;
        gate.lock().context("cannot lock the folder of runs")?;
        sweep(&root);
        let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_nanos());
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = root.join(format!("{PREFIX}{nanos:x}-{}-{number}", std::process::id()));
        fs::create_dir(&path).with_context(|| format!("cannot create {}", path.display()))?;
        let lock = File::create(path.join(LOCK))?;
        lock.lock().context("cannot lock the run's folder")?;
        Ok(Arc::new(Self { path, _lock: lock }))
    }

    /// The folder itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the process of this name logs.
    #[must_use]
    pub fn log(&self, name: &str) -> PathBuf {
        self.path.join(format!("{name}.log"))
    }
}

impl Drop for RunDir {
    fn drop(&mut self) {
        // After a panic the logs are what one wants to read.
        if !environment::keep_runs() && !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// The folder that cargo builds into, told by the running program's own place in it.
pub fn target_dir() -> Result<PathBuf> {
    let program = std::env::current_exe().context("cannot tell where this program lies")?;
    let marked = program.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file());
    if let Some(folder) = marked {
        return Ok(folder.to_path_buf());
    }
    let fallback = environment::path_setting("CARGO_TARGET_DIR")
        .unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"));
    fs::create_dir_all(&fallback)?;
    Ok(fallback.canonicalize()?)
}

/// A loopback port that nobody listens on and that no other harness over the same target folder will take.
///
/// It lies below the range that the kernel gives to outgoing connections: otherwise, while a killed server is
/// down, a client's own socket could take the server's port and keep it from coming back.
pub fn free_port() -> Result<u16> {
    static HELD: Mutex<Vec<File>> = Mutex::new(Vec::new());
    const LOWEST: u16 = 10_000;
    let highest = outgoing_ports_start().max(LOWEST + 2_000);
    let ports = root()?.join("ports");
    fs::create_dir_all(&ports)?;
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.subsec_nanos());
    let count = u32::from(highest - LOWEST);
    for step in 0..count {
        let offset = seed.wrapping_add(step) % count;
        let port = LOWEST + u16::try_from(offset).unwrap_or(0);
        let lock = File::create(ports.join(port.to_string()))?;
        if lock.try_lock().is_ok() && TcpListener::bind(("127.0.0.1", port)).is_ok() {
            HELD.lock().unwrap_or_else(PoisonError::into_inner).push(lock);
            return Ok(port);
        }
    }
    bail!("no free loopback port between {LOWEST} and {highest}")
}

fn outgoing_ports_start() -> u16 {
    fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")
        .ok()
        .and_then(|range| range.split_whitespace().next()?.parse().ok())
        .unwrap_or(32_768)
}

fn root() -> Result<PathBuf> {
    let root = target_dir()?.join("muster-run");
    fs::create_dir_all(&root).with_context(|| format!("cannot create {}", root.display()))?;
    Ok(root)
}

/// Removes the folders whose owners are gone. Best effort: the next run tries again.
fn sweep(root: &Path) {
    if environment::keep_runs() {
        return;
    }
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        let path = entry.path();
        let is_run = entry.file_name().to_string_lossy().starts_with(PREFIX);
        let abandoned = File::open(path.join(LOCK)).map_or(true, |lock| lock.try_lock().is_ok());
        if is_run && abandoned {
            let _ = fs::remove_dir_all(&path);
        }
    }
}
