//! A message's life: one pure function from a state and an event to the next state.
//!
//! It is total (every event is allowed in every state; most do nothing), idempotent (an event twice is an
//! event once) and deaf to the order of facts: outcomes and receipts may overtake one another and repeat, and
//! the message still ends in the same state. `docs/message-states.md` is drawn from this file by a test.
//!
//! Two kinds of events drive it. *Decisions* are Muster's own (queue, order, claim, cancel) and only move a
//! message forward from the states named here. *Facts* are what happened outside: what the one HTTP call came
//! to, what a receipt said. Facts are never refused for being late. Absence of evidence never permits a
//! second send: only [`Fact::NotAccepted`] does.

use std::cmp::Reverse;

use crate::error::SendError;

/// Where a message is in its life. The numbers are those of the database and the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(i16)]
pub enum Status {
    /// Planned for a contact of a campaign; nobody has asked to send it yet.
    Created = 1,
    /// Asked for: by a texter's click, or by a broadcast campaign.
    Queued = 2,
    /// Its order is on the way to a sender node.
    Ordered = 3,
    /// A sender node has the right to make the one call.
    Claimed = 4,
    /// The provider accepted it.
    Sent = 5,
    /// The provider reports that it reached the phone.
    Delivered = 6,
    /// The provider accepted it and then could not deliver it.
    Undelivered = 7,
    /// The provider refused it.
    Failed = 8,
    /// Claimed, and nobody knows whether the provider accepted it. Never sent again by the machine.
    Unconfirmed = 9,
    /// The campaign was canceled first.
    Canceled = 10,
    /// The recipient opted out, or is blocked, before it was sent.
    Suppressed = 11,
    /// Its validity ended before it could be sent.
    Expired = 12,
}

impl Status {
    /// Every status, in order.
    pub const ALL: [Self; 12] = [
        Self::Created,
        Self::Queued,
        Self::Ordered,
        Self::Claimed,
        Self::Sent,
        Self::Delivered,
        Self::Undelivered,
        Self::Failed,
        Self::Unconfirmed,
        Self::Canceled,
        Self::Suppressed,
        Self::Expired,
    ];

    /// The number that stands for it in the database and in the API.
    pub const fn code(self) -> i16 {
        self as i16
    }

    /// The status that `code` stands for.
    pub fn from_code(code: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.code() == code)
    }

    /// Its name, as the API spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Created => "CREATED",
            Self::Queued => "QUEUED",
            Self::Ordered => "ORDERED",
            Self::Claimed => "CLAIMED",
            Self::Sent => "SENT",
            Self::Delivered => "DELIVERED",
            Self::Undelivered => "UNDELIVERED",
            Self::Failed => "FAILED",
            Self::Unconfirmed => "UNCONFIRMED",
            Self::Canceled => "CANCELED",
            Self::Suppressed => "SUPPRESSED",
            Self::Expired => "EXPIRED",
        }
    }

    /// How much a status tells about the world. Facts only ever move a message to a status that tells more.
    const fn evidence(self) -> u8 {
        match self {
            Self::Created | Self::Queued | Self::Ordered => 0,
            Self::Canceled | Self::Suppressed | Self::Expired => 0,
            Self::Claimed => 0,
            Self::Unconfirmed => 1,
            Self::Failed => 2,
            Self::Sent => 3,
            Self::Undelivered => 4,
            Self::Delivered => 5,
        }
    }
}

/// All that the life of a message depends on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// Where it is.
    pub status: Status,
    /// Which attempt it is in, from 1. A new attempt is made only after [`Fact::NotAccepted`]. Of a message
    /// that the provider accepted: the attempt that was accepted, even if a later one had been planned.
    pub attempt: u16,
    /// Why it failed, was not delivered, or is unconfirmed; or why the last attempt was not accepted.
    pub error: Option<SendError>,
}

impl State {
    /// A message just planned.
    pub const CREATED: Self = Self { status: Status::Created, attempt: 1, error: None };
}

/// Muster's own doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// A texter clicked, or the broadcast campaign started.
    Queue,
    /// Its order was put into the outbox.
    Order,
    /// A sender node was granted the right to call.
    Claim,
    /// It was ordered, but its campaign was paused, or its tenant suspended, before the claim: back to the queue.
    Withdraw,
    /// Its campaign was canceled before the claim.
    Cancel,
    /// Its recipient had opted out before the claim.
    Suppress,
    /// Its validity ended before the claim.
    Expire,
    /// Its claim ran past the deadline without an outcome.
    Reap,
}

impl Decision {
    /// Every decision.
    pub const ALL: [Self; 8] = [
        Self::Queue,
        Self::Order,
        Self::Claim,
        Self::Withdraw,
        Self::Cancel,
        Self::Suppress,
        Self::Expire,
        Self::Reap,
    ];

    /// The statuses it may move a message from. SQL statements take theirs from here.
    pub const fn from(self) -> &'static [Status] {
        match self {
            Self::Queue => &[Status::Created],
            Self::Order => &[Status::Queued],
            Self::Claim | Self::Withdraw => &[Status::Ordered],
            Self::Cancel | Self::Suppress | Self::Expire => {
                &[Status::Created, Status::Queued, Status::Ordered]
            }
            Self::Reap => &[Status::Claimed],
        }
    }

    /// The status it moves a message to.
    pub const fn to(self) -> Status {
        match self {
            Self::Queue | Self::Withdraw => Status::Queued,
            Self::Order => Status::Ordered,
            Self::Claim => Status::Claimed,
            Self::Cancel => Status::Canceled,
            Self::Suppress => Status::Suppressed,
            Self::Expire => Status::Expired,
            Self::Reap => Status::Unconfirmed,
        }
    }

    /// Whether it drops the reason that the state holds: the reason why an earlier attempt was not accepted says
    /// nothing of the call that now begins, and must not be taken for the reason why this one is unconfirmed.
    pub const fn forgets_error(self) -> bool {
        match self {
            Self::Claim | Self::Reap => true,
            Self::Queue | Self::Order | Self::Withdraw | Self::Cancel | Self::Suppress | Self::Expire => {
                false
            }
        }
    }
}

/// What happened outside, about one attempt.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Fact {
    /// The provider accepted the text.
    Accepted,
    /// The provider refused the text, for good.
    Refused(SendError),
    /// The provider certainly did not accept the text, and may accept it later: never connected, or a
    /// documented refusal such as 429. The only fact that permits another attempt.
    NotAccepted(SendError),
    /// The call was made and its answer does not say: a timeout, a reset, a 5xx, an unreadable reply.
    Ambiguous(SendError),
    /// A receipt: on its way (queued, sending or sent at the provider). Proof that it was accepted.
    ReceiptSent,
    /// A receipt: it reached the phone.
    ReceiptDelivered,
    /// A receipt: it was accepted, and will not be delivered.
    ReceiptUndelivered(SendError),
}

/// Anything that can move a message.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// Muster's own doing.
    Decision(Decision),
    /// What happened outside, in the attempt of this number.
    Fact(u16, Fact),
}

/// Attempts that are made at most. After this many times "not accepted", the message fails. What ends a message
/// that a provider keeps turning away is its validity, 72 hours at most; this bound, a try every two minutes for that
/// long and more, only keeps the count from growing without end.
pub const ATTEMPTS_MAX: u16 = 2_500;

/// The state after `event`. Returns the state unchanged where the event has nothing to add.
pub fn apply(state: &State, event: &Event) -> State {
    match event {
        Event::Decision(decision) => decide(state, *decision),
        Event::Fact(attempt, fact) => learn(state, *attempt, fact),
    }
}

fn decide(state: &State, decision: Decision) -> State {
    if !decision.from().contains(&state.status) {
        return state.clone();
    }
    let error = if decision.forgets_error() { None } else { state.error.clone() };
    State { status: decision.to(), attempt: state.attempt, error }
}

/// Facts form a ladder of evidence, and a message only climbs it: so their order does not matter. Evidence of
/// acceptance counts whatever the attempt; the lack of it counts only for the attempt that is open.
fn learn(state: &State, attempt: u16, fact: &Fact) -> State {
    if attempt == 0 {
        // Attempts count from 1: whatever this is about, it is none of ours.
        return state.clone();
    }
    let open = attempt == state.attempt;
    match fact {
        Fact::Accepted | Fact::ReceiptSent => climb(state, attempt, Status::Sent, None),
        Fact::ReceiptDelivered => climb(state, attempt, Status::Delivered, None),
        Fact::ReceiptUndelivered(error) => climb(state, attempt, Status::Undelivered, Some(error)),
        Fact::Refused(error) if open => climb(state, attempt, Status::Failed, Some(error)),
        Fact::Ambiguous(error) if open => climb(state, attempt, Status::Unconfirmed, Some(error)),
        Fact::NotAccepted(error) if open => retry(state, error),
        Fact::Refused(_) | Fact::Ambiguous(_) | Fact::NotAccepted(_) => state.clone(),
    }
}

fn climb(state: &State, attempt: u16, to: Status, error: Option<&SendError>) -> State {
    let next = State { status: to, attempt, error: error.cloned() };
    if rank(&next) < rank(state) { next } else { state.clone() }
}

/// A total order of what facts may leave behind, the one that stays first: so the order they came in leaves no
/// trace. More evidence first; of equals, the earlier attempt; then a reason rather than none; then the lesser.
fn rank(state: &State) -> (Reverse<u8>, u16, bool, Option<&SendError>) {
    (Reverse(state.status.evidence()), state.attempt, state.error.is_none(), state.error.as_ref())
}

fn retry(state: &State, error: &SendError) -> State {
    let waiting = matches!(state.status, Status::Claimed | Status::Unconfirmed);
    let error = Some(error.clone());
    if !waiting {
        state.clone()
    } else if state.attempt < ATTEMPTS_MAX {
        State { status: Status::Queued, attempt: state.attempt + 1, error }
    } else {
        State { status: Status::Failed, attempt: state.attempt, error }
    }
}
