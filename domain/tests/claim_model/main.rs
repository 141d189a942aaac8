//! The claim protocol as a model, and every state that it can reach (`docs/claim-protocol.md` tells it in words).
//!
//! The database's side of the model is the real [`muster_domain::status::apply`]; around it are a queue, sender nodes
//! and a provider that do whatever such things do. Nodes die, orders are lost and come again, answers are late or
//! lost, requests arrive when nobody waits for them any more, events come twice and in any order: each at any moment
//! and as often as it likes. What is promised must hold in every state; and from every state the system must come to
//! an end once nothing breaks any more.
//!
//! Then the protocol is spoilt, in one place after another, and the checker must find out how that hurts. To read its
//! findings: `cargo test -p muster-domain --test claim_model -- --nocapture`.

mod checker;
mod control_plane;
mod flaw;
mod node;
mod protocol;
mod provider;
mod queue;
mod step;
mod world;

use crate::checker::{ENDS, check};
use crate::flaw::Flaw;
use crate::protocol::{EXCUSED, ONCE, Protocol, STOPPED, Scope};

/// Checks the protocol without a flaw. A model that has shrunk proves less than it seems to, so there is a floor.
fn holds(scope: Scope, states_min: usize) {
    match check(&Protocol { scope, flaw: None }) {
        Ok(states) => {
            println!("{scope:?}: {states} states");
            assert!(states >= states_min, "{states} states, of {states_min} at least: the model has shrunk");
        }
        Err(counterexample) => panic!("{counterexample:?}"),
    }
}

/// Checks the protocol with a flaw, which must break this promise first.
fn breaks(flaw: Flaw, promise: &str) {
    match check(&Protocol { scope: Scope::OneMessage, flaw: Some(flaw) }) {
        Ok(states) => panic!("{flaw:?} was not found in {states} states"),
        Err(counterexample) => {
            println!("{flaw:?}: {counterexample:?}");
            assert_eq!(counterexample.promise, promise, "{counterexample:?}");
        }
    }
}

#[test]
fn every_promise_holds_for_one_message_whatever_happens() {
    holds(Scope::OneMessage, 4_000);
}

#[test]
fn every_promise_holds_for_two_messages_and_three_nodes_whatever_happens() {
    holds(Scope::TwoMessages, 150_000);
}

#[test]
fn a_claim_that_is_granted_again_after_an_ambiguous_call_texts_twice() {
    breaks(Flaw::GrantsAfterAmbiguous, ONCE);
}

#[test]
fn sending_again_what_the_provider_does_not_find_texts_twice() {
    breaks(Flaw::ResendsWhatIsNotFound, ONCE);
}

#[test]
fn retrying_after_a_server_error_texts_twice() {
    breaks(Flaw::RetriesServerErrors, ONCE);
}

#[test]
fn a_client_that_repeats_requests_texts_twice() {
    breaks(Flaw::RepeatsRequests, ONCE);
}

#[test]
fn a_reaper_that_gives_claims_back_texts_twice() {
    breaks(Flaw::ReaperReturns, ONCE);
}

#[test]
fn claims_that_are_rolled_back_with_the_queue_text_twice() {
    breaks(Flaw::ClaimsInQueue, ONCE);
}

#[test]
fn an_order_that_is_acked_before_its_outcome_is_lost_with_its_node() {
    breaks(Flaw::AcksBeforeReporting, ENDS);
}

#[test]
fn outcomes_that_count_only_while_the_claim_is_owned_are_lost() {
    breaks(Flaw::FencesOutcomes, ENDS);
}

#[test]
fn without_the_sweeper_a_lost_order_is_never_sent() {
    breaks(Flaw::NobodySweeps, ENDS);
}

#[test]
fn without_the_reaper_a_dead_nodes_claim_never_ends() {
    breaks(Flaw::NobodyReaps, ENDS);
}

#[test]
fn a_reaper_that_does_not_wait_for_open_calls_leaves_texts_unconfirmed_without_a_fault() {
    breaks(Flaw::ReapsDuringCalls, EXCUSED);
}

#[test]
fn a_node_that_does_not_look_at_the_clock_calls_long_after_a_stop() {
    breaks(Flaw::CallsAtAnyTime, STOPPED);
}
