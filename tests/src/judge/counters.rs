//! Counts: each campaign's report is the recount of its messages, and the sums are the ledger's.

use std::collections::{BTreeMap, HashMap};

use muster_proto::v1::{CampaignReport, ErrorClass, MessageStatus};
use muster_provider_sim::stats::Stats;
use uuid::Uuid;

use super::ledger::Accepted;
use super::truth::{Truth, id_of};
use super::{ErrorLine, Verdict, class_name, status_name};

/// A status with its reason, and how many messages have it.
type Counts = BTreeMap<(MessageStatus, ErrorClass, Box<str>), u64>;

pub(super) fn judge(verdict: &mut Verdict, truth: &Truth, accepted: &Accepted, stats: &Stats) {
    let mut recounts: HashMap<Uuid, Counts> = HashMap::new();
    let mut all = Counts::new();
    for row in &truth.rows {
        let key = (row.status, row.error_class, row.error_code.clone());
        *recounts.entry(row.campaign).or_default().entry(key.clone()).or_default() += 1;
        *all.entry(key).or_default() += 1;
    }
    for (campaign, report) in &truth.campaigns {
        let recount = id_of(&campaign.name).ok().and_then(|id| recounts.remove(&id)).unwrap_or_default();
        judge_report(verdict, report, &recount, campaign.planned_count);
    }
    verdict.by_error = error_lines(&all);
    judge_delivered(verdict, accepted);
    judge_undelivered(verdict, &all, accepted);
    judge_refused(verdict, &all, stats);
}

fn error_lines(counts: &Counts) -> Vec<ErrorLine> {
    let with_reason = counts.iter().filter(|((_, class, _), _)| *class != ErrorClass::Unspecified);
    let line = |((status, class, code), count): (&(MessageStatus, ErrorClass, Box<str>), &u64)| ErrorLine {
        status: status_name(*status),
        error_class: class_name(*class),
        error_code: code.to_string(),
        count: *count,
    };
    with_reason.map(line).collect()
}

fn judge_report(verdict: &mut Verdict, report: &CampaignReport, recount: &Counts, planned: i64) {
    let total = sum(recount.values());
    if report.message_count != total || planned != total {
        let reported = report.message_count;
        verdict.unequal(|| format!("{total} messages, {reported} reported, {planned} planned"));
    }
    let mut statuses: BTreeMap<MessageStatus, u64> = BTreeMap::new();
    for ((status, _, _), count) in recount {
        *statuses.entry(*status).or_default() += count;
    }
    let reported = report.status_counts.iter().filter(|count| count.count != 0);
    let reported: BTreeMap<MessageStatus, u64> =
        reported.map(|count| (count.status(), count.count.unsigned_abs())).collect();
    if reported != statuses {
        verdict.unequal(|| format!("reported by status {reported:?}, recounted {statuses:?}"));
    }
    let reported = report.error_counts.iter().filter(|count| count.count != 0);
    let reported: Counts = reported
        .map(|count| {
            let key = (count.status(), count.error_class(), count.error_code.as_str().into());
            (key, count.count.unsigned_abs())
        })
        .collect();
    let errors: Counts = recount
        .iter()
        .filter(|((_, class, _), _)| *class != ErrorClass::Unspecified)
        .map(|(key, count)| (key.clone(), *count))
        .collect();
    if reported != errors {
        verdict.unequal(|| format!("reported by error {reported:?}, recounted {errors:?}"));
    }
}

fn judge_delivered(verdict: &mut Verdict, accepted: &Accepted) {
    let told = accepted.by_message.values().filter(|entry| entry.told && entry.code.is_none());
    let (told, ours) = (told.count() as u64, verdict.delivered);
    if told != ours {
        verdict.unequal(|| format!("{ours} delivered, the ledger has {told}"));
    }
}

fn judge_undelivered(verdict: &mut Verdict, all: &Counts, accepted: &Accepted) {
    let mut theirs: BTreeMap<String, u64> = BTreeMap::new();
    for code in accepted.by_message.values().filter(|entry| entry.told).filter_map(|entry| entry.code) {
        *theirs.entry(code.to_string()).or_default() += 1;
    }
    let ours = by_code(all, MessageStatus::Undelivered, &[]);
    if ours != theirs {
        verdict.unequal(|| format!("undelivered by code {ours:?}, the ledger has {theirs:?}"));
    }
}

/// A refusal that we did not hear leaves its message UNCONFIRMED, so fewer than the simulator refused may show as
/// FAILED; the rest must be among the unconfirmed. What failed for its rate was not refused for good.
fn judge_refused(verdict: &mut Verdict, all: &Counts, stats: &Stats) {
    let passing = [ErrorClass::Rate, ErrorClass::Transient, ErrorClass::Cap];
    let ours = by_code(all, MessageStatus::Failed, &passing);
    let theirs = &stats.refused;
    let beyond = ours.iter().any(|(code, count)| theirs.get(code).is_none_or(|refused| refused < count));
    let unheard = sum(theirs.values()) - sum(ours.values());
    if beyond || unheard > i64::try_from(verdict.unconfirmed).unwrap_or(i64::MAX) {
        verdict.unequal(|| format!("failed by code {ours:?}, the simulator refused {theirs:?}"));
    }
}

fn by_code(all: &Counts, status: MessageStatus, without: &[ErrorClass]) -> BTreeMap<String, u64> {
    let mut codes = BTreeMap::new();
    for ((_, _, code), count) in
        all.iter().filter(|((of, class, _), _)| *of == status && !without.contains(class))
    {
        *codes.entry(code.to_string()).or_default() += count;
    }
    codes
}

fn sum<'a>(counts: impl Iterator<Item = &'a u64>) -> i64 {
    i64::try_from(counts.sum::<u64>()).unwrap_or(i64::MAX)
}
