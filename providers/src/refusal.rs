//! What the adapters share in reading an answer that is not a clean yes: which facts follow from the HTTP
//! status and the provider's own code. The codes themselves stay in each provider's file.
//!
//! One rule matters above all: [`Fact::NotAccepted`] permits a second call, so it is only ever concluded from
//! a 4xx, never from silence, a 5xx or bytes that nobody can read.

use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderName, StatusCode};
use muster_domain::error::{ErrorClass, SendError};
use muster_domain::status::Fact;

use crate::{Answer, Unanswered, edge};

/// What a provider's error code means for the text it was given for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The same text would be refused again.
    Permanent(ErrorClass),
    /// The same text may be accepted later.
    Passing(ErrorClass),
    /// The text may have been accepted all the same.
    Unclear(ErrorClass),
}

impl Verdict {
    pub(crate) fn class(self) -> ErrorClass {
        match self {
            Self::Permanent(class) | Self::Passing(class) | Self::Unclear(class) => class,
        }
    }
}

/// The provider's own code in an error body, and what the provider's table says of it.
pub(crate) struct Code {
    pub(crate) text: String,
    pub(crate) verdict: Option<Verdict>,
}

/// The answer to a call that the provider accepted. An id that cannot be kept changes nothing about that: receipts
/// find their message by the callback URL.
pub(crate) fn accepted(provider_message_id: &str) -> Answer {
    let provider_message_id = edge::message_id(provider_message_id);
    Answer { fact: Fact::Accepted, provider_message_id, retry_after_s: None }
}

/// The answer to a call that ended in `status` without a readable id.
pub(crate) fn refused(status: StatusCode, headers: &HeaderMap, code: Option<Code>) -> Answer {
    let code = code.filter(|code| edge::is_code(&code.text));
    let verdict = code.as_ref().and_then(|code| code.verdict);
    let text = code.map_or_else(|| format!("http-{}", status.as_u16()), |code| code.text);
    let error = |class| SendError { class, code: text };
    let fact = match status {
        // The gateway in front gave up on the request; whether the provider read it, nobody says.
        StatusCode::REQUEST_TIMEOUT => {
            Fact::Ambiguous(error(verdict.map_or(ErrorClass::Transient, Verdict::class)))
        }
        StatusCode::TOO_MANY_REQUESTS => match verdict {
            Some(Verdict::Passing(class)) => Fact::NotAccepted(error(class)),
            Some(Verdict::Unclear(class)) => Fact::Ambiguous(error(class)),
            Some(Verdict::Permanent(_)) | None => Fact::NotAccepted(error(ErrorClass::Rate)),
        },
        _ if status.is_client_error() => match verdict {
            Some(Verdict::Passing(class)) => Fact::NotAccepted(error(class)),
            Some(Verdict::Permanent(class)) => Fact::Refused(error(class)),
            Some(Verdict::Unclear(class)) => Fact::Ambiguous(error(class)),
            None => Fact::Refused(error(undocumented(status))),
        },
        _ if status.is_server_error() => {
            Fact::Ambiguous(error(verdict.map_or(ErrorClass::Transient, Verdict::class)))
        }
        _ => Fact::Ambiguous(error(ErrorClass::Unknown)),
    };
    let retry_after_s = if matches!(fact, Fact::NotAccepted(_)) { retry_after_s(headers) } else { None };
    Answer { fact, provider_message_id: None, retry_after_s }
}

/// The answer to a question about phones or numbers that ended in `status` without one.
pub(crate) fn unanswered(status: StatusCode, headers: &HeaderMap, code: Option<Code>) -> Unanswered {
    let Answer { fact, retry_after_s, .. } = refused(status, headers, code);
    match fact {
        Fact::Refused(error)
        | Fact::NotAccepted(error)
        | Fact::Ambiguous(error)
        | Fact::ReceiptUndelivered(error) => Unanswered { error, retry_after_s },
        Fact::Accepted | Fact::ReceiptSent | Fact::ReceiptDelivered => {
            let error = SendError { class: ErrorClass::Unknown, code: String::new() };
            Unanswered { error, retry_after_s }
        }
    }
}

/// Retrying blindly with a key that was refused is useless, so that is a refusal like any other.
fn undocumented(status: StatusCode) -> ErrorClass {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ErrorClass::Credentials,
        StatusCode::PAYMENT_REQUIRED => ErrorClass::Account,
        _ => ErrorClass::Unknown,
    }
}

/// The dated form of `Retry-After` would need a clock, and neither provider uses it.
fn retry_after_s(headers: &HeaderMap) -> Option<u32> {
    const RATE_LIMIT_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");
    [RETRY_AFTER, RATE_LIMIT_RESET]
        .iter()
        .find_map(|name| headers.get(name)?.to_str().ok()?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact(status: u16, verdict: Option<Verdict>) -> Fact {
        let code = verdict.map(|verdict| Code { text: "1".to_owned(), verdict: Some(verdict) });
        let status = StatusCode::from_u16(status).expect("a status");
        refused(status, &HeaderMap::new(), code).fact
    }

    #[test]
    fn only_a_4xx_ever_permits_another_call() {
        let verdicts = [
            None,
            Some(Verdict::Passing(ErrorClass::Transient)),
            Some(Verdict::Permanent(ErrorClass::OptedOut)),
        ];
        for status in (100..1000).filter(|status| !(400..500).contains(status) || *status == 408) {
            for verdict in verdicts {
                assert!(matches!(fact(status, verdict), Fact::Ambiguous(_)), "{status} {verdict:?}");
            }
        }
    }

    #[test]
    fn a_429_is_never_permanent() {
        let opted_out = Some(Verdict::Permanent(ErrorClass::OptedOut));
        let rate = |code: &str| Fact::NotAccepted(SendError { class: ErrorClass::Rate, code: code.into() });
        assert_eq!(fact(429, opted_out), rate("1"));
        assert_eq!(fact(429, None), rate("http-429"));
    }

    #[test]
    fn a_code_that_leaves_it_open_never_permits_another_call() {
        for status in 100..1000 {
            let fact = fact(status, Some(Verdict::Unclear(ErrorClass::Transient)));
            assert!(matches!(fact, Fact::Ambiguous(_)), "{status}");
        }
    }

    #[test]
    fn credentials_are_told_by_status_where_no_code_tells() {
        let refused = |class, code: &str| Fact::Refused(SendError { class, code: code.into() });
        assert_eq!(fact(401, None), refused(ErrorClass::Credentials, "http-401"));
        assert_eq!(fact(403, None), refused(ErrorClass::Credentials, "http-403"));
        assert_eq!(fact(402, None), refused(ErrorClass::Account, "http-402"));
        assert_eq!(fact(404, None), refused(ErrorClass::Unknown, "http-404"));
    }

    #[test]
    fn the_wait_is_read_from_either_header() {
        let wait = |name: &'static str, value: &'static str| {
            let headers = HeaderMap::from_iter([(
                HeaderName::from_static(name),
                http::HeaderValue::from_static(value),
            )]);
            refused(StatusCode::TOO_MANY_REQUESTS, &headers, None).retry_after_s
        };
        assert_eq!(wait("retry-after", "7"), Some(7));
        assert_eq!(wait("x-ratelimit-reset", "3"), Some(3));
        assert_eq!(wait("retry-after", "Fri, 31 Dec 1999 23:59:59 GMT"), None);
    }
}
