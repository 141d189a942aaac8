//! Plivo Messaging: JSON requests, answers that refuse without a code, forms signed with HMAC-SHA256 over the URL, the
//! parameters and a nonce.

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

use crate::ask::{JSON, post, segment};
use crate::credentials::basic;
use crate::edge::{self, Media};
use crate::refusal::{Code, Verdict, accepted, refused};
use crate::signature::Hmac;
use crate::webhook::bare_phone_number;
use crate::{
    Account, Adapter, Answer, Correlation, Forged, Inquiries, LookUps, Numbers, Text, Unreadable, Verified,
    WebhookEvent, WebhookRequest,
};

use self::codes::verdict;

const BASE_URL: &str = "https://api.plivo.com";
/// Plivo drops what was in its queue for three hours.
const EXPIRY_S_MAX: u32 = 10_800;
/// The signature by the token of the account that texted, and by that of the account above it.
const SIGNATURES: [&str; 2] = ["x-plivo-signature-v3", "x-plivo-signature-ma-v3"];

/// See the module.
pub(crate) struct Plivo;

impl Adapter for Plivo {
    fn provider(&self) -> Provider {
        Provider::Plivo
    }

    fn base_url(&self) -> &'static str {
        BASE_URL
    }

    fn correlation(&self) -> Correlation {
        Correlation::CallbackUrl
    }

    fn signs_the_url(&self) -> bool {
        true
    }

    fn request(&self, account: &Account, text: &Text<'_>) -> Result<Request<Bytes>, http::Error> {
        let mut body = Vec::with_capacity(256 + text.body.len() + text.status_callback.len());
        serde_json::to_writer(&mut body, &Send::from(text)).expect("strings and lists always serialize");
        post(format!("{}/Message/", url(account)), authorization(account)?, JSON, body)
    }

    fn answer(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Answer {
        if status.is_success()
            && let Ok(created) = serde_json::from_slice::<Created<'_>>(body)
            && let [id] = &created.message_uuid[..]
            && !id.is_empty()
        {
            return accepted(id);
        }
        refused(status, headers, None)
    }

    /// The scheme of the third version, which covers the body. The second does not, and is never believed.
    fn prove(&self, _: &Account, key: &SecretString, request: &WebhookRequest<'_>) -> Result<(), Forged> {
        let nonce = request.headers.get("x-plivo-signature-v3-nonce").ok_or(Forged::Unsigned)?;
        let signatures: Vec<&HeaderValue> =
            SIGNATURES.into_iter().flat_map(|name| request.headers.get_all(name)).collect();
        if signatures.is_empty() {
            return Err(Forged::Unsigned);
        }
        let signed = [signed(request.url, request.body).as_bytes(), b".", nonce.as_bytes()].concat();
        let hmac = Hmac::sha256(key.expose_secret().as_bytes());
        let mut told = signatures.into_iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
        if told.any(|signature| hmac.fits(&signed, signature.trim_ascii())) {
            Ok(())
        } else {
            Err(Forged::WrongSignature)
        }
    }

    fn events(&self, request: &Verified<'_>) -> Vec<Result<WebhookEvent, Unreadable>> {
        vec![event(&parameters(request.request().body))]
    }

    fn media_authorization(
        &self,
        _account: &Account,
        _url: &Uri,
    ) -> Result<Option<HeaderValue>, http::Error> {
        // Its links are open.
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

/// A text as Plivo reads it.
#[derive(Serialize)]
struct Send<'a> {
    src: &'a str,
    dst: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    text: &'a str,
    r#type: &'static str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    media_urls: &'a [String],
    url: &'a str,
    method: &'static str,
    message_expiry: u32,
}

impl<'a> From<&Text<'a>> for Send<'a> {
    fn from(text: &Text<'a>) -> Self {
        Self {
            src: text.from.as_e164(),
            dst: text.to.as_e164(),
            text: text.body,
            r#type: if text.media_urls.is_empty() { "sms" } else { "mms" },
            media_urls: text.media_urls,
            url: text.status_callback,
            method: "POST",
            message_expiry: text.validity_s.clamp(1, EXPIRY_S_MAX),
        }
    }
}

/// One recipient was asked for, so there is one id.
#[derive(Deserialize)]
struct Created<'a> {
    #[serde(borrow)]
    message_uuid: Vec<Cow<'a, str>>,
}

fn authorization(account: &Account) -> Result<HeaderValue, http::Error> {
    basic(&account.account_sid, &account.api_secret)
}

/// The URL that all of the account is under.
fn url(account: &Account) -> String {
    format!("{}/v1/Account/{}", account.base(BASE_URL), segment(&account.account_sid))
}

/// Plivo says in words alone why it refuses something.
fn no_code(_: &[u8]) -> Option<Code> {
    None
}

type Parameters<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

fn parameters(form: &[u8]) -> Parameters<'_> {
    form_urlencoded::parse(form).collect()
}

fn value<'a>(parameters: &'a Parameters<'_>, name: &str) -> Option<&'a str> {
    parameters.iter().find_map(|(key, value)| (key == name).then_some(value.as_ref()))
}

/// What is signed, but for the nonce: the URL with its query sorted, then the parameters, sorted, each name and its
/// value together.
fn signed(url: &str, body: &[u8]) -> String {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let [mut query, mut parameters] = [parameters(query.as_bytes()), parameters(body)];
    query.sort_unstable();
    parameters.sort_unstable();
    let mut signed = path.to_owned();
    if !query.is_empty() || !parameters.is_empty() {
        signed.push('?');
    }
    let pairs: Vec<_> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    signed.push_str(&pairs.join("&"));
    if !query.is_empty() && !parameters.is_empty() {
        signed.push('.');
    }
    signed.extend(parameters.iter().flat_map(|(name, value)| [name.as_ref(), value.as_ref()]));
    signed
}

fn event(parameters: &Parameters<'_>) -> Result<WebhookEvent, Unreadable> {
    let id = value(parameters, "MessageUUID").ok_or(Unreadable("no MessageUUID"))?;
    let id = edge::webhook_message_id(id)?;
    match value(parameters, "Status") {
        Some(state) => Ok(receipt(id, state, parameters)),
        None => reply(id, parameters),
    }
}

fn receipt(provider_message_id: String, state: &str, parameters: &Parameters<'_>) -> WebhookEvent {
    let fact = fact(state, value(parameters, "ErrorCode"));
    WebhookEvent::Receipt { reference: None, fact, provider_message_id, state: edge::state(state) }
}

/// What a state means, in receipts and in lists. `None`: Plivo does not document it.
fn fact(state: &str, code: Option<&str>) -> Option<Fact> {
    match state {
        "queued" | "sent" => Some(Fact::ReceiptSent),
        "delivered" | "read" => Some(Fact::ReceiptDelivered),
        "undelivered" | "failed" | "rejected" => Some(Fact::ReceiptUndelivered(receipt_error(state, code))),
        _ => None,
    }
}

fn receipt_error(state: &str, code: Option<&str>) -> SendError {
    // 000 is no error.
    let Some(code) = code.filter(|code| edge::is_code(code) && *code != "000") else {
        return SendError { class: ErrorClass::Unknown, code: state.to_owned() };
    };
    let class = code.parse().ok().and_then(verdict).map_or(ErrorClass::Unknown, Verdict::class);
    SendError { class, code: code.to_owned() }
}

/// Every reply has a text or media. What has neither may be a receipt of which somebody moved a letter from a value into
/// its name: Plivo signs them without a mark in between.
fn reply(provider_message_id: String, parameters: &Parameters<'_>) -> Result<WebhookEvent, Unreadable> {
    let phone = |name, why| value(parameters, name).and_then(bare_phone_number).ok_or(Unreadable(why));
    // An SMS has a text, an MMS has a body.
    let body = value(parameters, "Text").or_else(|| value(parameters, "Body"));
    let media = Media::of(media_urls(parameters).into_iter());
    if body.is_none() && media.urls.is_empty() && media.dropped == 0 {
        return Err(Unreadable("neither Status nor Text nor Body nor media"));
    }
    Ok(WebhookEvent::Reply {
        from: phone("From", "From is no phone number")?,
        to: phone("To", "To is no phone number")?,
        body: edge::body(body.unwrap_or_default()),
        media_urls: media.urls,
        media_dropped: media.dropped,
        provider_message_id,
    })
}

/// The values of `Media0`, `Media1` and so on, in the order of their numbers, wherever they begin to count.
fn media_urls<'a>(parameters: &'a Parameters<'_>) -> Vec<&'a str> {
    let number = |name: &str| name.strip_prefix("Media")?.parse::<u32>().ok();
    let told = parameters.iter().filter_map(|(name, url)| Some((number(name)?, url.as_ref())));
    let mut told: Vec<(u32, &str)> = told.collect();
    told.sort_by_key(|(number, _)| *number);
    told.into_iter().map(|(_, url)| url).collect()
}
