//! Webhooks as adapters see them: raw bytes first, proof second, meaning last.

use muster_domain::phone::PhoneNumber;
use muster_domain::status::Fact;

use crate::Reference;

/// A webhook as it arrived.
#[derive(Clone, Copy, Debug)]
pub struct WebhookRequest<'a> {
    /// The public URL that the provider was given, query included: built from the configured base, never
    /// from a `Host` or `X-Forwarded-*` header.
    pub url: &'a str,
    /// Its headers.
    pub headers: &'a http::HeaderMap,
    /// The body, untouched.
    pub body: &'a [u8],
    /// Now, in seconds since the Unix epoch, for schemes that carry a time.
    pub now_s: i64,
}

/// A webhook that proved where it comes from. Only [`crate::Adapter::verify`] makes one.
#[derive(Clone, Copy, Debug)]
pub struct Verified<'a>(WebhookRequest<'a>);

impl<'a> Verified<'a> {
    pub(crate) fn new(request: WebhookRequest<'a>) -> Self {
        Self(request)
    }

    /// The request that was verified.
    pub fn request(&self) -> &WebhookRequest<'a> {
        &self.0
    }
}

/// Why a webhook is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Forged {
    /// It carries no signature.
    #[error("the webhook carries no signature")]
    Unsigned,
    /// Its signature does not fit.
    #[error("the webhook's signature does not fit")]
    WrongSignature,
    /// Its timestamp is too far from now: a replay, or a wrong clock.
    #[error("the webhook's timestamp is too far from now")]
    Stale,
    /// It is signed by another account than the one whose path it came to.
    #[error("the webhook is of another account")]
    WrongAccount,
}

/// A verified webhook that is not in the provider's form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the webhook is not in the provider's form: {0}")]
pub struct Unreadable(pub &'static str);

/// One thing a webhook tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebhookEvent {
    /// What became of a text that we sent. Which one, the callback URL says or, where the provider has none for each
    /// text, the reference.
    Receipt {
        /// Our own name of the attempt, where the provider gives it back in the webhook itself and it is one.
        reference: Option<Reference>,
        /// What it means for the message. `None`: a state that the provider does not document; kept and counted.
        fact: Option<Fact>,
        /// The provider's own id of the text.
        provider_message_id: String,
        /// The state in the provider's own word.
        state: String,
    },
    /// A text that somebody sent to one of our numbers.
    Reply {
        /// Who sent it.
        from: PhoneNumber,
        /// Our number.
        to: PhoneNumber,
        /// What it says.
        body: String,
        /// Where its media are, at the provider.
        media_urls: Vec<String>,
        /// Media that were dropped: too many, or their URLs can be none.
        media_dropped: usize,
        /// The provider's own id of the reply: the same each time it is delivered to us.
        provider_message_id: String,
    },
}

/// The number in the E.164 form that providers write, such as `+12025550123`. `None` for short codes, names
/// and numbers outside the North American plan: nobody there is one of our recipients.
pub(crate) fn phone_number(e164: &str) -> Option<PhoneNumber> {
    let digits = e164.strip_prefix("+1")?;
    let plausible = digits.len() == 10 && digits.bytes().all(|byte| byte.is_ascii_digit());
    plausible.then(|| PhoneNumber::from_e164_trusted(e164))
}

/// The same of a number that may be written without the `+`, such as `12025550123`.
pub(crate) fn bare_phone_number(told: &str) -> Option<PhoneNumber> {
    phone_number(&["+", told.strip_prefix('+').unwrap_or(told)].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_with_and_without_their_plus() {
        for told in ["12025550123", "+12025550123"] {
            let phone = bare_phone_number(told).expect("a number");
            assert_eq!(phone.as_e164(), "+12025550123");
        }
        let others = ["", "+", "++12025550123", "2025550123", "26262", "447700900123", "1202555012\u{663}"];
        for told in others.into_iter().chain(["12025550123\0", " 12025550123", "ACME"]) {
            assert_eq!(bare_phone_number(told), None, "{told:?}");
        }
    }
}
