//! What came of it, for people and for programs.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use super::Options;
use crate::lab::{Table, thousands};

/// What the memory may grow by while events come steadily, in MiB: what the allocator keeps.
const GROWTH_MIB_MAX: f64 = 16.0;
/// How much later events may come at the ninety-ninth percentile with stalled ones there, in milliseconds, and how many times
/// as late. Both are far below what a queue that somebody blocks would show.
const LATER_MS_MAX: f64 = 100.0;
const LATER_TIMES_MAX: f64 = 2.0;

/// What was seen while events came for a while.
#[derive(Clone, Copy, Debug)]
pub struct Phase {
    /// Responses with events that came.
    pub responses: usize,
    /// From the making of an event to its coming, in milliseconds: half were faster, and 99 of 100.
    pub delay_p50_ms: f64,
    /// See `delay_p50_ms`.
    pub delay_p99_ms: f64,
    /// The gateway's memory in the middle of it and at its end, in MiB, each the mean of a while.
    pub middle_mib: f64,
    /// See `middle_mib`.
    pub end_mib: f64,
    /// The most that it ever was.
    pub peak_mib: f64,
    /// The gateway's processor time, in seconds.
    pub cpu_s: f64,
}

impl Phase {
    pub(super) fn of(mut delays_us: Vec<i64>, memory_mib: &[f64], peak_mib: f64, cpu_s: f64) -> Self {
        delays_us.sort_unstable();
        let at = |share: usize| {
            let place = (delays_us.len() * share / 100).min(delays_us.len().saturating_sub(1));
            delays_us.get(place).map_or(0.0, |us| *us as f64 / 1_000.0)
        };
        let quarter = (memory_mib.len() / 4).max(1);
        let mean = |from: usize| {
            let part = memory_mib.iter().skip(from).take(quarter);
            part.clone().sum::<f64>() / part.count().max(1) as f64
        };
        Self {
            responses: delays_us.len(),
            delay_p50_ms: at(50),
            delay_p99_ms: at(99),
            middle_mib: mean(memory_mib.len() / 2),
            end_mib: mean(memory_mib.len().saturating_sub(quarter)),
            peak_mib,
            cpu_s,
        }
    }

    fn rows(&self) -> [(&'static str, f64); 7] {
        [
            ("responses with events", self.responses as f64),
            ("delay of an event, median, in ms", self.delay_p50_ms),
            ("delay of an event, 99 of 100, in ms", self.delay_p99_ms),
            ("the gateway's memory in the middle, in MiB", self.middle_mib),
            ("at the end", self.end_mib),
            ("at most", self.peak_mib),
            ("its processor time, in s", self.cpu_s),
        ]
    }

    fn to_json(self) -> Value {
        json!({
            "responses": self.responses,
            "delay_p50_ms": round(self.delay_p50_ms),
            "delay_p99_ms": round(self.delay_p99_ms),
            "middle_mib": round(self.middle_mib),
            "end_mib": round(self.end_mib),
            "peak_mib": round(self.peak_mib),
            "cpu_s": round(self.cpu_s),
        })
    }
}

fn round(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

/// All that the story found.
#[derive(Clone, Debug)]
pub struct Report {
    /// How it was told.
    pub options: Options,
    /// The gateway's memory before anybody watched, in MiB.
    pub idle_mib: f64,
    /// While all read.
    pub before: Phase,
    /// While some had stopped reading.
    pub with_stalled: Phase,
    /// Watchers who read.
    pub reading: usize,
    /// Watchers who stopped reading.
    pub stalled: usize,
    /// Of these, those who were told that they were too slow, with a token.
    pub too_slow: usize,
    /// Of these, those who were followed to the end.
    pub followed: usize,
    /// Of these, those who saw every event once.
    pub caught_up: usize,
    /// What went wrong.
    pub faults: Vec<String>,
    /// Events that were told in all.
    pub told: usize,
    /// How often one watcher was killed and came back.
    pub resumes: usize,
    /// Events that it never saw.
    pub resumed_missing: usize,
    /// Events that it saw again.
    pub resumed_again: usize,
    /// How long all of it took.
    pub wall: Duration,
}

impl Report {
    /// Whether everybody saw everything, those who read as soon as ever, and the gateway's memory stayed flat.
    pub fn ok(&self) -> bool {
        let [before, with_stalled] = [self.before, self.with_stalled];
        let late = (before.delay_p99_ms * LATER_TIMES_MAX).max(before.delay_p99_ms + LATER_MS_MAX);
        self.faults.is_empty()
            && self.too_slow == self.stalled
            && self.caught_up == self.followed
            && self.resumed_missing == 0
            && self.resumes >= self.options.resumes
            && with_stalled.delay_p99_ms <= late
            && with_stalled.end_mib - with_stalled.middle_mib <= GROWTH_MIB_MAX
    }

    /// One object for programs.
    pub fn to_json(&self) -> Value {
        json!({
            "ok": self.ok(),
            "organizations": self.options.organizations,
            "reading": self.reading,
            "stalled": self.stalled,
            "idle_mib": round(self.idle_mib),
            "before": self.before.to_json(),
            "with_stalled": self.with_stalled.to_json(),
            "too_slow": self.too_slow,
            "followed": self.followed,
            "caught_up": self.caught_up,
            "told": self.told,
            "resumes": self.resumes,
            "resumed_missing": self.resumed_missing,
            "resumed_again": self.resumed_again,
            "faults": self.faults.len(),
            "wall_s": round(self.wall.as_secs_f64()),
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut phases = Table::new(["", "all read", "some stalled"]);
        let rows = self.before.rows().into_iter().zip(self.with_stalled.rows());
        for ((name, before), (_, with_stalled)) in rows {
            phases.row([name.to_owned(), thousands(round(before)), thousands(round(with_stalled))]);
        }
        let (reading, stalled) = (thousands(self.reading), thousands(self.stalled));
        writeln!(f, "{reading} read, {stalled} stalled; {:.1} MiB before\n{phases}", self.idle_mib)?;
        let mut counts = Table::new(["", ""]);
        for (name, count) in [
            ("events told", self.told),
            ("stalled ones that were told so, with a token", self.too_slow),
            ("of those followed, so many", self.followed),
            ("saw every event once", self.caught_up),
            ("times that one was killed and came back", self.resumes),
            ("events that it missed", self.resumed_missing),
            ("events that it saw again", self.resumed_again),
        ] {
            counts.row([name.to_owned(), thousands(count)]);
        }
        writeln!(f, "{counts}")?;
        for fault in self.faults.iter().take(10) {
            writeln!(f, "    {fault}")?;
        }
        let verdict =
            if self.ok() { "Everybody saw everything, and nobody was held up" } else { "NOT RIGHT" };
        write!(f, "{verdict}: {:.1} s.", self.wall.as_secs_f64())
    }
}
