//! What came of it, for people and for programs.

use std::fmt;
use std::time::Duration;

use muster_provider_sim::stats::Stats;
use serde_json::{Value, json};

use super::Options;
use crate::judge::Verdict;
use crate::lab::{Table, thousands};

/// All that the story found.
#[derive(Clone, Debug)]
pub struct Report {
    /// How it was told.
    pub options: Options,
    /// Receipts that were posted for the first time while NATS was away.
    pub in_outage: u64,
    /// Receipts that were answered with 2xx meanwhile: what was in flight when it went.
    pub acked_in_outage: u64,
    /// What the simulator counted in the end.
    pub stats: Stats,
    /// The ledger's verdict.
    pub verdict: Verdict,
    /// How long all of it took.
    pub wall: Duration,
}

impl Report {
    /// Whether half of the receipts met the outage, none of them was said to be safe then, and in the end all is as the
    /// ledger says.
    pub fn ok(&self) -> bool {
        self.verdict.is_right()
            && self.verdict.messages == self.options.texts as u64
            && self.verdict.unconfirmed == 0
            && self.in_outage * 2 >= self.stats.receipts_sent
            && self.acked_in_outage * 100 <= self.in_outage
            && self.stats.receipts_given_up == 0
            && self.stats.replies_given_up == 0
    }

    /// One object for programs.
    pub fn to_json(&self) -> Value {
        json!({
            "ok": self.ok(),
            "texts": self.options.texts,
            "outage_s": self.options.outage_s,
            "receipts": self.stats.receipts_sent,
            "receipts_in_outage": self.in_outage,
            "receipts_acked_in_outage": self.acked_in_outage,
            "webhooks_again": self.stats.webhook_retries,
            "delivered": self.verdict.delivered,
            "unconfirmed": self.verdict.unconfirmed,
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
            ("receipts", self.stats.receipts_sent),
            ("of these, while NATS was away", self.in_outage),
            ("and answered with 2xx then: in flight when it went", self.acked_in_outage),
            ("webhooks that came again", self.stats.webhook_retries),
            ("delivered", self.verdict.delivered),
            ("unconfirmed", self.verdict.unconfirmed),
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
        let verdict = if self.ok() { "Every receipt landed once" } else { "NOT RIGHT" };
        let (texts, seconds) = (thousands(self.verdict.messages), self.wall.as_secs_f64());
        write!(f, "{verdict}: {texts} texts, {seconds:.1} s.")
    }
}
