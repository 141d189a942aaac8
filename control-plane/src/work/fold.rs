//! Folding a batch of facts into the states they lead to: one row a message, however many facts there are. Pure;
//! the graph itself is muster-domain's.

use std::collections::HashMap;
use std::time::Duration;

use muster_domain::error::ErrorClass;
use muster_domain::status::{Event, State, Status, apply};
use uuid::Uuid;

use crate::db::Micros;
use crate::store::projections::{ProviderId, StateRow, UnmatchedReceipt};
use crate::store::transitions::{Owner, Transition};
use crate::work::facts::KnownFact;

/// The first wait before another attempt, in seconds; it doubles with each.
const RETRY_FIRST_S: i64 = 1;
/// The longest wait before another attempt, in seconds.
const RETRY_MAX_S: i64 = 120;
/// How long a number is held that reached a daily cap, in seconds, where the provider does not say: 1 hour.
const HELD_S: i64 = 3_600;
/// The longest that it is held because the provider says so: 24 hours.
const HELD_MAX_S: i64 = 24 * 3_600;

/// A message that a batch is about.
pub(crate) struct Known {
    pub(crate) message: Uuid,
    pub(crate) before: State,
    pub(crate) now: State,
    owner: Owner,
    number: Uuid,
    /// Since when it is where it is now.
    since: Micros,
    retry_time: Option<Micros>,
    /// Because a daily cap was reached.
    capped: bool,
}

/// The states that facts lead to.
pub(crate) struct Fold {
    /// In the order of their ids.
    known: Vec<Known>,
    index: HashMap<Uuid, usize>,
    pub(crate) transitions: Vec<Transition>,
    pub(crate) unmatched: Vec<UnmatchedReceipt>,
    /// Facts that changed nothing: they were known, or less than what is known.
    pub(crate) repeated: usize,
    /// The providers' own ids of attempts, where facts are among these that a URL alone says the text of.
    ids: HashMap<(Uuid, u16), Vec<String>>,
}

impl Fold {
    /// Begins with the states as they are.
    pub(crate) fn new(mut rows: Vec<StateRow>, unmatched: Vec<UnmatchedReceipt>) -> Self {
        rows.sort_unstable_by_key(|row| row.message);
        let index = rows.iter().enumerate().map(|(at, row)| (row.message, at)).collect();
        let known = rows.into_iter().map(|row| Known {
            message: row.message,
            before: row.state.clone(),
            now: row.state,
            owner: row.owner,
            number: row.number,
            since: row.since,
            retry_time: None,
            capped: false,
        });
        Self {
            known: known.collect(),
            index,
            transitions: Vec::new(),
            unmatched,
            repeated: 0,
            ids: HashMap::new(),
        }
    }

    /// From now on believes a fact that a URL alone says the text of only where `known` has no other id of that attempt.
    pub(crate) fn doubt(&mut self, known: Vec<ProviderId>) {
        for ProviderId { message, attempt, id } in known {
            self.ids.entry((message, attempt)).or_default().push(id);
        }
    }

    fn is_contradicted(&self, fact: &KnownFact) -> bool {
        let ids = self.ids.get(&(fact.message, fact.attempt));
        fact.by_url_alone && ids.is_some_and(|ids| !ids.contains(&fact.provider_message_id))
    }

    /// Applies one fact. A fact about a message that is not there, or is another tenant's, changes nothing and is
    /// kept: no tenant's provider account can speak about another's messages. So is a receipt that was sent to the URL of
    /// another text than its own.
    pub(crate) fn learn(&mut self, fact: KnownFact) {
        let misdirected = self.is_contradicted(&fact);
        let known = self.index.get(&fact.message).and_then(|at| self.known.get_mut(*at));
        let Some(known) = known.filter(|known| known.owner.tenant == fact.tenant && !misdirected) else {
            self.unmatched.push(UnmatchedReceipt {
                tenant: fact.tenant,
                message: Some(fact.message),
                provider_message_id: fact.provider_message_id,
                state: String::new(),
                time: fact.time,
            });
            return;
        };
        let next = apply(&known.now, &Event::Fact(fact.attempt, fact.fact));
        if next == known.now {
            self.repeated += 1;
            return;
        }
        if next.status == Status::Queued {
            known.capped = next.error.as_ref().is_some_and(|error| error.class == ErrorClass::Cap);
            let asked_s = i64::from(fact.retry_after_s);
            let wait_s = match (known.capped, asked_s) {
                (true, 0) => HELD_S,
                (true, asked_s) => asked_s.min(HELD_MAX_S),
                (false, asked_s) => wait_s(next.attempt).max(asked_s.min(RETRY_MAX_S)),
            };
            known.retry_time = Some(fact.time.later(Duration::from_secs(wait_s.unsigned_abs())));
        }
        self.transitions.push(Transition {
            message: known.message,
            owner: known.owner,
            number: known.number,
            from: Some(std::mem::replace(&mut known.now, next.clone())),
            since: Some(std::mem::replace(&mut known.since, fact.time)),
            to: next,
            time: fact.time,
            cause: fact.cause,
            provider_message_id: fact.provider_message_id,
        });
    }

    /// Messages whose state changed, in the order of their ids.
    pub(crate) fn changed(&self) -> impl Iterator<Item = &Known> {
        self.known.iter().filter(|known| known.before != known.now)
    }

    /// Messages that are to be tried again, and when.
    pub(crate) fn retries(&self) -> impl Iterator<Item = (Uuid, Micros)> + '_ {
        self.changed()
            .filter(|known| known.now.status == Status::Queued)
            .filter_map(|known| known.retry_time.map(|time| (known.message, time)))
    }

    /// Messages whose number reached a daily cap, and until when it is held.
    pub(crate) fn capped(&self) -> impl Iterator<Item = (Uuid, Micros)> + '_ {
        self.changed()
            .filter(|known| known.now.status == Status::Queued && known.capped)
            .filter_map(|known| known.retry_time.map(|time| (known.message, time)))
    }

    /// Messages that the provider refused because their recipient had opted out there.
    pub(crate) fn opted_out_at_provider(&self) -> impl Iterator<Item = Uuid> + '_ {
        self.changed()
            .filter(|known| known.now.error.as_ref().is_some_and(|error| error.class == ErrorClass::OptedOut))
            .map(|known| known.message)
    }
}

/// How long to wait before attempt number `attempt`, in seconds.
fn wait_s(attempt: u16) -> i64 {
    let doublings = u32::from(attempt.saturating_sub(2)).min(10);
    (RETRY_FIRST_S << doublings).min(RETRY_MAX_S)
}
