//! How the texts of each number ended lately, and what that says of the number. Pure: time is an argument.
//!
//! A number is poor where at least 20 texts ended in the last 10 minutes and one in five of them was not delivered for a
//! reason that may be the number's; and poor no more below one in ten. It is refused after three texts in a row of which
//! the provider says that the number cannot send, whatever else fails between them; and no more after three that were
//! delivered in a row. So neither comes and goes with single texts. Where too little ended to say anything, this says
//! nothing.

use std::collections::{HashMap, VecDeque};

use muster_domain::error::ErrorClass;
use muster_domain::status::Status;
use uuid::Uuid;

use crate::db::Micros;
use crate::store::conditions::Condition;
use crate::store::transitions::Transition;

/// How long an end counts, in minutes.
pub(crate) const WINDOW_MIN: i64 = 10;
/// Fewer ends than this are no share.
const ENDS_MIN: u32 = 20;
/// One in so many makes a number poor, and fewer than one in so many well again.
const POOR_ONE_IN: u32 = 5;
const WELL_ONE_IN: u32 = 10;
/// So many in a row make a number refused, and well again.
const IN_A_ROW: u32 = 3;

/// The ends of the texts of all numbers, as far as this process projected them.
#[derive(Debug, Default)]
pub(crate) struct Ends(HashMap<Uuid, Window>);

/// How a number's texts ended lately.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) delivered: u32,
    /// Those that were refused or not delivered, by why.
    errors: Vec<(ErrorClass, u32)>,
}

#[derive(Debug, Default)]
struct Window {
    /// Minutes with ends, oldest first.
    minutes: VecDeque<(i64, Counts)>,
    /// Texts since the last that was delivered, of which the provider says that the number cannot send.
    refused: u32,
    /// Texts delivered since the last of those.
    delivered: u32,
    /// Something ended since it was last judged.
    fresh: bool,
}

/// What the ends say of a number.
#[derive(Clone, Debug)]
pub(crate) struct Sign {
    pub(crate) number: Uuid,
    /// `None`: nothing.
    pub(crate) condition: Option<Condition>,
    /// Something ended since the last time.
    pub(crate) fresh: bool,
    pub(crate) counts: Counts,
}

impl Ends {
    /// Takes in how texts ended. What is learned later of a text that has ended already counts no more.
    pub(crate) fn learn(&mut self, transitions: &[Transition], now: Micros) {
        for transition in transitions {
            let was = transition.from.as_ref().map(|from| from.status);
            if !is_end(transition.to.status) || was.is_some_and(is_end) {
                continue;
            }
            let error = transition.to.error.as_ref().map_or(ErrorClass::Unknown, |error| error.class);
            let error = (transition.to.status != Status::Delivered).then_some(error);
            self.0.entry(transition.number).or_default().learn(error, minute(now));
        }
    }

    /// What the ends say of each number, where `condition_of` says how it did until now.
    pub(crate) fn signs(&mut self, condition_of: impl Fn(Uuid) -> Condition, now: Micros) -> Vec<Sign> {
        self.0.retain(|_, window| window.slide(minute(now)));
        self.0
            .iter_mut()
            .map(|(number, window)| {
                let counts = window.counts();
                let condition = window.judge(&counts, condition_of(*number));
                Sign { number: *number, condition, fresh: std::mem::take(&mut window.fresh), counts }
            })
            .collect()
    }
}

fn minute(time: Micros) -> i64 {
    time.0.div_euclid(60_000_000)
}

fn is_end(status: Status) -> bool {
    match status {
        Status::Delivered | Status::Undelivered | Status::Failed => true,
        Status::Created
        | Status::Queued
        | Status::Ordered
        | Status::Claimed
        | Status::Sent
        | Status::Unconfirmed
        | Status::Canceled
        | Status::Suppressed
        | Status::Expired => false,
    }
}

/// The number cannot send at all.
fn cannot_send(class: ErrorClass) -> bool {
    matches!(class, ErrorClass::SenderNumber | ErrorClass::Registration)
}

/// It may be the number's fault.
fn is_fault(class: ErrorClass) -> bool {
    cannot_send(class) || matches!(class, ErrorClass::Blocked | ErrorClass::Content | ErrorClass::Unknown)
}

impl Counts {
    /// Those that were refused or not delivered.
    pub(crate) fn undelivered(&self) -> u32 {
        self.errors.iter().map(|(_, count)| count).sum()
    }

    /// The commonest reason.
    pub(crate) fn error(&self) -> Option<ErrorClass> {
        self.errors.iter().max_by_key(|(_, count)| *count).map(|(class, _)| *class)
    }

    fn faults(&self) -> u32 {
        self.errors.iter().filter(|(class, _)| is_fault(*class)).map(|(_, count)| count).sum()
    }

    fn add(&mut self, class: ErrorClass, more: u32) {
        match self.errors.iter_mut().find(|(known, _)| *known == class) {
            Some((_, count)) => *count += more,
            None => self.errors.push((class, more)),
        }
    }
}

impl Window {
    /// Takes in an end: why the text was not delivered, or that it was.
    fn learn(&mut self, error: Option<ErrorClass>, minute: i64) {
        self.fresh = true;
        if self.minutes.back().is_none_or(|(last, _)| *last < minute) {
            self.minutes.push_back((minute, Counts::default()));
        }
        let Some((_, counts)) = self.minutes.back_mut() else { return };
        match error {
            None => {
                counts.delivered += 1;
                (self.refused, self.delivered) = (0, self.delivered.saturating_add(1));
            }
            Some(class) => {
                counts.add(class, 1);
                if cannot_send(class) {
                    (self.refused, self.delivered) = (self.refused.saturating_add(1), 0);
                }
            }
        }
    }

    /// Forgets what is too old. Returns whether anything is left.
    fn slide(&mut self, now: i64) -> bool {
        while self.minutes.front().is_some_and(|(minute, _)| now - minute >= WINDOW_MIN) {
            self.minutes.pop_front();
        }
        !self.minutes.is_empty()
    }

    fn counts(&self) -> Counts {
        let mut sum = Counts::default();
        for (_, counts) in &self.minutes {
            sum.delivered += counts.delivered;
            for (class, count) in &counts.errors {
                sum.add(*class, *count);
            }
        }
        sum
    }

    fn judge(&self, counts: &Counts, before: Condition) -> Option<Condition> {
        let faults = counts.faults();
        let ends = counts.delivered + counts.undelivered();
        if self.refused >= IN_A_ROW {
            return Some(Condition::Refused);
        }
        if before == Condition::Refused && self.delivered < IN_A_ROW {
            return None;
        }
        if ends < ENDS_MIN {
            return (before == Condition::Refused).then_some(Condition::Well);
        }
        let one_in = if before == Condition::Poor { WELL_ONE_IN } else { POOR_ONE_IN };
        Some(if faults * one_in >= ends { Condition::Poor } else { Condition::Well })
    }
}

#[cfg(test)]
mod tests;
