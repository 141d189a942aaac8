//! Why messages were not sent: each reason has to hold in what Muster shows, or in what the simulator did.

use std::collections::{BTreeMap, HashSet};

use muster_proto::v1::{Campaign, CampaignReport, CampaignState, ErrorClass, MessageStatus, ReplyKeyword};

use super::truth::{Row, Truth, tenant_of};
use super::{Evidence, Verdict};

pub(super) fn judge(verdict: &mut Verdict, evidence: &Evidence<'_>, allowed: u64) {
    judge_ends(verdict, evidence.truth);
    judge_passing(verdict, evidence);
    judge_unconfirmed(verdict, evidence, allowed);
}

/// What ended before it was sent: SUPPRESSED, CANCELED or EXPIRED.
fn judge_ends(verdict: &mut Verdict, truth: &Truth) {
    let (campaigns, opted_out) = (truth.campaigns_by_id(), opted_out_ever(truth));
    for row in &truth.rows {
        let Some((campaign, report)) = campaigns.get(&row.campaign) else { continue };
        let holds = match row.status {
            MessageStatus::Suppressed => opted_out.contains(&(tenant_of(&campaign.name), &*row.to)),
            MessageStatus::Canceled => campaign.state() == CampaignState::Canceled,
            MessageStatus::Expired => validity_may_be_over(campaign, report),
            MessageStatus::Unspecified
            | MessageStatus::Created
            | MessageStatus::Queued
            | MessageStatus::Ordered
            | MessageStatus::Claimed
            | MessageStatus::Sent
            | MessageStatus::Delivered
            | MessageStatus::Undelivered
            | MessageStatus::Failed
            | MessageStatus::Unconfirmed => true,
        };
        if !holds {
            verdict.groundless += 1;
            verdict.find(|| format!("nothing bears out why this was not sent: {row:?}"));
        }
    }
}

/// Whoever has opted out of a tenant's texts, also if they took it back later.
fn opted_out_ever(truth: &Truth) -> HashSet<(&str, &str)> {
    let now = truth.opt_outs.iter().map(|(tenant, phone)| (tenant.as_str(), phone.as_str()));
    let stops = truth.replies.iter().filter(|reply| reply.keyword() == ReplyKeyword::Stop);
    now.chain(stops.map(|reply| (tenant_of(&reply.name), reply.from.as_str()))).collect()
}

/// No text of a campaign expires before the campaign itself is as old as its texts may become.
fn validity_may_be_over(campaign: &Campaign, report: &CampaignReport) -> bool {
    let times = campaign.start_time.as_ref().zip(report.read_time.as_ref());
    times.is_some_and(|(start, read)| start.seconds + campaign.validity_seconds <= read.seconds + 1)
}

/// What failed for a passing reason, over and over: at most as often as the providers gave that reason. A fault of
/// ours, such as a connection that we could not make, is none that they gave.
fn judge_passing(verdict: &mut Verdict, evidence: &Evidence<'_>) {
    let (mut rate, mut others) = (0, BTreeMap::<&str, u64>::new());
    for row in evidence.truth.rows.iter().filter(|row| row.status == MessageStatus::Failed) {
        match row.error_class {
            ErrorClass::Rate => rate += 1,
            ErrorClass::Transient | ErrorClass::Cap => *others.entry(&row.error_code).or_default() += 1,
            ErrorClass::Unspecified
            | ErrorClass::InvalidRecipient
            | ErrorClass::Landline
            | ErrorClass::OptedOut
            | ErrorClass::Blocked
            | ErrorClass::Content
            | ErrorClass::Credentials
            | ErrorClass::SenderNumber
            | ErrorClass::Registration
            | ErrorClass::Account
            | ErrorClass::BadRequest
            | ErrorClass::Expired
            | ErrorClass::Unknown => {}
        }
    }
    let stats = evidence.stats;
    let answered = |code: &str| stats.refused.get(code).copied();
    let limits = others.into_iter().map(|(code, count)| (code, count, answered(code).unwrap_or(0)));
    for (code, count, limit) in limits.chain([("429", rate, stats.rate_limited)]) {
        verdict.groundless += count.saturating_sub(limit);
        if count > limit {
            verdict.find(|| format!("{count} failed for {code}, which was answered {limit} times"));
        }
    }
}

/// A call that was not accepted is UNCONFIRMED where its answer was bad or none, and one that was accepted where its
/// caller was not told. Any other is one that the caller of this check has to explain.
fn judge_unconfirmed(verdict: &mut Verdict, evidence: &Evidence<'_>, allowed: u64) {
    let Evidence { truth, accepted, stats } = *evidence;
    let unconfirmed = |row: &&Row| row.status == MessageStatus::Unconfirmed;
    let entries = truth.rows.iter().filter(unconfirmed).filter_map(|row| accepted.by_message.get(&row.id));
    let told = entries.filter(|entry| !entry.silent).count() as u64;
    let bad = stats.server_errors + stats.timeouts + stats.resets;
    let beyond = told + verdict.unconfirmed.saturating_sub(bad);
    verdict.unexplained = beyond.saturating_sub(allowed);
    if verdict.unexplained > 0 {
        verdict
            .find(|| format!("{beyond} are UNCONFIRMED beyond what the simulator did; allowed: {allowed}"));
    }
}
