//! What Twilio's codes mean.

use muster_domain::error::ErrorClass;

use crate::refusal::Verdict;

/// Twilio's documented codes. `None`: not documented, or not when this was written; Twilio may add some.
pub(super) fn verdict(code: u32) -> Option<Verdict> {
    use ErrorClass as E;
    use Verdict::{Passing, Permanent};
    Some(match code {
        20003 | 20005 | 20006 | 20403 => Permanent(E::Credentials),
        20404 => Permanent(E::BadRequest),
        20429 => Passing(E::Rate),
        20500 | 20503 => Passing(E::Transient),
        21211 | 21214 | 21217 | 21604 | 63024 | 21612 => Permanent(E::InvalidRecipient),
        21614 => Permanent(E::Landline),
        21610 => Permanent(E::OptedOut),
        // Trial accounts may only text verified numbers; countries have to be enabled one by one.
        21408 | 21215 | 21608 | 21219 | 14111 => Permanent(E::Account),
        21606 | 21212 | 21601 | 21607 | 21616 | 21657 | 21659 | 21660 => Permanent(E::SenderNumber),
        21621 | 21622 | 21701..=21705 => Permanent(E::SenderNumber),
        // The sender's queue at Twilio is full.
        21611 | 30001 => Passing(E::Rate),
        21602 | 21603 | 21609 | 21619 | 21624 | 21658 => Permanent(E::BadRequest),
        21617 | 21618 | 21620 | 21623 => Permanent(E::Content),
        30002 => Permanent(E::Account),
        // Switched off or out of reach.
        30003 => Passing(E::Transient),
        30004 => Permanent(E::Blocked),
        30005 => Permanent(E::InvalidRecipient),
        30006 => Permanent(E::Landline),
        30007 => Permanent(E::Content),
        // "Unknown error" is what Twilio itself calls it.
        30008 => Permanent(E::Unknown),
        30009 | 30010 => Permanent(E::BadRequest),
        30011 | 30019 => Permanent(E::Content),
        30017 | 30410 | 30450 => Passing(E::Transient),
        30018 | 30024 | 30032 | 30033 | 30034 => Permanent(E::Registration),
        // The number is still being registered with the carriers: minutes.
        30035 => Passing(E::Registration),
        30022 | 63017 | 63018 => Passing(E::Rate),
        // 30025 and 30026 warn that half and 70 % of the day's cap are used.
        30023 | 30025 | 30026 | 30027 => Passing(E::Cap),
        30036 => Permanent(E::Expired),
        _ => return None,
    })
}
