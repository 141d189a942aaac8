//! What came of it, for people and for programs.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use super::Options;
use crate::judge::Verdict;
use crate::lab::{Table, thousands};

/// How long after the suspension the last call may begin.
const LAST_MS_MAX: u64 = 10_000;

/// All that the story found.
#[derive(Clone, Debug)]
pub struct Report {
    /// How it was told.
    pub options: Options,
    /// How long after the suspension its last text was accepted; 0 where none was.
    pub last_ms: u64,
    /// How long it was suspended.
    pub suspended_ms: u64,
    /// Texts of the suspended organization that were out before it was resumed.
    pub sent_before: u64,
    /// All of its texts.
    pub sent_in_all: u64,
    /// How many these must be.
    pub expected: u64,
    /// Texts of the other organization.
    pub sent_by_other: u64,
    /// How many these must be.
    pub expected_of_other: u64,
    /// People who said STOP meanwhile.
    pub stopped: u64,
    /// Opt-outs that Muster has of them.
    pub opt_outs: u64,
    /// The ledger's verdict.
    pub verdict: Verdict,
    /// How long all of it took.
    pub wall: Duration,
}

impl Report {
    /// Whether sending stopped in time and went on later, the other one was unharmed, and everybody got exactly one text.
    pub fn ok(&self) -> bool {
        self.verdict.is_right()
            && self.last_ms <= LAST_MS_MAX
            // Something was held back, by the suspension alone.
            && self.sent_before < self.expected
            && self.sent_in_all == self.expected
            && self.sent_by_other == self.expected_of_other
            && self.opt_outs == self.stopped
            && self.verdict.delivered == self.expected + self.expected_of_other
    }

    /// One object for programs.
    pub fn to_json(&self) -> Value {
        json!({
            "ok": self.ok(),
            "texts": self.options.texts,
            "last_ms": self.last_ms,
            "suspended_ms": self.suspended_ms,
            "sent_before": self.sent_before,
            "sent_in_all": self.sent_in_all,
            "sent_by_other": self.sent_by_other,
            "stopped": self.stopped,
            "delivered": self.verdict.delivered,
            "duplicates": self.verdict.duplicates,
            "missing": self.verdict.missing,
            "counters_equal": self.verdict.counters_equal,
            "seed": self.options.seed,
            "wall_s": (self.wall.as_secs_f64() * 10.0).round() / 10.0,
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new(["", ""]);
        let counts = [
            ("suspended for, in ms", self.suspended_ms),
            ("its last text after the suspension, in ms", self.last_ms),
            ("its texts before it was resumed", self.sent_before),
            ("its texts in all", self.sent_in_all),
            ("people who said STOP meanwhile", self.stopped),
            ("texts of the other organization", self.sent_by_other),
            ("delivered", self.verdict.delivered),
            ("duplicates", self.verdict.duplicates),
            ("missing", self.verdict.missing),
        ];
        for (name, count) in counts {
            table.row([name.to_owned(), thousands(count)]);
        }
        writeln!(f, "Against the simulator's ledger (seed {})\n{table}", self.options.seed)?;
        for finding in &self.verdict.findings {
            writeln!(f, "    {finding}")?;
        }
        let verdict = if self.ok() { "It stopped, went on, and texted everybody once" } else { "NOT RIGHT" };
        let (texts, seconds) = (thousands(self.verdict.messages), self.wall.as_secs_f64());
        write!(f, "{verdict}: {texts} texts, {seconds:.1} s.")
    }
}
