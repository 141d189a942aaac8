//! What must hold of a message's life whatever happens, and in whatever order. The states a message can be in
//! are few, so most of it is tried on all of them; chance looks for longer stories.

use std::collections::HashSet;

use muster_domain::error::{ErrorClass, SendError};
use muster_domain::status::{ATTEMPTS_MAX, Decision, Event, Fact, State, Status, apply};
use proptest::prelude::*;

fn error(code: &str) -> SendError {
    SendError { class: ErrorClass::Transient, code: code.to_owned() }
}

/// Every fact, with two reasons where it has one, because a tie between reasons must be broken too.
fn facts() -> Vec<Fact> {
    let mut facts = vec![Fact::Accepted, Fact::ReceiptSent, Fact::ReceiptDelivered];
    for code in ["a", "b"] {
        facts.extend([
            Fact::Refused(error(code)),
            Fact::NotAccepted(error(code)),
            Fact::Ambiguous(error(code)),
            Fact::ReceiptUndelivered(error(code)),
        ]);
    }
    facts
}

/// Attempts that stand for all there can be: the first ones, and the last. What lies between them differs in nothing,
/// because the graph only compares attempts with one another, with 0 and with the last.
fn attempts() -> Vec<u16> {
    vec![1, 2, 3, 4, ATTEMPTS_MAX - 1, ATTEMPTS_MAX]
}

/// Every event, in attempts that stand for all there can be, in none, and in one too many.
fn events() -> Vec<Event> {
    let decisions = Decision::ALL.into_iter().map(Event::Decision);
    let attempts = attempts().into_iter().chain([0, ATTEMPTS_MAX + 1]);
    let facts = attempts.flat_map(|attempt| facts().into_iter().map(move |fact| Event::Fact(attempt, fact)));
    decisions.chain(facts).collect()
}

/// Every state, also those that no story leads to.
fn states() -> Vec<State> {
    let mut states = Vec::new();
    for status in Status::ALL {
        for attempt in attempts() {
            for error in [None, Some(error("a")), Some(error("b"))] {
                states.push(State { status, attempt, error });
            }
        }
    }
    states
}

/// Every state that events can lead to from `start`, itself included.
fn reachable(start: &State) -> HashSet<State> {
    let events = events();
    let mut seen = HashSet::from([start.clone()]);
    let mut open = vec![start.clone()];
    while let Some(state) = open.pop() {
        for next in events.iter().map(|event| apply(&state, event)) {
            if seen.insert(next.clone()) {
                open.push(next);
            }
        }
    }
    seen
}

fn is_evidence_of_acceptance(event: &Event) -> bool {
    match event {
        // Attempts count from 1: a fact of none is about none of ours.
        Event::Decision(_) | Event::Fact(0, _) => false,
        Event::Fact(_, fact) => match fact {
            Fact::Accepted | Fact::ReceiptSent | Fact::ReceiptDelivered | Fact::ReceiptUndelivered(_) => true,
            Fact::Refused(_) | Fact::NotAccepted(_) | Fact::Ambiguous(_) => false,
        },
    }
}

fn after(state: &State, events: &[Event]) -> State {
    events.iter().fold(state.clone(), |state, event| apply(&state, event))
}

/// A message claimed in `attempt`, after as many refusals to take it as that needs. The reason of the last
/// comes before all other reasons in order, so that it shows if it is wrongly kept.
fn claimed(attempt: u16) -> State {
    let mut state = after(&State::CREATED, &[Event::Decision(Decision::Queue)]);
    for number in 1..=attempt {
        state = after(&state, &[Event::Decision(Decision::Order), Event::Decision(Decision::Claim)]);
        if number < attempt {
            state = apply(&state, &Event::Fact(number, Fact::NotAccepted(error("0"))));
        }
    }
    assert_eq!((state.status, state.attempt), (Status::Claimed, attempt));
    state
}

/// What may become known of one call: one outcome or none, and any receipts; also late receipts of the
/// attempt before. Every set that says anything at all.
fn fact_sets(attempt: u16) -> Vec<Vec<Event>> {
    let outcomes = [
        None,
        Some(Fact::Accepted),
        Some(Fact::Refused(error("b"))),
        Some(Fact::NotAccepted(error("b"))),
        Some(Fact::Ambiguous(error("b"))),
    ];
    let mut receipts = vec![
        Event::Fact(attempt, Fact::ReceiptSent),
        Event::Fact(attempt, Fact::ReceiptDelivered),
        Event::Fact(attempt, Fact::ReceiptUndelivered(error("a"))),
        Event::Fact(attempt, Fact::ReceiptUndelivered(error("b"))),
    ];
    if attempt > 1 {
        receipts.push(Event::Fact(attempt - 1, Fact::ReceiptSent));
    }
    let mut sets = Vec::new();
    for outcome in outcomes {
        for chosen in 0..1usize << receipts.len() {
            let picked = receipts.iter().enumerate().filter(|(bit, _)| chosen >> bit & 1 == 1);
            let outcome = outcome.clone().map(|fact| Event::Fact(attempt, fact));
            sets.push(outcome.into_iter().chain(picked.map(|(_, event)| event.clone())).collect::<Vec<_>>());
        }
    }
    sets.retain(|set| !set.is_empty());
    sets
}

/// Tries every order of `left` from `state` on. After each step all that was `seen` is told again and must
/// change nothing: so an order with repetitions ends where the same order without them does.
fn try_orders(state: &State, seen: &mut Vec<Event>, left: &[Event], end: &State) {
    for event in seen.iter() {
        assert_eq!(&apply(state, event), state, "{event:?} again, after {seen:?}");
    }
    if left.is_empty() {
        assert_eq!(state, end, "after {seen:?}");
    }
    for (at, event) in left.iter().enumerate() {
        let mut rest = left.to_vec();
        rest.remove(at);
        seen.push(event.clone());
        try_orders(&apply(state, event), seen, &rest, end);
        seen.pop();
    }
}

#[test]
fn facts_of_one_call_end_alike_in_every_order() {
    for attempt in [1, 2, ATTEMPTS_MAX] {
        let start = claimed(attempt);
        for set in fact_sets(attempt) {
            let end = after(&start, &set);
            try_orders(&start, &mut Vec::new(), &set, &end);
            let with_reap = [set, vec![Event::Decision(Decision::Reap)]].concat();
            try_orders(&start, &mut Vec::new(), &with_reap, &end);
        }
    }
}

#[test]
fn an_event_twice_is_an_event_once() {
    for state in states() {
        for event in events() {
            let once = apply(&state, &event);
            assert_eq!(apply(&once, &event), once, "{event:?} from {state:?}");
        }
    }
}

#[test]
fn every_event_leads_from_every_state_to_a_sound_one() {
    for state in states() {
        for event in events() {
            let next = apply(&state, &event);
            assert_eq!(Status::from_code(next.status.code()), Some(next.status));
            assert!(next.attempt <= ATTEMPTS_MAX + 1, "{event:?} from {state:?}");
            let retried = next.attempt > state.attempt && !is_evidence_of_acceptance(&event);
            assert!(!retried || state.attempt < ATTEMPTS_MAX, "{event:?} from {state:?}");
        }
    }
}

#[test]
fn what_was_accepted_is_never_sent_again() {
    let accepted = [Status::Sent, Status::Delivered, Status::Undelivered];
    for state in reachable(&State::CREATED) {
        for event in events().iter().filter(|event| is_evidence_of_acceptance(event)) {
            for later in reachable(&apply(&state, event)) {
                assert!(accepted.contains(&later.status), "{later:?} after {event:?} from {state:?}");
            }
        }
    }
}

#[test]
fn an_attempt_is_claimed_once() {
    let claims = |state: &State| {
        let next = apply(state, &Event::Decision(Decision::Claim));
        (state.status != Status::Claimed && next.status == Status::Claimed).then_some(next)
    };
    for claimed in reachable(&State::CREATED).iter().filter_map(claims) {
        for again in reachable(&claimed).iter().filter_map(claims) {
            assert!(again.attempt > claimed.attempt, "{again:?} follows {claimed:?}");
        }
    }
}

#[test]
fn only_a_claim_claims_and_only_not_accepted_tries_again() {
    for state in states() {
        for event in events() {
            let next = apply(&state, &event);
            if next.status == Status::Claimed && state.status != Status::Claimed {
                assert_eq!(event, Event::Decision(Decision::Claim), "from {state:?}");
            }
            let reopened = matches!(state.status, Status::Claimed | Status::Unconfirmed | Status::Failed)
                && matches!(next.status, Status::Created | Status::Queued | Status::Ordered);
            if reopened {
                assert!(matches!(event, Event::Fact(_, Fact::NotAccepted(_))), "{event:?} from {state:?}");
                assert_eq!(next.attempt, state.attempt + 1);
            }
        }
    }
}

#[test]
fn a_reaped_call_keeps_no_reason_of_an_earlier_attempt() {
    let reaped = apply(&claimed(2), &Event::Decision(Decision::Reap));
    assert_eq!(reaped, State { status: Status::Unconfirmed, attempt: 2, error: None });
    let explained = apply(&reaped, &Event::Fact(2, Fact::Ambiguous(error("timeout"))));
    assert_eq!(explained.error, Some(error("timeout")));
}

#[test]
fn the_last_attempt_fails() {
    let failed = apply(&claimed(ATTEMPTS_MAX), &Event::Fact(ATTEMPTS_MAX, Fact::NotAccepted(error("429"))));
    assert_eq!(failed, State { status: Status::Failed, attempt: ATTEMPTS_MAX, error: Some(error("429")) });
}

#[test]
fn codes_and_names_stand_for_one_status_each() {
    let codes: HashSet<_> = Status::ALL.iter().map(|status| status.code()).collect();
    let names: HashSet<_> = Status::ALL.iter().map(|status| status.name()).collect();
    assert_eq!((codes.len(), names.len()), (Status::ALL.len(), Status::ALL.len()));
    assert!(Status::ALL.iter().all(|status| Status::from_code(status.code()) == Some(*status)));
    assert_eq!((Status::from_code(0), Status::from_code(13)), (None, None));
}

fn any_event() -> impl Strategy<Value = Event> {
    proptest::sample::select(events())
}

/// A call's facts and the reaper's decision, drawn with repetitions, and in another order.
fn told_and_retold() -> impl Strategy<Value = (u16, Vec<Event>, Vec<Event>)> {
    proptest::sample::select(attempts()).prop_flat_map(|attempt| {
        let set = proptest::sample::select(fact_sets(attempt));
        set.prop_flat_map(move |set| {
            let again = proptest::collection::vec(proptest::sample::select(set.clone()), 0..6);
            let reaps = proptest::collection::vec(Just(Event::Decision(Decision::Reap)), 0..3);
            let all = (again, reaps).prop_map({
                let set = set.clone();
                move |(again, reaps)| [set.clone(), again, reaps].concat()
            });
            (Just(attempt), Just(set), all.prop_shuffle())
        })
    })
}

proptest! {
    #[test]
    fn any_story_holds(story in proptest::collection::vec(any_event(), 0..60)) {
        let mut state = State::CREATED;
        let mut claimed = HashSet::new();
        let mut accepted = false;
        for event in &story {
            let next = apply(&state, event);
            prop_assert_eq!(&apply(&next, event), &next);
            if next.status == Status::Claimed && state.status != Status::Claimed {
                prop_assert!(!accepted, "claimed after it was accepted");
                prop_assert!(claimed.insert(next.attempt), "attempt {} claimed twice", next.attempt);
            }
            accepted |= is_evidence_of_acceptance(event);
            state = next;
        }
        prop_assert!(claimed.len() <= usize::from(ATTEMPTS_MAX));
    }

    #[test]
    fn order_and_repetition_leave_no_trace((attempt, sorted, shuffled) in told_and_retold()) {
        let start = claimed(attempt);
        prop_assert_eq!(after(&start, &sorted), after(&start, &shuffled));
    }
}
