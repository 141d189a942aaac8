//! What Telnyx's codes mean.

use muster_domain::error::ErrorClass;

use crate::refusal::Verdict;

/// Telnyx's documented codes. `None`: not documented, or not when this was written.
pub(super) fn verdict(code: &str) -> Option<Verdict> {
    use ErrorClass as E;
    use Verdict::{Passing, Permanent};
    Some(match code.parse::<u32>().ok()? {
        10009 | 10010 | 20001..=20003 | 20006 | 20008 | 40311 | 40313 => Permanent(E::Credentials),
        // Out of funds, over the profile's spend limit, profile disabled, country not enabled.
        20012..=20014 | 20100 | 40309 | 40312 | 40314 | 40331 | 40333 => Permanent(E::Account),
        10002 | 10016 | 40012 | 40310 => Permanent(E::InvalidRecipient),
        40001 => Permanent(E::Landline),
        40300 => Permanent(E::OptedOut),
        40002 | 40003 | 40009 | 40015 | 40017 | 40302 | 40304 | 40316 | 40317 | 40322 | 40328 => {
            Permanent(E::Content)
        }
        40013 | 40100 | 40305..=40308 | 40315 | 40321 | 40325 => Permanent(E::SenderNumber),
        // The number is still being set up.
        40320 => Passing(E::SenderNumber),
        40010 | 40019 | 40329 | 40330 => Permanent(E::Registration),
        // 40318: the queue is full.
        10011 | 40011 | 40018 | 40318 => Passing(E::Rate),
        40016 => Passing(E::Cap),
        10007 | 10008 | 10037 | 40004 | 40006 | 40008 => Passing(E::Transient),
        40005 | 40014 => Permanent(E::Expired),
        // One-time passwords to this phone are held back for a day.
        40020 => Permanent(E::Blocked),
        // Orders for numbers: somebody else was first, or it was not searched for before.
        85001 | 85006 => Permanent(E::SenderNumber),
        85000 => Permanent(E::BadRequest),
        10004 | 10005 | 10015 | 10023 | 10025..=10029 | 10032 | 10033 | 40301 | 40319 => {
            Permanent(E::BadRequest)
        }
        _ => return None,
    })
}
