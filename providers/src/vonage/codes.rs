//! Vonage's error codes, in answers and in receipts: the fragment of a problem's `type`, such as
//! `.../messages-olympus#1240`.

use std::borrow::Cow;

use muster_domain::error::ErrorClass;
use serde::Deserialize;

use crate::edge;
use crate::refusal::{Code, Verdict};

/// A problem document, as far as it matters.
#[derive(Deserialize)]
pub(super) struct Problem<'a> {
    #[serde(borrow, default)]
    r#type: Cow<'a, str>,
}

/// The code in an answer that refuses, if it has one.
pub(super) fn code_in(body: &[u8]) -> Option<Code> {
    code(&serde_json::from_slice(body).ok()?)
}

/// The code of a problem, if it has one.
pub(super) fn code(problem: &Problem<'_>) -> Option<Code> {
    let (_, code) = problem.r#type.rsplit_once('#')?;
    of_word(code)
}

/// The code that is written so.
pub(super) fn of_word(code: &str) -> Option<Code> {
    edge::is_code(code).then(|| Code { text: code.to_owned(), verdict: verdict(code) })
}

/// Vonage's documented codes. `None`: not documented, or not when this was written.
fn verdict(code: &str) -> Option<Verdict> {
    use ErrorClass as E;
    use Verdict::{Passing, Permanent, Unclear};
    let number = match code {
        "unauthorized" | "forbidden" => return Some(Permanent(E::Credentials)),
        "low-balance" => return Some(Permanent(E::Account)),
        number => number.parse::<u32>().ok()?,
    };
    Some(match number {
        1000 | 1241 => Passing(E::Rate),
        1010 | 1020..=1022 | 1130 | 1150 | 1400 | 1410 | 1440 | 1450 => Permanent(E::BadRequest),
        // "There was an error processing your request": whether before or after it was accepted, it does not say.
        1030 => Unclear(E::Transient),
        // 1040: not a valid message, mostly because of the number's prefix. 1190: absent for good.
        1040 | 1170 | 1190 | 1250 | 1260 | 1300 | 1310 | 1430 => Permanent(E::InvalidRecipient),
        1050 | 1200 | 1270 | 1280 | 1290 => Permanent(E::Blocked),
        // Barred, out of quota or funds, not enabled.
        1060 | 1070 | 1080 | 1140 | 1160 => Permanent(E::Account),
        1090 | 1210 | 1380..=1382 => Permanent(E::Content),
        // 1100: "not submitted because there was a communication failure". 1180: absent for now.
        1100 | 1180 | 1220 | 1230 | 1331 => Passing(E::Transient),
        1120 | 1420 => Permanent(E::SenderNumber),
        1240 => Permanent(E::OptedOut),
        // "Already sent": then there is a text, and its receipt will tell which.
        1320 => Unclear(E::Unknown),
        // "Unknown error" is what Vonage itself calls it.
        1330 => Permanent(E::Unknown),
        1340 | 1360 => Permanent(E::Expired),
        _ => return None,
    })
}
