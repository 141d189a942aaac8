//! A call that wants to send a text, whichever dialect it came in, and what makes a provider refuse it.

use std::borrow::Cow;

use crate::account::Account;
use crate::target::{Target, Unusable};

/// Both providers take ten media at most.
const MEDIA_MAX: usize = 10;

/// What a call asks for, as far as every dialect has it. Empty where it does not say.
#[derive(Debug, Default)]
pub(crate) struct SendRequest<'a> {
    pub(crate) to: Cow<'a, str>,
    pub(crate) from: Cow<'a, str>,
    pub(crate) body: Cow<'a, str>,
    pub(crate) media: Vec<Cow<'a, str>>,
    pub(crate) callback: Cow<'a, str>,
    /// The caller's own reference, in dialects that have one.
    pub(crate) reference: Cow<'a, str>,
}

/// An answer that the provider documents for calls which it does not accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) says: &'static str,
}

impl Refusal {
    pub(crate) const fn bad_request(code: &'static str, says: &'static str) -> Self {
        Self { status: 400, code, says }
    }
}

/// A provider's codes for what can be wrong with a call.
pub(crate) struct Codes {
    pub(crate) credentials: Refusal,
    pub(crate) unreadable: Refusal,
    pub(crate) to_missing: Refusal,
    pub(crate) to_invalid: Refusal,
    pub(crate) from_missing: Refusal,
    pub(crate) from_foreign: Refusal,
    pub(crate) empty: Refusal,
    pub(crate) too_long: Refusal,
    pub(crate) media_bad: Refusal,
    pub(crate) media_many: Refusal,
    pub(crate) callback_bad: Refusal,
    pub(crate) opted_out: Refusal,
    pub(crate) rate: Refusal,
    /// What is wrong with recipients who cannot be texted.
    pub(crate) recipients: &'static [Refusal],
    /// Why texts end undelivered.
    pub(crate) undelivered: &'static [u32],
    /// Why texts end failed.
    pub(crate) failed: &'static [u32],
    /// Whether a body is too long.
    pub(crate) is_too_long: fn(&str) -> bool,
}

/// The first thing that is wrong with `request`; else where its receipts go.
pub(crate) fn check(
    request: &SendRequest<'_>,
    account: &Account,
    codes: &Codes,
) -> Result<Option<Target>, Refusal> {
    let refuse_if = |wrong: bool, refusal: Refusal| if wrong { Err(refusal) } else { Ok(()) };
    refuse_if(request.to.is_empty(), codes.to_missing)?;
    refuse_if(!is_phone_number(&request.to), codes.to_invalid)?;
    refuse_if(request.from.is_empty(), codes.from_missing)?;
    refuse_if(!is_sender(&request.from) || !account.owns(&request.from), codes.from_foreign)?;
    refuse_if(request.body.is_empty() && request.media.is_empty(), codes.empty)?;
    refuse_if((codes.is_too_long)(&request.body), codes.too_long)?;
    refuse_if(request.media.len() > MEDIA_MAX, codes.media_many)?;
    refuse_if(!request.media.iter().all(|url| is_media_url(url)), codes.media_bad)?;
    match request.callback.as_ref() {
        // Where a text names no URL of its own, its receipts go where the account's go.
        "" => Ok(account.status.clone()),
        callback => Target::parse(callback).map(Some).map_err(|_| codes.callback_bad),
    }
}

/// A number that can be texted: in E.164 form, and North American ones by the numbering plan.
fn is_phone_number(e164: &str) -> bool {
    let Some(digits) = e164.strip_prefix('+') else { return false };
    let plausible = (8..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    let north_american = |digits: &[u8]| digits.len() == 11 && digits[1] >= b'2' && digits[4] >= b'2';
    plausible && (!digits.starts_with('1') || north_american(digits.as_bytes()))
}

/// A number or a short code.
fn is_sender(from: &str) -> bool {
    let digits = from.strip_prefix('+').unwrap_or(from);
    (3..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_media_url(url: &str) -> bool {
    matches!(Target::parse(url), Ok(_) | Err(Unusable::NotHttp)) && url.bytes().all(|b| b.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_from_what_is_none() {
        for number in ["+12025550123", "+447700900123", "+18005550100"] {
            assert!(is_phone_number(number), "{number}");
        }
        for number in ["", "12025550123", "+1202555012", "+11025550123", "+12021550123", "+1202555o123"] {
            assert!(!is_phone_number(number), "{number}");
        }
    }
}
