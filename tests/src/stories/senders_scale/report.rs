//! What came of it, for people and for programs.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use super::{ANSWER_MS, Moment, Options};
use crate::judge::Verdict;
use crate::lab::{Table, thousands};

/// How much of what more nodes could add they must add, as long as there is processor time.
const GROWTH_MIN: f64 = 0.7;
/// From when on the processor counts as full. Then more nodes can add nothing, and must not take much away.
const FULL: f64 = 0.9;
const FULL_MIN: f64 = 0.8;

/// One number of nodes.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    /// How many.
    pub nodes: usize,
    /// Texts accepted a second.
    pub texts_per_s: f64,
    /// What it would be if nothing but the providers took time.
    pub ideal_per_s: f64,
    /// Processors that the nodes together kept busy.
    pub nodes_cpu: f64,
    /// The same of the whole platform, simulator and servers included.
    pub all_cpu: f64,
    /// The share of the machine's processor time that anybody used.
    pub machine_busy: f64,
    /// The ledger's verdict.
    #[serde(skip)]
    pub verdict: Verdict,
}

impl Run {
    #[expect(clippy::cast_precision_loss, reason = "texts are counted in thousands")]
    pub(super) fn between(
        from: &Moment,
        until: &Moment,
        nodes: usize,
        ideal_per_s: u64,
        verdict: Verdict,
    ) -> Self {
        let seconds = until.at.duration_since(from.at).as_secs_f64();
        Self {
            nodes,
            texts_per_s: (until.accepted - from.accepted) as f64 / seconds,
            ideal_per_s: ideal_per_s as f64,
            nodes_cpu: (until.nodes_cpu_s - from.nodes_cpu_s) / seconds,
            all_cpu: (until.all_cpu_s - from.all_cpu_s) / seconds,
            machine_busy: until.machine.busy_since(from.machine),
            verdict,
        }
    }

    fn share_of_ideal(&self) -> f64 {
        self.texts_per_s / self.ideal_per_s
    }

    /// Whether it sends enough more than a run with fewer nodes, or as much as the machine can.
    fn has_grown_from(&self, fewer: &Self) -> bool {
        let (times, could) = (self.texts_per_s / fewer.texts_per_s, self.ideal_per_s / fewer.ideal_per_s);
        times - 1.0 >= (could - 1.0) * GROWTH_MIN || self.machine_busy >= FULL && times >= FULL_MIN
    }
}

/// All that the story found.
#[derive(Clone, Debug)]
pub struct Report {
    /// How it was told.
    pub options: Options,
    /// The runs, in order.
    pub runs: Vec<Run>,
    /// How long all of it took.
    pub wall: Duration,
}

impl Report {
    /// Whether every text arrived once, and throughput grew as long as there was processor time.
    pub fn ok(&self) -> bool {
        let arrived = |run: &Run| run.verdict.is_right() && run.verdict.delivered == run.verdict.messages;
        self.runs.iter().all(arrived) && self.runs.windows(2).all(|pair| pair[1].has_grown_from(&pair[0]))
    }

    /// One object for programs.
    pub fn to_json(&self) -> Value {
        json!({
            "ok": self.ok(),
            "answer_ms": ANSWER_MS,
            "calls_max": self.options.calls_max,
            "runs": self.runs,
            "duplicates": self.runs.iter().map(|run| run.verdict.duplicates).sum::<u64>(),
            "missing": self.runs.iter().map(|run| run.verdict.missing).sum::<u64>(),
            "seed": self.options.seed,
            "wall_s": (self.wall.as_secs_f64() * 10.0).round() / 10.0,
        })
    }

    fn table(&self) -> Table {
        let columns =
            ["nodes", "texts/s", "ideal", "% of ideal", "CPUs of nodes", "CPUs of all", "% of machine busy"];
        let mut table = Table::new(columns);
        for run in &self.runs {
            table.row([
                run.nodes.to_string(),
                format!("{:.0}", run.texts_per_s),
                format!("{:.0}", run.ideal_per_s),
                format!("{:.0}", run.share_of_ideal() * 100.0),
                format!("{:.2}", run.nodes_cpu),
                format!("{:.2}", run.all_cpu),
                format!("{:.0}", run.machine_busy * 100.0),
            ]);
        }
        table
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let calls = self.options.calls_max;
        writeln!(f, "Answers after {ANSWER_MS} ms, {calls} calls a node at most\n{}", self.table())?;
        for finding in self.runs.iter().flat_map(|run| &run.verdict.findings) {
            writeln!(f, "    {finding}")?;
        }
        let verdict =
            if self.ok() { "Throughput grows with the nodes, and nothing is twice" } else { "NOT RIGHT" };
        let texts: u64 = self.runs.iter().map(|run| run.verdict.messages).sum();
        write!(f, "{verdict}: {} texts, {:.1} s.", thousands(texts), self.wall.as_secs_f64())
    }
}
