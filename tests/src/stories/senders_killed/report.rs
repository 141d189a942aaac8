//! What came of it, for people and for programs.

use std::fmt;
use std::time::Duration;

use muster_provider_sim::stats::Stats;
use serde_json::{Value, json};

use super::unconfirmed::Unconfirmed;
use super::{Fault, Kind, Options};
use crate::judge::Verdict;
use crate::lab::{Table, thousands};
use crate::stories::claims::{Claims, percentile_ms};

/// All that the story found.
#[derive(Clone, Debug)]
pub struct Report {
    /// How it was told.
    pub options: Options,
    /// What was done to the nodes, in the order in which they were back.
    pub faults: Vec<Fault>,
    /// For every number of every node that was gone: how long until somebody claimed for it, in order.
    pub taken_over: Vec<Duration>,
    /// What did not settle in time. Has to be nothing.
    pub unsettled: Option<String>,
    /// The ledger's verdict.
    pub verdict: Verdict,
    /// What the simulator counted.
    pub stats: Stats,
    /// The messages that stayed UNCONFIRMED.
    pub unconfirmed: Unconfirmed,
    /// How long all of it took.
    pub wall: Duration,
}

/// From each node's end until there was a claim for each of its numbers.
pub(super) fn taken_over(claims: &Claims, faults: &[Fault]) -> Vec<Duration> {
    let mut took: Vec<_> = faults.iter().flat_map(|fault| claims.taken_over(fault.away())).collect();
    took.sort_unstable();
    took
}

impl Report {
    /// Whether nothing is twice, nothing is missing, every count is right, and every UNCONFIRMED is explained.
    pub fn ok(&self) -> bool {
        let Verdict { messages, untold, unconfirmed, .. } = &self.verdict;
        self.verdict.is_right()
            && self.unsettled.is_none()
            && *messages == self.options.texts as u64
            && *untold == 0
            && self.unconfirmed.unexplained.is_empty()
            // None that the ledger accepted: their receipts came.
            && self.unconfirmed.count == *unconfirmed
            && self.kills() > 0
            && self.freezes() == 1
    }

    /// How often a node was killed.
    pub fn kills(&self) -> u64 {
        self.count(Kind::Killed)
    }

    /// How often a node was frozen.
    pub fn freezes(&self) -> u64 {
        self.count(Kind::Frozen)
    }

    fn count(&self, kind: Kind) -> u64 {
        self.faults.iter().filter(|fault| fault.kind == kind).count() as u64
    }

    /// Answers that were withheld, of texts that were accepted or not.
    fn withheld(&self) -> u64 {
        self.stats.accepted_in_silence + self.stats.timeouts
    }

    /// One object for programs.
    pub fn to_json(&self) -> Value {
        let (verdict, unconfirmed) = (&self.verdict, &self.unconfirmed);
        let taken_over = |percent| percentile_ms(&self.taken_over, percent);
        json!({
            "ok": self.ok(),
            "texts": self.options.texts,
            "nodes": self.options.nodes,
            "kills": self.kills(),
            "freezes": self.freezes(),
            "withheld": self.withheld(),
            "withheld_accepted": self.stats.accepted_in_silence,
            "taken_over_ms": { "p50": taken_over(50), "p90": taken_over(90), "max": taken_over(100) },
            "accepted": verdict.accepted,
            "delivered": verdict.delivered,
            "duplicates": verdict.duplicates,
            "missing": verdict.missing,
            "unconfirmed": unconfirmed.count,
            "unconfirmed_by_kill": unconfirmed.by_kill,
            "unconfirmed_by_freeze": unconfirmed.by_freeze,
            "unconfirmed_by_timeout": unconfirmed.by_timeout,
            "unconfirmed_unexplained": unconfirmed.unexplained.len(),
            "counters_equal": verdict.counters_equal,
            "faults": self.faults,
            "seed": self.options.seed,
            "wall_s": (self.wall.as_secs_f64() * 10.0).round() / 10.0,
        })
    }

    fn nodes(&self) -> Table {
        let mut table = Table::new(["node", "killed", "frozen", "away ms, longest"]);
        for place in 0..self.options.nodes {
            let name = format!("sender-node-{place}");
            let own: Vec<_> = self.faults.iter().filter(|fault| fault.node == name).collect();
            let count = |kind| own.iter().filter(|fault| fault.kind == kind).count();
            let longest = own.iter().map(|fault| fault.away_ms).max().unwrap_or(0);
            let (killed, frozen) = (count(Kind::Killed), count(Kind::Frozen));
            table.row([name, thousands(killed), thousands(frozen), thousands(longest)]);
        }
        table
    }

    fn judgment(&self) -> Table {
        let mut table = Table::new(["", ""]);
        for (status, count) in &self.verdict.by_status {
            table.row([(*status).to_owned(), thousands(count)]);
        }
        let taken_over = |percent| percentile_ms(&self.taken_over, percent);
        let counts = [
            ("a number of a node that was gone is claimed for after, in ms: half of them", taken_over(50)),
            ("nine in ten", taken_over(90)),
            ("the longest", taken_over(100)),
            ("answers withheld", self.withheld()),
            ("of these, accepted", self.stats.accepted_in_silence),
            ("accepted by the providers", self.verdict.accepted),
            ("duplicates", self.verdict.duplicates),
            ("missing", self.verdict.missing),
            ("unconfirmed: the node was killed", self.unconfirmed.by_kill),
            ("unconfirmed: the node was frozen", self.unconfirmed.by_freeze),
            ("unconfirmed: the answer was withheld", self.unconfirmed.by_timeout),
            ("unconfirmed without an explanation", self.unconfirmed.unexplained.len() as u64),
        ];
        for (name, count) in counts {
            table.row([name.to_owned(), thousands(count)]);
        }
        table
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "What was done to the nodes (seed {})\n{}", self.options.seed, self.nodes())?;
        writeln!(f, "Against the simulator's ledger\n{}", self.judgment())?;
        let equal =
            if self.verdict.counters_equal { "All counters equal the ledger" } else { "COUNTERS DIFFER" };
        writeln!(f, "{equal}.")?;
        let findings = self.verdict.findings.iter().chain(self.unconfirmed.unexplained.iter().take(20));
        for finding in self.unsettled.iter().chain(findings) {
            writeln!(f, "    {finding}")?;
        }
        let verdict =
            if self.ok() { "Nobody was texted twice, and every text is accounted for" } else { "NOT RIGHT" };
        let (texts, seconds) = (thousands(self.verdict.messages), self.wall.as_secs_f64());
        write!(f, "{verdict}: {texts} texts, {} kills, {seconds:.1} s.", self.kills())
    }
}
