//! Bandwidth Messaging: JSON requests, numeric codes in receipts, no signature. Receipts and replies of an application
//! come to one URL each, which people enter at Bandwidth together with a user and a password, and carry a tag of ours.
//!
//! Only what is in the URL and the `Authorization` header proves where a webhook comes from: its body is not signed.

mod codes;
mod inquiry;
mod lookup;
mod numbers;

use std::borrow::Cow;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri};
use muster_domain::error::{ErrorClass, SendError};
use muster_domain::provider::Provider;
use muster_domain::status::Fact;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ask::{JSON, post, segment};
use crate::credentials::basic;
use crate::edge::{self, Media};
use crate::refusal::{Code, Verdict, accepted, refused};
use crate::signature::is_same;
use crate::time::rfc3339;
use crate::webhook::phone_number;
use crate::{
    Account, Adapter, Answer, Correlation, Forged, Inquiries, LookUps, Numbers, Text, Unreadable, Verified,
    WebhookEvent, WebhookRequest,
};

use self::codes::verdict;

const BASE_URL: &str = "https://messaging.bandwidth.com";
/// No carrier reported within two hours: the text was handed over all the same.
const NO_REPORT: &str = "9902";

/// See the module.
pub(crate) struct Bandwidth;

impl Adapter for Bandwidth {
    fn provider(&self) -> Provider {
        Provider::Bandwidth
    }

    fn base_url(&self) -> &'static str {
        BASE_URL
    }

    fn correlation(&self) -> Correlation {
        Correlation::Reference
    }

    fn signs_the_url(&self) -> bool {
        false
    }

    fn request(&self, account: &Account, text: &Text<'_>) -> Result<Request<Bytes>, http::Error> {
        let expiration = rfc3339(text.now_s.saturating_add(text.validity_s.max(1).into()));
        let send = Send {
            application_id: &account.application_id,
            to: [text.to.as_e164()],
            from: text.from.as_e164(),
            text: text.body,
            media: text.media_urls,
            tag: text.reference.to_string(),
            expiration,
        };
        let mut body = Vec::with_capacity(320 + text.body.len());
        serde_json::to_writer(&mut body, &send).expect("strings and lists always serialize");
        post(messages_url(account), authorization(account)?, JSON, body)
    }

    fn answer(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Answer {
        if status.is_success() {
            return match serde_json::from_slice::<Created<'_>>(body) {
                Ok(created) if !created.id.is_empty() => accepted(&created.id),
                Ok(_) | Err(_) => refused(status, headers, None),
            };
        }
        refused(status, headers, code(body))
    }

    fn prove(&self, _: &Account, key: &SecretString, request: &WebhookRequest<'_>) -> Result<(), Forged> {
        let told = request.headers.get(AUTHORIZATION).ok_or(Forged::Unsigned)?;
        let (user, password) = key.expose_secret().split_once(':').ok_or(Forged::WrongSignature)?;
        let ours = basic(user, &password.into()).map_err(|_| Forged::WrongSignature)?;
        if is_same(told.as_bytes(), ours.as_bytes()) { Ok(()) } else { Err(Forged::WrongSignature) }
    }

    fn events(&self, request: &Verified<'_>) -> Vec<Result<WebhookEvent, Unreadable>> {
        let body = request.request().body;
        if let Ok(events) = serde_json::from_slice::<Vec<Event<'_>>>(body) {
            return events.iter().map(event).collect();
        }
        // One that is not in the form hides none of the others.
        let Ok(events) = serde_json::from_slice::<Vec<Value>>(body) else {
            return vec![Err(Unreadable("not the JSON of a list of events"))];
        };
        let read = |told: &Value| {
            let read = Event::deserialize(told).map_err(|_| Unreadable("not the JSON of an event"))?;
            event(&read)
        };
        events.iter().map(read).collect()
    }

    fn media_authorization(&self, account: &Account, url: &Uri) -> Result<Option<HeaderValue>, http::Error> {
        if account.is_host_of(url, BASE_URL) { authorization(account).map(Some) } else { Ok(None) }
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

/// A text as Bandwidth reads it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Send<'a> {
    application_id: &'a str,
    to: [&'a str; 1],
    from: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    text: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    media: &'a [String],
    tag: String,
    expiration: String,
}

#[derive(Deserialize)]
struct Created<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
}

/// The answer to something that was refused.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Refusal<'a> {
    #[serde(borrow)]
    r#type: Cow<'a, str>,
    #[serde(default, borrow)]
    field_errors: Vec<FieldError<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FieldError<'a> {
    #[serde(borrow)]
    field_name: Cow<'a, str>,
}

/// One event of a webhook. Whatever else Bandwidth writes into it is passed over.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    #[serde(borrow)]
    r#type: Cow<'a, str>,
    #[serde(borrow)]
    to: Option<Cow<'a, str>>,
    #[serde(borrow)]
    error_code: Option<ErrorCode<'a>>,
    #[serde(borrow)]
    message: Message<'a>,
}

/// Numbers, as far as we know.
#[derive(Deserialize)]
#[serde(untagged)]
enum ErrorCode<'a> {
    Number(u32),
    #[serde(borrow)]
    Text(Cow<'a, str>),
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    direction: Cow<'a, str>,
    #[serde(borrow)]
    from: Option<Cow<'a, str>>,
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow)]
    tag: Option<Cow<'a, str>>,
    #[serde(borrow)]
    media: Option<Vec<Cow<'a, str>>>,
}

fn authorization(account: &Account) -> Result<HeaderValue, http::Error> {
    basic(&account.api_user, &account.api_secret)
}

fn messages_url(account: &Account) -> String {
    format!("{}/api/v2/users/{}/messages", account.base(BASE_URL), segment(&account.account_sid))
}

/// The code in the answer to something that was refused. A malformed request says which field was wrong: a phone that
/// is none is the recipient's fault and not ours.
fn code(body: &[u8]) -> Option<Code> {
    let refusal: Refusal<'_> = serde_json::from_slice(body).ok()?;
    let verdict =
        codes::verdict_of_fields(refusal.field_errors.iter().map(|error| error.field_name.as_ref()))
            .or_else(|| verdict(&refusal.r#type));
    Some(Code { verdict, text: refusal.r#type.into_owned() })
}

fn event(event: &Event<'_>) -> Result<WebhookEvent, Unreadable> {
    match event.message.direction.as_ref() {
        "in" => reply(event),
        "out" => receipt(event),
        _ => Err(Unreadable("neither in nor out")),
    }
}

fn receipt(event: &Event<'_>) -> Result<WebhookEvent, Unreadable> {
    let code = event.error_code.as_ref().map(|code| match code {
        ErrorCode::Number(number) => number.to_string(),
        ErrorCode::Text(text) => text.to_string(),
    });
    Ok(WebhookEvent::Receipt {
        reference: event.message.tag.as_deref().and_then(|tag| tag.parse().ok()),
        fact: fact_of_event(&event.r#type, code.as_deref()),
        provider_message_id: edge::webhook_message_id(&event.message.id)?,
        state: edge::state(&event.r#type),
    })
}

/// What an event means. `None`: Bandwidth does not document it.
fn fact_of_event(event: &str, code: Option<&str>) -> Option<Fact> {
    match event {
        "message-sending" | "message-sent" => Some(Fact::ReceiptSent),
        "message-delivered" | "message-read" => Some(Fact::ReceiptDelivered),
        "message-failed" => Some(undelivered(event, code)),
        _ => None,
    }
}

fn undelivered(state: &str, code: Option<&str>) -> Fact {
    match code.filter(|code| edge::is_code(code)) {
        Some(NO_REPORT) => Fact::ReceiptSent,
        Some(code) => {
            let class = verdict(code).map_or(ErrorClass::Unknown, Verdict::class);
            Fact::ReceiptUndelivered(SendError { class, code: code.to_owned() })
        }
        None => Fact::ReceiptUndelivered(SendError { class: ErrorClass::Unknown, code: state.to_owned() }),
    }
}

fn reply(event: &Event<'_>) -> Result<WebhookEvent, Unreadable> {
    let phone =
        |told: &Option<Cow<'_, str>>, why| told.as_deref().and_then(phone_number).ok_or(Unreadable(why));
    let message = &event.message;
    // How an MMS is laid out is no medium of it.
    let is_layout = |url: &&str| url.ends_with(".smil") || url.ends_with("smil.xml");
    let media = message.media.iter().flatten().map(Cow::as_ref).filter(|url| !is_layout(url));
    let media = Media::of(media);
    Ok(WebhookEvent::Reply {
        from: phone(&message.from, "from is no phone number")?,
        to: phone(&event.to, "to is no phone number")?,
        body: edge::body(message.text.as_deref().unwrap_or_default()),
        media_urls: media.urls,
        media_dropped: media.dropped,
        provider_message_id: edge::webhook_message_id(&message.id)?,
    })
}
