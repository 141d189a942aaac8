//! Telnyx Messaging: JSON requests, error codes as text, webhooks signed with Ed25519 over a timestamp and
//! the body. Telnyx cannot be told how long a text is valid.

mod codes;
mod inquiry;
mod lookup;
mod numbers;

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri};
use muster_domain::error::{ErrorClass, SendError};
use muster_domain::provider::Provider;
use muster_domain::status::Fact;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use crate::ask::{JSON, post};
use crate::credentials::bearer;
use crate::edge::{self, Media};
use crate::refusal::{Code, Verdict, accepted, refused};
use crate::signature::ed25519_fits;
use crate::webhook::phone_number;
use crate::{
    Account, Adapter, Answer, Correlation, Forged, Inquiries, LookUps, Numbers, Reference, Text, Unreadable,
    Verified, WebhookEvent, WebhookRequest,
};

use self::codes::verdict;

const BASE_URL: &str = "https://api.telnyx.com";
/// A webhook whose time is further from ours than this is not believed: it may be a replay.
const AGE_S_MAX: u64 = 300;

/// See the module.
pub(crate) struct Telnyx;

impl Adapter for Telnyx {
    fn provider(&self) -> Provider {
        Provider::Telnyx
    }

    fn base_url(&self) -> &'static str {
        BASE_URL
    }

    fn correlation(&self) -> Correlation {
        Correlation::CallbackUrl
    }

    fn signs_the_url(&self) -> bool {
        false
    }

    fn request(&self, account: &Account, text: &Text<'_>) -> Result<Request<Bytes>, http::Error> {
        let mut body = Vec::with_capacity(256 + text.body.len() + text.status_callback.len());
        serde_json::to_writer(&mut body, &Send::from(text)).expect("strings and lists always serialize");
        post(format!("{}/messages", url(account)), bearer(&account.api_secret)?, JSON, body)
    }

    fn answer(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Answer {
        if status.is_success() {
            return match serde_json::from_slice::<Created<'_>>(body) {
                Ok(Created { data }) if !data.id.is_empty() => accepted(&data.id),
                Ok(_) | Err(_) => refused(status, headers, None),
            };
        }
        refused(status, headers, code(body))
    }

    fn prove(&self, _: &Account, key: &SecretString, request: &WebhookRequest<'_>) -> Result<(), Forged> {
        let header = |name| request.headers.get(name).ok_or(Forged::Unsigned);
        let signature = header("telnyx-signature-ed25519")?;
        let timestamp = header("telnyx-timestamp")?.to_str().map_err(|_| Forged::WrongSignature)?;
        let signed_s: i64 = timestamp.parse().map_err(|_| Forged::WrongSignature)?;
        if request.now_s.abs_diff(signed_s) > AGE_S_MAX {
            return Err(Forged::Stale);
        }
        let message = [timestamp.as_bytes(), b"|", request.body].concat();
        if ed25519_fits(key.expose_secret(), &message, signature.as_bytes()) {
            Ok(())
        } else {
            Err(Forged::WrongSignature)
        }
    }

    fn events(&self, request: &Verified<'_>) -> Vec<Result<WebhookEvent, Unreadable>> {
        vec![event(request.request().body)]
    }

    fn media_authorization(
        &self,
        _account: &Account,
        _url: &Uri,
    ) -> Result<Option<HeaderValue>, http::Error> {
        // Its links are open, and end after 30 days.
        Ok(None)
    }

    fn inquiries(&self) -> Option<&dyn Inquiries> {
        Some(self)
    }

    fn look_ups(&self) -> Option<&dyn LookUps> {
        Some(self)
    }

    fn numbers(&self) -> Option<&dyn Numbers> {
        Some(self)
    }
}

/// A text as Telnyx reads it.
#[derive(Serialize)]
struct Send<'a> {
    from: &'a str,
    to: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    text: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    media_urls: &'a [String],
    r#type: &'static str,
    webhook_url: &'a str,
    use_profile_webhooks: bool,
}

impl<'a> From<&Text<'a>> for Send<'a> {
    fn from(text: &Text<'a>) -> Self {
        Self {
            from: text.from.as_e164(),
            to: text.to.as_e164(),
            text: text.body,
            media_urls: text.media_urls,
            r#type: if text.media_urls.is_empty() { "SMS" } else { "MMS" },
            webhook_url: text.status_callback,
            // Otherwise a lapse of ours would send receipts to where the profile points, without our id.
            use_profile_webhooks: false,
        }
    }
}

#[derive(Deserialize)]
struct Created<'a> {
    #[serde(borrow)]
    data: CreatedData<'a>,
}

#[derive(Deserialize)]
struct CreatedData<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Refusal<'a> {
    #[serde(borrow)]
    errors: Vec<ErrorCode<'a>>,
}

#[derive(Deserialize)]
struct ErrorCode<'a> {
    #[serde(borrow)]
    code: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Webhook<'a> {
    #[serde(borrow)]
    data: Event<'a>,
    #[serde(borrow)]
    meta: Option<Meta<'a>>,
}

/// How the webhook was sent.
#[derive(Deserialize)]
struct Meta<'a> {
    /// The URL that it was sent to: the one place where Telnyx signs it.
    #[serde(borrow)]
    delivered_to: Option<Cow<'a, str>>,
}

impl Meta<'_> {
    /// The text whose callback that URL is.
    fn reference(&self) -> Option<Reference> {
        let (_, query) = self.delivered_to.as_deref()?.split_once('?')?;
        Reference::in_query(query)
    }
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    event_type: Cow<'a, str>,
    payload: Payload<'a>,
}

/// The message that an event is about. Whatever else Telnyx writes into it is passed over.
#[derive(Deserialize)]
struct Payload<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    from: Option<Phone<'a>>,
    to: Vec<Phone<'a>>,
    text: Option<Cow<'a, str>>,
    media: Option<Vec<Medium<'a>>>,
    errors: Option<Vec<ErrorCode<'a>>>,
}

#[derive(Deserialize)]
struct Phone<'a> {
    #[serde(borrow)]
    phone_number: Cow<'a, str>,
    status: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Medium<'a> {
    #[serde(borrow)]
    url: Cow<'a, str>,
}

fn event(body: &[u8]) -> Result<WebhookEvent, Unreadable> {
    let webhook: Webhook<'_> =
        serde_json::from_slice(body).map_err(|_| Unreadable("not the JSON of a message event"))?;
    let Event { event_type, payload } = webhook.data;
    match event_type.as_ref() {
        "message.received" => reply(payload),
        _ => receipt(payload, webhook.meta.as_ref().and_then(Meta::reference)),
    }
}

fn receipt(payload: Payload<'_>, reference: Option<Reference>) -> Result<WebhookEvent, Unreadable> {
    let state = payload.to.first().and_then(|to| to.status.as_deref());
    let state = state.ok_or(Unreadable("no state of the recipient"))?;
    let error = payload.errors.iter().flatten().next();
    let fact = fact(state, error.map(|error| error.code.as_ref()));
    let provider_message_id = edge::webhook_message_id(&payload.id)?;
    Ok(WebhookEvent::Receipt { reference, fact, provider_message_id, state: edge::state(state) })
}

/// What a state means, in receipts and in messages. `None`: Telnyx does not document it.
fn fact(state: &str, code: Option<&str>) -> Option<Fact> {
    let undelivered = |otherwise| Some(Fact::ReceiptUndelivered(receipt_error(state, code, otherwise)));
    match state {
        // Unconfirmed is where Telnyx stops asking; the text was handed to the carrier all the same.
        "queued" | "sending" | "sent" | "delivery_unconfirmed" => Some(Fact::ReceiptSent),
        "delivered" => Some(Fact::ReceiptDelivered),
        "delivery_failed" | "sending_failed" => undelivered(ErrorClass::Unknown),
        "expired" => undelivered(ErrorClass::Expired),
        _ => None,
    }
}

fn receipt_error(state: &str, code: Option<&str>, otherwise: ErrorClass) -> SendError {
    match code.filter(|code| edge::is_code(code)) {
        Some(code) => {
            SendError { class: verdict(code).map_or(otherwise, Verdict::class), code: code.to_owned() }
        }
        None => SendError { class: otherwise, code: state.to_owned() },
    }
}

/// The URL that the API is under.
fn url(account: &Account) -> String {
    format!("{}/v2", account.base(BASE_URL))
}

/// The code in the answer to something that was refused.
fn code(body: &[u8]) -> Option<Code> {
    let refusal: Refusal<'_> = serde_json::from_slice(body).ok()?;
    let error = refusal.errors.into_iter().next()?;
    Some(Code { verdict: verdict(&error.code), text: error.code.into_owned() })
}

fn reply(payload: Payload<'_>) -> Result<WebhookEvent, Unreadable> {
    let phone = |phone: Option<&Phone<'_>>, why| {
        phone.and_then(|phone| phone_number(&phone.phone_number)).ok_or(Unreadable(why))
    };
    let media = Media::of(payload.media.iter().flatten().map(|medium| medium.url.as_ref()));
    Ok(WebhookEvent::Reply {
        from: phone(payload.from.as_ref(), "from is no phone number")?,
        to: phone(payload.to.first(), "to is no phone number")?,
        body: edge::body(payload.text.as_deref().unwrap_or_default()),
        media_urls: media.urls,
        media_dropped: media.dropped,
        provider_message_id: edge::webhook_message_id(&payload.id)?,
    })
}
