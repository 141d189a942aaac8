//! One life of a process: spawned so that it dies with us, watched, signalled, and reaped.
//!
//! The kernel can signal a child when its parent ends (PR_SET_PDEATHSIG), but takes the parent's *thread* for
//! the parent. So one thread, which lives as long as this process, does all the spawning.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{OnceLock, mpsc};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use super::guise;
use super::spec::Spec;
use super::usage::{self, Usage};
use crate::environment;
use crate::wait::until_blocking;

/// How long the kernel may take to clear away a killed process, however large it was.
const REAP_WITHIN: Duration = Duration::from_secs(20);
/// How long to wait for a process to heed SIGSTOP, which it cannot refuse.
const STOP_WITHIN: Duration = Duration::from_millis(200);

/// A process that runs, or has ended and was not reaped yet.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    /// Where in the log this life began.
    pub(super) log_from: u64,
}

/// How a life ended and what it used.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    pub(super) usage: Usage,
}

impl Running {
    pub(super) fn spawn(spec: &Spec, log: &Path) -> Result<Self> {
        let output = OpenOptions::new().create(true).append(true).open(log)?;
        let log_from = output.metadata()?.len();
        let mut command = command(spec)?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let child = on_spawner_thread(command)
            .with_context(|| format!("cannot start {} ({})", spec.name, spec.program.display()))?;
        Ok(Self { child, log_from })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended. It is not reaped by this, so its times can still be read.
    pub(super) fn has_ended(&self) -> bool {
        !usage::is_alive(self.pid())
    }

    /// Sends a signal to it and to all below it.
    pub(super) fn signal_tree(&self, signal: Signal) -> Result<()> {
        usage::tree(self.pid()).into_iter().try_for_each(|pid| send(pid, signal))
    }

    /// Ends it and all below it as a power cut would.
    pub(super) fn kill(self) -> Result<Ended> {
        let before = usage::read(self.pid()).unwrap_or_default();
        // Stopped first, it cannot start a child that we would not know of.
        send(self.pid(), Signal::STOP)?;
        let stopped = || usage::stat(self.pid()).is_none_or(|stat| matches!(stat.state, 'T' | 'Z' | 'X'));
        until_blocking(STOP_WITHIN, || Ok(stopped().then_some(())))?;
        let pids = usage::tree(self.pid());
        for pid in &pids {
            send(*pid, Signal::KILL)?;
        }
        self.reap(before, &pids)
    }

    /// Asks it to end; when it has not ended in time, kills it and fails.
    pub(super) fn end(self, signal: Signal, within: Duration) -> Result<Ended> {
        let before = usage::read(self.pid()).unwrap_or_default();
        let pids = usage::tree(self.pid());
        send(self.pid(), signal)?;
        if until_blocking(within, || Ok(self.has_ended().then_some(())))?.is_none() {
            self.kill()?;
            bail!("did not end within {within:?} of {signal:?}, so it was killed");
        }
        // What it started and left behind would stay with nobody to end it.
        for pid in pids.iter().filter(|pid| usage::is_alive(**pid)) {
            send(*pid, Signal::KILL)?;
        }
        self.reap(before, &pids)
    }

    /// Collects it once it and the others are gone.
    fn reap(mut self, before: Usage, pids: &[u32]) -> Result<Ended> {
        let gone = || pids.iter().all(|pid| !usage::is_alive(*pid)).then_some(());
        until_blocking(REAP_WITHIN, || Ok(gone()))?.context("a killed process did not go away")?;
        let last_cpu_s = usage::stat(self.pid()).map_or(0.0, |stat| stat.cpu_s);
        let usage = Usage { cpu_s: before.cpu_s.max(last_cpu_s), rss_mib: 0.0, ..before };
        Ok(Ended { status: self.child.wait()?, usage })
    }
}

impl Drop for Running {
    /// Only when nobody ended it: its start failed or was given up.
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.signal_tree(Signal::KILL);
            let _ = self.child.wait();
        }
    }
}

/// A signal to a process that has just ended is no error.
fn send(pid: u32, signal: Signal) -> Result<()> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).context("no such process id")?;
    match kill_process(pid, signal) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot send {signal:?} to process {pid}")),
    }
}

/// The program behind what ties its life to ours.
fn command(spec: &Spec) -> Result<Command> {
    let mut words: Vec<OsString> = Vec::new();
    if spec.refuses_root {
        words.extend(guise::prefix());
    }
    // After the change of user, which would clear it. The shell checks that we did not die before it was set.
    words.extend(["setpriv", "--pdeathsig", signal_name(spec.on_parent_death)?, "--"].map(OsString::from));
    words.extend(["sh", "-c", r#"[ "$PPID" = "$0" ] && exec "$@""#].map(OsString::from));
    words.push(std::process::id().to_string().into());
    words.push(spec.program.clone().into());
    words.extend(spec.args.iter().cloned());

    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    for name in environment::names() {
        if spec.dropped_env_prefixes.iter().any(|prefix| name.starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    command.envs(spec.envs.iter().map(|(name, value)| (name, value)));
    // Its own group: Ctrl-C reaches us alone, and we end the others in order.
    command.process_group(0);
    Ok(command)
}

fn signal_name(signal: Signal) -> Result<&'static str> {
    match signal {
        Signal::KILL => Ok("KILL"),
        Signal::QUIT => Ok("QUIT"),
        Signal::TERM => Ok("TERM"),
        other => bail!("{other:?} is not meant for the end of the parent"),
    }
}

struct Order {
    command: Command,
    answer: mpsc::SyncSender<std::io::Result<Child>>,
}

/// Has the thread that never ends start it.
fn on_spawner_thread(command: Command) -> Result<Child> {
    static ORDERS: OnceLock<mpsc::Sender<Order>> = OnceLock::new();
    let orders = ORDERS.get_or_init(|| {
        let (sender, receiver) = mpsc::channel::<Order>();
        let work = move || {
            for Order { mut command, answer } in receiver {
                // Whoever asked may have given up; then the child is dropped, and ends with us.
                let _ = answer.send(command.spawn());
            }
        };
        // Without the thread the channel is closed, and the send below says so.
        let _ = std::thread::Builder::new().name("spawner".into()).spawn(work);
        sender
    });
    let (answer, child) = mpsc::sync_channel(1);
    ensure!(orders.send(Order { command, answer }).is_ok(), "the thread that starts processes is gone");
    child.recv().context("the thread that starts processes is gone")?.map_err(|error| {
        let missing = error.kind() == ErrorKind::NotFound;
        let hint = if missing { ": unshare and setpriv come with util-linux" } else { "" };
        anyhow!("{error}{hint}")
    })
}
