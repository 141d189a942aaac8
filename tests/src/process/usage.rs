//! CPU and memory of a process and all below it, from /proc.

use std::collections::HashMap;
use std::fs;

use anyhow::{Context, Result, bail};

/// What a process and its children have used so far, over all its restarts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// User and system time of the process, its children and the children it has waited for, in seconds.
    pub cpu_s: f64,
    /// The most memory it ever held, in MiB. For a tree of processes: the most that any reading saw.
    pub rss_peak_mib: f64,
    /// The memory it holds now, in MiB; what the processes of a tree share is counted once.
    pub rss_mib: f64,
}

/// The state, parent and times of one process, as the kernel tells them (even once it is a zombie).
#[derive(Clone, Copy, Debug)]
pub(super) struct Stat {
    pub(super) state: char,
    parent: u32,
    /// Its own and that of the children it has waited for.
    pub(super) cpu_s: f64,
}

/// `None` when there is no such process.
pub(super) fn stat(pid: u32) -> Option<Stat> {
    let line = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may itself hold spaces and parentheses.
    let fields: Vec<&str> = line.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |field: usize| fields.get(field)?.parse::<u64>().ok();
    let cpu_ticks = ticks(11)? + ticks(12)? + ticks(13)? + ticks(14)?;
    #[expect(clippy::cast_precision_loss, reason = "a run's ticks fit a float many times over")]
    let cpu_s = cpu_ticks as f64 / rustix::param::clock_ticks_per_second() as f64;
    Some(Stat { state: fields.first()?.chars().next()?, parent: fields.get(1)?.parse().ok()?, cpu_s })
}

/// Whether there is a process of this id that has not ended (a zombie has).
#[must_use]
pub fn is_alive(pid: u32) -> bool {
    stat(pid).is_some_and(|stat| !matches!(stat.state, 'Z' | 'X'))
}

/// The process and all its descendants, itself first.
pub(super) fn tree(root: u32) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        if let Some(stat) = stat(pid) {
            children.entry(stat.parent).or_default().push(pid);
        }
    }
    let mut found = vec![root];
    let mut next = 0;
    while let Some(pid) = found.get(next).copied() {
        found.extend(children.remove(&pid).unwrap_or_default());
        next += 1;
    }
    found
}

/// What the process and its descendants use at this moment.
pub(super) fn read(root: u32) -> Result<Usage> {
    let pids = tree(root);
    let mut usage = Usage::default();
    let (mut private_mib, mut shared_mib) = (0.0, 0.0_f64);
    for pid in &pids {
        // A child may end while we look.
        let (Some(stat), Ok(memory)) = (stat(*pid), memory(*pid)) else { continue };
        usage.cpu_s += stat.cpu_s;
        private_mib += memory.private_mib;
        shared_mib = shared_mib.max(memory.shared_mib);
        usage.rss_peak_mib = usage.rss_peak_mib.max(memory.peak_mib);
    }
    usage.rss_mib = private_mib + shared_mib;
    usage.rss_peak_mib = usage.rss_peak_mib.max(usage.rss_mib);
    if usage == Usage::default() && !is_alive(root) {
        bail!("process {root} is gone");
    }
    Ok(usage)
}

struct Memory {
    private_mib: f64,
    shared_mib: f64,
    peak_mib: f64,
}

fn memory(pid: u32) -> Result<Memory> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let mib = |field: &str| -> Result<f64> {
        let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        let kib: f64 = line
            .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
            .with_context(|| format!("no {field} in the status of process {pid}"))?;
        Ok(kib / 1024.0)
    };
    Ok(Memory {
        private_mib: mib("RssAnon")?,
        shared_mib: mib("RssFile")? + mib("RssShmem")?,
        peak_mib: mib("VmHWM")?,
    })
}
