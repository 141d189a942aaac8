//! Replies and opt-outs: every reply that Muster answered is there once, and STOP and START were obeyed.

use std::collections::{BTreeMap, BTreeSet};

use muster_provider_sim::ledger::ReplyEntry;
use muster_provider_sim::stats::Stats;

use super::Verdict;
use super::ledger::Accepted;
use super::truth::Truth;

pub(super) fn judge(verdict: &mut Verdict, truth: &Truth, accepted: &Accepted, stats: &Stats) {
    verdict.replies = truth.replies.len() as u64;
    verdict.opt_outs = truth.opt_outs.len() as u64;
    judge_replies(verdict, accepted, stats);
    judge_opt_outs(verdict, truth, accepted, stats);
}

/// A reply that the provider gave up may have arrived all the same: only its answer was lost.
fn judge_replies(verdict: &mut Verdict, accepted: &Accepted, stats: &Stats) {
    let theirs = distinct(&accepted.replies).len() as u64;
    let ours = verdict.replies;
    if !(theirs..=theirs + stats.replies_given_up).contains(&ours) {
        verdict.unequal(|| format!("{ours} replies, the ledger has {theirs}"));
    }
}

/// The replies without those that came twice, in the order they were answered.
fn distinct(replies: &[ReplyEntry]) -> Vec<&ReplyEntry> {
    let mut seen = BTreeSet::new();
    replies.iter().filter(|reply| seen.insert(&reply.provider_id)).collect()
}

fn judge_opt_outs(verdict: &mut Verdict, truth: &Truth, accepted: &Accepted, stats: &Stats) {
    // By account and person: the last word counts.
    let mut words: BTreeMap<(&str, &str), Vec<bool>> = BTreeMap::new();
    for reply in distinct(&accepted.replies) {
        let word = match reply.body.trim().to_ascii_uppercase().as_str() {
            "STOP" | "STOPALL" | "UNSUBSCRIBE" | "CANCEL" | "END" | "QUIT" => true,
            "START" | "UNSTOP" => false,
            _ => continue,
        };
        words.entry((&reply.account, &reply.from)).or_default().push(word);
    }
    // Where a webhook was posted again, the order of STOP and START is not ours to know.
    let unsure = |words: &[bool]| stats.webhook_retries > 0 && words.contains(&true) && words.contains(&false);
    let mut theirs: Vec<&str> = Vec::new();
    let mut passed_over: BTreeSet<&str> = BTreeSet::new();
    for ((_, from), words) in &words {
        if unsure(words) {
            passed_over.insert(from);
        } else if words.last() == Some(&true) {
            theirs.push(from);
        }
    }
    let mut ours: Vec<&str> = truth.opt_outs.iter().map(String::as_str).collect();
    ours.sort_unstable();
    theirs.sort_unstable();
    ours.retain(|phone| !passed_over.contains(phone));
    theirs.retain(|phone| !passed_over.contains(phone));
    if ours != theirs && stats.replies_given_up == 0 {
        let (ours, theirs) = (ours.len(), theirs.len());
        verdict.unequal(|| format!("{ours} opt-outs, by the ledger {theirs}, or others than these"));
    }
}
