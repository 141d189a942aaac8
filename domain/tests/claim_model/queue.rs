//! The queue of orders. It gives an order to any node at any time until somebody acks it, forgets orders, and has
//! them again.

use muster_domain::status::Status;

use crate::node;
use crate::protocol::Protocol;
use crate::step::{Step, Steps};
use crate::world::{Call, World};

/// What the queue may do with the order of `call`.
pub(crate) fn steps(protocol: &Protocol, call: Call, steps: &mut Steps<'_>) {
    if !was_ordered(steps.world, call) {
        return;
    }
    if steps.world.attempt(call).order {
        node::claims(protocol, call, steps);
        steps.add(Step::LoseOrder(call), |world| world.attempt_mut(call).order = false);
    } else {
        // Orders are made in the database, so only what a copy of the queue holds beside them goes back in time.
        steps.add(Step::RestoreOrder(call), |world| {
            let attempt = world.attempt_mut(call);
            attempt.order = true;
            attempt.claimed_in_queue = false;
        });
    }
}

/// Whether there can have been an order for it.
fn was_ordered(world: &World, call: Call) -> bool {
    let state = &world.message(call).state;
    let (open, number) = (state.attempt, u16::from(call.attempt) + 1);
    number < open || (number == open && !matches!(state.status, Status::Created | Status::Queued))
}
