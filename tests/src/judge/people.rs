//! Replies and opt-outs: every reply that Muster answered is there once, and STOP and START were obeyed.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use muster_proto::v1::{ErrorClass, Reply};
use muster_provider_sim::ledger::ReplyEntry;
use muster_provider_sim::stats::Stats;
use uuid::Uuid;

use super::Verdict;
use super::ledger::Accepted;
use super::truth::{Truth, id_of, tenant_of};

/// A tenant and somebody it texts.
type Pair<'a> = (&'a str, &'a str);

/// What somebody asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Stop,
    Start,
}

pub(super) fn judge(verdict: &mut Verdict, truth: &Truth, accepted: &Accepted, stats: &Stats) {
    verdict.replies = truth.replies.len() as u64;
    verdict.opt_outs = truth.opt_outs.len() as u64;
    let replies = distinct(&accepted.replies);
    judge_replies(verdict, replies.len() as u64, stats);
    judge_opt_outs(verdict, truth, &replies, stats);
}

/// The replies without those that came twice, in the order they were answered.
fn distinct(replies: &[ReplyEntry]) -> Vec<&ReplyEntry> {
    let mut seen = BTreeSet::new();
    replies.iter().filter(|reply| seen.insert(&reply.provider_id)).collect()
}

/// A reply that the provider gave up may have arrived all the same: only its answer was lost.
fn judge_replies(verdict: &mut Verdict, theirs: u64, stats: &Stats) {
    let ours = verdict.replies;
    if !(theirs..=theirs + stats.replies_given_up).contains(&ours) {
        verdict.unequal(|| format!("{ours} replies, the ledger has {theirs}"));
    }
}

fn judge_opt_outs(verdict: &mut Verdict, truth: &Truth, replies: &[&ReplyEntry], stats: &Stats) {
    let words = words(truth, replies);
    let blocked = blocked_by_providers(truth);
    // Where a webhook was posted again, or a provider blocks somebody who also wrote START, the order of the two
    // is not ours to know.
    let unsure = |pair: &Pair<'_>| {
        words.get(pair).is_some_and(|words| {
            words.contains(&Word::Start)
                && (blocked.contains(pair) || (stats.webhook_retries > 0 && words.contains(&Word::Stop)))
        })
    };
    let said = words.iter().filter(|(_, words)| words.last() == Some(&Word::Stop)).map(|(pair, _)| *pair);
    let theirs: BTreeSet<Pair<'_>> =
        said.chain(blocked.iter().copied()).filter(|pair| !unsure(pair)).collect();
    let ours = truth.opt_outs.iter().map(|(tenant, phone)| (tenant.as_str(), phone.as_str()));
    let ours: BTreeSet<Pair<'_>> = ours.filter(|pair| !unsure(pair)).collect();
    if ours != theirs && stats.replies_given_up == 0 {
        let only_ours = ours.difference(&theirs).count();
        let only_theirs = theirs.difference(&ours).count();
        verdict
            .unequal(|| format!("{only_ours} opt-outs that nobody asked for, {only_theirs} are not there"));
    }
}

/// What everybody asked for, in order. Which tenant a number of ours belongs to is told by its replies.
fn words<'a>(truth: &'a Truth, replies: &[&'a ReplyEntry]) -> BTreeMap<Pair<'a>, Vec<Word>> {
    let owner = |reply: &'a Reply| (reply.to.as_str(), tenant_of(&reply.name));
    let owners: HashMap<&str, &str> = truth.replies.iter().map(owner).collect();
    let mut words: BTreeMap<Pair<'_>, Vec<Word>> = BTreeMap::new();
    for reply in replies {
        let word = match reply.body.trim().to_ascii_uppercase().as_str() {
            "STOP" | "STOPALL" | "UNSUBSCRIBE" | "CANCEL" | "END" | "QUIT" => Word::Stop,
            "START" | "UNSTOP" | "YES" | "YES!" => Word::Start,
            _ => continue,
        };
        let tenant = owners.get(&*reply.to).copied().unwrap_or_default();
        words.entry((tenant, &reply.from)).or_default().push(word);
    }
    words
}

/// Those whom a provider refused to text because they had opted out there: they are opted out here too.
fn blocked_by_providers(truth: &Truth) -> BTreeSet<Pair<'_>> {
    let owners: HashMap<Uuid, &str> = truth
        .campaigns
        .iter()
        .filter_map(|(campaign, _)| Some((id_of(&campaign.name).ok()?, tenant_of(&campaign.name))))
        .collect();
    let blocked = truth.rows.iter().filter(|row| row.error_class == ErrorClass::OptedOut);
    blocked.filter_map(|row| Some((*owners.get(&row.campaign)?, &*row.to))).collect()
}
