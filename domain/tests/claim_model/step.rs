//! What can happen.

use std::fmt;

use crate::protocol::Scope;
use crate::world::{Call, Node, Told, World};

/// One thing that happens. Nodes are not named: where two are at the same thing, it does not matter which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The dispatcher orders it.
    Order(Call),
    /// The relay publishes its order, or the sweeper makes it again.
    Publish(Call),
    /// A node gets the order, for the first time or again, asks for the claim and is answered. Where it is not
    /// granted, it acks the order.
    Claim(Call),
    /// A node makes the call.
    Call(Call),
    /// The time in which a call may begin is over, and the node has not called.
    WindowEnds(Call),
    /// The provider answers.
    Answer(Call, Verdict),
    /// The node waits no longer for an answer.
    Timeout(Call),
    /// The node publishes the outcome, then acks the order.
    Report(Call, Told),
    /// The projector applies an event, for the first time or again.
    Apply(Call, Told),
    /// The reaper finds the claim past its deadline.
    Reap(Call),
    /// A receipt comes, or a look-up finds it.
    Tell(Call, Told),
    /// The recipient of this message opts out.
    OptOut(u8),
    /// It is 10 seconds since they did.
    TenSecondsPass(u8),
    /// A node dies.
    Crash(Node),
    /// A node dies after it has published the outcome, and before it has acked the order.
    CrashBeforeAck(Call),
    /// The claim was committed, and the answer never came: the control-plane died, or the connection.
    LoseClaimAnswer(Call),
    /// The provider reads the request, and its answer is lost or nobody waits for it.
    Unanswered(Call, Verdict),
    /// The queue forgets the order.
    LoseOrder(Call),
    /// The queue has the order again: rolled back, made anew from a copy, or published twice.
    RestoreOrder(Call),
    /// A node, the bus or the projector stands still for longer than a claim's deadline.
    Stall(Call),
    /// A look-up at the provider finds nothing. Only a flawed protocol takes this for news.
    FindNothing(Call),
    /// The HTTP client sends the request again. Only a flawed one does.
    Repeat(Call),
}

/// What the provider does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It accepts it.
    Accepts,
    /// It refuses it for good.
    Refuses,
    /// It does not accept it, and may do so later.
    TurnsAway,
    /// It accepts it, and then fails with a 500.
    Breaks,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = char::from(b'A' + self.message);
        write!(f, "{name}, attempt {}", self.attempt + 1)
    }
}

impl Step {
    /// Whether nobody may count on it: a fault, or something that others do or leave.
    pub(crate) fn is_fault(self) -> bool {
        match self {
            Self::Order(_)
            | Self::Publish(_)
            | Self::Claim(_)
            | Self::Call(_)
            | Self::WindowEnds(_)
            | Self::Answer(..)
            | Self::Timeout(_)
            | Self::Report(..)
            | Self::Apply(..)
            | Self::Reap(_) => false,
            Self::Tell(..)
            | Self::OptOut(_)
            | Self::TenSecondsPass(_)
            | Self::Crash(_)
            | Self::CrashBeforeAck(_)
            | Self::LoseClaimAnswer(_)
            | Self::Unanswered(..)
            | Self::LoseOrder(_)
            | Self::RestoreOrder(_)
            | Self::Stall(_)
            | Self::FindNothing(_)
            | Self::Repeat(_) => true,
        }
    }
}

/// The steps that may be taken in a world, and where they lead.
pub(crate) struct Steps<'a> {
    pub(crate) scope: Scope,
    pub(crate) world: &'a World,
    pub(crate) found: Vec<(Step, World)>,
}

impl Steps<'_> {
    /// Adds a step with its effect, if it has any.
    pub(crate) fn add(&mut self, step: Step, effect: impl FnOnce(&mut World)) {
        let mut after = self.world.clone();
        effect(&mut after);
        after.tidy();
        if self.scope == Scope::TwoMessages {
            after.forget_old_news();
        }
        if after != *self.world {
            self.found.push((step, after));
        }
    }
}
