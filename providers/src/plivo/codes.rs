//! What Plivo's codes mean. They come with receipts only.

use muster_domain::error::ErrorClass;

use crate::refusal::Verdict;

/// Plivo's documented codes. `None`: not documented, or not when this was written.
pub(super) fn verdict(code: u32) -> Option<Verdict> {
    use ErrorClass as E;
    use Verdict::{Passing, Permanent};
    Some(match code {
        10 | 30 | 110 => Permanent(E::Content),
        20 | 80 | 300 => Passing(E::Transient),
        40 => Permanent(E::SenderNumber),
        // 90: no route from here to there.
        50 | 70 | 90 => Permanent(E::InvalidRecipient),
        // The text would have come back to us.
        60 => Permanent(E::BadRequest),
        100 => Permanent(E::Blocked),
        200 => Permanent(E::OptedOut),
        // A toll-free number of the United States may not text to Canada.
        201 => Permanent(E::Registration),
        420 => Permanent(E::Expired),
        // 450: the country is not enabled. 900: out of funds. 910: disabled.
        450 | 900 | 910 => Permanent(E::Account),
        // "Unknown error" is what Plivo itself calls it.
        1000 => Permanent(E::Unknown),
        _ => return None,
    })
}
