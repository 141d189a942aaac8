//! All that the protocol's future depends on: messages in the database, their orders in the queue, their outcomes in
//! the stream of events, their requests on the wire and at the provider, and three sender nodes.

use muster_domain::error::{ErrorClass, SendError};
use muster_domain::status::{Event, Fact, State, Status, apply};

/// Sender nodes.
pub(crate) const NODES: usize = 3;
/// Attempts of a message that are followed to their end. What comes after them is as what came before.
pub(crate) const ATTEMPTS: usize = 2;

/// Everything.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) messages: Vec<Message>,
    /// Sorted, because one node is like another.
    pub(crate) nodes: [Node; NODES],
}

/// A message, wherever something of it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Message {
    /// Its row in the database.
    pub(crate) state: State,
    /// Whether the reaper still has to look at the claim of the open attempt.
    pub(crate) to_be_reaped: bool,
    /// Whether there was a fault that may leave the open attempt unconfirmed.
    pub(crate) excused: bool,
    /// Whether its recipient has opted out.
    pub(crate) stop: Stop,
    /// Whether a call began although the recipient had opted out long ago.
    pub(crate) called_after_stop: bool,
    pub(crate) attempts: [Attempt; ATTEMPTS],
}

/// One attempt, outside of the database.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Attempt {
    /// Its order is in the queue. It stays there until it is acked, so any node may get it at any time.
    pub(crate) order: bool,
    /// The queue knows of a claim. Only a flawed protocol looks at this.
    pub(crate) claimed_in_queue: bool,
    /// Requests that are on their way to the provider.
    pub(crate) requests: u8,
    /// Requests that the provider accepted.
    pub(crate) accepted: u8,
    /// What is in the stream of events: bits, by [`Told`]. The projector may meet it in any order, and again.
    pub(crate) told: u8,
}

/// An opt-out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Stop {
    /// There is none.
    None,
    /// It was committed.
    Committed,
    /// It was committed more than 10 seconds ago.
    LongAgo,
}

/// What the stream of events can tell of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Told {
    Accepted,
    Refused,
    NotAccepted,
    Ambiguous,
    /// A receipt, or a look-up at the provider that found it.
    Found,
    Delivered,
    Undelivered,
}

impl Told {
    pub(crate) const ALL: [Self; 7] = [
        Self::Accepted,
        Self::Refused,
        Self::NotAccepted,
        Self::Ambiguous,
        Self::Found,
        Self::Delivered,
        Self::Undelivered,
    ];

    /// Whether a node says so of its call.
    pub(crate) fn is_outcome(self) -> bool {
        match self {
            Self::Accepted | Self::Refused | Self::NotAccepted | Self::Ambiguous => true,
            Self::Found | Self::Delivered | Self::Undelivered => false,
        }
    }

    pub(crate) fn bit(self) -> u8 {
        1 << self as u8
    }

    pub(crate) fn fact(self) -> Fact {
        let error = || SendError { class: ErrorClass::Unknown, code: String::new() };
        match self {
            Self::Accepted => Fact::Accepted,
            Self::Refused => Fact::Refused(error()),
            Self::NotAccepted => Fact::NotAccepted(error()),
            Self::Ambiguous => Fact::Ambiguous(error()),
            Self::Found => Fact::ReceiptSent,
            Self::Delivered => Fact::ReceiptDelivered,
            Self::Undelivered => Fact::ReceiptUndelivered(error()),
        }
    }
}

/// One attempt of one message, counted from 0.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Call {
    pub(crate) message: u8,
    pub(crate) attempt: u8,
}

/// A sender node, with the one message that it is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Node {
    /// It has nothing to do. A node that has an order and has not claimed it is like one that has not got it yet.
    Idle,
    /// It was granted the claim.
    Claimed(Call),
    /// It has sent the request, and waits for the answer.
    Calling(Call),
    /// It has to publish what came of the call.
    Reporting(Call, Told),
}

impl Node {
    /// The call that it alone knows of.
    pub(crate) fn call(self) -> Option<Call> {
        match self {
            Self::Idle => None,
            Self::Claimed(call) | Self::Calling(call) | Self::Reporting(call, _) => Some(call),
        }
    }
}

impl Message {
    /// One that is to be sent.
    pub(crate) fn queued() -> Self {
        Self {
            state: State { status: Status::Queued, ..State::CREATED },
            to_be_reaped: false,
            excused: false,
            stop: Stop::None,
            called_after_stop: false,
            attempts: Default::default(),
        }
    }

    /// Whether the open attempt is this one, counted from 0.
    pub(crate) fn is_open(&self, attempt: u8) -> bool {
        self.state.attempt == u16::from(attempt) + 1
    }

    /// All attempts that are followed, counted from 0.
    pub(crate) fn attempts(&self) -> impl Iterator<Item = u8> + use<> {
        (0..).zip(&self.attempts).map(|(number, _)| number).collect::<Vec<_>>().into_iter()
    }

    /// Requests that the provider accepted, of all attempts.
    pub(crate) fn accepted(&self) -> u8 {
        self.attempts.iter().map(|attempt| attempt.accepted).sum()
    }

    /// Where the real rules of `domain` lead when the projector meets this.
    pub(crate) fn learned(&self, attempt: u8, told: Told) -> State {
        apply(&self.state, &Event::Fact(u16::from(attempt) + 1, told.fact()))
    }

    /// What is in the stream of events.
    pub(crate) fn told(&self) -> impl Iterator<Item = (u8, Told)> {
        let of = |(number, attempt): (u8, &Attempt)| {
            let told = attempt.told;
            Told::ALL.into_iter().filter(move |one| told & one.bit() != 0).map(move |one| (number, one))
        };
        (0..).zip(&self.attempts).flat_map(of)
    }

    /// What is in the stream of events and has not been applied.
    pub(crate) fn news(&self) -> impl Iterator<Item = (u8, Told)> {
        self.told().filter(|(attempt, told)| self.learned(*attempt, *told) != self.state)
    }
}

impl World {
    /// The message that a call is for.
    pub(crate) fn message(&self, call: Call) -> &Message {
        &self.messages[usize::from(call.message)]
    }

    pub(crate) fn message_mut(&mut self, call: Call) -> &mut Message {
        &mut self.messages[usize::from(call.message)]
    }

    pub(crate) fn attempt(&self, call: Call) -> &Attempt {
        &self.message(call).attempts[usize::from(call.attempt)]
    }

    pub(crate) fn attempt_mut(&mut self, call: Call) -> &mut Attempt {
        &mut self.message_mut(call).attempts[usize::from(call.attempt)]
    }

    /// Whether a node is at this.
    pub(crate) fn has(&self, node: Node) -> bool {
        self.nodes.contains(&node)
    }

    /// Moves a node that is at `from` on to `to`, if there is one.
    pub(crate) fn move_node(&mut self, from: Node, to: Node) {
        if let Some(node) = self.nodes.iter_mut().find(|node| **node == from) {
            *node = to;
        }
    }

    /// Something happened that may leave the open attempt unconfirmed, if this is it.
    pub(crate) fn excuse(&mut self, call: Call) {
        let message = self.message_mut(call);
        message.excused |= message.is_open(call.attempt);
    }

    /// Forgets what cannot matter any more: there are fewer worlds then.
    pub(crate) fn tidy(&mut self) {
        self.nodes.sort_unstable();
        for message in &mut self.messages {
            let status = message.state.status;
            // Where there is an outcome, the reaper finds it and does nothing.
            message.to_be_reaped &= status == Status::Claimed;
            message.excused &= matches!(status, Status::Claimed | Status::Unconfirmed);
        }
    }

    /// Forgets events that change nothing. As messages only ever climb, they will not change anything later either.
    pub(crate) fn forget_old_news(&mut self) {
        for message in &mut self.messages {
            let news: Vec<(u8, Told)> = message.news().collect();
            for (number, attempt) in (0..).zip(&mut message.attempts) {
                let of_this = news.iter().filter(|(of, _)| *of == number);
                attempt.told = of_this.map(|(_, told)| told.bit()).sum();
            }
        }
    }
}
