//! The one call for a message, and what it came to.

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use muster_domain::error::{ErrorClass, SendError};
use muster_domain::phone::PhoneNumber;
use muster_domain::provider::Provider;
use muster_domain::status::Fact;
use muster_proto::internal::v1::{self, ClaimedMessage, Event, event};
use muster_providers::{Answer, Reference, Text};
use muster_runtime::clock;
use muster_runtime::frame::{WireFact, id_from};
use muster_runtime::telemetry::trace::{self, Span, SpanKind};
use uuid::Uuid;

use crate::account::{Account, Accounts, Missing};
use crate::claim::Claimed;
use crate::http::{Failure, Pool};
use crate::limit::Went;
use crate::metrics;
use crate::window::Window;

/// What the one call for a message came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    message_id: Bytes,
    attempt: u32,
    tenant_id: Bytes,
    answer: Answer,
    /// Whose account it was to go through, where that is known.
    provider: Option<Provider>,
    /// What it says of how the provider is. `None`: the provider was not asked.
    went: Option<Went>,
    time_us: i64,
}

impl Claimed {
    /// Makes the call, if it may still begin.
    pub(crate) async fn call(self, accounts: &Accounts, pool: &Pool) -> Outcome {
        let Self { message, window } = self;
        let account = match id_from(&message.account_id) {
            Some(id) => accounts.get(id, &window).await,
            None => Err(Missing::None),
        };
        let (answer, went) = match &account {
            Ok(account) => ask(&message, account, pool, &window).await,
            Err(missing) => (without_account(*missing), None),
        };
        let provider = account.as_ref().ok().map(|account| account.adapter.provider());
        Outcome::of(message, answer, provider, went)
    }

    /// No call: its time would be over before it could begin.
    pub(crate) fn late(self) -> Outcome {
        self.answered(failed(Failure::Late))
    }

    /// No call: the answer is known without it.
    pub(crate) fn answered(self, answer: Answer) -> Outcome {
        Outcome::of(self.message, answer, None, None)
    }
}

impl Outcome {
    fn of(message: ClaimedMessage, answer: Answer, provider: Option<Provider>, went: Option<Went>) -> Self {
        metrics::text(provider, &answer.fact);
        let ClaimedMessage { message_id, attempt, tenant_id, .. } = message;
        Self { message_id, attempt, tenant_id, answer, provider, went, time_us: clock::now_us() }
    }

    /// What it says of how the provider is. `None`: the provider was not asked.
    pub(crate) fn went(&self) -> Option<Went> {
        self.went
    }

    /// Whose account it was to go through, where that is known.
    pub(crate) fn provider(&self) -> Option<Provider> {
        self.provider
    }

    /// What it is, in a word.
    pub(crate) fn name(&self) -> &'static str {
        metrics::outcome(&self.answer.fact)
    }
}

/// Asks the provider. What it says of the provider is told by how the call went, not by what the answer means for the
/// text: one that is refused for its own sake was answered.
async fn ask(
    message: &ClaimedMessage,
    account: &Arc<Account>,
    pool: &Pool,
    window: &Window,
) -> (Answer, Option<Went>) {
    let reference = Reference {
        message: id_from(&message.message_id).unwrap_or(Uuid::nil()),
        attempt: u16::try_from(message.attempt).unwrap_or(u16::MAX),
    };
    let to = PhoneNumber::from_e164_trusted(message.to.as_str());
    let from = PhoneNumber::from_e164_trusted(message.from.as_str());
    let text = Text {
        to: &to,
        from: &from,
        body: &message.body,
        media_urls: &message.media_urls,
        status_callback: &account.status_callback(reference),
        reference,
        validity_s: message.validity_s,
        now_s: clock::now_us().div_euclid(1_000_000),
    };
    let Ok(request) = account.adapter.request(&account.credentials, &text) else {
        return (failed(Failure::Unsendable), None);
    };
    let provider = account.adapter.provider();
    let span = trace::text(reference.message).map(|place| {
        let span = Span::begin(Some(place), "call", SpanKind::Client).link_current();
        span.with("http.request.method", request.method().to_string())
            .with("server.address", request.uri().host().unwrap_or_default().to_owned())
            .with("muster.provider", provider.name())
            .with("muster.attempt", i64::from(message.attempt))
    });
    let (open, begun) = (metrics::call_begins(provider, window.waited()), clock::instant());
    let reply = pool.call(request, window).await;
    drop(open);
    let status = reply.as_ref().ok().map(|reply| reply.status);
    let (answer, went) = match reply {
        Ok(reply) => {
            let answer = account.adapter.answer(reply.status, &reply.headers, &reply.body);
            let went = went(reply.status, &answer.fact);
            (answer, Some(went))
        }
        Err(failure @ (Failure::NotSent(_) | Failure::Unknown(_))) => (failed(failure), Some(Went::Lost)),
        Err(failure @ (Failure::Unsendable | Failure::Late)) => (failed(failure), None),
    };
    metrics::call_ended(provider, &answer.fact, clock::since(begun));
    if let Some(span) = span {
        told(span, status, &answer.fact).end();
    }
    (answer, went)
}

/// The span of a call, with what it came to.
fn told(span: Span, status: Option<StatusCode>, fact: &Fact) -> Span {
    let span = span.with("muster.outcome", metrics::outcome(fact));
    let span = match status {
        Some(status) => span.with("http.response.status_code", i64::from(status.as_u16())),
        None => span,
    };
    match metrics::error_class(fact) {
        Some(class) => span.failed(class),
        None => span,
    }
}

fn went(status: StatusCode, fact: &Fact) -> Went {
    match fact {
        Fact::NotAccepted(error) if error.class == ErrorClass::Rate => Went::TooFast,
        // A gateway that gave up on the provider, or an answer that is not the provider's own.
        Fact::Ambiguous(_) if status == StatusCode::REQUEST_TIMEOUT || !status.is_client_error() => {
            Went::Lost
        }
        Fact::Ambiguous(_)
        | Fact::NotAccepted(_)
        | Fact::Accepted
        | Fact::Refused(_)
        | Fact::ReceiptSent
        | Fact::ReceiptDelivered
        | Fact::ReceiptUndelivered(_) => Went::Answered,
    }
}

fn failed(failure: Failure) -> Answer {
    let error = |class, code: &str| SendError { class, code: code.to_owned() };
    answered(match failure {
        Failure::Unsendable => Fact::Refused(error(ErrorClass::BadRequest, "unsendable")),
        Failure::NotSent(code) => Fact::NotAccepted(error(ErrorClass::Transient, code)),
        Failure::Late => Fact::NotAccepted(error(ErrorClass::Transient, "deadline")),
        Failure::Unknown(code) => Fact::Ambiguous(error(ErrorClass::Unknown, code)),
    })
}

fn without_account(missing: Missing) -> Answer {
    let error = |class, code: &str| SendError { class, code: code.to_owned() };
    answered(match missing {
        Missing::None => Fact::Refused(error(ErrorClass::Account, "no-account")),
        Missing::Unknown => Fact::NotAccepted(error(ErrorClass::Transient, "deadline")),
    })
}

fn answered(fact: Fact) -> Answer {
    Answer { fact, provider_message_id: None, retry_after_s: None }
}

impl From<Outcome> for Event {
    fn from(outcome: Outcome) -> Self {
        let Outcome { message_id, attempt, tenant_id, answer, provider: _, went: _, time_us } = outcome;
        let Answer { fact, provider_message_id, retry_after_s } = answer;
        let WireFact { kind, error_class, error_code } = fact.into();
        let outcome = v1::Outcome {
            message_id,
            attempt,
            fact: kind.into(),
            error_class,
            error_code,
            provider_message_id: provider_message_id.unwrap_or_default(),
            retry_after_s: retry_after_s.unwrap_or_default(),
        };
        Self { time_us, tenant_id, kind: Some(event::Kind::Outcome(outcome)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(class: ErrorClass) -> SendError {
        SendError { class, code: "1".to_owned() }
    }

    #[test]
    fn a_provider_that_turns_a_text_away_was_there() {
        use ErrorClass::{Content, Rate, Transient, Unknown};
        let cases = [
            (201, Fact::Accepted, Went::Answered),
            (400, Fact::Refused(error(Content)), Went::Answered),
            (400, Fact::NotAccepted(error(Transient)), Went::Answered),
            (400, Fact::Ambiguous(error(Unknown)), Went::Answered),
            (429, Fact::NotAccepted(error(Rate)), Went::TooFast),
            (408, Fact::Ambiguous(error(Transient)), Went::Lost),
            (503, Fact::Ambiguous(error(Transient)), Went::Lost),
            (200, Fact::Ambiguous(error(Unknown)), Went::Lost),
        ];
        for (status, fact, expected) in cases {
            let status = StatusCode::from_u16(status).expect("a status");
            assert_eq!(went(status, &fact), expected, "{status} {fact:?}");
        }
    }
}
