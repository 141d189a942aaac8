//! What came of it, for people and for programs.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use super::Options;
use crate::judge::Verdict;
use crate::lab::{Table, thousands};

/// One node that was asked to end, and started again.
#[derive(Clone, Debug, Serialize)]
pub struct Restart {
    /// Which node.
    pub node: String,
    /// Texts that were still to be sent.
    pub open: u64,
    /// From the signal until it had ended, in milliseconds.
    pub exit_ms: u64,
    /// From the signal until it claimed again, in milliseconds.
    pub claims_ms: u64,
    /// Whether it ended by itself and well.
    pub in_order: bool,
}

/// All that the story found.
#[derive(Clone, Debug)]
pub struct Report {
    /// How it was told.
    pub options: Options,
    /// The restarts, in order.
    pub restarts: Vec<Restart>,
    /// The longest that a number with something to send had no claim, in milliseconds: of half of the numbers.
    pub gap_p50_ms: u64,
    /// The same: of all numbers.
    pub gap_ms: u64,
    /// The ledger's verdict.
    pub verdict: Verdict,
    /// How long all of it took.
    pub wall: Duration,
}

impl Report {
    /// Whether all nodes ended well, no number waited long, nothing is twice, missing or UNCONFIRMED, and everything
    /// arrived.
    pub fn ok(&self) -> bool {
        let texts = self.options.texts as u64;
        self.verdict.is_right()
            && (self.verdict.messages, self.verdict.delivered) == (texts, texts)
            && self.unconfirmed() == 0
            && self.restarts.len() == self.options.nodes * self.options.rounds
            && self.restarts.iter().all(|restart| restart.in_order)
            && self.gap_ms <= self.options.gap_ms_max
    }

    fn unconfirmed(&self) -> u64 {
        self.verdict.by_status.get("UNCONFIRMED").copied().unwrap_or(0)
    }

    fn longest_exit_ms(&self) -> u64 {
        self.restarts.iter().map(|restart| restart.exit_ms).max().unwrap_or(0)
    }

    /// One object for programs.
    pub fn to_json(&self) -> Value {
        json!({
            "ok": self.ok(),
            "texts": self.options.texts,
            "nodes": self.options.nodes,
            "restarts": self.restarts,
            "exit_ms_max": self.longest_exit_ms(),
            "number_without_claim_ms": { "p50": self.gap_p50_ms, "max": self.gap_ms },
            "delivered": self.verdict.delivered,
            "unconfirmed": self.unconfirmed(),
            "duplicates": self.verdict.duplicates,
            "missing": self.verdict.missing,
            "counters_equal": self.verdict.counters_equal,
            "seed": self.options.seed,
            "wall_s": (self.wall.as_secs_f64() * 10.0).round() / 10.0,
        })
    }

    fn timeline(&self) -> Table {
        let mut table =
            Table::new(["asked to end", "texts to be sent", "ended after ms", "claims again after ms"]);
        for restart in &self.restarts {
            let numbers = [restart.open, restart.exit_ms, restart.claims_ms].map(thousands);
            table.row([restart.node.clone()].into_iter().chain(numbers));
        }
        table
    }

    fn judgment(&self) -> Table {
        let mut table = Table::new(["", ""]);
        let counts = [
            ("longest time to end, in ms", self.longest_exit_ms()),
            ("longest time that a number had no claim, in ms: of half of the numbers", self.gap_p50_ms),
            ("of all numbers", self.gap_ms),
            ("delivered", self.verdict.delivered),
            ("unconfirmed", self.unconfirmed()),
            ("duplicates", self.verdict.duplicates),
            ("missing", self.verdict.missing),
        ];
        for (name, count) in counts {
            table.row([name.to_owned(), thousands(count)]);
        }
        table
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Which nodes were restarted (seed {})\n{}", self.options.seed, self.timeline())?;
        writeln!(f, "Against the simulator's ledger\n{}", self.judgment())?;
        for finding in &self.verdict.findings {
            writeln!(f, "    {finding}")?;
        }
        let verdict = if self.ok() { "Nobody noticed" } else { "NOT RIGHT" };
        let (texts, seconds) = (thousands(self.verdict.messages), self.wall.as_secs_f64());
        write!(f, "{verdict}: {texts} texts, {} restarts, {seconds:.1} s.", self.restarts.len())
    }
}
