//! The control-plane: all that it does is one transaction each, judged by the real rules of `domain`.

use muster_domain::status::{Decision, Event, State, Status, apply};

use crate::flaw::Flaw;
use crate::protocol::Protocol;
use crate::step::{Step, Steps};
use crate::world::{Call, Message, Node, Stop, Told, World};

/// What the background loops may do about an attempt, if it is the one that is open.
pub(crate) fn loops(protocol: &Protocol, call: Call, steps: &mut Steps<'_>) {
    let world = steps.world;
    let message = world.message(call);
    if !message.is_open(call.attempt) {
        return;
    }
    if message.state.status == Status::Queued {
        steps.add(Step::Order(call), |world| {
            decide(world.message_mut(call), Decision::Order);
            // Without anybody to do so again, it is published once.
            world.attempt_mut(call).order = protocol.has(Flaw::NobodySweeps);
        });
    }
    if message.state.status == Status::Ordered && !protocol.has(Flaw::NobodySweeps) {
        steps.add(Step::Publish(call), |world| world.attempt_mut(call).order = true);
    }
    if message.state.status == Status::Claimed {
        steps.add(Step::Stall(call), |world| world.excuse(call));
    }
    if may_reap(protocol, world, call) {
        steps.add(Step::Reap(call), |world| reap(protocol, world.message_mut(call)));
    }
    if protocol.has(Flaw::ResendsWhatIsNotFound)
        && message.state.status == Status::Unconfirmed
        && message.accepted() == 0
    {
        steps.add(Step::FindNothing(call), |world| begin_again(world.message_mut(call)));
    }
}

/// What the projector may do with what was told of `call`.
pub(crate) fn projector(protocol: &Protocol, call: Call, told: Told, steps: &mut Steps<'_>) {
    let message = steps.world.message(call);
    let owned = message.state.status == Status::Claimed;
    if protocol.has(Flaw::FencesOutcomes) && told.is_outcome() && !owned {
        return;
    }
    let state = message.learned(call.attempt, told);
    steps.add(Step::Apply(call, told), |world| world.message_mut(call).state = state);
}

/// Claims `call`, and says whether it was granted.
pub(crate) fn claim(protocol: &Protocol, world: &mut World, call: Call) -> bool {
    let message = world.message_mut(call);
    let may_be_texted = message.stop == Stop::None;
    if protocol.has(Flaw::ClaimsInQueue) {
        return may_be_texted && claim_in_queue(world, call);
    }
    if !message.is_open(call.attempt) {
        return false;
    }
    let again = protocol.has(Flaw::GrantsAfterAmbiguous) && message.state.status == Status::Unconfirmed;
    if again && may_be_texted {
        message.state.status = Status::Claimed;
        return true;
    }
    let before = message.state.status;
    decide(message, if may_be_texted { Decision::Claim } else { Decision::Suppress });
    let granted = message.state.status == Status::Claimed && before != Status::Claimed;
    message.to_be_reaped |= granted;
    if granted && protocol.has(Flaw::AcksBeforeReporting) {
        message.to_be_reaped = false;
        world.attempt_mut(call).order = false;
    }
    granted
}

/// What the queue knows is what counts, and the database is told.
fn claim_in_queue(world: &mut World, call: Call) -> bool {
    if std::mem::replace(&mut world.attempt_mut(call).claimed_in_queue, true) {
        return false;
    }
    let message = world.message_mut(call);
    if message.is_open(call.attempt) {
        decide(message, Decision::Claim);
        message.to_be_reaped = true;
    }
    true
}

fn decide(message: &mut Message, decision: Decision) {
    message.state = apply(&message.state, &Event::Decision(decision));
}

/// A claim's deadline is over only when its call is: no node can begin or be in it, and what came of it has been
/// projected. Where something stood still for longer, there was a fault.
fn may_reap(protocol: &Protocol, world: &World, call: Call) -> bool {
    let message = world.message(call);
    let at_work = world.nodes.iter().any(|node| node.call() == Some(call));
    let under_way = at_work || message.news().any(|(attempt, _)| attempt == call.attempt);
    message.to_be_reaped
        && !protocol.has(Flaw::NobodyReaps)
        && (!under_way || message.excused || protocol.has(Flaw::ReapsDuringCalls))
}

fn reap(protocol: &Protocol, message: &mut Message) {
    message.to_be_reaped = false;
    if protocol.has(Flaw::ReaperReturns) {
        begin_again(message);
    } else {
        decide(message, Decision::Reap);
    }
}

/// What nothing but the fact "not accepted" may do.
fn begin_again(message: &mut Message) {
    let attempt = message.state.attempt + 1;
    message.state = State { status: Status::Queued, attempt, error: None };
}

/// What the recipient may do, and the time that passes after it.
pub(crate) fn opt_outs(protocol: &Protocol, number: u8, steps: &mut Steps<'_>) {
    let message = usize::from(number);
    match steps.world.messages[message].stop {
        Stop::None => {
            steps.add(Step::OptOut(number), |world| world.messages[message].stop = Stop::Committed);
        }
        // Claims that were granted before it were asked for before it, so the time to begin their calls is over.
        Stop::Committed if protocol.has(Flaw::CallsAtAnyTime) || !may_call(steps.world, number) => {
            steps.add(Step::TenSecondsPass(number), |world| world.messages[message].stop = Stop::LongAgo);
        }
        Stop::Committed | Stop::LongAgo => {}
    }
}

fn may_call(world: &World, message: u8) -> bool {
    world.nodes.iter().any(|node| matches!(node, Node::Claimed(call) if call.message == message))
}
