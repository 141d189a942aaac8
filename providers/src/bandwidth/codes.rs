//! What Bandwidth's codes mean: words in answers, numbers in receipts.

use muster_domain::error::ErrorClass;

use crate::refusal::Verdict;

/// Bandwidth's documented codes. `None`: not documented, or not when this was written.
pub(super) fn verdict(code: &str) -> Option<Verdict> {
    use ErrorClass as E;
    use Verdict::{Passing, Permanent};
    Some(match code {
        "request-validation" => Permanent(E::BadRequest),
        "unauthorized" | "forbidden" => Permanent(E::Credentials),
        // The account's queue is full: a quarter of an hour of its rate.
        "max-message-queue-size-exceeded" => Passing(E::Rate),
        _ => return verdict_of_number(code.parse().ok()?),
    })
}

fn verdict_of_number(code: u32) -> Option<Verdict> {
    use ErrorClass as E;
    use Verdict::{Passing, Permanent};
    Some(match code {
        4303 | 4350 | 4404 | 4406 | 4408 | 4434 | 4492 | 4700 | 4720 | 4721 => Permanent(E::InvalidRecipient),
        // No route from here to there.
        4401 | 4420 | 4730 => Permanent(E::InvalidRecipient),
        4775 => Permanent(E::OptedOut),
        4482 | 4753 | 4772 => Permanent(E::Blocked),
        4301 | 4409 | 4410 | 4411 | 4412 | 4435 | 4470 | 4711 | 4712 | 4750..=4752 | 4770 | 4771 => {
            Permanent(E::Content)
        }
        4302 | 4403 | 4405 | 4407 | 4481 | 4740 => Permanent(E::SenderNumber),
        4431 | 4433 | 4773 | 4774 | 4790..=4793 | 4795 => Permanent(E::Registration),
        4001 | 4421 | 4432 | 4451 | 4452 | 4493 => Permanent(E::Account),
        // Switched off or out of reach.
        4701 | 4702 => Passing(E::Transient),
        4360 => Permanent(E::Expired),
        4780 => Passing(E::Cap),
        4781 | 4785 => Passing(E::Rate),
        5100 | 5101 | 5106 | 5111 | 5201 | 5211 | 5220 | 5231 | 5500 | 5501 => Passing(E::Transient),
        5600 | 5610 | 5620 | 5630 | 5650 | 5999 => Passing(E::Transient),
        9902 | 9999 => Permanent(E::Unknown),
        _ => return None,
    })
}

/// What it means that only these fields of a request were refused. `None`: other fields, too, or none at all.
pub(super) fn verdict_of_fields<'a>(mut names: impl Iterator<Item = &'a str>) -> Option<Verdict> {
    let class = |name: &str| {
        // Such as `to[0]`.
        let name = name.split_once('[').map_or(name, |(name, _)| name);
        match name {
            "to" => Some(ErrorClass::InvalidRecipient),
            "from" => Some(ErrorClass::SenderNumber),
            "text" | "media" => Some(ErrorClass::Content),
            "applicationId" => Some(ErrorClass::Account),
            _ => None,
        }
    };
    let first = class(names.next()?)?;
    names.all(|name| class(name) == Some(first)).then_some(Verdict::Permanent(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_field_says_whose_fault_it_was() {
        let of = |names: &[&str]| verdict_of_fields(names.iter().copied()).map(Verdict::class);
        assert_eq!(of(&["to"]), Some(ErrorClass::InvalidRecipient));
        assert_eq!(of(&["to[0]", "to"]), Some(ErrorClass::InvalidRecipient));
        assert_eq!(of(&["text", "media"]), Some(ErrorClass::Content));
        assert_eq!(of(&["to", "from"]), None);
        assert_eq!(of(&["tag"]), None);
        assert_eq!(of(&[]), None);
    }
}
