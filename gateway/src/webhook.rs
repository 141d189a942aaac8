//! Webhooks: raw bytes first, proof second, meaning last; and an answer only when JetStream has it.

mod event;
mod listen;
mod path;
#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the tests play a directory that fails")]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::try_join_all;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Body;
use muster_domain::provider::Provider;
use muster_proto::internal::v1::Event;
use muster_providers::{Forged, Verified, WebhookRequest};
use muster_runtime::batch::Events;
use muster_runtime::clock;
use muster_runtime::frame::message_of;
use muster_runtime::telemetry::trace::{self, Span, SpanKind};

use self::path::{Kind, Path};
use crate::account::{Account, Accounts};
use crate::metrics::{self, Fate};

pub(crate) use self::listen::listen;

/// The largest body that is taken.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long JetStream may take. The most impatient provider gives a webhook two seconds.
const PUBLISH_TIMEOUT: Duration = Duration::from_millis(1_500);

/// Takes webhooks.
pub(crate) struct Webhooks {
    accounts: Accounts,
    events: Events,
    public_base_url: String,
}

/// Why a webhook is not accepted: what it is answered, and what became of it.
type Refusal = (StatusCode, Fate);

impl Webhooks {
    /// Takes webhooks of `accounts` that were told to come to `public_base_url`.
    pub(crate) fn new(accounts: Accounts, events: Events, public_base_url: &str) -> Self {
        let public_base_url = public_base_url.trim_end_matches('/').to_owned();
        Self { accounts, events, public_base_url }
    }

    /// Answers one request.
    pub(crate) async fn answer<B>(&self, request: Request<B>) -> Response<Full<Bytes>>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let Some(path) = Path::read(request.uri()) else { return empty(StatusCode::NOT_FOUND) };
        if request.method() != Method::POST {
            let mut response = empty(StatusCode::METHOD_NOT_ALLOWED);
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
            return response;
        }
        let (kind, token) = (path.kind, path.token.to_owned());
        let arrived_us = clock::now_us();
        let account = match self.account(&token).await {
            Ok(account) => account,
            Err((status, fate)) => {
                metrics::webhook(None, kind.name(), fate);
                return empty(status);
            }
        };
        let provider = account.adapter.provider();
        let (answer, fate) = match self.take(request, &account, arrived_us).await {
            Ok(()) => (accepted(provider, kind), Fate::Accepted),
            Err((status, fate)) => (empty(status), fate),
        };
        metrics::webhook(Some(provider), kind.name(), fate);
        answer
    }

    /// Believes a webhook or not, and makes safe what it tells.
    async fn take<B>(&self, request: Request<B>, account: &Account, arrived_us: i64) -> Result<(), Refusal>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (head, body) = request.into_parts();
        let body = receive(body).await.map_err(|status| (status, Fate::Unreceived))?;
        let path_and_query = head.uri.path_and_query().map_or("", |path| path.as_str());
        let webhook = WebhookRequest {
            url: &[&self.public_base_url, path_and_query].concat(),
            headers: &head.headers,
            body: &body,
            now_s: arrived_us.div_euclid(1_000_000),
        };
        let verified = self.verify(account, webhook)?;
        let told = account.adapter.events(&verified).map_err(|unreadable| {
            tracing::warn!(account.id = %account.id, error = %unreadable, "a webhook was unreadable");
            (StatusCode::BAD_REQUEST, Fate::Unreadable)
        })?;
        let about = path::about(head.uri.query().unwrap_or_default());
        let events: Vec<_> =
            told.into_iter().map(|told| event::of(told, about, account, arrived_us)).collect();
        self.report(account.adapter.provider(), &events, arrived_us).await
    }

    async fn account(&self, token: &str) -> Result<Arc<Account>, Refusal> {
        match self.accounts.get(token).await {
            Ok(Some(account)) => Ok(account),
            Ok(None) => Err((StatusCode::NOT_FOUND, Fate::Unknown)),
            Err(error) => {
                let error = format!("{:#}", anyhow::Error::from(error));
                // Counted; while the control-plane is away this may be every webhook.
                tracing::debug!(error, "a webhook's account could not be learned");
                Err((StatusCode::SERVICE_UNAVAILABLE, Fate::Unavailable))
            }
        }
    }

    fn verify<'a>(&self, account: &Account, webhook: WebhookRequest<'a>) -> Result<Verified<'a>, Refusal> {
        account.adapter.verify(&account.credentials, webhook).map_err(|forged| {
            tracing::warn!(account.id = %account.id, error = %forged, "a webhook was not believed");
            (disbelieved(account.adapter.provider(), forged), Fate::Forged)
        })
    }

    async fn report(&self, provider: Provider, events: &[Event], arrived_us: i64) -> Result<(), Refusal> {
        let unavailable = Err((StatusCode::SERVICE_UNAVAILABLE, Fate::Unavailable));
        // At once, so that providers come back later instead of waiting for what will not be in time.
        if self.events.is_stuck() {
            return unavailable;
        }
        let reports = try_join_all(events.iter().map(|event| self.events.report(event.clone())));
        let Ok(Ok(_all)) = tokio::time::timeout(PUBLISH_TIMEOUT, reports).await else { return unavailable };
        for event in events {
            metrics::told(provider, event);
            if let Some(place) = message_of(event).and_then(trace::text) {
                let span = Span::begin(Some(place), "webhook", SpanKind::Server).since(arrived_us);
                span.with("muster.provider", provider.name()).end();
            }
        }
        Ok(())
    }
}

/// The whole body, if it is small enough and comes soon enough.
async fn receive<B>(body: B) -> Result<Bytes, StatusCode>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    if body.size_hint().lower() > BODY_BYTES_MAX as u64 {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let body = Limited::new(body, BODY_BYTES_MAX).collect();
    match tokio::time::timeout(BODY_TIMEOUT, body).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Ok(Err(_broken)) => Err(StatusCode::BAD_REQUEST),
        Err(_elapsed) => Err(StatusCode::REQUEST_TIMEOUT),
    }
}

/// The answer to a webhook that is not believed. Rare faults of Vonage's own leave the proof out; it tries again after
/// a 5xx, with the proof, and never after a 4xx.
fn disbelieved(provider: Provider, forged: Forged) -> StatusCode {
    if (provider, forged) == (Provider::Vonage, Forged::Unsigned) {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        StatusCode::FORBIDDEN
    }
}

/// What a provider takes for "done, and nothing to say to the sender".
fn accepted(provider: Provider, kind: Kind) -> Response<Full<Bytes>> {
    match (provider, kind) {
        (Provider::Twilio, Kind::Inbound) => {
            let mut response = Response::new(Full::from("<Response/>"));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/xml"));
            response
        }
        (Provider::Twilio, Kind::Status)
        | (
            Provider::Telnyx | Provider::Bandwidth | Provider::Plivo | Provider::Vonage | Provider::Sinch,
            Kind::Status | Kind::Inbound,
        ) => empty(StatusCode::OK),
    }
}

fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}
