//! What came of it: a timeline and the ledger's verdict, for people and for programs.

use std::fmt;
use std::time::Duration;

use muster_provider_sim::stats::Stats;
use serde_json::{Value, json};

use super::unconfirmed::Unconfirmed;
use super::{Kill, Options};
use crate::judge::Verdict;
use crate::lab::{Table, thousands};

/// All that the story found.
#[derive(Clone, Debug)]
pub struct Report {
    /// How it was told.
    pub options: Options,
    /// The kills, in order.
    pub kills: Vec<Kill>,
    /// What did not settle in time. Has to be nothing.
    pub unsettled: Option<String>,
    /// The ledger's verdict.
    pub verdict: Verdict,
    /// What the simulator counted.
    pub stats: Stats,
    /// The messages that stayed UNCONFIRMED.
    pub unconfirmed: Unconfirmed,
    /// Messages whose last status no watcher saw. Has to be 0.
    pub unseen: usize,
    /// How often the watchers connected again.
    pub reconnections: u64,
    /// How long all of it took.
    pub wall: Duration,
}

impl Report {
    /// Whether nothing is twice, nothing is missing, every count is right, and nothing is unexplained or unseen.
    pub fn ok(&self) -> bool {
        let Verdict { messages, untold, unconfirmed, .. } = &self.verdict;
        self.verdict.is_right()
            && self.unsettled.is_none()
            && *messages == self.options.texts as u64
            && *untold == 0
            && self.unconfirmed.unexplained.is_empty()
            // None that the ledger accepted.
            && self.unconfirmed.count == *unconfirmed
            && self.unseen == 0
            && self.stats.receipts_given_up == 0
    }

    /// One object for programs.
    pub fn to_json(&self) -> Value {
        let verdict = &self.verdict;
        json!({
            "ok": self.ok(),
            "texts": self.options.texts,
            "accepted": verdict.accepted,
            "delivered": verdict.delivered,
            "unconfirmed": self.unconfirmed.count,
            "unconfirmed_unexplained": self.unconfirmed.unexplained.len(),
            "duplicates": verdict.duplicates,
            "missing": verdict.missing,
            "counters_equal": verdict.counters_equal,
            "unseen": self.unseen,
            "reconnections": self.reconnections,
            "webhook_retries": self.stats.webhook_retries,
            "kills": self.kills,
            "seed": self.options.seed,
            "wall_s": (self.wall.as_secs_f64() * 10.0).round() / 10.0,
        })
    }

    fn timeline(&self) -> Table {
        let columns = ["after", "killed", "texts by then", "back ms", "sending ms", "receipts ms"];
        let mut table = Table::new(columns);
        for kill in &self.kills {
            let numbers = [kill.accepted, kill.down_ms, kill.resumed_ms, kill.receipts_ms].map(thousands);
            let at = format!("{}.{} s", kill.at_ms / 1_000, kill.at_ms % 1_000 / 100);
            table.row([at, kill.target.name()].into_iter().chain(numbers));
        }
        table
    }

    fn judgment(&self) -> Table {
        let mut table = Table::new(["", ""]);
        for (status, count) in &self.verdict.by_status {
            table.row([(*status).to_owned(), thousands(count)]);
        }
        let counts = [
            ("accepted by the providers", self.verdict.accepted),
            ("webhooks posted again", self.stats.webhook_retries),
            ("reconnections of watchers", self.reconnections),
            ("duplicates", self.verdict.duplicates),
            ("missing", self.verdict.missing),
            ("never told what became of them", self.verdict.untold),
            ("last status not seen by a watcher", self.unseen as u64),
            ("unconfirmed without an explanation", self.unconfirmed.unexplained.len() as u64),
        ];
        for (name, count) in counts {
            table.row([name.to_owned(), thousands(count)]);
        }
        for (process, count) in &self.unconfirmed.explained {
            table.row([format!("unconfirmed because of {process}"), thousands(count)]);
        }
        table
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "What was killed, and how long until all went on (seed {})", self.options.seed)?;
        writeln!(f, "{}", self.timeline())?;
        writeln!(f, "Against the simulator's ledger\n{}", self.judgment())?;
        let equal =
            if self.verdict.counters_equal { "All counters equal the ledger" } else { "COUNTERS DIFFER" };
        writeln!(f, "{equal}.")?;
        let findings = self.verdict.findings.iter().chain(&self.unconfirmed.unexplained);
        for finding in self.unsettled.iter().chain(findings) {
            writeln!(f, "    {finding}")?;
        }
        let verdict = if self.ok() { "Every text is accounted for" } else { "NOT RIGHT" };
        let (texts, seconds) = (thousands(self.verdict.messages), self.wall.as_secs_f64());
        write!(f, "{verdict}: {texts} texts, {} kills, {seconds:.1} s.", self.kills.len())
    }
}
