//! The check has to see what is wrong: one fault at a time, put into a truth and a ledger that agree.

use muster_proto::v1::{
    Campaign, CampaignMode, CampaignReport, CampaignState, ErrorClass, ErrorCount, MessageStatus, StatusCount,
};
use muster_provider_sim::stats::Stats;
use uuid::Uuid;

use super::ledger::{Accepted, Entry};
use super::truth::{Row, Truth};
use super::{Verdict, counters, judge_messages, people};

const CAMPAIGN: Uuid = Uuid::from_u128(1);

fn row(id: u128, status: MessageStatus, error: Option<(ErrorClass, &str)>) -> Row {
    let (error_class, error_code) = error.unwrap_or((ErrorClass::Unspecified, ""));
    Row {
        id: Uuid::from_u128(id),
        campaign: CAMPAIGN,
        to: format!("+1202555{id:04}").into(),
        status,
        error_class,
        error_code: error_code.into(),
    }
}

fn entry(id: u128, code: Option<u32>, told: bool) -> (Uuid, Entry) {
    (Uuid::from_u128(id), Entry { to: format!("+1202555{id:04}").into(), code, told })
}

/// One text of each kind, and a ledger that agrees.
fn agreed() -> (Truth, Accepted, Stats) {
    let rows = vec![
        row(11, MessageStatus::Delivered, None),
        row(12, MessageStatus::Undelivered, Some((ErrorClass::Landline, "30006"))),
        row(13, MessageStatus::Sent, None),
        row(14, MessageStatus::Failed, Some((ErrorClass::InvalidRecipient, "21211"))),
        row(15, MessageStatus::Unconfirmed, Some((ErrorClass::Transient, "http-503"))),
    ];
    let name = format!("tenants/{}/campaigns/{CAMPAIGN}", Uuid::from_u128(2));
    let campaign = Campaign {
        name: name.clone(),
        state: CampaignState::Running.into(),
        mode: CampaignMode::Broadcast.into(),
        planned_count: 5,
        ..Campaign::default()
    };
    let count = |row: &Row| StatusCount { status: row.status.into(), count: 1 };
    let errors = rows.iter().filter(|row| row.error_class != ErrorClass::Unspecified);
    let error = |row: &Row| ErrorCount {
        status: row.status.into(),
        error_class: row.error_class.into(),
        error_code: row.error_code.to_string(),
        count: 1,
    };
    let report = CampaignReport {
        campaign: name,
        message_count: 5,
        status_counts: rows.iter().map(count).collect(),
        error_counts: errors.map(error).collect(),
        read_time: None,
    };
    let by_message = [entry(11, None, true), entry(12, Some(30006), true), entry(13, None, false)];
    let accepted = Accepted { count: 3, by_message: by_message.into(), ..Accepted::default() };
    let stats = Stats { refused: [(21211, 1)].into(), ..Stats::default() };
    (Truth { rows, campaigns: vec![(campaign, report)], ..Truth::default() }, accepted, stats)
}

fn verdict((truth, accepted, stats): (Truth, Accepted, Stats)) -> Verdict {
    let mut verdict = Verdict { counters_equal: true, ..Verdict::default() };
    judge_messages(&mut verdict, &truth, &accepted);
    counters::judge(&mut verdict, &truth, &accepted, &stats);
    people::judge(&mut verdict, &truth, &accepted, &stats);
    verdict
}

#[test]
fn what_agrees_is_exact() {
    let verdict = verdict(agreed());
    assert!(verdict.is_exact(), "{verdict:?}");
    assert_eq!((verdict.messages, verdict.accepted, verdict.delivered), (5, 3, 1));
    assert_eq!((verdict.unconfirmed, verdict.untold), (1, 1));
}

#[test]
fn a_second_text_is_a_duplicate() {
    let (truth, mut accepted, stats) = agreed();
    accepted.count += 1;
    accepted.again.push(Uuid::from_u128(11));
    assert_eq!(verdict((truth, accepted, stats)).duplicates, 1);
    // So is one to the same person by another message of the campaign.
    let (mut truth, mut accepted, stats) = agreed();
    truth.rows[1].to = truth.rows[0].to.clone();
    accepted.by_message.get_mut(&Uuid::from_u128(12)).expect("there").to = truth.rows[0].to.clone();
    assert_eq!(verdict((truth, accepted, stats)).duplicates, 1);
}

#[test]
fn a_text_that_is_elsewhere_is_missing() {
    let elsewhere = [
        (0, MessageStatus::Sent),
        (0, MessageStatus::Failed),
        (0, MessageStatus::Unconfirmed),
        (0, MessageStatus::Queued),
        (1, MessageStatus::Delivered),
        (2, MessageStatus::Delivered),
        (3, MessageStatus::Sent),
        (3, MessageStatus::Claimed),
        (4, MessageStatus::Created),
    ];
    for (at, status) in elsewhere {
        let (mut truth, accepted, stats) = agreed();
        truth.rows[at].status = status;
        let verdict = verdict((truth, accepted, stats));
        assert_eq!(verdict.missing, 1, "row {at} as {status:?}: {:?}", verdict.findings);
        assert!(!verdict.counters_equal, "row {at} as {status:?}");
    }
}

#[test]
fn so_is_one_that_muster_does_not_know_or_the_ledger_does_not() {
    let (truth, mut accepted, stats) = agreed();
    accepted.by_message.extend([entry(99, None, false)]);
    assert_eq!(verdict((truth, accepted, stats)).missing, 1);
    let (truth, mut accepted, stats) = agreed();
    accepted.by_message.remove(&Uuid::from_u128(11));
    assert_eq!(verdict((truth, accepted, stats)).missing, 1);
    let (truth, mut accepted, stats) = agreed();
    accepted.nameless = 1;
    assert_eq!(verdict((truth, accepted, stats)).missing, 1);
}

#[test]
fn a_wrong_count_is_found() {
    let wrong: [fn(&mut Truth, &mut Stats); 6] = [
        |truth, _| truth.campaigns[0].1.message_count += 1,
        |truth, _| truth.campaigns[0].0.planned_count += 1,
        |truth, _| truth.campaigns[0].1.status_counts[0].count += 1,
        |truth, _| truth.campaigns[0].1.error_counts[0].error_code = "30007".to_owned(),
        |truth, _| truth.opt_outs.push(("tenants/2".to_owned(), "+12025550011".to_owned())),
        |_, stats| stats.refused.clear(),
    ];
    for (at, wrong) in wrong.into_iter().enumerate() {
        let (mut truth, accepted, mut stats) = agreed();
        wrong(&mut truth, &mut stats);
        assert!(!verdict((truth, accepted, stats)).counters_equal, "fault {at}");
    }
}
