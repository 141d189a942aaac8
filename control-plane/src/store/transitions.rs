//! Transitions: the one way a message's state changes, and all that must follow in the same transaction: its
//! history, the counters, and the frame that tells the watchers.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicI16, AtomicU64, Ordering};

use deadpool_postgres::Transaction;
use futures::future::try_join5;
use muster_domain::error::{ErrorClass, SendError};
use muster_domain::status::{Decision, State, Status};
use muster_proto::internal::v1::StatusRecord;
use muster_runtime::frame;
use uuid::Uuid;

use crate::db::{Micros, Result};
use crate::store::inquiries::inquiries_insert;
use crate::store::texts::texts_add;
use crate::store::watchers::{Record, tell};
use crate::store::{execute, query};

/// Slots of counters: more than transactions that run at the same time.
const COUNTER_SLOTS: i16 = 16;

/// A message, one attempt of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Attempt {
    pub(crate) message: Uuid,
    pub(crate) attempt: i16,
    /// The number of ours that it is sent from, where whoever asks knows it: it need not be looked up then.
    pub(crate) number: Option<Uuid>,
}

/// Whose message it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Owner {
    pub(crate) tenant: Uuid,
    pub(crate) campaign: Uuid,
}

/// A message moved from one state to another.
#[derive(Clone, Debug)]
pub(crate) struct Transition {
    pub(crate) message: Uuid,
    pub(crate) owner: Owner,
    /// The number of ours that it is sent from.
    pub(crate) number: Uuid,
    /// `None` for a message that was just planned.
    pub(crate) from: Option<State>,
    /// Since when it was there, where that is known.
    pub(crate) since: Option<Micros>,
    pub(crate) to: State,
    pub(crate) time: Micros,
    pub(crate) cause: Arc<str>,
    pub(crate) provider_message_id: String,
}

/// Moves those of `attempts` that are in `from` by `decision`, and returns the transitions made. The others are
/// left alone: they have moved on already.
pub(crate) async fn decide(
    tx: &Transaction<'_>,
    decision: Decision,
    from: Status,
    attempts: &[Attempt],
    cause: &Arc<str>,
) -> Result<Vec<Transition>> {
    debug_assert!(decision.from().contains(&from), "the graph in muster-domain decides");
    let mut attempts = attempts.to_vec();
    // Everyone locks rows in the order of their ids, so that nobody waits in a circle.
    attempts.sort_unstable();
    let ids: Vec<Uuid> = attempts.iter().map(|a| a.message).collect();
    let numbers: Vec<i16> = attempts.iter().map(|a| a.attempt).collect();
    let now = Micros::now();
    let sql = include_str!("transitions/states_decide.sql");
    let rows = query(
        tx,
        sql,
        &[&ids, &numbers, &from.code(), &decision.to().code(), &now, &decision.forgets_error()],
    )
    .await?;
    let moved: Vec<Uuid> = rows.iter().map(|row| row.get("message_id")).collect();
    let number_of = message_numbers(tx, &moved, &attempts).await?;
    let moved = rows.into_iter().zip(moved).map(|(row, message)| {
        let attempt = row.get::<_, i16>("attempt").unsigned_abs();
        let error = error_from(row.get("error_class"), row.get("error_code"));
        Transition {
            message,
            owner: Owner { tenant: row.get("tenant_id"), campaign: row.get("campaign_id") },
            number: number_of.get(&message).copied().unwrap_or_default(),
            from: Some(State { status: from, attempt, error: error.clone() }),
            since: None,
            to: State { status: decision.to(), attempt, error },
            time: now,
            cause: cause.clone(),
            provider_message_id: String::new(),
        }
    });
    Ok(moved.collect())
}

/// The numbers that messages which moved are sent from: those that `attempts` say, and for the rest the database's word.
async fn message_numbers(
    tx: &Transaction<'_>,
    moved: &[Uuid],
    attempts: &[Attempt],
) -> Result<HashMap<Uuid, Uuid>> {
    let mut numbers: HashMap<Uuid, Uuid> =
        attempts.iter().filter_map(|attempt| Some((attempt.message, attempt.number?))).collect();
    let unknown: Vec<Uuid> = moved.iter().copied().filter(|message| !numbers.contains_key(message)).collect();
    if !unknown.is_empty() {
        let rows = query(tx, include_str!("transitions/message_numbers.sql"), &[&unknown]).await?;
        numbers
            .extend(rows.into_iter().map(|row| (row.get::<_, Uuid>("id"), row.get::<_, Uuid>("number_id"))));
    }
    Ok(numbers)
}

/// The campaigns whose counts a transaction changes: whoever commits it has their watchers told where they are.
#[derive(Debug, Default)]
#[must_use = "watchers are to be told where these campaigns are"]
pub(crate) struct Moved(pub(crate) Vec<Uuid>);

/// Writes what must follow `transitions`, in their transaction. The counters come last: their rows are the ones
/// that everybody wants.
pub(crate) async fn record(tx: &Transaction<'_>, transitions: &[Transition]) -> Result<Moved> {
    if transitions.is_empty() {
        return Ok(Moved::default());
    }
    count(transitions);
    let slot = counter_slot();
    try_join5(
        history_add(tx, transitions),
        tell(tx, changes(transitions)),
        inquiries_insert(tx, transitions),
        texts_add(tx, transitions, slot),
        counters_add(tx, transitions, slot),
    )
    .await
    .map(|(.., moved)| moved)
}

/// How many calls ended, as this process recorded it since it began; a call whose end was written twice, because a
/// transaction was tried again, counts twice.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tally {
    pub(crate) ended: u64,
    /// Those of them of which nobody knows how.
    pub(crate) unconfirmed: u64,
}

static ENDED: AtomicU64 = AtomicU64::new(0);
static UNCONFIRMED: AtomicU64 = AtomicU64::new(0);

/// See [`Tally`].
pub(crate) fn tally() -> Tally {
    Tally { ended: ENDED.load(Ordering::Relaxed), unconfirmed: UNCONFIRMED.load(Ordering::Relaxed) }
}

fn count(transitions: &[Transition]) {
    let was_open = |t: &&Transition| t.from.as_ref().is_some_and(|from| from.status == Status::Claimed);
    let ended = transitions.iter().filter(was_open);
    let unconfirmed = ended.clone().filter(|t| t.to.status == Status::Unconfirmed).count();
    ENDED.fetch_add(ended.count() as u64, Ordering::Relaxed);
    UNCONFIRMED.fetch_add(unconfirmed as u64, Ordering::Relaxed);
}

/// Adds steps to messages' histories, and nothing else: for [`record`], and where a message's state stays as it is.
pub(crate) async fn history_add(tx: &Transaction<'_>, transitions: &[Transition]) -> Result<()> {
    // A plan's own row says when the message was created.
    let moved = || transitions.iter().filter(|t| t.to.status != Status::Created);
    let messages: Vec<Uuid> = moved().map(|t| t.message).collect();
    let tenants: Vec<Uuid> = moved().map(|t| t.owner.tenant).collect();
    let times: Vec<Micros> = moved().map(|t| t.time).collect();
    let statuses: Vec<i16> = moved().map(|t| t.to.status.code()).collect();
    let attempts: Vec<i16> = moved().map(|t| attempt_code(t.to.attempt)).collect();
    let classes: Vec<i16> = moved().map(|t| class_code(t.to.error.as_ref())).collect();
    let codes: Vec<&str> = moved().map(|t| error_code(t.to.error.as_ref())).collect();
    let causes: Vec<&str> = moved().map(|t| &*t.cause).collect();
    let provider_ids: Vec<&str> = moved().map(|t| t.provider_message_id.as_str()).collect();
    let sql = include_str!("transitions/events_insert.sql");
    execute(
        tx,
        sql,
        &[&messages, &tenants, &times, &statuses, &attempts, &classes, &codes, &causes, &provider_ids],
    )
    .await?;
    Ok(())
}

/// What watchers are told of `transitions`: all but that a message was planned.
fn changes(transitions: &[Transition]) -> impl Iterator<Item = (Uuid, Record)> + '_ {
    transitions
        .iter()
        .filter(|t| t.from.is_some() || t.to.status != Status::Created)
        .map(|t| (t.owner.tenant, Record::Change(status_record(t))))
}

fn status_record(transition: &Transition) -> StatusRecord {
    let code = |status: Status| u32::from(status.code().unsigned_abs());
    StatusRecord {
        message_id: frame::id_bytes(transition.message),
        campaign_id: frame::id_bytes(transition.owner.campaign),
        status: code(transition.to.status),
        previous_status: code(transition.from.as_ref().map_or(Status::Created, |from| from.status)),
        attempt: u32::from(transition.to.attempt),
        error_class: u32::from(class_code(transition.to.error.as_ref()).unsigned_abs()),
        error_code: error_code(transition.to.error.as_ref()).to_owned(),
        time_us: transition.time.0,
        number_id: frame::id_bytes(transition.number),
    }
}

/// Where a message is counted: its campaign, its status, and the reason where the status has one.
type CounterKey<'a> = (Uuid, Uuid, i16, i16, Cow<'a, str>);

fn counter_key<'a>(owner: Owner, state: &'a State) -> CounterKey<'a> {
    let error = match state.status {
        Status::Failed | Status::Undelivered | Status::Unconfirmed => state.error.as_ref(),
        Status::Created
        | Status::Queued
        | Status::Ordered
        | Status::Claimed
        | Status::Sent
        | Status::Delivered
        | Status::Canceled
        | Status::Suppressed
        | Status::Expired => None,
    };
    (owner.campaign, owner.tenant, state.status.code(), class_code(error), Cow::Borrowed(error_code(error)))
}

/// The slot for a transaction's counts: another one each time, so that transactions that run at the same time
/// seldom share one.
fn counter_slot() -> i16 {
    static NEXT: AtomicI16 = AtomicI16::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed).rem_euclid(COUNTER_SLOTS)
}

async fn counters_add(tx: &Transaction<'_>, transitions: &[Transition], slot: i16) -> Result<Moved> {
    // Sorted by key, for the same reason as ids are.
    let mut deltas: BTreeMap<CounterKey<'_>, i64> = BTreeMap::new();
    for transition in transitions {
        if let Some(from) = &transition.from {
            *deltas.entry(counter_key(transition.owner, from)).or_default() -= 1;
        }
        *deltas.entry(counter_key(transition.owner, &transition.to)).or_default() += 1;
    }
    deltas.retain(|_, delta| *delta != 0);
    let campaigns: Vec<Uuid> = deltas.keys().map(|key| key.0).collect();
    let tenants: Vec<Uuid> = deltas.keys().map(|key| key.1).collect();
    let statuses: Vec<i16> = deltas.keys().map(|key| key.2).collect();
    let classes: Vec<i16> = deltas.keys().map(|key| key.3).collect();
    let codes: Vec<&str> = deltas.keys().map(|key| &*key.4).collect();
    let counts: Vec<i64> = deltas.values().copied().collect();
    let sql = include_str!("transitions/counters_add.sql");
    execute(tx, sql, &[&campaigns, &tenants, &statuses, &classes, &codes, &counts, &slot]).await?;
    let mut moved = campaigns;
    moved.dedup();
    Ok(Moved(moved))
}

/// An attempt's number as the database keeps it.
pub(crate) fn attempt_code(attempt: u16) -> i16 {
    i16::try_from(attempt).unwrap_or(i16::MAX)
}

/// An error's class as the database keeps it; 0 where there is none.
pub(crate) fn class_code(error: Option<&SendError>) -> i16 {
    error.map_or(0, |error| error.class.code())
}

/// An error's code as the database keeps it; empty where there is none.
pub(crate) fn error_code(error: Option<&SendError>) -> &str {
    error.map_or("", |error| error.code.as_str())
}

/// An error as the database kept it.
pub(crate) fn error_from(class: i16, code: String) -> Option<SendError> {
    ErrorClass::from_code(class).map(|class| SendError { class, code })
}
