//! Replies and opt-outs: every reply that Muster answered is there once, and STOP and START were obeyed, in the end
//! and at every moment.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use muster_proto::v1::{ErrorClass, Reply};
use muster_provider_sim::ledger::ReplyEntry;
use muster_provider_sim::stats::Stats;

use super::Verdict;
use super::ledger::Accepted;
use super::truth::{Truth, tenant_of};

/// A tenant and somebody it texts.
type Pair<'a> = (&'a str, &'a str);

/// What everybody asked for, in order.
type Wishes<'a> = BTreeMap<Pair<'a>, Vec<Wish>>;

/// How long after the answer to a STOP a text may still be accepted: a call begins within 10 seconds of its claim, and
/// the STOP has to be projected and the claim judged.
const OBEYED_WITHIN_US: u64 = 11_000_000;

/// What somebody asked for, and when it was answered.
#[derive(Clone, Copy, Debug)]
struct Wish {
    word: Word,
    time_us: u64,
}

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
    let wishes = wishes(truth, &replies);
    judge_replies(verdict, replies.len() as u64, stats);
    judge_opt_outs(verdict, truth, &wishes, stats);
    judge_texts(verdict, truth, accepted, &wishes);
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

fn judge_opt_outs(verdict: &mut Verdict, truth: &Truth, wishes: &Wishes<'_>, stats: &Stats) {
    let blocked = blocked_by_providers(truth);
    // Where a webhook was posted again, or a provider blocks somebody who also wrote START, the order of the two
    // is not ours to know.
    let unsure = |pair: &Pair<'_>| {
        wishes.get(pair).is_some_and(|wishes| {
            let said = |word| wishes.iter().any(|wish| wish.word == word);
            said(Word::Start) && (blocked.contains(pair) || (stats.webhook_retries > 0 && said(Word::Stop)))
        })
    };
    let ends_in_stop = |wishes: &Vec<Wish>| wishes.last().is_some_and(|wish| wish.word == Word::Stop);
    let said = wishes.iter().filter(|(_, wishes)| ends_in_stop(wishes)).map(|(pair, _)| *pair);
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

/// Nothing is accepted for somebody from a while after their STOP was answered, until START. Muster may obey a START
/// before its own answer has arrived, so a START of a while later counts as well.
fn judge_texts(verdict: &mut Verdict, truth: &Truth, accepted: &Accepted, wishes: &Wishes<'_>) {
    let owners = truth.tenants_by_campaign();
    for row in &truth.rows {
        let Some(entry) = accepted.by_message.get(&row.id) else { continue };
        let Some(tenant) = owners.get(&row.campaign) else { continue };
        let wishes = wishes.get(&(*tenant, &*entry.to)).map_or(&[][..], Vec::as_slice);
        let time = entry.time_us;
        let stopped = wishes
            .iter()
            .rfind(|wish| wish.word == Word::Stop && wish.time_us.saturating_add(OBEYED_WITHIN_US) < time);
        let Some(stop) = stopped else { continue };
        let taken_back = stop.time_us..time.saturating_add(OBEYED_WITHIN_US);
        if !wishes.iter().any(|wish| wish.word == Word::Start && taken_back.contains(&wish.time_us)) {
            verdict.after_stop += 1;
            let late_s = (time - stop.time_us) / 1_000_000;
            verdict.find(|| format!("{} was accepted {late_s} s after a STOP", row.id));
        }
    }
}

/// What everybody asked for, in order. Which tenant a number of ours belongs to is told by its replies.
fn wishes<'a>(truth: &'a Truth, replies: &[&'a ReplyEntry]) -> Wishes<'a> {
    let owner = |reply: &'a Reply| (reply.to.as_str(), tenant_of(&reply.name));
    let owners: HashMap<&str, &str> = truth.replies.iter().map(owner).collect();
    let mut wishes = Wishes::new();
    for reply in replies {
        let word = reply.body.trim_matches(|c: char| !c.is_alphanumeric());
        let word = match word.to_ascii_uppercase().as_str() {
            "STOP" | "STOPALL" | "UNSUBSCRIBE" | "CANCEL" | "END" | "QUIT" => Word::Stop,
            "START" | "UNSTOP" | "YES" => Word::Start,
            _ => continue,
        };
        let tenant = owners.get(&*reply.to).copied().unwrap_or_default();
        wishes.entry((tenant, &reply.from)).or_default().push(Wish { word, time_us: reply.time_us });
    }
    wishes
}

/// Those whom a provider refused to text because they had opted out there: they are opted out here too.
fn blocked_by_providers(truth: &Truth) -> BTreeSet<Pair<'_>> {
    let owners = truth.tenants_by_campaign();
    let blocked = truth.rows.iter().filter(|row| row.error_class == ErrorClass::OptedOut);
    blocked.filter_map(|row| Some((*owners.get(&row.campaign)?, &*row.to))).collect()
}
