//! How each provider writes and signs, for the conformance cases: fixtures by name, and signing with a
//! known secret.

use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use muster_domain::error::ErrorClass;
use muster_domain::provider::Provider;
use muster_providers::signature::Hmac;
use muster_providers::{Account, Adapter, Forged, Unreadable, WebhookEvent, WebhookRequest, adapter};

const URL: &str = "https://gw.muster.example/hooks/t1/status?m=0190a7c0&a=1";
const NOW_S: i64 = 1_700_000_000;
const SECRET: &str = "12345678901234567890123456789012";
const OTHER_SECRET: &str = "12345678901234567890123456789013";

pub(crate) struct Dialect(Provider);

impl Dialect {
    pub(crate) fn of(provider: Provider) -> Self {
        Self(provider)
    }

    pub(crate) fn adapter(&self) -> &'static dyn Adapter {
        adapter(self.0)
    }

    pub(crate) fn account(&self) -> Account {
        let webhook_key = match self.0 {
            Provider::Twilio => SECRET.to_owned(),
            Provider::Telnyx => STANDARD.encode(aws_lc_rs::signature::KeyPair::public_key(&key_pair(SECRET))),
        };
        Account {
            account_sid: "AC00000000000000000000000000000001".to_owned(),
            api_secret: SECRET.into(),
            webhook_key: webhook_key.into(),
            base_url: None,
        }
    }

    pub(crate) fn fixture(&self, name: &str) -> String {
        let path = format!("{}/tests/fixtures/{}/{name}", env!("CARGO_MANIFEST_DIR"), self.0);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// The rows of a table, without its heading.
    pub(crate) fn rows<const N: usize>(&self, name: &str) -> Vec<[String; N]> {
        let cells = |line: &str| {
            let cells: Vec<_> = line.split('\t').map(str::to_owned).collect();
            cells.try_into().unwrap_or_else(|_| panic!("{name}: {line:?} has not {N} cells"))
        };
        self.fixture(name).lines().skip(1).map(cells).collect()
    }

    /// The first code that the provider documents for `class`.
    pub(crate) fn code_of(&self, class_wanted: ErrorClass) -> String {
        let mut rows = self.rows("codes.tsv").into_iter();
        let row = rows.find(|[_, name, _]| class(name) == class_wanted);
        let [code, _, _] = row.expect("a code of that class");
        code
    }

    pub(crate) fn error(&self, code: &str, status: u16) -> String {
        self.fixture("error.json").replace("{code}", code).replace("{status}", &status.to_string())
    }

    pub(crate) fn webhook(&self, name: &str) -> String {
        let extension = match self.0 {
            Provider::Twilio => "form",
            Provider::Telnyx => "json",
        };
        self.fixture(&format!("{name}.{extension}")).replace("{id}", "ID1")
    }

    pub(crate) fn receipt(&self, state: &str, code: &str) -> String {
        self.webhook("receipt").replace("{state}", state).replace("{code}", code)
    }

    /// The webhook `body` with the words `to` in the place of `from`, both as the provider writes them.
    pub(crate) fn reworded(&self, body: &str, from: &str, to: &str) -> String {
        let (from, to) = (self.written(from), self.written(to));
        assert!(body.contains(&from), "{from} is not in {body}");
        body.replace(&from, &to)
    }

    fn written(&self, words: &str) -> String {
        match self.0 {
            Provider::Twilio => form_urlencoded::byte_serialize(words.as_bytes()).collect(),
            Provider::Telnyx => {
                let quoted = serde_json::Value::from(words).to_string();
                quoted.trim_matches('"').to_owned()
            }
        }
    }

    pub(crate) fn sign(&self, body: &str) -> HeaderMap {
        self.sign_with(SECRET, body)
    }

    pub(crate) fn sign_as_another(&self, body: &str) -> HeaderMap {
        self.sign_with(OTHER_SECRET, body)
    }

    fn sign_with(&self, secret: &str, body: &str) -> HeaderMap {
        match self.0 {
            Provider::Twilio => {
                let mut pairs: Vec<_> = form_urlencoded::parse(body.as_bytes()).collect();
                pairs.sort();
                let signed: String = pairs.into_iter().flat_map(|(name, value)| [name, value]).collect();
                let signature = Hmac::sha1(secret.as_bytes()).sign(format!("{URL}{signed}").as_bytes());
                headers(&[("x-twilio-signature", signature)])
            }
            Provider::Telnyx => {
                let signature = key_pair(secret).sign(format!("{NOW_S}|{body}").as_bytes());
                headers(&[
                    ("telnyx-signature-ed25519", STANDARD.encode(signature)),
                    ("telnyx-timestamp", NOW_S.to_string()),
                ])
            }
        }
    }

    pub(crate) fn verify(&self, headers: &HeaderMap, body: &str) -> Result<(), Forged> {
        self.verify_bytes(headers, body.as_bytes())
    }

    pub(crate) fn verify_bytes(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), Forged> {
        let request = WebhookRequest { url: URL, headers, body, now_s: NOW_S };
        self.adapter().verify(&self.account(), request).map(|_| ())
    }

    pub(crate) fn verify_later(&self, headers: &HeaderMap, body: &str) -> Result<(), Forged> {
        let request = WebhookRequest { url: URL, headers, body: body.as_bytes(), now_s: NOW_S + 3_600 };
        self.adapter().verify(&self.account(), request).map(|_| ())
    }

    pub(crate) fn verify_for_another_account(&self, headers: &HeaderMap, body: &str) -> Result<(), Forged> {
        let other = "AC00000000000000000000000000000002".to_owned();
        let request = WebhookRequest { url: URL, headers, body: body.as_bytes(), now_s: NOW_S };
        self.adapter().verify(&Account { account_sid: other, ..self.account() }, request).map(|_| ())
    }

    /// What comes of a webhook of another account under the same secret, and of one that is an hour old.
    /// Twilio signs no time, and Telnyx names no account.
    pub(crate) fn expected_of_strangers(&self) -> [Result<(), Forged>; 2] {
        match self.0 {
            Provider::Twilio => [Err(Forged::WrongAccount), Ok(())],
            Provider::Telnyx => [Ok(()), Err(Forged::Stale)],
        }
    }

    /// The events of `body`, signed here.
    pub(crate) fn events(&self, body: &str) -> Result<Vec<WebhookEvent>, Unreadable> {
        self.events_of(&self.sign(body), body.as_bytes())
    }

    /// The events of a body that was signed before.
    pub(crate) fn events_of(
        &self,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Vec<WebhookEvent>, Unreadable> {
        let request = WebhookRequest { url: URL, headers, body, now_s: NOW_S };
        let verified = self.adapter().verify(&self.account(), request).expect("a genuine webhook");
        self.adapter().events(&verified)
    }
}

/// The error class of this name.
pub(crate) fn class(name: &str) -> ErrorClass {
    let mut all = ErrorClass::ALL.into_iter();
    all.find(|class| format!("{class:?}") == name).unwrap_or_else(|| panic!("no class is called {name}"))
}

/// A request as it goes over the wire, for people to read.
pub(crate) fn wire(request: &Request<Bytes>) -> String {
    let mut text = format!("{} {}\n", request.method(), request.uri());
    for (name, value) in request.headers() {
        text += &format!("{name}: {}\n", value.to_str().expect("text"));
    }
    format!("{text}\n{}\n", str::from_utf8(request.body()).expect("text"))
}

fn key_pair(secret: &str) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(secret.as_bytes()).expect("a seed of 32 bytes")
}

fn headers(pairs: &[(&'static str, String)]) -> HeaderMap {
    let value = |text| HeaderValue::from_str(text).expect("a header value");
    pairs.iter().map(|(name, text)| (HeaderName::from_static(name), value(text))).collect()
}
