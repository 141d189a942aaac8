//! Telnyx's dialect.

use std::borrow::Cow;
use std::fmt::Write;

use aws_lc_rs::digest;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use muster_domain::provider::Provider;
use serde::Deserialize;
use uuid::Uuid;

use super::{Asks, Dialect, Filter, Letter, Route, Signing, Standing, value};
use crate::account::{AccountSpec, Refused, Signer};
use crate::chance::Chance;
use crate::clock::Second;
use crate::ledger::{Entry, Outcome};
use crate::message::{Receipt, Reply, Stage};
use crate::send::{Codes, Refusal, SendRequest};
use crate::target::Target;

const SEGMENTS_MAX: usize = 10;
const PAGE_DEFAULT: usize = 20;
const PAGE_MAX: usize = 50;

static CODES: Codes = Codes {
    credentials: Refusal { status: 401, code: "10009", says: "Authentication failed" },
    unreadable: Refusal::bad_request("10015", "Bad Request"),
    to_missing: Refusal { status: 422, code: "10004", says: "Missing required parameter: to" },
    to_invalid: Refusal::bad_request("40310", "Invalid 'to' address"),
    from_missing: Refusal { status: 422, code: "10004", says: "Missing required parameter: from" },
    from_foreign: Refusal::bad_request("40305", "Invalid 'from' address"),
    empty: Refusal::bad_request("40316", "No content provided to this message"),
    too_long: Refusal::bad_request("40302", "Message too large"),
    media_bad: Refusal::bad_request("40317", "Invalid MMS content"),
    media_many: Refusal::bad_request("40317", "Invalid MMS content"),
    callback_bad: Refusal { status: 422, code: "10015", says: "webhook_url is not a valid URL" },
    opted_out: Refusal::bad_request("40300", "Blocked due to STOP message"),
    rate: Refusal { status: 429, code: "10011", says: "Too many requests" },
    recipients: &[
        Refusal::bad_request("40310", "Invalid 'to' address"),
        Refusal::bad_request("40001", "Not routable"),
        Refusal::bad_request("40300", "Blocked due to STOP message"),
    ],
    undelivered: &[40001, 40002, 40003, 40006, 40008],
    failed: &[40010, 40100],
    is_too_long,
};

/// A call, as far as it matters.
#[derive(Deserialize)]
struct Call<'a> {
    #[serde(borrow, default)]
    to: Cow<'a, str>,
    #[serde(borrow, default)]
    from: Cow<'a, str>,
    #[serde(borrow, default)]
    text: Cow<'a, str>,
    #[serde(borrow, default)]
    media_urls: Vec<Cow<'a, str>>,
    #[serde(borrow, default)]
    webhook_url: Cow<'a, str>,
    #[serde(borrow, default)]
    r#type: Cow<'a, str>,
}

pub(crate) struct Telnyx;

impl Dialect for Telnyx {
    fn provider(&self) -> Provider {
        Provider::Telnyx
    }

    fn codes(&self) -> &'static Codes {
        &CODES
    }

    fn webhook_type(&self) -> &'static str {
        "application/json"
    }

    fn accepted_status(&self) -> u16 {
        200
    }

    fn authorization(&self, spec: &AccountSpec) -> String {
        format!("Bearer {}", spec.api_secret)
    }

    fn signer(&self, spec: &AccountSpec) -> Result<(Signer, String), Refused> {
        let seed = match &spec.webhook_secret {
            Some(hex) => seed(hex).ok_or(Refused::Seed)?,
            // Any seed will do, as long as the same account has the same one after a restart.
            None => digest::digest(&digest::SHA256, spec.api_secret.as_bytes()).as_ref().to_vec(),
        };
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| Refused::Seed)?;
        let public_key = STANDARD.encode(pair.public_key());
        Ok((Signer::Ed25519(pair), public_key))
    }

    fn route<'a>(&self, method: &Method, path: &'a str) -> Option<Route<'a>> {
        let asks = match (method, path.strip_prefix("/v2/messages"), path) {
            (&Method::POST, Some(""), _) => Asks::Send,
            (&Method::GET, Some(rest), _) => rest.strip_prefix('/').map_or(Asks::Other, Asks::Text),
            (_, Some(_), _) => Asks::Other,
            (&Method::GET, None, "/v2/detail_records") => Asks::List,
            (_, None, _) => return None,
        };
        Some(Route { account: None, asks })
    }

    fn read<'a>(&self, body: &'a [u8]) -> Result<SendRequest<'a>, Refusal> {
        let call: Call<'a> = serde_json::from_slice(body).map_err(|_| CODES.unreadable)?;
        match call.r#type.as_ref() {
            "" | "SMS" | "MMS" => {}
            _ => return Err(Refusal::bad_request("10032", "Invalid enumerated value: type")),
        }
        Ok(SendRequest {
            to: call.to,
            from: call.from,
            body: call.text,
            media: call.media_urls,
            callback: call.webhook_url,
            reference: Cow::default(),
        })
    }

    fn message(&self, entry: &Entry, state: &str, code: Option<u32>, now: &Second) -> String {
        let text = serde_json::to_string(&entry.body).unwrap_or_default();
        let Entry { to, from, provider_id: id, .. } = entry;
        let kind = if entry.media.is_empty() { "SMS" } else { "MMS" };
        let (errors, iso) = (errors(code), &now.iso);
        let mut json = String::with_capacity(640 + text.len());
        let written = write!(
            json,
            "{{\"data\":{{\"record_type\":\"message\",\"direction\":\"outbound\",\"id\":\"{id}\",\
             \"type\":\"{kind}\",\"from\":{{\"phone_number\":\"{from}\",\"carrier\":\"\",\"line_type\":\"\"}},\
             \"to\":[{{\"phone_number\":\"{to}\",\"status\":\"{state}\",\"carrier\":\"\",\"line_type\":\"\"}}],\
             \"cc\":[],\"text\":{text},\"media\":[],\"use_profile_webhooks\":false,\"encoding\":\"GSM-7\",\
             \"parts\":1,\"tags\":[],\"cost\":null,\"received_at\":\"{iso}.000+00:00\",\"sent_at\":null,\
             \"completed_at\":null,\"wait_seconds\":0,\"errors\":{errors}}}}}"
        );
        written.expect("a String takes every write");
        json
    }

    fn filter(&self, query: &str) -> Filter {
        let time =
            |name| value(query, name)?.parse::<jiff::Timestamp>().ok()?.as_microsecond().try_into().ok();
        let size = value(query, "page[size]").and_then(|size| size.parse().ok()).unwrap_or(PAGE_DEFAULT);
        Filter {
            to: value(query, "filter[cld]").map(Cow::into_owned),
            from: value(query, "filter[cli]").map(Cow::into_owned),
            since_us: time("filter[created_at][gte]"),
            until_us: time("filter[created_at][lte]"),
            ..Filter::all(size.clamp(1, PAGE_MAX))
        }
    }

    fn listed(&self, texts: &[Standing], filter: &Filter, _now: &Second) -> String {
        let record = |text: &Standing| {
            let Entry { to, from, provider_id, time_us, .. } = &text.entry;
            let time = jiff::Timestamp::from_microsecond(i64::try_from(*time_us).unwrap_or(0));
            let status = match text.state {
                "delivery_failed" | "sending_failed" => "failed",
                "sent" => "dlr_unconfirmed",
                state => state,
            };
            serde_json::json!({
                "record_type": "message_detail_record",
                "uuid": provider_id,
                "direction": "outbound",
                "cld": to,
                "cli": from,
                "status": status,
                "errors": text.code.map(|code| code.to_string()).into_iter().collect::<Vec<_>>(),
                "created_at": time.map(|time| time.to_string()).unwrap_or_default(),
            })
        };
        let data: Vec<_> = texts.iter().map(record).collect();
        let pages = if texts.len() < filter.size { 1 } else { 2 };
        let meta = serde_json::json!({
            "page_number": 1, "page_size": filter.size, "total_pages": pages, "total_results": texts.len(),
        });
        serde_json::json!({"data": data, "meta": meta}).to_string()
    }

    fn refused(&self, Refusal { code, says, .. }: Refusal) -> String {
        format!(
            "{{\"errors\":[{{\"code\":\"{code}\",\"title\":\"{says}\",\"detail\":\"{says}\",\
             \"meta\":{{\"url\":\"https://developers.telnyx.com/docs/overview/errors/{code}\"}}}}]}}"
        )
    }

    fn id(&self, number: u128, _has_media: bool) -> Box<str> {
        Uuid::from_u128(number).hyphenated().to_string().into()
    }

    fn number(&self, id: &str) -> Option<u128> {
        Some(Uuid::parse_str(id).ok()?.as_u128())
    }

    fn state_queued(&self) -> &'static str {
        "queued"
    }

    fn state_sent(&self) -> &'static str {
        "sent"
    }

    fn state_final(&self, outcome: Outcome) -> (&'static str, Option<u32>) {
        match outcome {
            Outcome::Delivered => ("delivered", None),
            Outcome::Undelivered(code) => ("delivery_failed", Some(code)),
            Outcome::Failed(code) => ("sending_failed", Some(code)),
        }
    }

    fn tries_again(&self, _: Option<u16>, _: u8, _: &Target) -> bool {
        true
    }

    fn receipt(&self, letter: &mut Letter, receipt: &Receipt, signing: &Signing<'_>) {
        let Entry { to, from, provider_id: id, body, .. } = &receipt.message.entry;
        let text = serde_json::to_string(body).unwrap_or_default();
        let kind = match receipt.stage {
            Stage::Interim => "message.sent",
            Stage::Final => "message.finalized",
        };
        let (state, url, iso) = (&receipt.state, signing.url, &signing.now.iso);
        let (errors, event) = (errors(receipt.code), event_id(id, state));
        let written = write!(
            letter.body,
            "{{\"data\":{{\"event_type\":\"{kind}\",\"id\":\"{event}\",\"occurred_at\":\"{iso}.000+00:00\",\
             \"payload\":{{\"direction\":\"outbound\",\"errors\":{errors},\
             \"from\":{{\"phone_number\":\"{from}\"}},\"id\":\"{id}\",\"media\":[],\
             \"record_type\":\"message\",\"text\":{text},\
             \"to\":[{{\"phone_number\":\"{to}\",\"status\":\"{state}\"}}]}},\"record_type\":\"event\"}},\
             \"meta\":{{\"attempt\":1,\"delivered_to\":\"{url}\"}}}}"
        );
        written.expect("a String takes every write");
    }

    fn reply(&self, letter: &mut Letter, reply: &Reply, signing: &Signing<'_>) {
        let medium = |url| serde_json::json!({"url": url, "content_type": "image/png"});
        let entry = &reply.entry;
        let webhook = serde_json::json!({
            "data": {
                "event_type": "message.received",
                "id": event_id(&entry.provider_id, "received").to_string(),
                "occurred_at": format!("{}.000+00:00", signing.now.iso),
                "payload": {
                    "direction": "inbound",
                    "errors": [],
                    "from": {"phone_number": entry.from, "status": "webhook_delivered"},
                    "id": entry.provider_id,
                    "media": entry.media.iter().map(medium).collect::<Vec<_>>(),
                    "record_type": "message",
                    "text": entry.body,
                    "to": [{"phone_number": entry.to, "status": "webhook_delivered"}],
                    "type": if entry.media.is_empty() { "SMS" } else { "MMS" },
                },
                "record_type": "event",
            },
            "meta": {"attempt": 1, "delivered_to": signing.url},
        });
        letter.body.push_str(&webhook.to_string());
    }

    fn sign(&self, letter: &mut Letter, signing: &Signing<'_>, spoil: &[u8]) {
        let unix_s = signing.now.unix_s.to_string();
        letter.signed.extend_from_slice(unix_s.as_bytes());
        letter.signed.push(b'|');
        letter.signed.extend_from_slice(letter.body.as_bytes());
        letter.signed.extend_from_slice(spoil);
        let signature = signing.account.signer.ed25519(&letter.signed);
        letter.header("telnyx-timestamp", &unix_s);
        letter.header("telnyx-signature-ed25519", &signature);
    }
}

/// An event has an id of its own, which is the same each time it is posted.
fn event_id(message_id: &str, state: &str) -> Uuid {
    let message_id = Uuid::parse_str(message_id).unwrap_or_default();
    Uuid::from_u128(message_id.as_u128() ^ (u128::from(Chance::of(0, &[state.as_bytes()]).draw()) << 70))
}

fn errors(code: Option<u32>) -> Cow<'static, str> {
    code.map_or(Cow::Borrowed("[]"), |code| {
        format!("[{{\"code\":\"{code}\",\"title\":\"Not delivered\",\"detail\":\"Not delivered\"}}]").into()
    })
}

/// Ten segments. Letters up to U+00FF count as GSM-7, which most of them are.
fn is_too_long(text: &str) -> bool {
    let septets = text.chars().all(|char| char <= '\u{ff}');
    let max = SEGMENTS_MAX * if septets { 153 } else { 67 };
    text.len() > max && text.encode_utf16().count() > max
}

fn seed(hex: &str) -> Option<Vec<u8>> {
    let pairs = hex.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
    pairs.map(byte).collect::<Option<Vec<u8>>>().filter(|seed| seed.len() == 32)
}
