//! Webhooks: raw bytes first, proof second, meaning last; and an answer only when JetStream has it.

mod event;
mod listen;
mod path;
mod places;
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
use muster_providers::{Forged, WebhookRequest};
use muster_runtime::batch::Events;
use muster_runtime::clock;
use muster_runtime::frame::message_of;
use muster_runtime::telemetry::trace::{self, Span, SpanKind};

use self::event::Believed;
use self::path::{Kind, Path};
use crate::account::{Account, Accounts};
use crate::count::{Counts, Fate};
use crate::metrics;

pub(crate) use self::listen::listen;

/// The largest body that is taken.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long JetStream may take. The most impatient provider gives a webhook two seconds.
const PUBLISH_TIMEOUT: Duration = Duration::from_millis(1_500);

/// Why a webhook was refused, and the answer to it.
type Refused = (Fate, StatusCode);

/// Takes webhooks.
pub(crate) struct Webhooks {
    accounts: Accounts,
    events: Events,
    public_base_url: String,
    counts: Arc<Counts>,
}

impl Webhooks {
    /// Takes webhooks of `accounts` that were told to come to `public_base_url`.
    pub(crate) fn new(
        accounts: Accounts,
        events: Events,
        public_base_url: &str,
        counts: Arc<Counts>,
    ) -> Self {
        let public_base_url = public_base_url.trim_end_matches('/').to_owned();
        Self { accounts, events, public_base_url, counts }
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
        let account = match self.account(&token).await {
            Ok(account) => account,
            Err((fate, status)) => {
                self.counts.add(None, fate);
                metrics::webhook(None, kind.name(), fate);
                return empty(status);
            }
        };
        let provider = account.adapter.provider();
        let (fate, response) = match self.take(request, kind, &account).await {
            Ok(fate) => (fate, accepted(provider, kind)),
            Err((fate, status)) => (fate, empty(status)),
        };
        self.counts.add_of(account.id, provider, fate);
        metrics::webhook(Some(provider), kind.name(), fate);
        response
    }

    /// Believes a webhook or not, and makes safe what it tells.
    async fn take<B>(&self, request: Request<B>, kind: Kind, account: &Account) -> Result<Fate, Refused>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let arrived_us = clock::now_us();
        let (head, body) = request.into_parts();
        let body = receive(body).await?;
        let path_and_query = head.uri.path_and_query().map_or("", |path| path.as_str());
        let webhook = WebhookRequest {
            url: &[&self.public_base_url, path_and_query].concat(),
            headers: &head.headers,
            body: &body,
            now_s: arrived_us.div_euclid(1_000_000),
        };
        let verified = account
            .adapter
            .verify(&account.credentials, webhook)
            .map_err(|forged| (Fate::from(forged), disbelieved(account.adapter.provider(), forged)))?;
        let believed = Believed {
            account,
            kind,
            query: head.uri.query().unwrap_or_default(),
            headers: &head.headers,
            body: &body,
            arrived_us,
        };
        let (events, fate) = believed.events(account.adapter.events(&verified));
        self.report(&events).await?;
        told(account.adapter.provider(), &events, arrived_us);
        Ok(fate)
    }

    async fn account(&self, token: &str) -> Result<Arc<Account>, Refused> {
        match self.accounts.get(token).await {
            Ok(Some(account)) => Ok(account),
            Ok(None) => Err((Fate::Unknown, StatusCode::NOT_FOUND)),
            Err(error) => {
                let error = format!("{:#}", anyhow::Error::from(error));
                // Counted; while the control-plane is away this may be every webhook.
                tracing::debug!(error, "a webhook's account could not be learned");
                Err((Fate::Unavailable, StatusCode::SERVICE_UNAVAILABLE))
            }
        }
    }

    async fn report(&self, events: &[Event]) -> Result<(), Refused> {
        // At once, so that providers come back later instead of waiting for what will not be in time.
        if self.events.is_stuck() {
            return Err((Fate::Unavailable, StatusCode::SERVICE_UNAVAILABLE));
        }
        let reports = try_join_all(events.iter().map(|event| self.events.report(event.clone())));
        match tokio::time::timeout(PUBLISH_TIMEOUT, reports).await {
            Ok(Ok(_all)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err((Fate::Unavailable, StatusCode::SERVICE_UNAVAILABLE)),
        }
    }
}

/// Counts what a provider told, and tells of it in the traces of those texts that are traced.
fn told(provider: Provider, events: &[Event], arrived_us: i64) {
    for event in events {
        metrics::told(provider, event);
        if let Some(place) = message_of(event).and_then(trace::text) {
            let span = Span::begin(Some(place), "webhook", SpanKind::Server).since(arrived_us);
            span.with("muster.provider", provider.name()).end();
        }
    }
}

/// The whole body, if it is small enough and comes soon enough.
async fn receive<B>(body: B) -> Result<Bytes, Refused>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    if body.size_hint().lower() > BODY_BYTES_MAX as u64 {
        return Err((Fate::TooLarge, StatusCode::PAYLOAD_TOO_LARGE));
    }
    let body = Limited::new(body, BODY_BYTES_MAX).collect();
    match tokio::time::timeout(BODY_TIMEOUT, body).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            Err((Fate::TooLarge, StatusCode::PAYLOAD_TOO_LARGE))
        }
        Ok(Err(_broken)) => Err((Fate::Broken, StatusCode::BAD_REQUEST)),
        Err(_elapsed) => Err((Fate::TooSlow, StatusCode::REQUEST_TIMEOUT)),
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
