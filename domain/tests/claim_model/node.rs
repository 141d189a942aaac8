//! A sender node: it claims what it pulled, calls once, reports what came of it, and acks. It may die anywhere.

use crate::control_plane::claim;
use crate::flaw::Flaw;
use crate::protocol::Protocol;
use crate::step::{Step, Steps};
use crate::world::{Call, Node, Stop, Told};

/// What a node that gets the order of `call` may do.
pub(crate) fn claims(protocol: &Protocol, call: Call, steps: &mut Steps<'_>) {
    if !steps.world.has(Node::Idle) {
        return;
    }
    steps.add(Step::Claim(call), |world| {
        if claim(protocol, world, call) {
            world.move_node(Node::Idle, Node::Claimed(call));
        } else {
            world.attempt_mut(call).order = false;
        }
    });
    // Whoever asks again is told that nothing is granted.
    steps.add(Step::LoseClaimAnswer(call), |world| {
        if claim(protocol, world, call) {
            world.excuse(call);
        }
    });
}

/// What a node that is at `node` may do.
pub(crate) fn steps(protocol: &Protocol, node: Node, steps: &mut Steps<'_>) {
    match node {
        Node::Idle => return,
        Node::Claimed(call) => claimed(call, steps),
        Node::Calling(call) => calling(protocol, call, steps),
        Node::Reporting(call, told) => {
            steps.add(Step::Report(call, told), |world| {
                let attempt = world.attempt_mut(call);
                attempt.told |= told.bit();
                attempt.order = false;
                world.move_node(node, Node::Idle);
            });
            steps.add(Step::CrashBeforeAck(call), |world| {
                world.attempt_mut(call).told |= told.bit();
                world.move_node(node, Node::Idle);
            });
        }
    }
    steps.add(Step::Crash(node), |world| {
        if let Some(call) = node.call() {
            world.excuse(call);
        }
        world.move_node(node, Node::Idle);
    });
}

fn claimed(call: Call, steps: &mut Steps<'_>) {
    steps.add(Step::Call(call), |world| {
        let message = world.message_mut(call);
        message.called_after_stop |= message.stop == Stop::LongAgo;
        world.attempt_mut(call).requests += 1;
        world.move_node(Node::Claimed(call), Node::Calling(call));
    });
    steps.add(Step::WindowEnds(call), |world| {
        world.move_node(Node::Claimed(call), Node::Reporting(call, Told::NotAccepted));
    });
}

fn calling(protocol: &Protocol, call: Call, steps: &mut Steps<'_>) {
    steps.add(Step::Timeout(call), |world| {
        world.excuse(call);
        world.move_node(Node::Calling(call), Node::Reporting(call, Told::Ambiguous));
    });
    if protocol.has(Flaw::RepeatsRequests) {
        steps.add(Step::Repeat(call), |world| world.attempt_mut(call).requests = 2);
    }
}
