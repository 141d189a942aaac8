//! The protocol as a model: all steps of all parts, and the promises.

use muster_domain::status::Status;

use crate::checker::Model;
use crate::control_plane;
use crate::flaw::Flaw;
use crate::step::{Step, Steps};
use crate::world::{ATTEMPTS, Call, Message, Node, Told, World};
use crate::{node, provider, queue};

/// How much of the world is looked at. Everything at once would be more states than a test has time for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// One message, with opt-outs, with receipts of every kind, and with events that come again at any time.
    OneMessage,
    /// Two messages, with one kind of receipt. Events are forgotten once they change nothing.
    TwoMessages,
}

/// The protocol, as it is or with one flaw.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Protocol {
    pub(crate) scope: Scope,
    pub(crate) flaw: Option<Flaw>,
}

/// Nobody is texted twice.
pub(crate) const ONCE: &str = "a provider accepts a message once";
/// What we say was sent, was.
pub(crate) const SENT: &str = "what is SENT, DELIVERED or UNDELIVERED was accepted";
/// What we say failed, did: strictly so, because FAILED needs a provider's word for it, and its word is believed.
pub(crate) const FAILED: &str = "what is FAILED was never accepted";
/// Nothing is UNCONFIRMED without a reason.
pub(crate) const EXCUSED: &str = "what is UNCONFIRMED had a fault or a timeout in its open attempt";
/// STOP counts.
pub(crate) const STOPPED: &str = "no call begins when the recipient opted out more than 10 seconds ago";

impl Protocol {
    pub(crate) fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    /// What may be told of a text that was accepted.
    pub(crate) fn receipts(&self) -> &'static [Told] {
        match self.scope {
            Scope::OneMessage => &[Told::Found, Told::Delivered, Told::Undelivered],
            Scope::TwoMessages => &[Told::Delivered],
        }
    }
}

impl Model for Protocol {
    type State = World;
    type Step = Step;

    fn begin(&self) -> World {
        let messages = match self.scope {
            Scope::OneMessage => vec![Message::queued()],
            Scope::TwoMessages => vec![Message::queued(), Message::queued()],
        };
        World { messages, nodes: [Node::Idle; _] }
    }

    fn steps(&self, world: &World) -> Vec<(Step, World)> {
        let mut steps = Steps { scope: self.scope, world, found: Vec::new() };
        for (number, message) in (0..).zip(&world.messages) {
            for attempt in message.attempts() {
                let call = Call { message: number, attempt };
                control_plane::loops(self, call, &mut steps);
                queue::steps(self, call, &mut steps);
                provider::steps(self, call, &mut steps);
            }
            for (attempt, told) in message.told() {
                control_plane::projector(self, Call { message: number, attempt }, told, &mut steps);
            }
            if self.scope == Scope::OneMessage {
                control_plane::opt_outs(self, number, &mut steps);
            }
        }
        let mut nodes = world.nodes.to_vec();
        nodes.dedup();
        for node in nodes {
            node::steps(self, node, &mut steps);
        }
        steps.found
    }

    fn is_fault(&self, step: Step) -> bool {
        step.is_fault()
    }

    fn broken(&self, world: &World) -> Option<&'static str> {
        world.messages.iter().find_map(broken)
    }

    fn is_settled(&self, world: &World) -> bool {
        world.nodes == [Node::Idle; _] && world.messages.iter().all(is_settled)
    }
}

fn broken(message: &Message) -> Option<&'static str> {
    let (status, accepted) = (message.state.status, message.accepted());
    let was_sent = matches!(status, Status::Sent | Status::Delivered | Status::Undelivered);
    let promises = [
        (ONCE, accepted <= 1),
        (STOPPED, !message.called_after_stop),
        (SENT, accepted > 0 || !was_sent),
        (FAILED, accepted == 0 || status != Status::Failed),
        (EXCUSED, message.excused || status != Status::Unconfirmed),
    ];
    promises.into_iter().find(|(_, holds)| !holds).map(|(promise, _)| promise)
}

/// Whether nothing is left to be done about it: no order waits, all that was told has been applied, and where it ended
/// is an end.
fn is_settled(message: &Message) -> bool {
    let ended = match message.state.status {
        Status::Sent | Status::Delivered | Status::Undelivered | Status::Failed => true,
        Status::Canceled | Status::Suppressed | Status::Expired | Status::Unconfirmed => true,
        // Further attempts are as those before, and are not followed.
        Status::Queued => usize::from(message.state.attempt) > ATTEMPTS,
        Status::Created | Status::Ordered | Status::Claimed => false,
    };
    ended && message.attempts.iter().all(|attempt| !attempt.order) && message.news().next().is_none()
}
