//! Plivo's dialect.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use muster_domain::provider::Provider;
use muster_providers::signature::Hmac;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Asks, Dialect, Filter, Letter, Route, Signing, Standing, micros, value};
use crate::account::{AccountSpec, Refused, Signer};
use crate::clock::Second;
use crate::ledger::{Entry, Outcome};
use crate::message::{Receipt, Reply};
use crate::send::{Codes, Refusal, SendRequest};
use crate::target::Target;

const TEXT_CHARS_MAX: usize = 1_600;
const PAGE_MAX: usize = 20;

/// Plivo refuses in words, without a code: what stands for one in the counts is the status.
const fn refusal(status: u16, code: &'static str, says: &'static str) -> Refusal {
    Refusal { status, code, says }
}

const BAD_DST: Refusal = refusal(400, "http-400", "dst parameter is not valid");

static CODES: Codes = Codes {
    credentials: refusal(401, "http-401", "authentication failed"),
    unreadable: refusal(400, "http-400", "malformed JSON"),
    to_missing: refusal(400, "http-400", "dst parameter not present"),
    to_invalid: BAD_DST,
    from_missing: refusal(400, "http-400", "src parameter not present"),
    from_foreign: refusal(400, "http-400", "src parameter is not valid"),
    empty: refusal(400, "http-400", "text parameter not present"),
    too_long: refusal(400, "http-400", "text parameter is too long"),
    media_bad: refusal(400, "http-400", "media_urls parameter is not valid"),
    media_many: refusal(400, "http-400", "media_urls parameter has too many"),
    callback_bad: refusal(400, "http-400", "url parameter is not valid"),
    opted_out: BAD_DST,
    rate: refusal(429, "http-429", "too many requests"),
    recipients: &[BAD_DST],
    undelivered: &[30, 50, 70, 80, 100, 200],
    failed: &[40, 300, 420],
    is_too_long: |body| body.len() > TEXT_CHARS_MAX && body.chars().count() > TEXT_CHARS_MAX,
};

/// A call, as far as it matters.
#[derive(Deserialize)]
struct Call<'a> {
    #[serde(borrow, default)]
    src: Cow<'a, str>,
    #[serde(borrow, default)]
    dst: Cow<'a, str>,
    #[serde(borrow, default)]
    text: Cow<'a, str>,
    #[serde(borrow, default)]
    r#type: Cow<'a, str>,
    #[serde(borrow, default)]
    media_urls: Vec<Cow<'a, str>>,
    #[serde(borrow, default)]
    url: Cow<'a, str>,
}

pub(crate) struct Plivo;

impl Dialect for Plivo {
    fn provider(&self) -> Provider {
        Provider::Plivo
    }

    fn codes(&self) -> &'static Codes {
        &CODES
    }

    fn webhook_type(&self) -> &'static str {
        "application/x-www-form-urlencoded"
    }

    fn accepted_status(&self) -> u16 {
        202
    }

    fn authorization(&self, spec: &AccountSpec) -> String {
        format!("Basic {}", STANDARD.encode(format!("{}:{}", spec.account_sid, spec.api_secret)))
    }

    fn signer(&self, spec: &AccountSpec) -> Result<(Signer, String), Refused> {
        let token = spec.webhook_secret.as_ref().unwrap_or(&spec.api_secret);
        Ok((Signer::Hmac(Box::new(Hmac::sha256(token.as_bytes()))), token.clone()))
    }

    fn route<'a>(&self, method: &Method, path: &'a str) -> Option<Route<'a>> {
        let (account, rest) = path.strip_prefix("/v1/Account/")?.split_once('/')?;
        let text = rest.strip_prefix("Message/").and_then(|rest| rest.strip_suffix('/'));
        let asks = match (method, rest, text) {
            (&Method::POST, "Message/", _) => Asks::Send,
            (&Method::GET, "Message/", _) => Asks::List,
            (&Method::GET, _, Some(id)) => Asks::Text(id),
            _ => Asks::Other,
        };
        Some(Route { account: Some(account), asks })
    }

    fn read<'a>(&self, body: &'a [u8]) -> Result<SendRequest<'a>, Refusal> {
        let call: Call<'a> = serde_json::from_slice(body).map_err(|_| CODES.unreadable)?;
        if (call.r#type == "mms") == call.media_urls.is_empty() {
            return Err(refusal(400, "http-400", "type parameter does not fit"));
        }
        Ok(SendRequest {
            to: call.dst,
            from: call.src,
            body: call.text,
            media: call.media_urls,
            callback: call.url,
            reference: Cow::default(),
        })
    }

    fn message(&self, entry: &Entry, state: &str, code: Option<u32>, _now: &Second) -> String {
        if state == self.state_queued() {
            let id = &entry.provider_id;
            return json!({"message": "message(s) queued", "message_uuid": [id], "api_id": id}).to_string();
        }
        record(entry, state, code).to_string()
    }

    fn filter(&self, query: &str) -> Filter {
        let phone = |name| value(query, name).map(|phone| format!("+{phone}"));
        let time = |name| micros(&format!("{}Z", value(query, name)?.replace(' ', "T")));
        let size = value(query, "limit").and_then(|size| size.parse().ok()).unwrap_or(PAGE_MAX);
        Filter {
            to: phone("to_number"),
            from: phone("from_number"),
            since_us: time("message_time__gte"),
            until_us: time("message_time__lte"),
            ..Filter::all(size.clamp(1, PAGE_MAX))
        }
    }

    fn listed(&self, texts: &[Standing], filter: &Filter, _now: &Second) -> String {
        let objects: Vec<_> = texts.iter().map(|text| record(&text.entry, text.state, text.code)).collect();
        let next = (texts.len() == filter.size).then_some("/v1/next");
        let meta = json!({"limit": filter.size, "offset": 0, "next": next, "previous": null});
        json!({"api_id": "1", "meta": meta, "objects": objects}).to_string()
    }

    fn refused(&self, Refusal { says, .. }: Refusal) -> String {
        json!({"api_id": "1", "error": says}).to_string()
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
            Outcome::Undelivered(code) => ("undelivered", Some(code)),
            Outcome::Failed(code) => ("failed", Some(code)),
        }
    }

    fn tries_again(&self, _: Option<u16>, _: u8, _: &Target) -> bool {
        true
    }

    fn receipt(&self, letter: &mut Letter, receipt: &Receipt, signing: &Signing<'_>) {
        let entry = &receipt.message.entry;
        let code = receipt.code.map_or_else(|| "000".to_owned(), |code| code.to_string());
        write(
            letter,
            signing,
            &[
                ("ErrorCode", &code),
                ("From", bare(&entry.from)),
                ("MessageUUID", &entry.provider_id),
                ("ParentMessageUUID", &entry.provider_id),
                ("Status", &receipt.state),
                ("To", bare(&entry.to)),
                ("Type", if entry.media.is_empty() { "sms" } else { "mms" }),
                ("Units", "1"),
            ],
        );
    }

    fn reply(&self, letter: &mut Letter, reply: &Reply, signing: &Signing<'_>) {
        let entry = &reply.entry;
        let (count, is_mms) = (entry.media.len().to_string(), !entry.media.is_empty());
        let names: Vec<_> = (0..entry.media.len()).map(|index| format!("Media{index}")).collect();
        let mut pairs: Vec<(&str, &str)> = vec![
            ("From", bare(&entry.from)),
            ("MessageUUID", &entry.provider_id),
            ("To", bare(&entry.to)),
            (if is_mms { "Body" } else { "Text" }, &entry.body),
            ("Type", if is_mms { "mms" } else { "sms" }),
        ];
        if is_mms {
            pairs.push(("MediaCount", &count));
            pairs.extend(names.iter().map(String::as_str).zip(entry.media.iter().map(|url| &**url)));
        }
        write(letter, signing, &pairs);
    }

    fn sign(&self, letter: &mut Letter, signing: &Signing<'_>, spoil: &[u8]) {
        let nonce = signing.now.unix_s.to_string();
        letter.signed.extend_from_slice(spoil);
        letter.signed.push(b'.');
        letter.signed.extend_from_slice(nonce.as_bytes());
        let signature = signing.account.signer.hmac(&letter.signed);
        letter.header("X-Plivo-Signature-V3", &signature);
        letter.header("X-Plivo-Signature-V3-Nonce", &nonce);
    }
}

/// Numbers in webhooks and lists have no plus.
fn bare(phone: &str) -> &str {
    phone.trim_start_matches('+')
}

/// A text as look-ups and lists have it.
fn record(entry: &Entry, state: &str, code: Option<u32>) -> Value {
    let time = jiff::Timestamp::from_microsecond(i64::try_from(entry.time_us).unwrap_or(0));
    json!({
        "message_uuid": entry.provider_id,
        "message_state": state,
        "message_direction": "outbound",
        "from_number": bare(&entry.from),
        "to_number": bare(&entry.to),
        "message_time": time.map(|time| time.strftime("%Y-%m-%d %H:%M:%S+00:00").to_string()).unwrap_or_default(),
        "error_code": code.map(|code| code.to_string()),
        "units": 1,
    })
}

/// Writes a form, and what of it and the URL is signed.
fn write(letter: &mut Letter, signing: &Signing<'_>, pairs: &[(&str, &str)]) {
    let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    letter.body.push_str(&form);
    let (path, query) = signing.url.split_once('?').unwrap_or((signing.url, ""));
    let mut query: Vec<_> = query.split('&').filter(|pair| !pair.is_empty()).collect();
    query.sort_unstable();
    let mut pairs = pairs.to_vec();
    pairs.sort_unstable();
    letter.signed.extend_from_slice(format!("{path}?{}", query.join("&")).as_bytes());
    if !query.is_empty() {
        letter.signed.push(b'.');
    }
    for (name, value) in pairs {
        letter.signed.extend_from_slice(name.as_bytes());
        letter.signed.extend_from_slice(value.as_bytes());
    }
}
