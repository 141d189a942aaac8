//! Twilio Programmable Messaging: form-encoded requests, numeric error codes, webhooks signed with
//! HMAC-SHA1 over the URL and the parameters.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use muster_domain::error::{ErrorClass, SendError};
use muster_domain::provider::Provider;
use muster_domain::status::Fact;
use secrecy::ExposeSecret as _;
use serde::Deserialize;

use crate::credentials::basic;
use crate::edge::{self, Media};
use crate::refusal::{Code, Verdict, accepted, refused};
use crate::signature::{Hmac, sha256_hex_fits};
use crate::webhook::phone_number;
use crate::{
    Account, Adapter, Answer, Correlation, Forged, Inquiries, LookUps, Numbers, Text, Unreadable, Verified,
    WebhookEvent, WebhookRequest,
};

/// Twilio holds a text back for ten hours at most.
const VALIDITY_S_MAX: u32 = 36_000;

/// See the module.
pub(crate) struct Twilio;

impl Adapter for Twilio {
    fn provider(&self) -> Provider {
        Provider::Twilio
    }

    fn base_url(&self) -> &'static str {
        "https://api.twilio.com"
    }

    fn correlation(&self) -> Correlation {
        Correlation::CallbackUrl
    }

    fn request(&self, account: &Account, text: &Text<'_>) -> Result<Request<Bytes>, http::Error> {
        let base = account.base(self.base_url());
        let sid = form_urlencoded::byte_serialize(account.account_sid.as_bytes()).collect::<String>();
        Request::post(format!("{base}/2010-04-01/Accounts/{sid}/Messages.json"))
            .header(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"))
            .header(AUTHORIZATION, basic(&account.account_sid, &account.api_secret)?)
            .body(Bytes::from(form(text)))
    }

    fn answer(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Answer {
        if status.is_success()
            && let Ok(created) = serde_json::from_slice::<Created<'_>>(body)
            && !created.sid.is_empty()
        {
            return accepted(&created.sid);
        }
        let code = serde_json::from_slice::<Refusal>(body).ok().filter(|_| !status.is_success());
        let code = code.map(|Refusal { code }| Code { text: code.to_string(), verdict: verdict(code) });
        refused(status, headers, code)
    }

    fn verify<'a>(&self, account: &Account, request: WebhookRequest<'a>) -> Result<Verified<'a>, Forged> {
        let signature = request.headers.get("x-twilio-signature").ok_or(Forged::Unsigned)?.as_bytes();
        let hmac = Hmac::sha1(account.webhook_key.expose_secret().as_bytes());
        if let Some(hex) = body_sha256(request.url) {
            // A body that is no form is not in the signed string itself: its hash, in the URL, is.
            let genuine = signed_by(&hmac, request.url, "", signature) && sha256_hex_fits(request.body, hex);
            return if genuine { Ok(Verified::new(request)) } else { Err(Forged::WrongSignature) };
        }
        let parameters = parameters(request.body);
        if !signed_by(&hmac, request.url, &signed_parameters(&parameters), signature) {
            return Err(Forged::WrongSignature);
        }
        if value(&parameters, "AccountSid") != Some(&account.account_sid) {
            return Err(Forged::WrongAccount);
        }
        Ok(Verified::new(request))
    }

    fn events(&self, request: &Verified<'_>) -> Result<Vec<WebhookEvent>, Unreadable> {
        let parameters = parameters(request.request().body);
        let id = value(&parameters, "MessageSid").ok_or(Unreadable("no MessageSid"))?;
        let id = edge::webhook_message_id(id)?;
        let event = match value(&parameters, "MessageStatus") {
            Some(state) => receipt(id, state, &parameters),
            None => reply(id, &parameters)?,
        };
        Ok(vec![event])
    }

    fn inquiries(&self) -> Option<&dyn Inquiries> {
        None
    }

    fn look_ups(&self) -> Option<&dyn LookUps> {
        None
    }

    fn numbers(&self) -> Option<&dyn Numbers> {
        None
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

/// Twilio's documented codes. `None`: not documented, or not when this was written; Twilio may add some.
fn verdict(code: u32) -> Option<Verdict> {
    use ErrorClass as E;
    use Verdict::{Passing, Permanent};
    Some(match code {
        20003 | 20005 | 20006 | 20403 => Permanent(E::Credentials),
        20404 => Permanent(E::BadRequest),
        20429 => Passing(E::Rate),
        20500 | 20503 => Passing(E::Transient),
        21211 | 21214 | 21217 | 21604 | 63024 | 21612 => Permanent(E::InvalidRecipient),
        21614 => Permanent(E::Landline),
        21610 => Permanent(E::OptedOut),
        // Trial accounts may only text verified numbers; countries have to be enabled one by one.
        21408 | 21215 | 21608 | 21219 | 14111 => Permanent(E::Account),
        21606 | 21212 | 21601 | 21607 | 21616 | 21657 | 21659 | 21660 => Permanent(E::SenderNumber),
        21621 | 21622 | 21701..=21705 => Permanent(E::SenderNumber),
        // The sender's queue at Twilio is full.
        21611 | 30001 => Passing(E::Rate),
        21602 | 21603 | 21609 | 21619 | 21624 | 21658 => Permanent(E::BadRequest),
        21617 | 21618 | 21620 | 21623 => Permanent(E::Content),
        30002 => Permanent(E::Account),
        // Switched off or out of reach.
        30003 => Passing(E::Transient),
        30004 => Permanent(E::Blocked),
        30005 => Permanent(E::InvalidRecipient),
        30006 => Permanent(E::Landline),
        30007 => Permanent(E::Content),
        // "Unknown error" is what Twilio itself calls it.
        30008 => Permanent(E::Unknown),
        30009 | 30010 => Permanent(E::BadRequest),
        30011 | 30019 => Permanent(E::Content),
        30017 | 30410 | 30450 => Passing(E::Transient),
        30018 | 30024 | 30032 | 30033 | 30034 => Permanent(E::Registration),
        // The number is still being registered with the carriers: minutes.
        30035 => Passing(E::Registration),
        30022 | 63017 | 63018 => Passing(E::Rate),
        // 30025 and 30026 warn that half and 70 % of the day's cap are used.
        30023 | 30025 | 30026 | 30027 => Passing(E::Cap),
        30036 => Permanent(E::Expired),
        _ => return None,
    })
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

fn receipt(provider_message_id: String, state: &str, parameters: &Parameters<'_>) -> WebhookEvent {
    let fact = match state {
        "accepted" | "scheduled" | "queued" | "sending" | "sent" => Some(Fact::ReceiptSent),
        "delivered" | "partially_delivered" | "read" => Some(Fact::ReceiptDelivered),
        "undelivered" | "failed" | "canceled" => {
            Some(Fact::ReceiptUndelivered(receipt_error(state, value(parameters, "ErrorCode"))))
        }
        _ => None,
    };
    WebhookEvent::Receipt { reference: None, fact, provider_message_id, state: edge::state(state) }
}

fn receipt_error(state: &str, code: Option<&str>) -> SendError {
    let Some(code) = code.filter(|code| edge::is_code(code)) else {
        return SendError { class: ErrorClass::Unknown, code: state.to_owned() };
    };
    let class = code.parse().ok().and_then(verdict).map_or(ErrorClass::Unknown, Verdict::class);
    SendError { class, code: code.to_owned() }
}

fn reply(provider_message_id: String, parameters: &Parameters<'_>) -> Result<WebhookEvent, Unreadable> {
    let phone = |name, why| value(parameters, name).and_then(phone_number).ok_or(Unreadable(why));
    let media = Media::of(media_urls(parameters).into_iter());
    Ok(WebhookEvent::Reply {
        from: phone("From", "From is no phone number")?,
        to: phone("To", "To is no phone number")?,
        body: edge::body(value(parameters, "Body").unwrap_or_default()),
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
