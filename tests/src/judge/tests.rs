//! The check has to see what is wrong: one fault at a time, put into a truth and a ledger that agree.

use muster_proto::v1::{
    Campaign, CampaignMode, CampaignReport, CampaignState, ErrorClass, ErrorCount, MessageStatus, Reply,
    ReplyKeyword, StatusCount,
};
use muster_provider_sim::ledger::ReplyEntry;
use muster_provider_sim::stats::Stats;
use uuid::Uuid;

use super::ledger::{Accepted, Entry};
use super::truth::{Row, Truth};
use super::{Evidence, Verdict, judge_all};

const CAMPAIGN: Uuid = Uuid::from_u128(1);
/// When every text was accepted.
const SENT_US: u64 = 1_000_000_000;

fn tenant() -> String {
    format!("tenants/{}", Uuid::from_u128(2))
}

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
    (
        Uuid::from_u128(id),
        Entry { to: format!("+1202555{id:04}").into(), code, told, silent: false, time_us: SENT_US },
    )
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
    let name = format!("{}/campaigns/{CAMPAIGN}", tenant());
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
    let stats = Stats { refused: [("21211".to_owned(), 1)].into(), server_errors: 1, ..Stats::default() };
    (Truth { rows, campaigns: vec![(campaign, report)], ..Truth::default() }, accepted, stats)
}

fn verdict((truth, accepted, stats): (Truth, Accepted, Stats)) -> Verdict {
    let mut verdict = Verdict { counters_equal: true, ..Verdict::default() };
    judge_all(&mut verdict, &Evidence { truth: &truth, accepted: &accepted, stats: &stats }, 0);
    verdict
}

#[test]
fn what_agrees_is_exact() {
    let verdict = verdict(agreed());
    assert!(verdict.is_right(), "{verdict:?}");
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

#[test]
fn what_was_never_sent_for_no_reason_is_groundless() {
    for status in [MessageStatus::Suppressed, MessageStatus::Canceled, MessageStatus::Expired] {
        let (mut truth, accepted, stats) = agreed();
        truth.rows[3].status = status;
        let verdict = verdict((truth, accepted, stats));
        assert_eq!((verdict.groundless, verdict.missing), (1, 0), "{status:?}: {:?}", verdict.findings);
        assert!(!verdict.is_exact());
    }
    for class in [ErrorClass::Rate, ErrorClass::Transient, ErrorClass::Cap] {
        let (mut truth, accepted, stats) = agreed();
        truth.rows[3].error_class = class;
        truth.rows[3].error_code = "connect".into();
        assert_eq!(verdict((truth, accepted, stats)).groundless, 1, "{class:?}");
    }
}

#[test]
fn a_reason_that_holds_is_not() {
    type Hold = fn(&mut Truth);
    let holds: [(MessageStatus, Hold); 4] = [
        (MessageStatus::Suppressed, |truth| {
            truth.opt_outs.push((tenant(), truth.rows[3].to.to_string()));
        }),
        (MessageStatus::Suppressed, |truth| {
            let name = format!("{}/replies/{}", tenant(), Uuid::from_u128(3));
            let (from, keyword) = (truth.rows[3].to.to_string(), ReplyKeyword::Stop.into());
            truth.replies.push(Reply { name, from, keyword, ..Reply::default() });
        }),
        (MessageStatus::Canceled, |truth| truth.campaigns[0].0.set_state(CampaignState::Canceled)),
        (MessageStatus::Expired, |truth| {
            let (campaign, report) = &mut truth.campaigns[0];
            campaign.start_time = Some(prost_types::Timestamp { seconds: 1_000, nanos: 0 });
            campaign.validity_seconds = 60;
            report.read_time = Some(prost_types::Timestamp { seconds: 1_060, nanos: 0 });
        }),
    ];
    for (status, hold) in holds {
        let (mut truth, accepted, stats) = agreed();
        truth.rows[3].status = status;
        hold(&mut truth);
        assert_eq!(verdict((truth, accepted, stats)).groundless, 0, "{status:?}");
    }
    let (mut truth, accepted, stats) = agreed();
    truth.rows[3].error_class = ErrorClass::Rate;
    assert_eq!(verdict((truth, accepted, Stats { rate_limited: 1, ..stats })).groundless, 0);
}

#[test]
fn nothing_sent_at_all_does_not_pass() {
    let (mut truth, _, _) = agreed();
    let (campaign, report) = &mut truth.campaigns[0];
    for row in &mut truth.rows {
        row.status = MessageStatus::Failed;
        (row.error_class, row.error_code) = (ErrorClass::Transient, "connect".into());
    }
    (campaign.planned_count, report.message_count) = (5, 5);
    let failed = MessageStatus::Failed.into();
    report.status_counts = vec![StatusCount { status: failed, count: 5 }];
    let (error_class, error_code) = (ErrorClass::Transient.into(), "connect".to_owned());
    report.error_counts = vec![ErrorCount { status: failed, error_class, error_code, count: 5 }];
    let verdict = verdict((truth, Accepted::default(), Stats::default()));
    assert_eq!((verdict.groundless, verdict.counters_equal), (5, true), "{:?}", verdict.findings);
    assert!(!verdict.is_right());
}

#[test]
fn an_unconfirmed_text_has_to_be_explained_or_allowed() {
    let (truth, accepted, _) = agreed();
    let stats = Stats { refused: [("21211".to_owned(), 1)].into(), ..Stats::default() };
    let evidence = Evidence { truth: &truth, accepted: &accepted, stats: &stats };
    for (allowed, unexplained) in [(0, 1), (1, 0)] {
        let mut verdict = Verdict { counters_equal: true, ..Verdict::default() };
        judge_all(&mut verdict, &evidence, allowed);
        assert_eq!(verdict.unexplained, unexplained);
        assert_eq!((verdict.is_exact(), verdict.is_right()), (true, unexplained == 0));
    }
    // One that was accepted, too: its caller was told so.
    for (silent, unexplained) in [(false, 1), (true, 0)] {
        let (mut truth, mut accepted, stats) = agreed();
        truth.rows[2].status = MessageStatus::Unconfirmed;
        accepted.by_message.get_mut(&Uuid::from_u128(13)).expect("there").silent = silent;
        assert_eq!(verdict((truth, accepted, stats)).unexplained, unexplained);
    }
}

/// A reply of whom the first text went to, answered so many seconds before that text or, below 0, after it.
fn replied(truth: &mut Truth, accepted: &mut Accepted, body: &str, before_s: i64) {
    let (from, to) = (truth.rows[0].to.clone(), "+14155550100");
    let name = format!("{}/replies/{}", tenant(), Uuid::from_u128(3));
    truth.replies.push(Reply { name, from: from.to_string(), to: to.to_owned(), ..Reply::default() });
    let time_us = SENT_US.checked_add_signed(-before_s * 1_000_000).expect("after 1970");
    accepted.replies.push(ReplyEntry {
        time_us,
        provider: muster_domain::provider::Provider::Twilio,
        account: "AC1".into(),
        from,
        to: to.into(),
        provider_id: format!("SM{}", accepted.replies.len()).into(),
        body: body.into(),
        media: Vec::new(),
    });
}

#[test]
fn nobody_is_texted_from_a_while_after_their_stop_until_start() {
    let cases: [(&[(&str, i64)], u64); 8] = [
        (&[("STOP", 10)], 0),
        (&[("STOP", 12)], 1),
        (&[(" stop! ", 12)], 1),
        (&[("Please do not stop", 12)], 0),
        (&[("STOP", -1)], 0),
        (&[("STOP", 60), ("START", 30)], 0),
        (&[("STOP", 60), ("START", 30), ("STOP", 20)], 1),
        (&[("START", 60), ("STOP", 30)], 1),
    ];
    for (said, after_stop) in cases {
        let (mut truth, mut accepted, stats) = agreed();
        for (body, before_s) in said {
            replied(&mut truth, &mut accepted, body, *before_s);
        }
        let verdict = verdict((truth, accepted, stats));
        assert_eq!(verdict.after_stop, after_stop, "{said:?}: {:?}", verdict.findings);
    }
}
