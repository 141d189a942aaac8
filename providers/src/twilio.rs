//! Twilio Programmable Messaging: form-encoded requests, numeric error codes, webhooks signed with
//! HMAC-SHA1 over the URL and the parameters.

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
use serde::Deserialize;

use crate::ask::{FORM, post, segment};
use crate::credentials::basic;
use crate::edge::{self, Media};
use crate::refusal::{Code, Verdict, accepted, refused};
use crate::signature::{Hmac, sha256_hex_fits};
use crate::webhook::phone_number;
use crate::{
    Account, Adapter, Answer, Correlation, Forged, Inquiries, LookUps, Numbers, Text, Unreadable, Verified,
    WebhookEvent, WebhookRequest,
};

use self::codes::verdict;

const BASE_URL: &str = "https://api.twilio.com";
/// Twilio holds a text back for ten hours at most.
const VALIDITY_S_MAX: u32 = 36_000;

/// See the module.
pub(crate) struct Twilio;

impl Adapter for Twilio {
    fn provider(&self) -> Provider {
        Provider::Twilio
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
        let url = format!("{}/Messages.json", url(account));
        post(url, authorization(account)?, FORM, form(text))
    }

    fn answer(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Answer {
        if status.is_success()
            && let Ok(created) = serde_json::from_slice::<Created<'_>>(body)
            && !created.sid.is_empty()
        {
            return accepted(&created.sid);
        }
        refused(status, headers, if status.is_success() { None } else { code(body) })
    }

    fn prove(
        &self,
        account: &Account,
        key: &SecretString,
        request: &WebhookRequest<'_>,
    ) -> Result<(), Forged> {
        let signature = request.headers.get("x-twilio-signature").ok_or(Forged::Unsigned)?.as_bytes();
        let hmac = Hmac::sha1(key.expose_secret().as_bytes());
        if let Some(hex) = body_sha256(request.url) {
            // A body that is no form is not in the signed string itself: its hash, in the URL, is.
            let genuine = signed_by(&hmac, request.url, "", signature) && sha256_hex_fits(request.body, hex);
            return if genuine { Ok(()) } else { Err(Forged::WrongSignature) };
        }
        let parameters = parameters(request.body);
        if !signed_by(&hmac, request.url, &signed_parameters(&parameters), signature) {
            return Err(Forged::WrongSignature);
        }
        if value(&parameters, "AccountSid") != Some(&account.account_sid) {
            return Err(Forged::WrongAccount);
        }
        Ok(())
    }

    fn events(&self, request: &Verified<'_>) -> Vec<Result<WebhookEvent, Unreadable>> {
        vec![event(&parameters(request.request().body))]
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

/// The answer to an accepted text, as far as it matters.
#[derive(Deserialize)]
struct Created<'a> {
    #[serde(borrow)]
    sid: Cow<'a, str>,
}

/// The answer to a refused one, likewise.
#[derive(Deserialize)]
struct Refusal {
    code: u32,
}

/// The URL that all of the account is under.
fn url(account: &Account) -> String {
    format!("{}/2010-04-01/Accounts/{}", account.base(BASE_URL), segment(&account.account_sid))
}

fn authorization(account: &Account) -> Result<HeaderValue, http::Error> {
    basic(&account.account_sid, &account.api_secret)
}

/// The code in the answer to something that was refused.
fn code(body: &[u8]) -> Option<Code> {
    let Refusal { code } = serde_json::from_slice(body).ok()?;
    Some(Code { text: code.to_string(), verdict: verdict(code) })
}

fn form(text: &Text<'_>) -> String {
    let bytes = text.body.len() + text.status_callback.len();
    let mut form = form_urlencoded::Serializer::new(String::with_capacity(128 + bytes * 3 / 2));
    form.append_pair("To", text.to.as_e164()).append_pair("From", text.from.as_e164());
    if !text.body.is_empty() {
        form.append_pair("Body", text.body);
    }
    for url in text.media_urls {
        form.append_pair("MediaUrl", url);
    }
    form.append_pair("StatusCallback", text.status_callback);
    let mut form = form.finish();
    form.push_str("&ValidityPeriod=");
    form.push_str(&text.validity_s.clamp(1, VALIDITY_S_MAX).to_string());
    form
}

type Parameters<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

fn parameters(body: &[u8]) -> Parameters<'_> {
    let mut parameters = Vec::with_capacity(24);
    parameters.extend(form_urlencoded::parse(body));
    parameters
}

fn value<'a>(parameters: &'a Parameters<'_>, name: &str) -> Option<&'a str> {
    parameters.iter().find_map(|(key, value)| (key == name).then_some(value.as_ref()))
}

/// The part of the signed string that follows the URL: every name and value, sorted, each pair once.
fn signed_parameters(parameters: &Parameters<'_>) -> String {
    let mut pairs: Vec<(&str, &str)> = parameters.iter().map(|(k, v)| (k.as_ref(), v.as_ref())).collect();
    pairs.sort_unstable();
    pairs.dedup();
    let mut signed = String::with_capacity(pairs.iter().map(|(k, v)| k.len() + v.len()).sum());
    for (name, value) in pairs {
        signed.push_str(name);
        signed.push_str(value);
    }
    signed
}

/// Twilio may sign the URL with or without its default port, whichever it was given.
fn signed_by(hmac: &Hmac, url: &str, parameters: &str, signature: &[u8]) -> bool {
    let fits = |url: &str| hmac.fits([url, parameters].concat().as_bytes(), signature);
    fits(url) || other_port_form(url).is_some_and(|url| fits(&url))
}

fn other_port_form(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let port = match scheme {
        "https" => ":443",
        "http" => ":80",
        _ => return None,
    };
    let (host, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    match host.strip_suffix(port) {
        Some(host) => Some(format!("{scheme}://{host}{path}")),
        None if host.contains(':') => None,
        None => Some(format!("{scheme}://{host}{port}{path}")),
    }
}

fn body_sha256(url: &str) -> Option<&str> {
    let (_, query) = url.split_once('?')?;
    query.split('&').find_map(|pair| pair.strip_prefix("bodySHA256="))
}

fn event(parameters: &Parameters<'_>) -> Result<WebhookEvent, Unreadable> {
    let id = value(parameters, "MessageSid").ok_or(Unreadable("no MessageSid"))?;
    let id = edge::webhook_message_id(id)?;
    match value(parameters, "MessageStatus") {
        Some(state) => Ok(receipt(id, state, parameters)),
        None => reply(id, parameters),
    }
}

fn receipt(provider_message_id: String, state: &str, parameters: &Parameters<'_>) -> WebhookEvent {
    let fact = fact(state, value(parameters, "ErrorCode"));
    WebhookEvent::Receipt { reference: None, fact, provider_message_id, state: edge::state(state) }
}

/// What a state means, in receipts and in lists. `None`: Twilio does not document it.
fn fact(state: &str, code: Option<&str>) -> Option<Fact> {
    match state {
        "accepted" | "scheduled" | "queued" | "sending" | "sent" => Some(Fact::ReceiptSent),
        "delivered" | "partially_delivered" | "read" => Some(Fact::ReceiptDelivered),
        "undelivered" | "failed" | "canceled" => Some(Fact::ReceiptUndelivered(receipt_error(state, code))),
        _ => None,
    }
}

fn receipt_error(state: &str, code: Option<&str>) -> SendError {
    let Some(code) = code.filter(|code| edge::is_code(code)) else {
        return SendError { class: ErrorClass::Unknown, code: state.to_owned() };
    };
    let class = code.parse().ok().and_then(verdict).map_or(ErrorClass::Unknown, Verdict::class);
    SendError { class, code: code.to_owned() }
}

/// Every reply has a body, if an empty one. What has neither state nor body may be a webhook of which somebody moved a
/// letter from a value into its name: Twilio signs them without a mark in between.
fn reply(provider_message_id: String, parameters: &Parameters<'_>) -> Result<WebhookEvent, Unreadable> {
    let body = value(parameters, "Body").ok_or(Unreadable("neither MessageStatus nor Body"))?;
    let phone = |name, why| value(parameters, name).and_then(phone_number).ok_or(Unreadable(why));
    let media = Media::of(media_urls(parameters).into_iter());
    Ok(WebhookEvent::Reply {
        from: phone("From", "From is no phone number")?,
        to: phone("To", "To is no phone number")?,
        body: edge::body(body),
        media_urls: media.urls,
        media_dropped: media.dropped,
        provider_message_id,
    })
}

/// The values of `MediaUrl0`, `MediaUrl1` and so on, in the order of their numbers.
fn media_urls<'a>(parameters: &'a Parameters<'_>) -> Vec<&'a str> {
    let number = |name: &str| name.strip_prefix("MediaUrl")?.parse::<u32>().ok();
    let told = parameters.iter().filter_map(|(name, url)| Some((number(name)?, url.as_ref())));
    let mut told: Vec<(u32, &str)> = told.collect();
    told.sort_by_key(|(number, _)| *number);
    told.into_iter().map(|(_, url)| url).collect()
}
