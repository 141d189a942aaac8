//! Sinch's dialect: the REST API for SMS (XMS), and its batches and delivery reports.

use std::borrow::Cow;

use http::Method;
use muster_domain::provider::Provider;
use muster_providers::signature::Hmac;
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

const BODY_CHARS_MAX: usize = 2_000;
const PAGE_DEFAULT: usize = 30;
const PAGE_MAX: usize = 100;

static CODES: Codes = Codes {
    credentials: Refusal { status: 401, code: "unauthorized", says: "Authentication token is invalid" },
    unreadable: Refusal::bad_request("syntax_invalid_json", "Invalid JSON"),
    to_missing: Refusal::bad_request("syntax_constraint_violation", "'to' may not be empty"),
    to_invalid: Refusal::bad_request("syntax_invalid_parameter_format", "the value is not a valid MSISDN"),
    from_missing: Refusal::bad_request("syntax_constraint_violation", "'from' may not be empty"),
    from_foreign: Refusal { status: 403, code: "unknown_campaign", says: "The campaign is not the sender's" },
    empty: Refusal::bad_request("syntax_constraint_violation", "'body' may not be empty"),
    too_long: Refusal::bad_request("syntax_constraint_violation", "'body' is too long"),
    media_bad: Refusal::bad_request("syntax_invalid_parameter_format", "'url' is not a valid URL"),
    media_many: Refusal::bad_request("syntax_invalid_json", "Invalid JSON"),
    callback_bad: Refusal::bad_request(
        "syntax_invalid_parameter_format",
        "'callback_url' is not a valid URL",
    ),
    opted_out: Refusal::bad_request("syntax_constraint_violation", "'to' has opted out"),
    rate: Refusal { status: 429, code: "too_many_requests", says: "Too many requests" },
    recipients: &[Refusal::bad_request("syntax_invalid_parameter_format", "the value is not a valid MSISDN")],
    undelivered: &[15, 61, 62, 150, 151, 152, 201, 300, 321],
    failed: &[402, 406, 408, 412],
    is_too_long: |body| body.len() > BODY_CHARS_MAX && body.chars().count() > BODY_CHARS_MAX,
};

/// A call, as far as it matters.
#[derive(Deserialize)]
struct Call<'a> {
    #[serde(borrow, default)]
    to: Vec<Cow<'a, str>>,
    #[serde(borrow, default)]
    from: Cow<'a, str>,
    #[serde(borrow)]
    body: Option<Body<'a>>,
    #[serde(borrow, default)]
    r#type: Cow<'a, str>,
    #[serde(borrow, default)]
    callback_url: Cow<'a, str>,
    #[serde(borrow, default)]
    client_reference: Cow<'a, str>,
    expire_at: Option<jiff::Timestamp>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Body<'a> {
    Text(#[serde(borrow)] Cow<'a, str>),
    Media {
        #[serde(borrow)]
        url: Cow<'a, str>,
        #[serde(borrow, default)]
        message: Cow<'a, str>,
    },
}

pub(crate) struct Sinch;

impl Dialect for Sinch {
    fn provider(&self) -> Provider {
        Provider::Sinch
    }

    fn codes(&self) -> &'static Codes {
        &CODES
    }

    fn webhook_type(&self) -> &'static str {
        "application/json"
    }

    fn accepted_status(&self) -> u16 {
        201
    }

    fn authorization(&self, spec: &AccountSpec) -> String {
        format!("Bearer {}", spec.api_secret)
    }

    fn signer(&self, spec: &AccountSpec) -> Result<(Signer, String), Refused> {
        let secret = spec.webhook_secret.clone().unwrap_or_else(|| format!("webhooks-{}", spec.api_secret));
        Ok((Signer::Hmac(Box::new(Hmac::sha256(secret.as_bytes()))), secret))
    }

    fn route<'a>(&self, method: &Method, path: &'a str) -> Option<Route<'a>> {
        let (plan, rest) = path.strip_prefix("/xms/v1/")?.split_once('/')?;
        let report = rest.strip_prefix("batches/").and_then(|rest| rest.split_once("/delivery_report/"));
        let asks = match (method, rest, report) {
            (&Method::POST, "batches", _) => Asks::Send,
            (&Method::GET, "batches", _) => Asks::List,
            (&Method::GET, _, Some((id, _recipient))) => Asks::Text(id),
            _ => Asks::Other,
        };
        Some(Route { account: Some(plan), asks })
    }

    fn read<'a>(&self, body: &'a [u8]) -> Result<SendRequest<'a>, Refusal> {
        let call: Call<'a> = serde_json::from_slice(body).map_err(|_| CODES.unreadable)?;
        let (body, media) = match (call.r#type.as_ref(), call.body) {
            ("" | "mt_text", Some(Body::Text(text))) => (text, Vec::new()),
            ("mt_media", Some(Body::Media { url, message })) => (message, vec![url]),
            (_, None) => return Err(CODES.empty),
            (_, Some(_)) => return Err(CODES.unreadable),
        };
        // Muster gives each text an end: without one Sinch would hold it back for three days.
        if call.expire_at.is_none() {
            return Err(Refusal::bad_request("syntax_constraint_violation", "'expire_at' is not set"));
        }
        let mut to = call.to.into_iter();
        let first = to.next().unwrap_or_default();
        if to.next().is_some() {
            return Err(Refusal::bad_request(
                "syntax_constraint_violation",
                "one recipient a batch is simulated",
            ));
        }
        Ok(SendRequest {
            to: e164(first),
            from: e164(call.from),
            body,
            media,
            callback: call.callback_url,
            reference: call.client_reference,
        })
    }

    /// A call that was accepted is answered with the batch, a look-up with the delivery report.
    fn message(&self, entry: &Entry, state: &str, code: Option<u32>, now: &Second) -> String {
        let mut message = batch(entry, now);
        report(&mut message, entry, state, code, now);
        message.to_string()
    }

    fn filter(&self, query: &str) -> Filter {
        let time = |name| {
            let time: jiff::Timestamp = value(query, name)?.parse().ok()?;
            u64::try_from(time.as_microsecond()).ok()
        };
        let size = value(query, "page_size").and_then(|size| size.parse().ok()).unwrap_or(PAGE_DEFAULT);
        Filter {
            from: value(query, "from").map(|from| e164(from).into_owned()),
            reference: value(query, "client_reference").map(Cow::into_owned),
            since_us: time("start_date"),
            until_us: time("end_date"),
            ..Filter::all(size.clamp(1, PAGE_MAX))
        }
    }

    fn listed(&self, texts: &[Standing], filter: &Filter, now: &Second) -> String {
        let batches: Vec<_> = texts.iter().map(|text| batch(&text.entry, now)).collect();
        json!({"count": batches.len(), "page": 0, "page_size": filter.size, "batches": batches}).to_string()
    }

    fn refused(&self, Refusal { code, says, .. }: Refusal) -> String {
        json!({"code": code, "text": says}).to_string()
    }

    fn id(&self, number: u128, _has_media: bool) -> Box<str> {
        // As long and as dense as a ULID, which it is in reality.
        format!("{}", Uuid::from_u128(number).simple()).to_uppercase().into()
    }

    fn number(&self, id: &str) -> Option<u128> {
        Some(Uuid::parse_str(id).ok()?.as_u128())
    }

    fn state_queued(&self) -> &'static str {
        "Queued"
    }

    fn state_sent(&self) -> &'static str {
        "Dispatched"
    }

    fn state_final(&self, outcome: Outcome) -> (&'static str, Option<u32>) {
        match outcome {
            Outcome::Delivered => ("Delivered", None),
            Outcome::Undelivered(code) => ("Failed", Some(code)),
            Outcome::Failed(code) => ("Aborted", Some(code)),
        }
    }

    fn tries_again(&self, answer: Option<u16>, _: u8, _: &Target) -> bool {
        is_busy(answer)
    }

    fn receipt(&self, letter: &mut Letter, receipt: &Receipt, signing: &Signing<'_>) {
        let mut webhook = json!({});
        report(&mut webhook, &receipt.message.entry, &receipt.state, receipt.code, signing.now);
        letter.body.push_str(&webhook.to_string());
    }

    fn reply(&self, letter: &mut Letter, reply: &Reply, signing: &Signing<'_>) {
        let entry = &reply.entry;
        let medium = |url| json!({"url": url, "content_type": "image/png", "status": "Uploaded", "code": 0});
        let (kind, body) = if entry.media.is_empty() {
            ("mo_text", json!(entry.body))
        } else {
            let media: Vec<_> = entry.media.iter().map(medium).collect();
            ("mo_media", json!({"subject": "", "message": entry.body, "media": media}))
        };
        let webhook = json!({
            "type": kind,
            "id": entry.provider_id,
            "from": bare(&entry.from),
            "to": bare(&entry.to),
            "body": body,
            "operator_id": "310004",
            "received_at": format!("{}.000Z", signing.now.iso),
        });
        letter.body.push_str(&webhook.to_string());
    }

    fn sign(&self, letter: &mut Letter, signing: &Signing<'_>, spoil: &[u8]) {
        let (nonce, unix_s) = (Uuid::nil().simple().to_string(), signing.now.unix_s.to_string());
        let signed = [letter.body.as_bytes(), nonce.as_bytes(), unix_s.as_bytes()].join(&b'.');
        let signature = signing.account.signer.hmac(&[&signed, spoil].concat());
        letter.header("x-sinch-webhook-signature", &signature);
        letter.header("x-sinch-webhook-signature-nonce", &nonce);
        letter.header("x-sinch-webhook-signature-timestamp", &unix_s);
        letter.header("x-sinch-webhook-signature-algorithm", "HmacSHA256");
    }
}

fn batch(entry: &Entry, now: &Second) -> serde_json::Value {
    let (time, body) = (format!("{}.000Z", now.iso), entry.body.as_ref());
    json!({
        "id": entry.provider_id,
        "to": [bare(&entry.to)],
        "from": bare(&entry.from),
        "canceled": false,
        "body": entry.media.first().map_or(json!(body), |url| json!({"url": url, "message": body})),
        "created_at": time,
        "modified_at": time,
        "delivery_report": "per_recipient",
        "client_reference": reference_of(entry),
    })
}

/// Writes what a recipient's delivery report says into `into`.
fn report(into: &mut serde_json::Value, entry: &Entry, state: &str, code: Option<u32>, now: &Second) {
    into["type"] = if entry.media.is_empty() {
        "recipient_delivery_report_sms".into()
    } else {
        "recipient_delivery_report_mms".into()
    };
    into["batch_id"] = entry.provider_id.as_ref().into();
    into["recipient"] = bare(&entry.to).into();
    into["code"] = match (state, code) {
        (_, Some(code)) => code.into(),
        ("Queued", None) => 400.into(),
        ("Dispatched", None) => 401.into(),
        (_, None) => 0.into(),
    };
    into["status"] = state.into();
    into["at"] = format!("{}.000Z", now.iso).into();
    if let Some(reference) = reference_of(entry) {
        into["client_reference"] = reference.into();
    }
}

/// The number as the ledger has it: Sinch takes it with and without a `+`.
fn e164(told: Cow<'_, str>) -> Cow<'_, str> {
    match told.as_bytes() {
        [] | [b'+', ..] => told,
        [..] => format!("+{told}").into(),
    }
}

/// The number as Sinch writes it.
fn bare(e164: &str) -> &str {
    e164.trim_start_matches('+')
}
