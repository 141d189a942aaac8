//! Vonage's dialect: the Messages API and the Reports API.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::Method;
use muster_domain::provider::Provider;
use muster_providers::signature::{Hmac, sha256_hex};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::{Asks, Dialect, Filter, Letter, Route, Signing, Standing, is_busy, reference_of, value};
use crate::account::{AccountSpec, Refused, Signer};
use crate::clock::Second;
use crate::ledger::{Entry, Outcome};
use crate::message::{Receipt, Reply};
use crate::send::{Codes, Refusal, SendRequest};
use crate::target::Target;

const BODY_CHARS_MAX: usize = 3_200;
const PAGE_DEFAULT: usize = 1_000;

const fn problem(code: &'static str, says: &'static str) -> Refusal {
    Refusal { status: 422, code, says }
}

static CODES: Codes = Codes {
    credentials: Refusal { status: 401, code: "unauthorized", says: "Unauthorized" },
    unreadable: problem("1150", "Invalid request body"),
    to_missing: problem("1010", "Missing params"),
    to_invalid: problem("1170", "Invalid or Missing Msisdn"),
    from_missing: problem("1010", "Missing params"),
    from_foreign: problem("1120", "Invalid sender"),
    empty: problem("1010", "Missing params"),
    too_long: problem("1020", "Invalid params"),
    media_bad: problem("1020", "Invalid params"),
    media_many: problem("1020", "Invalid params"),
    callback_bad: problem("1020", "Invalid params"),
    opted_out: problem("1240", "Illegal Number"),
    rate: Refusal { status: 429, code: "1000", says: "Throttled" },
    recipients: &[
        problem("1170", "Invalid or Missing Msisdn"),
        problem("1050", "Number barred"),
        problem("1240", "Illegal Number"),
    ],
    undelivered: &[1180, 1190, 1200, 1210, 1250, 1260],
    failed: &[1220, 1360],
    is_too_long: |body| body.len() > BODY_CHARS_MAX && body.chars().count() > BODY_CHARS_MAX,
};

/// A call, as far as it matters.
#[derive(Deserialize)]
struct Call<'a> {
    #[serde(borrow, default)]
    channel: Cow<'a, str>,
    #[serde(borrow, default)]
    message_type: Cow<'a, str>,
    #[serde(borrow, default)]
    to: Cow<'a, str>,
    #[serde(borrow, default)]
    from: Cow<'a, str>,
    #[serde(borrow, default)]
    text: Cow<'a, str>,
    image: Option<Medium<'a>>,
    vcard: Option<Medium<'a>>,
    audio: Option<Medium<'a>>,
    video: Option<Medium<'a>>,
    file: Option<Medium<'a>>,
    #[serde(borrow, default)]
    content: Vec<Medium<'a>>,
    #[serde(borrow, default)]
    webhook_url: Cow<'a, str>,
    #[serde(borrow, default)]
    client_ref: Cow<'a, str>,
    ttl: Option<u32>,
}

#[derive(Deserialize)]
struct Medium<'a> {
    #[serde(borrow)]
    url: Cow<'a, str>,
    #[serde(borrow, default)]
    caption: Cow<'a, str>,
}

pub(crate) struct Vonage;

impl Dialect for Vonage {
    fn provider(&self) -> Provider {
        Provider::Vonage
    }

    fn codes(&self) -> &'static Codes {
        &CODES
    }

    fn webhook_type(&self) -> &'static str {
        "application/json"
    }

    fn accepted_status(&self) -> u16 {
        202
    }

    fn authorization(&self, spec: &AccountSpec) -> String {
        format!("Basic {}", STANDARD.encode(format!("{}:{}", spec.account_sid, spec.api_secret)))
    }

    fn signer(&self, spec: &AccountSpec) -> Result<(Signer, String), Refused> {
        let secret = spec.webhook_secret.clone().unwrap_or_else(|| format!("signature-{}", spec.api_secret));
        Ok((Signer::Hmac(Box::new(Hmac::sha256(secret.as_bytes()))), secret))
    }

    fn route<'a>(&self, method: &Method, path: &'a str) -> Option<Route<'a>> {
        let asks = match (method, path) {
            (&Method::POST, "/v1/messages") => Asks::Send,
            (&Method::GET, "/v2/reports/records") => Asks::List,
            (_, "/v1/messages" | "/v2/reports/records") => Asks::Other,
            _ => return None,
        };
        Some(Route { account: None, asks })
    }

    fn read<'a>(&self, body: &'a [u8]) -> Result<SendRequest<'a>, Refusal> {
        let call: Call<'a> = serde_json::from_slice(body).map_err(|_| CODES.unreadable)?;
        let ttl_s = match (call.channel.as_ref(), call.message_type.as_ref()) {
            ("sms", "text") => 20..=604_800,
            ("mms", "image" | "vcard" | "audio" | "video" | "file" | "content") => 300..=259_200,
            _ => return Err(problem("1020", "Invalid params")),
        };
        if !call.ttl.is_none_or(|ttl| ttl_s.contains(&ttl)) {
            return Err(problem("1130", "Invalid TTL"));
        }
        let Call { text, image, vcard, audio, video, file, content, .. } = call;
        let media = [image, vcard, audio, video, file].into_iter().flatten().chain(content);
        let (media, captions): (Vec<_>, Vec<_>) = media.map(|medium| (medium.url, medium.caption)).unzip();
        Ok(SendRequest {
            to: e164(&call.to),
            from: e164(&call.from),
            body: captions.into_iter().find(|caption| !caption.is_empty()).unwrap_or(text),
            media,
            callback: call.webhook_url,
            reference: call.client_ref,
        })
    }

    fn message(&self, entry: &Entry, _state: &str, _code: Option<u32>, _now: &Second) -> String {
        json!({"message_uuid": entry.provider_id}).to_string()
    }

    fn filter(&self, query: &str) -> Filter {
        let time = |name| {
            let time: jiff::Timestamp = value(query, name)?.parse().ok()?;
            u64::try_from(time.as_microsecond()).ok()
        };
        Filter {
            to: value(query, "to").map(|to| e164(&to).into_owned()),
            from: value(query, "from").map(|from| e164(&from).into_owned()),
            id: value(query, "id").map(Cow::into_owned),
            since_us: time("date_start"),
            // The end is exclusive.
            until_us: time("date_end").map(|until| until.saturating_sub(1)),
            ..Filter::all(PAGE_DEFAULT)
        }
    }

    fn listed(&self, texts: &[Standing], _filter: &Filter, now: &Second) -> String {
        let record = |text: &Standing| {
            let entry = &text.entry;
            let time = jiff::Timestamp::from_microsecond(i64::try_from(entry.time_us).unwrap_or(0));
            json!({
                "account_id": entry.account,
                "message_id": entry.provider_id,
                "client_ref": reference_of(entry),
                "direction": "outbound",
                "from": bare(&entry.from),
                "to": bare(&entry.to),
                "provider": if entry.media.is_empty() { "sms" } else { "mms" },
                "date_received": time.map(|time| time.to_string()).unwrap_or_default(),
                "status": text.state,
                "error_code": text.code.map(|code| code.to_string()),
            })
        };
        json!({
            "request_id": Uuid::nil(),
            "request_status": "SUCCESS",
            "received_at": format!("{}+0000", now.iso),
            "product": "MESSAGES",
            "direction": "outbound",
            "items_count": texts.len(),
            "records": texts.iter().map(record).collect::<Vec<_>>(),
        })
        .to_string()
    }

    fn refused(&self, Refusal { code, says, .. }: Refusal) -> String {
        let page = if code.starts_with('1') { "api-errors/messages-olympus" } else { "api-errors" };
        json!({
            "type": format!("https://developer.vonage.com/{page}#{code}"),
            "title": says,
            "detail": says,
            "instance": "bf0ca0bf927b3b52e3cb03217e1a1ddf",
        })
        .to_string()
    }

    fn id(&self, number: u128, _has_media: bool) -> Box<str> {
        Uuid::from_u128(number).hyphenated().to_string().into()
    }

    fn number(&self, id: &str) -> Option<u128> {
        Some(Uuid::parse_str(id).ok()?.as_u128())
    }

    fn state_queued(&self) -> &'static str {
        "submitted"
    }

    fn state_sent(&self) -> &'static str {
        "submitted"
    }

    fn state_final(&self, outcome: Outcome) -> (&'static str, Option<u32>) {
        match outcome {
            Outcome::Delivered => ("delivered", None),
            Outcome::Undelivered(code) => ("rejected", Some(code)),
            Outcome::Failed(code) => ("undeliverable", Some(code)),
        }
    }

    fn tries_again(&self, answer: Option<u16>, _: u8, _: &Target) -> bool {
        is_busy(answer)
    }

    fn receipt(&self, letter: &mut Letter, receipt: &Receipt, signing: &Signing<'_>) {
        let entry = &receipt.message.entry;
        let mut webhook = json!({
            "message_uuid": entry.provider_id,
            "to": bare(&entry.to),
            "from": bare(&entry.from),
            "timestamp": format!("{}Z", signing.now.iso),
            "status": receipt.state,
            "channel": if entry.media.is_empty() { "sms" } else { "mms" },
            "usage": {"currency": "EUR", "price": "0.0333"},
        });
        if let Some(reference) = reference_of(entry) {
            webhook["client_ref"] = reference.into();
        }
        if let Some(code) = receipt.code {
            webhook["error"] = json!({
                "type": format!("https://developer.vonage.com/api-errors/messages-olympus#{code}"),
                "title": code,
                "detail": "Not delivered",
                "instance": "bf0ca0bf927b3b52e3cb03217e1a1ddf",
            });
        }
        letter.body.push_str(&webhook.to_string());
    }

    fn reply(&self, letter: &mut Letter, reply: &Reply, signing: &Signing<'_>) {
        let entry = &reply.entry;
        let mut webhook = json!({
            "message_uuid": entry.provider_id,
            "to": bare(&entry.to),
            "from": bare(&entry.from),
            "timestamp": format!("{}Z", signing.now.iso),
        });
        match entry.media.as_slice() {
            [] => {
                webhook["channel"] = "sms".into();
                webhook["message_type"] = "text".into();
                webhook["text"] = entry.body.as_ref().into();
                webhook["sms"] = json!({"num_messages": "1"});
            }
            [url] => {
                webhook["channel"] = "mms".into();
                webhook["message_type"] = "image".into();
                webhook["image"] = json!({"url": url, "caption": entry.body});
            }
            urls => {
                let medium = |url| json!({"type": "image", "url": url});
                let mut content: Vec<_> = urls.iter().map(medium).collect();
                content.push(json!({"type": "text", "text": entry.body}));
                webhook["channel"] = "mms".into();
                webhook["message_type"] = "content".into();
                webhook["content"] = content.into();
            }
        }
        letter.body.push_str(&webhook.to_string());
    }

    fn sign(&self, letter: &mut Letter, signing: &Signing<'_>, spoil: &[u8]) {
        let claims = json!({
            "iat": signing.now.unix_s,
            "jti": Uuid::nil(),
            "iss": "Vonage",
            "payload_hash": sha256_hex(letter.body.as_bytes()),
            "api_key": signing.account.sid,
        });
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let header = encode(br#"{"alg":"HS256","typ":"JWT"}"#);
        let signed = format!("{header}.{}", encode(claims.to_string().as_bytes()));
        let tag = signing.account.signer.hmac_tag(&[signed.as_bytes(), spoil].concat());
        letter.header("Authorization", &format!("Bearer {signed}.{}", encode(&tag)));
    }
}

/// The number as the ledger has it.
fn e164<'a>(msisdn: &str) -> Cow<'a, str> {
    match msisdn {
        "" => Cow::default(),
        msisdn => format!("+{msisdn}").into(),
    }
}

/// The number as Vonage writes it.
fn bare(e164: &str) -> &str {
    e164.trim_start_matches('+')
}
