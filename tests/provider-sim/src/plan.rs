//! What is to become of a text, decided the moment it is accepted.

use crate::behaviour::Behaviour;
use crate::chance::Chance;
use crate::ledger::Outcome;
use crate::send::Codes;

/// What people say to a campaign.
const REPLIES: [&str; 12] = [
    "Yes!",
    "Sure, count me in",
    "Who is this?",
    "No thanks",
    "Can you send me the link?",
    "I already voted 🗳️",
    "wrong number",
    "When and where?",
    "Thanks for the reminder!\nSee you there",
    "¿En español, por favor?",
    "Donated $25 & told my sister",
    "I don't stop at red lights",
];

/// What people write who want no more.
const STOPS: [&str; 4] = ["STOP", "Stop", "stop", "STOP "];

/// What is to become of a text.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) outcome: Outcome,
    pub(crate) sent: Leg,
    pub(crate) last: Leg,
    pub(crate) reply: Option<PlannedReply>,
}

/// One receipt of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leg {
    /// When it is due, after the answer.
    pub(crate) after_ms: u64,
    /// How often it is sent; 0 where it is lost.
    pub(crate) copies: u8,
}

/// What its recipient says to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlannedReply {
    /// When, after the answer.
    pub(crate) after_ms: u64,
    pub(crate) body: &'static str,
    pub(crate) has_media: bool,
    pub(crate) copies: u8,
    /// When it is taken back with START, after the answer.
    pub(crate) start_after_ms: Option<u64>,
}

impl Plan {
    pub(crate) fn draw(behaviour: &Behaviour, codes: &Codes, mut chance: Chance) -> Self {
        let outcome = outcome(behaviour, codes, &mut chance);
        let mut sent = leg(behaviour, &mut chance);
        let mut last = leg(behaviour, &mut chance);
        last.after_ms += sent.after_ms;
        if chance.happens(behaviour.receipt_reorder_share) {
            std::mem::swap(&mut sent.after_ms, &mut last.after_ms);
        }
        if !behaviour.sent_receipts {
            sent.copies = 0;
        }
        let replied = chance.happens(behaviour.reply_share) && outcome == Outcome::Delivered;
        let reply = replied.then(|| reply(behaviour, last.after_ms, &mut chance));
        Self { outcome, sent, last, reply }
    }
}

fn outcome(behaviour: &Behaviour, codes: &Codes, chance: &mut Chance) -> Outcome {
    let (undelivered, failed) = (chance.pick(codes.undelivered), chance.pick(codes.failed));
    let undeliverable = chance.happens(behaviour.undelivered_share);
    match chance.happens(behaviour.failed_share) {
        _ if undeliverable => Outcome::Undelivered(undelivered),
        true => Outcome::Failed(failed),
        false => Outcome::Delivered,
    }
}

fn leg(behaviour: &Behaviour, chance: &mut Chance) -> Leg {
    let after_ms = chance.between(behaviour.receipt_ms);
    let lost = chance.happens(behaviour.receipt_loss_share);
    let twice = chance.happens(behaviour.receipt_duplicate_share);
    Leg { after_ms, copies: if lost { 0 } else { 1 + u8::from(twice) } }
}

fn reply(behaviour: &Behaviour, delivered_ms: u64, chance: &mut Chance) -> PlannedReply {
    let after_ms = delivered_ms + chance.between(behaviour.reply_ms);
    let stop = chance.happens(behaviour.stop_share);
    let body = if stop { chance.pick(&STOPS) } else { chance.pick(&REPLIES) };
    let has_media = chance.happens(behaviour.reply_media_share) && !stop;
    let copies = 1 + u8::from(chance.happens(behaviour.reply_duplicate_share));
    let started = chance.happens(behaviour.start_share) && stop;
    let start_after_ms = started.then(|| after_ms + chance.between(behaviour.start_ms));
    PlannedReply { after_ms, body, has_media, copies, start_after_ms }
}

/// What befalls a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Nothing.
    Well,
    /// 429.
    Rate,
    /// One of these.
    Bad(Mishap, Acceptance),
}

/// How a call goes wrong, so that nobody can tell whether its text was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mishap {
    /// 503.
    ServerError,
    /// No answer.
    Timeout,
    /// The connection is reset.
    Reset,
}

/// Whether the text of such a call was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acceptance {
    Accepted,
    Not,
}

impl Mood {
    pub(crate) fn draw(behaviour: &Behaviour, mut chance: Chance) -> Self {
        let mishaps = [
            (Mishap::ServerError, behaviour.server_error_share, behaviour.server_error_accepted_share),
            (Mishap::Timeout, behaviour.timeout_share, behaviour.timeout_accepted_share),
            (Mishap::Reset, behaviour.reset_share, behaviour.reset_accepted_share),
        ];
        if chance.happens(behaviour.rate_share) {
            return Self::Rate;
        }
        for (mishap, share, accepted_share) in mishaps {
            if chance.happens(share) {
                let accepted = chance.happens(accepted_share);
                return Self::Bad(mishap, if accepted { Acceptance::Accepted } else { Acceptance::Not });
            }
        }
        Self::Well
    }
}
