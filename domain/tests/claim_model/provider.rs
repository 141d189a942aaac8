//! A provider: it reads a request whenever it comes, says honestly what it did or says nothing, and tells later what
//! became of the text.

use crate::flaw::Flaw;
use crate::protocol::Protocol;
use crate::step::{Step, Steps, Verdict};
use crate::world::{Call, Node, Told, World};

/// What a provider may do about `call`.
pub(crate) fn steps(protocol: &Protocol, call: Call, steps: &mut Steps<'_>) {
    let attempt = steps.world.attempt(call);
    if attempt.requests > 0 {
        reads(protocol, call, steps);
    }
    if attempt.accepted > 0 {
        for told in protocol.receipts() {
            steps.add(Step::Tell(call, *told), |world| {
                world.attempt_mut(call).told |= told.bit();
            });
        }
    }
}

fn reads(protocol: &Protocol, call: Call, steps: &mut Steps<'_>) {
    if steps.world.has(Node::Calling(call)) {
        for verdict in [Verdict::Accepts, Verdict::Refuses, Verdict::TurnsAway, Verdict::Breaks] {
            steps.add(Step::Answer(call, verdict), |world| {
                read(world, call, verdict);
                let told = understood(protocol, verdict);
                if told == Told::Ambiguous {
                    world.excuse(call);
                }
                world.move_node(Node::Calling(call), Node::Reporting(call, told));
            });
        }
    }
    // Whoever waits for the answer will wait in vain.
    for verdict in [Verdict::Accepts, Verdict::Refuses] {
        steps.add(Step::Unanswered(call, verdict), |world| {
            read(world, call, verdict);
            world.excuse(call);
        });
    }
}

fn read(world: &mut World, call: Call, verdict: Verdict) {
    let attempt = world.attempt_mut(call);
    attempt.requests -= 1;
    attempt.accepted += match verdict {
        Verdict::Accepts | Verdict::Breaks => 1,
        Verdict::Refuses | Verdict::TurnsAway => 0,
    };
}

/// What the node makes of an answer.
fn understood(protocol: &Protocol, verdict: Verdict) -> Told {
    match verdict {
        Verdict::Accepts => Told::Accepted,
        Verdict::Refuses => Told::Refused,
        Verdict::TurnsAway => Told::NotAccepted,
        Verdict::Breaks if protocol.has(Flaw::RetriesServerErrors) => Told::NotAccepted,
        Verdict::Breaks => Told::Ambiguous,
    }
}
