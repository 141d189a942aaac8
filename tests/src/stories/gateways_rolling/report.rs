//! What came of it, for people and for programs.

use std::fmt;
use std::time::Duration;

use muster_provider_sim::stats::Stats;
use serde::Serialize;
use serde_json::{Value, json};

use super::Options;
use crate::judge::Verdict;
use crate::lab::{Table, thousands};

/// What came in and found no place: has to be nothing, because the simulator says nothing that is not true.
pub(super) const SET_ASIDE: &str =
    "SELECT (SELECT count(*) FROM unmatched_receipts) + (SELECT count(*) FROM rejected_events)";

/// One gateway that ended and was started again.
#[derive(Clone, Debug, Serialize)]
pub struct Restart {
    /// Which.
    pub gateway: String,
    /// Whether it ended by itself and well; none where it was killed.
    pub in_order: Option<bool>,
    /// Until it had ended, in milliseconds.
    pub gone_ms: u64,
    /// Until it listened again, in milliseconds.
    pub back_ms: u64,
}

impl Restart {
    fn how(&self) -> &'static str {
        match self.in_order {
            Some(true) => "asked to end",
            Some(false) => "asked to end, and ended badly",
            None => "killed",
        }
    }
}

impl fmt::Display for Restart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { gateway, gone_ms, back_ms, .. } = self;
        write!(f, "{gateway} was {}: gone after {gone_ms} ms, back after {back_ms} ms", self.how())
    }
}

/// All that the story found.
#[derive(Clone, Debug)]
pub struct Report {
    /// How it was told.
    pub options: Options,
    /// The restarts, in order.
    pub restarts: Vec<Restart>,
    /// The ledger's verdict.
    pub verdict: Verdict,
    /// What the simulator counted.
    pub stats: Stats,
    /// Receipts of no text, and events that could not be applied.
    pub set_aside: i64,
    /// How long all of it took.
    pub wall: Duration,
}

impl Report {
    /// Whether every webhook arrived and none counts twice.
    pub fn ok(&self) -> bool {
        let stats = &self.stats;
        self.verdict.is_right()
            && self.verdict.messages == self.options.texts as u64
            && self.verdict.untold == 0
            && self.set_aside == 0
            && (stats.receipts_given_up, stats.replies_given_up) == (0, 0)
            && self.restarts.iter().all(|restart| restart.in_order != Some(false))
    }

    /// One object for programs.
    pub fn to_json(&self) -> Value {
        let (verdict, stats) = (&self.verdict, &self.stats);
        json!({
            "ok": self.ok(),
            "texts": self.options.texts,
            "restarts": self.restarts,
            "receipts": stats.receipts_acked,
            "replies": stats.replies_acked,
            "webhook_retries": stats.webhook_retries,
            "given_up": stats.receipts_given_up + stats.replies_given_up,
            "set_aside": self.set_aside,
            "delivered": verdict.delivered,
            "replies_kept": verdict.replies,
            "opt_outs": verdict.opt_outs,
            "duplicates": verdict.duplicates,
            "missing": verdict.missing,
            "counters_equal": verdict.counters_equal,
            "seed": self.options.seed,
            "wall_s": (self.wall.as_secs_f64() * 10.0).round() / 10.0,
        })
    }

    fn judgment(&self) -> Table {
        let (verdict, stats) = (&self.verdict, &self.stats);
        let mut table = Table::new(["", ""]);
        let counts = [
            ("receipts taken", stats.receipts_acked),
            ("replies taken", stats.replies_acked),
            ("webhooks posted again", stats.webhook_retries),
            ("webhooks given up", stats.receipts_given_up + stats.replies_given_up),
            ("of no text, or set aside", u64::try_from(self.set_aside).unwrap_or(0)),
            ("delivered", verdict.delivered),
            ("replies kept", verdict.replies),
            ("opt-outs", verdict.opt_outs),
            ("duplicates", verdict.duplicates),
            ("missing", verdict.missing),
        ];
        for (name, count) in counts {
            table.row([name.to_owned(), thousands(count)]);
        }
        table
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Which gateways were restarted (seed {})", self.options.seed)?;
        for restart in &self.restarts {
            writeln!(f, "    {restart}")?;
        }
        writeln!(f, "Against the simulator's ledger\n{}", self.judgment())?;
        for finding in &self.verdict.findings {
            writeln!(f, "    {finding}")?;
        }
        let verdict = if self.ok() { "No webhook was lost, and none counts twice" } else { "NOT RIGHT" };
        let (texts, seconds) = (thousands(self.verdict.messages), self.wall.as_secs_f64());
        write!(f, "{verdict}: {texts} texts, {} restarts, {seconds:.1} s.", self.restarts.len())
    }
}
