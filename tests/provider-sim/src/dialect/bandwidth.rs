//! Bandwidth's dialect.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use muster_domain::provider::Provider;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Asks, Dialect, Filter, Letter, Route, Signing, Standing, micros, reference_of, value};
use crate::account::{AccountSpec, Refused, Signer};
use crate::clock::Second;
use crate::ledger::{Entry, Outcome};
use crate::message::{Receipt, Reply};
use crate::send::{Codes, Refusal, SendRequest};
use crate::target::Target;

const TEXT_CHARS_MAX: usize = 2_048;
const PAGE_SIZE: usize = 100;
/// The user that webhooks are posted by.
const WEBHOOK_USER: &str = "muster-hook";

const fn malformed(says: &'static str) -> Refusal {
    Refusal::bad_request("request-validation", says)
}

static CODES: Codes = Codes {
    credentials: Refusal { status: 401, code: "unauthorized", says: "Authentication Failed" },
    unreadable: malformed("body"),
    to_missing: malformed("to"),
    to_invalid: malformed("to"),
    from_missing: malformed("from"),
    from_foreign: malformed("from"),
    empty: malformed("text"),
    too_long: malformed("text"),
    media_bad: malformed("media"),
    media_many: malformed("media"),
    callback_bad: malformed("body"),
    opted_out: malformed("to"),
    rate: Refusal { status: 429, code: "max-message-queue-size-exceeded", says: "" },
    recipients: &[malformed("to")],
    undelivered: &[4720, 4700, 4770, 4775, 4780, 5600],
    failed: &[4405, 4431, 4470],
    is_too_long: |body| body.len() > TEXT_CHARS_MAX && body.chars().count() > TEXT_CHARS_MAX,
};

/// A call, as far as it matters.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Call<'a> {
    #[serde(borrow, default)]
    application_id: Cow<'a, str>,
    #[serde(borrow, default)]
    to: Vec<Cow<'a, str>>,
    #[serde(borrow, default)]
    from: Cow<'a, str>,
    #[serde(borrow, default)]
    text: Cow<'a, str>,
    #[serde(borrow, default)]
    media: Vec<Cow<'a, str>>,
    #[serde(borrow, default)]
    tag: Cow<'a, str>,
    #[serde(borrow, default)]
    expiration: Cow<'a, str>,
}

pub(crate) struct Bandwidth;

impl Dialect for Bandwidth {
    fn provider(&self) -> Provider {
        Provider::Bandwidth
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
        format!("Basic {}", STANDARD.encode(format!("{}:{}", spec.api_user, spec.api_secret)))
    }

    fn signer(&self, spec: &AccountSpec) -> Result<(Signer, String), Refused> {
        let password = spec.webhook_secret.clone().unwrap_or_else(|| format!("hook-of-{}", spec.account_sid));
        let pair = format!("{WEBHOOK_USER}:{password}");
        Ok((Signer::Header(format!("Basic {}", STANDARD.encode(&pair))), pair))
    }

    fn route<'a>(&self, method: &Method, path: &'a str) -> Option<Route<'a>> {
        let (account, rest) = path.strip_prefix("/api/v2/users/")?.split_once('/')?;
        let asks = match (method, rest) {
            (&Method::POST, "messages") => Asks::Send,
            (&Method::GET, "messages") => Asks::List,
            _ => Asks::Other,
        };
        Some(Route { account: Some(account), asks })
    }

    fn read<'a>(&self, body: &'a [u8]) -> Result<SendRequest<'a>, Refusal> {
        let call: Call<'a> = serde_json::from_slice(body).map_err(|_| CODES.unreadable)?;
        if call.application_id.is_empty() {
            return Err(malformed("applicationId"));
        }
        let is_future = |time: jiff::Timestamp| time > jiff::Timestamp::now();
        if !call.expiration.is_empty() && !call.expiration.parse().is_ok_and(is_future) {
            return Err(malformed("expiration"));
        }
        Ok(SendRequest {
            to: call.to.into_iter().next().unwrap_or_default(),
            from: call.from,
            body: call.text,
            media: call.media,
            callback: Cow::default(),
            reference: call.tag,
        })
    }

    fn message(&self, entry: &Entry, _state: &str, _code: Option<u32>, now: &Second) -> String {
        let mut message = described(entry, "out", now);
        message["applicationId"] = json!("application");
        message["priority"] = json!("default");
        message.to_string()
    }

    fn filter(&self, query: &str) -> Filter {
        Filter {
            to: value(query, "destinationTn").map(Cow::into_owned),
            from: value(query, "sourceTn").map(Cow::into_owned),
            id: value(query, "messageId").map(Cow::into_owned),
            since_us: value(query, "fromDateTime").and_then(|time| micros(&time)),
            until_us: value(query, "toDateTime").and_then(|time| micros(&time)),
            ..Filter::all(PAGE_SIZE)
        }
    }

    fn listed(&self, texts: &[Standing], filter: &Filter, _now: &Second) -> String {
        let item = |text: &Standing| {
            let Entry { to, from, provider_id, account, time_us, .. } = &text.entry;
            let time = jiff::Timestamp::from_microsecond(i64::try_from(*time_us).unwrap_or(0));
            json!({
                "messageId": provider_id,
                "accountId": account,
                "sourceTn": from,
                "destinationTn": to,
                "messageStatus": match text.state {
                    "message-delivered" => "DELIVERED",
                    "message-failed" => "FAILED",
                    _ => "SENT",
                },
                "messageDirection": "OUTBOUND",
                "errorCode": text.code.unwrap_or(0),
                "receiveTime": time.map(|time| time.to_string()).unwrap_or_default(),
            })
        };
        let messages: Vec<_> = texts.iter().map(item).collect();
        let next = if texts.len() < filter.size { "" } else { "next" };
        json!({
            "totalCount": texts.len(),
            "pageInfo": {"prevPage": "", "nextPage": "", "prevPageToken": "", "nextPageToken": next},
            "messages": messages,
        })
        .to_string()
    }

    fn refused(&self, Refusal { code, says, .. }: Refusal) -> String {
        let errors = match code {
            "request-validation" => json!([{"fieldName": says, "description": "is not valid"}]),
            _ => json!([]),
        };
        json!({"type": code, "description": "not accepted", "fieldErrors": errors}).to_string()
    }

    fn id(&self, number: u128, _has_media: bool) -> Box<str> {
        format!("{number:032x}bw").into()
    }

    fn number(&self, id: &str) -> Option<u128> {
        u128::from_str_radix(id.strip_suffix("bw")?, 16).ok()
    }

    fn state_queued(&self) -> &'static str {
        "message-sending"
    }

    fn state_sent(&self) -> &'static str {
        "message-sent"
    }

    fn state_final(&self, outcome: Outcome) -> (&'static str, Option<u32>) {
        match outcome {
            Outcome::Delivered => ("message-delivered", None),
            Outcome::Undelivered(code) | Outcome::Failed(code) => ("message-failed", Some(code)),
        }
    }

    fn tries_again(&self, _: Option<u16>, _: u8, _: &Target) -> bool {
        true
    }

    fn receipt(&self, letter: &mut Letter, receipt: &Receipt, signing: &Signing<'_>) {
        let entry = &receipt.message.entry;
        let mut event = json!({
            "type": receipt.state,
            "time": format!("{}Z", signing.now.iso),
            "to": entry.to,
            "description": "ok",
            "message": described(entry, "out", signing.now),
        });
        if let Some(code) = receipt.code {
            event["errorCode"] = json!(code);
        }
        // A receipt repeats neither text nor media.
        event["message"]["text"] = json!("");
        letter.body.push_str(&json!([event]).to_string());
    }

    fn reply(&self, letter: &mut Letter, reply: &Reply, signing: &Signing<'_>) {
        let entry = &reply.entry;
        let event = json!({
            "type": "message-received",
            "time": format!("{}Z", signing.now.iso),
            "to": entry.to,
            "description": "Incoming message received",
            "message": {
                "id": entry.provider_id,
                "owner": entry.to,
                "time": format!("{}Z", signing.now.iso),
                "segmentCount": 1,
                "direction": "in",
                "to": [entry.to],
                "from": entry.from,
                "text": entry.body,
                "media": entry.media,
            },
        });
        letter.body.push_str(&json!([event]).to_string());
    }

    fn sign(&self, letter: &mut Letter, signing: &Signing<'_>, spoil: &[u8]) {
        let Signer::Header(header) = &signing.account.signer else { return };
        let spoiled = [header, str::from_utf8(spoil).unwrap_or_default()].concat();
        letter.header("Authorization", &spoiled);
    }
}

/// A text of ours, as answers and receipts describe it.
fn described(entry: &Entry, direction: &str, now: &Second) -> Value {
    json!({
        "id": entry.provider_id,
        "owner": entry.from,
        "time": format!("{}Z", now.iso),
        "segmentCount": 1,
        "direction": direction,
        "to": [entry.to],
        "from": entry.from,
        "text": entry.body,
        "tag": reference_of(entry),
    })
}
