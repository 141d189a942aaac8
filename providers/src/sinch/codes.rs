//! Sinch's error codes: words in answers, numbers in receipts. The numbers from 400 on are XMS's own; those below come
//! from the networks (SMPP).

use std::borrow::Cow;

use muster_domain::error::ErrorClass;
use serde::Deserialize;

use crate::refusal::{Code, Verdict};

/// An answer that refuses, as far as it matters.
#[derive(Deserialize)]
pub(super) struct Refusal<'a> {
    #[serde(borrow)]
    code: Cow<'a, str>,
    #[serde(borrow, default)]
    text: Cow<'a, str>,
}

/// The code of a refusal.
pub(super) fn code(refusal: &Refusal<'_>) -> Code {
    let Refusal { code, text } = refusal;
    // One word for whatever is malformed. Both numbers are well formed where we send them, so that a number which
    // Sinch does not take is the recipient's.
    let verdict = if code == "syntax_invalid_parameter_format" && text.contains("MSISDN") {
        Some(Verdict::Permanent(ErrorClass::InvalidRecipient))
    } else {
        verdict(code)
    };
    Code { text: code.clone().into_owned(), verdict }
}

/// Sinch's documented codes. `None`: not documented, or not when this was written.
pub(super) fn verdict(code: &str) -> Option<Verdict> {
    use ErrorClass as E;
    use Verdict::Permanent;
    Some(match code {
        "syntax_invalid_json" | "syntax_invalid_parameter_format" | "syntax_constraint_violation" => {
            Permanent(E::BadRequest)
        }
        // A batch that is already due cannot be changed: we change none.
        "conflict_send_at" => Permanent(E::BadRequest),
        "unknown_group" | "missing_callback_url" => Permanent(E::BadRequest),
        // The campaign is not the one of the sender's number.
        "unknown_campaign" => Permanent(E::Registration),
        number => match number.parse().ok()? {
            number @ 400.. => of_xms(number)?,
            number => of_networks(number)?,
        },
    })
}

/// 400 and 401 are no errors: queued, and handed on.
fn of_xms(code: u32) -> Option<Verdict> {
    use ErrorClass as E;
    use Verdict::{Passing, Permanent};
    Some(match code {
        402 => Permanent(E::InvalidRecipient),
        // 417: the network or the phone cannot be reached.
        403 | 404 | 417 => Passing(E::Transient),
        405 => Permanent(E::BadRequest),
        406 => Permanent(E::Expired),
        // Canceled, which we never do.
        407 => Permanent(E::Unknown),
        // 411: too many parts. 414: a medium that could not be fetched. 416 and 418: media that are not supported.
        408 | 411 | 414 | 416 | 418 => Permanent(E::Content),
        410 => Permanent(E::SenderNumber),
        // 412: a region that is not enabled. 413: blocked, perhaps out of funds.
        412 | 413 => Permanent(E::Account),
        415 => Permanent(E::Blocked),
        _ => return None,
    })
}

fn of_networks(code: u32) -> Option<Verdict> {
    use ErrorClass as E;
    use Verdict::{Passing, Permanent};
    Some(match code {
        // Routing that fails within Sinch, and errors that Sinch asks to have reported: they stay.
        1..=3
        | 5..=8
        | 11
        | 53..=55
        | 65
        | 72
        | 103..=105
        | 113
        | 156
        | 157
        | 163
        | 208
        | 209
        | 216
        | 320
        | 399 => Permanent(E::Unknown),
        4 | 14 | 18 | 40 | 50..=52 | 56 | 70 | 71 | 73..=76 => Passing(E::Transient),
        101 | 102 | 106 | 107 | 109..=112 | 114 => Passing(E::Transient),
        // Absent, out of reach, busy, out of memory.
        153 | 155 | 158..=162 | 164 | 200..=203 | 207 | 210..=215 | 217 => Passing(E::Transient),
        322 | 350 | 361 | 362 | 370 => Passing(E::Transient),
        // No such number, numbering plan, network or subscriber.
        9 | 10 | 12 | 17 | 100 | 108 | 150 | 300..=303 => Permanent(E::InvalidRecipient),
        // Barred by the network, the operator or the person; no texts on the contract or the SIM.
        13 | 16 | 61 | 63 | 77 | 151 | 152 | 154 | 204..=206 | 250..=257 | 321 => Permanent(E::Blocked),
        // Spam filters, encodings and lengths. 349: "message invalid, potentially blocked".
        15 | 62 | 66 | 67 | 343 | 349 => Permanent(E::Content),
        19 | 310..=312 => Permanent(E::SenderNumber),
        // The 10DLC campaign is not active; the tags of the registration do not fit.
        60 | 334 => Permanent(E::Registration),
        64 => Passing(E::Cap),
        360 => Passing(E::Rate),
        304 | 330..=333 | 335..=342 | 344..=348 => Permanent(E::BadRequest),
        _ => return None,
    })
}
