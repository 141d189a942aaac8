//! How busy the whole machine is, whoever keeps it so: from /proc/stat.

use std::fs;

use anyhow::{Context, Result};

/// Ticks of all processors since the machine was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Machine {
    idle: u64,
    all: u64,
}

impl Machine {
    pub(super) fn read() -> Result<Self> {
        Self::parse(&fs::read_to_string("/proc/stat")?).context("/proc/stat says nothing of processors")
    }

    /// The first line: user, nice, system, idle, waiting for disks, and more kinds of work.
    fn parse(stat: &str) -> Option<Self> {
        let fields = stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace();
        let ticks: Vec<u64> = fields.map(str::parse).collect::<Result<_, _>>().ok()?;
        // Time of guests, from the ninth on, is in that of users already.
        let all = ticks.iter().take(8).sum();
        Some(Self { idle: ticks.get(3)? + ticks.get(4)?, all })
    }

    /// The share of the time since `earlier` in which the processors had work.
    #[expect(clippy::cast_precision_loss, reason = "ticks of a run fit a float many times over")]
    pub(super) fn busy_since(self, earlier: Self) -> f64 {
        let (idle, all) = (self.idle.saturating_sub(earlier.idle), self.all.saturating_sub(earlier.all));
        1.0 - idle as f64 / all.max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::Machine;

    #[test]
    fn work_and_idleness_are_told_apart() {
        let before = Machine::parse("cpu  10 0 10 70 10 0 0 0 5 0\ncpu0 1 1").expect("read");
        assert_eq!(before, Machine { idle: 80, all: 100 });
        let after = Machine::parse("cpu  70 0 25 90 10 0 5 0 50 0\n").expect("read");
        assert!((after.busy_since(before) - 0.8).abs() < 1e-9);
        assert_eq!(Machine::parse("intr 5"), None);
    }
}
