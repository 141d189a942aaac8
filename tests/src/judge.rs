//! The exactness check: what Muster shows, held against what the simulated providers wrote into their ledger.
//!
//! - A duplicate is an entry of the ledger beyond the first for the same message, or beyond the first message for
//!   the same campaign and recipient.
//! - A message is missing where the ledger accepted it and it is not shown as the ledger says (SENT where nobody
//!   told us the end, otherwise DELIVERED, or UNDELIVERED with the ledger's code), where it is shown as accepted
//!   and the ledger does not know it, or where it rests on the way.
//! - A message that is UNCONFIRMED and was never accepted is neither: nobody may send it again. It is counted
//!   apart, and has to be explained: by what the simulator did to its callers, or by what the caller of this check
//!   did to Muster.
//! - A message that ended without being sent is groundless where its reason does not hold: nobody opted out, the
//!   campaign was not canceled, its validity is not over, or the providers never answered so. So a check in which
//!   nothing was sent does not pass.
//! - Nothing may be accepted for somebody long after their STOP was answered, until START.
//! - Counters are equal where each campaign's report is the recount of its messages, and the sums are the
//!   ledger's: delivered, undelivered by code, refused by code, replies and opt-outs.

mod counters;
mod ledger;
mod people;
mod reasons;
#[cfg(test)]
mod tests;
mod truth;

use std::collections::{BTreeMap, HashSet};

use anyhow::Result;
use muster_proto::v1::{ErrorClass, MessageStatus};
use muster_provider_sim::stats::Stats;
use serde::Serialize;
use uuid::Uuid;

pub use self::truth::{Row, Truth};

use self::ledger::Accepted;
use crate::stack::Stack;

/// Differences that a verdict describes; more are only counted.
const FINDINGS_MAX: usize = 20;

/// What the check found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Verdict {
    /// Messages that Muster has.
    pub messages: u64,
    /// Texts that the ledger accepted.
    pub accepted: u64,
    /// Messages that Muster shows as DELIVERED.
    pub delivered: u64,
    /// Texts that somebody got twice. Has to be 0.
    pub duplicates: u64,
    /// Texts that are not where the ledger says. Has to be 0.
    pub missing: u64,
    /// Messages that are UNCONFIRMED and that the ledger never accepted.
    pub unconfirmed: u64,
    /// UNCONFIRMED messages beyond those that the simulator's misbehaviour and the caller's allowance explain. Has
    /// to be 0; not a part of [`Verdict::is_exact`], because whoever kills processes may know better.
    pub unexplained: u64,
    /// Messages that ended without being sent for a reason that does not hold. Has to be 0.
    pub groundless: u64,
    /// Texts that were accepted for somebody too long after their STOP. Has to be 0.
    pub after_stop: u64,
    /// Texts that the ledger accepted, and of whose end nobody told Muster: their last receipt was lost.
    pub untold: u64,
    /// Whether every count is the ledger's.
    pub counters_equal: bool,
    /// Messages by where they are.
    pub by_status: BTreeMap<&'static str, u64>,
    /// Messages that failed, were undelivered or are unconfirmed, by reason.
    pub by_error: Vec<ErrorLine>,
    /// Replies that Muster has.
    pub replies: u64,
    /// Numbers that have opted out, over all tenants.
    pub opt_outs: u64,
    /// The first differences, for people.
    pub findings: Vec<String>,
}

/// How many messages have a status for a reason.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ErrorLine {
    /// The status.
    pub status: &'static str,
    /// What the reason means.
    pub error_class: &'static str,
    /// The provider's own code.
    pub error_code: String,
    /// How many.
    pub count: u64,
}

impl Verdict {
    /// Whether nothing is twice, nothing is missing or groundless, nobody was texted after their STOP, and every
    /// count is right.
    pub fn is_exact(&self) -> bool {
        let wrong = [self.duplicates, self.missing, self.groundless, self.after_stop];
        wrong == [0; 4] && self.counters_equal
    }

    /// Whether it is exact, and every message that is UNCONFIRMED is explained as well.
    pub fn is_right(&self) -> bool {
        self.is_exact() && self.unexplained == 0
    }

    /// Fails with the findings where it is not right.
    pub fn demand(&self) -> Result<()> {
        anyhow::ensure!(
            self.is_right(),
            "the ledger disagrees: {} duplicates, {} missing, {} groundless, {} after a STOP, {} unconfirmed for \
             no known reason, counters equal: {}\n{}",
            self.duplicates,
            self.missing,
            self.groundless,
            self.after_stop,
            self.unexplained,
            self.counters_equal,
            self.findings.join("\n")
        );
        Ok(())
    }

    fn find(&mut self, finding: impl FnOnce() -> String) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding());
        }
    }

    fn unequal(&mut self, finding: impl FnOnce() -> String) {
        self.counters_equal = false;
        self.find(finding);
    }
}

/// `MESSAGE_STATUS_SENT` is `SENT`.
pub fn status_name(status: MessageStatus) -> &'static str {
    status.as_str_name().trim_start_matches("MESSAGE_STATUS_")
}

/// `ERROR_CLASS_LANDLINE` is `LANDLINE`.
pub fn class_name(class: ErrorClass) -> &'static str {
    class.as_str_name().trim_start_matches("ERROR_CLASS_")
}

impl Stack {
    /// Judges all campaigns of all tenants, read through the API. Wait for [`Stack::settled`] first.
    pub async fn judge(&self) -> Result<Verdict> {
        self.judge_allowing(0).await
    }

    /// The same after processes were killed: so many messages more may be UNCONFIRMED than the simulator explains.
    pub async fn judge_allowing(&self, unconfirmed: u64) -> Result<Verdict> {
        self.judge_truth(Truth::from_api(&self.operator).await?, unconfirmed).await
    }

    /// The same for millions of messages: they are read from the database, all else through the API.
    pub async fn judge_by_sql(&self) -> Result<Verdict> {
        let rows = Truth::from_sql(&self.sql().await?, &self.operator).await?;
        self.judge_truth(rows, 0).await
    }

    async fn judge_truth(&self, truth: Truth, allowed: u64) -> Result<Verdict> {
        let path = self.simulator.ledger_path().await?.to_owned();
        let accepted = tokio::task::spawn_blocking(move || Accepted::read(&path)).await??;
        let stats = self.simulator.stats().await?;
        let mut verdict = Verdict { counters_equal: true, ..Verdict::default() };
        judge_all(&mut verdict, &Evidence { truth: &truth, accepted: &accepted, stats: &stats }, allowed);
        Ok(verdict)
    }
}

/// All that is held against one another.
#[derive(Clone, Copy)]
struct Evidence<'a> {
    truth: &'a Truth,
    accepted: &'a Accepted,
    stats: &'a Stats,
}

fn judge_all(verdict: &mut Verdict, evidence: &Evidence<'_>, allowed: u64) {
    let Evidence { truth, accepted, stats } = *evidence;
    judge_messages(verdict, truth, accepted);
    counters::judge(verdict, truth, accepted, stats);
    people::judge(verdict, truth, accepted, stats);
    reasons::judge(verdict, evidence, allowed);
}

fn judge_messages(verdict: &mut Verdict, truth: &Truth, accepted: &Accepted) {
    verdict.messages = truth.rows.len() as u64;
    verdict.accepted = accepted.count;
    verdict.duplicates = accepted.again.len() as u64 + recipients_twice(truth, accepted);
    for id in &accepted.again {
        verdict.find(|| format!("message {id} was accepted more than once"));
    }
    let campaigns = truth.campaigns_by_id();
    for row in &truth.rows {
        *verdict.by_status.entry(status_name(row.status)).or_default() += 1;
        verdict.delivered += u64::from(row.status == MessageStatus::Delivered);
        let campaign = campaigns.get(&row.campaign).map(|(campaign, _)| campaign);
        let may_rest = truth::may_rest(truth, campaign, row.status);
        judge_row(verdict, row, accepted.by_message.get(&row.id), may_rest);
    }
    verdict.untold = accepted.by_message.values().filter(|entry| !entry.told).count() as u64;
    let known: HashSet<Uuid> = truth.rows.iter().map(|row| row.id).collect();
    for id in accepted.by_message.keys().filter(|id| !known.contains(id)) {
        verdict.missing += 1;
        verdict.find(|| format!("the ledger accepted {id}, which Muster does not know"));
    }
    verdict.missing += accepted.nameless;
    if accepted.nameless > 0 {
        verdict.find(|| format!("the ledger accepted {} texts without a message id", accepted.nameless));
    }
}

/// Accepted messages beyond the first for the same campaign and recipient.
fn recipients_twice(truth: &Truth, accepted: &Accepted) -> u64 {
    let sent = truth.rows.iter().filter(|row| accepted.by_message.contains_key(&row.id));
    let mut seen = HashSet::new();
    sent.filter(|row| !seen.insert((row.campaign, &row.to))).count() as u64
}

fn judge_row(verdict: &mut Verdict, row: &Row, entry: Option<&ledger::Entry>, may_rest: bool) {
    let right = match row.status {
        MessageStatus::Unspecified
        | MessageStatus::Created
        | MessageStatus::Queued
        | MessageStatus::Ordered
        | MessageStatus::Claimed => entry.is_none() && may_rest,
        MessageStatus::Sent => entry.is_some_and(|entry| !entry.told),
        MessageStatus::Delivered => entry.is_some_and(|entry| entry.told && entry.code.is_none()),
        MessageStatus::Undelivered => {
            let code = row.error_code.parse().ok();
            entry.is_some_and(|entry| entry.told && entry.code.is_some() && entry.code == code)
        }
        MessageStatus::Failed
        | MessageStatus::Canceled
        | MessageStatus::Suppressed
        | MessageStatus::Expired => entry.is_none(),
        MessageStatus::Unconfirmed => {
            verdict.unconfirmed += u64::from(entry.is_none());
            // Nobody told us anything of it: neither the answer nor a receipt came.
            entry.is_none_or(|entry| !entry.told)
        }
    };
    let to_is_right = entry.is_none_or(|entry| entry.to == row.to);
    if !right || !to_is_right {
        verdict.missing += 1;
        verdict.find(|| format!("Muster shows {row:?}, the ledger has {entry:?}"));
    }
}
