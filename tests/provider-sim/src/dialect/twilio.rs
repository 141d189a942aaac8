//! Twilio's dialect.

use std::borrow::Cow;
use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use muster_domain::provider::Provider;
use muster_providers::signature::Hmac;

use super::{Asks, Dialect, Filter, Letter, Route, Signing, Standing, value};
use crate::account::{AccountSpec, Refused, Signer};
use crate::clock::Second;
use crate::ledger::{Entry, Outcome};
use crate::message::{Receipt, Reply};
use crate::send::{Codes, Refusal, SendRequest};
use crate::target::Target;

const BODY_CHARS_MAX: usize = 1_600;
const VALIDITY_S_MAX: u32 = 36_000;
const PAGE_DEFAULT: usize = 50;
const PAGE_MAX: usize = 1_000;
const CALLBACK_BAD: &str = "The 'StatusCallback' URL is not a valid URL";

static CODES: Codes = Codes {
    credentials: Refusal { status: 401, code: "20003", says: "Authenticate" },
    unreadable: Refusal::bad_request("21602", "Message body is required"),
    to_missing: Refusal::bad_request("21604", "A 'To' phone number is required."),
    to_invalid: Refusal::bad_request("21211", "Invalid 'To' Phone Number"),
    from_missing: Refusal::bad_request("21603", "A 'From' phone number is required."),
    from_foreign: Refusal::bad_request(
        "21606",
        "The 'From' phone number provided is not a valid message-capable Twilio phone number",
    ),
    empty: Refusal::bad_request("21619", "A text message body or media urls must be specified."),
    too_long: Refusal::bad_request(
        "21617",
        "The concatenated message body exceeds the 1600 character limit.",
    ),
    media_bad: Refusal::bad_request("21620", "Invalid media URL(s)"),
    media_many: Refusal::bad_request("21623", "Number of media files exceeds allowed limit"),
    callback_bad: Refusal::bad_request("21609", CALLBACK_BAD),
    opted_out: Refusal::bad_request("21610", "Attempt to send to unsubscribed recipient"),
    rate: Refusal { status: 429, code: "20429", says: "Too Many Requests" },
    recipients: &[
        Refusal::bad_request("21211", "Invalid 'To' Phone Number"),
        Refusal::bad_request("21614", "'To' number is not a valid mobile number"),
        Refusal::bad_request("21610", "Attempt to send to unsubscribed recipient"),
        Refusal::bad_request(
            "21612",
            "The 'To' phone number is not currently reachable using the 'From' phone number",
        ),
    ],
    undelivered: &[30003, 30004, 30005, 30006, 30007, 30008],
    failed: &[30002, 30034, 30036],
    is_too_long: |body| body.len() > BODY_CHARS_MAX && body.chars().count() > BODY_CHARS_MAX,
};

pub(crate) struct Twilio;

impl Dialect for Twilio {
    fn provider(&self) -> Provider {
        Provider::Twilio
    }

    fn codes(&self) -> &'static Codes {
        &CODES
    }

    fn webhook_type(&self) -> &'static str {
        "application/x-www-form-urlencoded; charset=UTF-8"
    }

    fn accepted_status(&self) -> u16 {
        201
    }

    fn authorization(&self, spec: &AccountSpec) -> String {
        format!("Basic {}", STANDARD.encode(format!("{}:{}", spec.account_sid, spec.api_secret)))
    }

    fn signer(&self, spec: &AccountSpec) -> Result<(Signer, String), Refused> {
        let token = spec.webhook_secret.as_ref().unwrap_or(&spec.api_secret);
        Ok((Signer::Hmac(Box::new(Hmac::sha1(token.as_bytes()))), token.clone()))
    }

    fn route<'a>(&self, method: &Method, path: &'a str) -> Option<Route<'a>> {
        let (sid, rest) = path.strip_prefix("/2010-04-01/Accounts/")?.split_once('/')?;
        let text = rest.strip_prefix("Messages/").and_then(|rest| rest.strip_suffix(".json"));
        let asks = match (method, rest, text) {
            (&Method::POST, "Messages.json", _) => Asks::Send,
            (&Method::GET, "Messages.json", _) => Asks::List,
            (&Method::GET, _, Some(id)) => Asks::Text(id),
            _ => Asks::Other,
        };
        Some(Route { account: Some(sid), asks })
    }

    fn read<'a>(&self, body: &'a [u8]) -> Result<SendRequest<'a>, Refusal> {
        let mut request = SendRequest::default();
        for (name, value) in form_urlencoded::parse(body) {
            match name.as_ref() {
                "To" => request.to = value,
                "From" => request.from = value,
                "Body" => request.body = value,
                "MediaUrl" => request.media.push(value),
                "StatusCallback" => request.callback = value,
                "ValidityPeriod" => check_validity(&value)?,
                _ => {}
            }
        }
        Ok(request)
    }

    fn message(&self, entry: &Entry, state: &str, code: Option<u32>, now: &Second) -> String {
        let Entry { account, to, from, provider_id: id, .. } = entry;
        let body = serde_json::to_string(&entry.body).unwrap_or_default();
        let (date, media) = (&now.rfc2822, entry.media.len());
        let code = code.map_or(Cow::Borrowed("null"), |code| code.to_string().into());
        let mut json = String::with_capacity(768 + body.len());
        let written = write!(
            json,
            "{{\"sid\":\"{id}\",\"account_sid\":\"{account}\",\"to\":\"{to}\",\"from\":\"{from}\",\
             \"body\":{body},\"status\":\"{state}\",\"direction\":\"outbound-api\",\
             \"date_created\":\"{date}\",\"date_updated\":\"{date}\",\"date_sent\":null,\
             \"num_segments\":\"1\",\"num_media\":\"{media}\",\"error_code\":{code},\"error_message\":null,\
             \"messaging_service_sid\":null,\"price\":null,\"price_unit\":\"USD\",\
             \"api_version\":\"2010-04-01\",\"uri\":\"/2010-04-01/Accounts/{account}/Messages/{id}.json\",\
             \"subresource_uris\":{{\"media\":\"/2010-04-01/Accounts/{account}/Messages/{id}/Media.json\"}}}}"
        );
        written.expect("a String takes every write");
        json
    }

    /// Days only: `DateSent` is not told more closely.
    fn filter(&self, query: &str) -> Filter {
        let size = value(query, "PageSize").and_then(|size| size.parse().ok()).unwrap_or(PAGE_DEFAULT);
        Filter {
            to: value(query, "To").map(Cow::into_owned),
            from: value(query, "From").map(Cow::into_owned),
            ..Filter::all(size.clamp(1, PAGE_MAX))
        }
    }

    fn listed(&self, texts: &[Standing], filter: &Filter, now: &Second) -> String {
        let messages: Vec<_> =
            texts.iter().map(|text| self.message(&text.entry, text.state, text.code, now)).collect();
        let size = filter.size;
        format!("{{\"messages\":[{}],\"page_size\":{size},\"next_page_uri\":null}}", messages.join(","))
    }

    fn refused(&self, Refusal { status, code, says }: Refusal) -> String {
        format!(
            "{{\"code\":{code},\"message\":\"{says}\",\
             \"more_info\":\"https://www.twilio.com/docs/errors/{code}\",\"status\":{status}}}"
        )
    }

    fn id(&self, number: u128, has_media: bool) -> Box<str> {
        format!("{}{number:032x}", if has_media { "MM" } else { "SM" }).into()
    }

    fn number(&self, id: &str) -> Option<u128> {
        let hex = id.strip_prefix("SM").or_else(|| id.strip_prefix("MM"))?;
        u128::from_str_radix(hex, 16).ok()
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

    /// After what the URL says; otherwise once, where nobody answers. How often is a knob for all providers.
    fn tries_again(&self, answer: Option<u16>, tries: u8, target: &Target) -> bool {
        let policies: Vec<&str> = target.setting("rp").unwrap_or("ct").split(',').collect();
        let policy: &[&str] = match answer {
            None => &["ct", "rt", "all"],
            Some(500..) => &["5xx", "all"],
            Some(400..) => &["4xx", "all"],
            Some(_) => &[],
        };
        (tries <= 1 || target.setting("rc").is_some())
            && policy.iter().any(|policy| policies.contains(policy))
    }

    fn receipt(&self, letter: &mut Letter, receipt: &Receipt, signing: &Signing<'_>) {
        let entry = &receipt.message.entry;
        let mut form = Form::begin(letter, signing.url);
        form.plain_pair("AccountSid", &entry.account);
        form.plain_pair("ApiVersion", "2010-04-01");
        if let Some(code) = receipt.code {
            form.pair("ErrorCode", &code.to_string());
        }
        form.pair("From", &entry.from);
        form.plain_pair("MessageSid", &entry.provider_id);
        form.pair("MessageStatus", &receipt.state);
        form.plain_pair("SmsSid", &entry.provider_id);
        form.pair("SmsStatus", &receipt.state);
        form.pair("To", &entry.to);
    }

    fn reply(&self, letter: &mut Letter, reply: &Reply, signing: &Signing<'_>) {
        let entry = &reply.entry;
        let mut form = Form::begin(letter, signing.url);
        form.pair("AccountSid", &entry.account);
        form.pair("ApiVersion", "2010-04-01");
        form.pair("Body", &entry.body);
        form.pair("From", &entry.from);
        for index in 0..entry.media.len() {
            form.pair(&format!("MediaContentType{index}"), "image/png");
        }
        for (index, url) in entry.media.iter().enumerate() {
            form.pair(&format!("MediaUrl{index}"), url);
        }
        form.pair("MessageSid", &entry.provider_id);
        form.pair("NumMedia", &entry.media.len().to_string());
        form.pair("NumSegments", "1");
        form.pair("SmsMessageSid", &entry.provider_id);
        form.pair("SmsSid", &entry.provider_id);
        form.pair("SmsStatus", "received");
        form.pair("To", &entry.to);
    }

    fn sign(&self, letter: &mut Letter, signing: &Signing<'_>, spoil: &[u8]) {
        letter.signed.extend_from_slice(spoil);
        let signature = signing.account.signer.hmac(&letter.signed);
        letter.header("X-Twilio-Signature", &signature);
    }
}

fn check_validity(seconds: &str) -> Result<(), Refusal> {
    let fits = seconds.parse().is_ok_and(|seconds: u32| (1..=VALIDITY_S_MAX).contains(&seconds));
    fits.then_some(()).ok_or(Refusal::bad_request("21624", "The ValidityPeriod is not valid"))
}

/// Writes a form and the string to sign at once. Pairs have to come in the order of their names.
struct Form<'a>(&'a mut Letter);

impl<'a> Form<'a> {
    fn begin(letter: &'a mut Letter, url: &str) -> Self {
        letter.signed.extend_from_slice(url.as_bytes());
        Self(letter)
    }

    fn pair(&mut self, name: &str, value: &str) {
        self.name(name, value);
        self.0.body.extend(form_urlencoded::byte_serialize(value.as_bytes()));
    }

    /// A value that has nothing to encode: an id of ours or a word of Twilio's.
    fn plain_pair(&mut self, name: &str, value: &str) {
        self.name(name, value);
        self.0.body.push_str(value);
    }

    fn name(&mut self, name: &str, value: &str) {
        self.0.signed.extend_from_slice(name.as_bytes());
        self.0.signed.extend_from_slice(value.as_bytes());
        if !self.0.body.is_empty() {
            self.0.body.push('&');
        }
        self.0.body.push_str(name);
        self.0.body.push('=');
    }
}
