//! How each provider writes and signs, for the conformance cases: fixtures by name, and signing with a
//! known secret. What differs between providers is one file each.

#[path = "dialect/bandwidth.rs"]
mod bandwidth;
#[path = "dialect/plivo.rs"]
mod plivo;
#[path = "dialect/sinch.rs"]
mod sinch;
#[path = "dialect/telnyx.rs"]
mod telnyx;
#[path = "dialect/twilio.rs"]
mod twilio;
#[path = "dialect/vonage.rs"]
mod vonage;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use muster_domain::error::ErrorClass;
use muster_domain::provider::Provider;
use muster_providers::{
    Account, Adapter, Correlation, Forged, Reference, Unreadable, WebhookEvent, WebhookRequest, adapter,
};
use secrecy::SecretString;
use uuid::Uuid;

pub(crate) const URL: &str = "https://gw.muster.example/hooks/t1/status?m=0190a7c0&a=1";
pub(crate) const NOW_S: i64 = 1_700_000_000;
pub(crate) const SECRET: &str = "12345678901234567890123456789012";
const OTHER_SECRET: &str = "12345678901234567890123456789013";
const THIRD_SECRET: &str = "12345678901234567890123456789014";

/// What the cases have to know of a provider beside its fixtures.
pub(crate) trait Speaks {
    /// What webhooks are verified with that are signed with `secret`.
    fn webhook_key_of(&self, secret: &str) -> String {
        secret.to_owned()
    }

    /// What it calls the account.
    fn account_sid(&self) -> &'static str {
        "AC00000000000000000000000000000001"
    }

    /// Whether the answer to a text that is refused has a code. Else codes come with receipts only.
    fn tells_codes_in_answers(&self) -> bool {
        true
    }

    /// Whether what a webhook says is in its proof.
    fn signs_the_body(&self) -> bool {
        true
    }

    /// What the names of its webhook fixtures end with.
    fn extension(&self) -> &'static str {
        "json"
    }

    /// Words as they stand in its webhooks.
    fn written(&self, words: &str) -> String {
        let quoted = serde_json::Value::from(words).to_string();
        quoted.trim_matches('"').to_owned()
    }

    /// A code as it stands in a receipt; empty where there is none.
    fn code(&self, code: &str) -> String {
        self.written(code)
    }

    /// How many media a text can have.
    fn media_max(&self) -> usize {
        2
    }

    /// The headers of a webhook with this body, signed with `secret`.
    fn sign(&self, secret: &str, body: &str) -> HeaderMap;

    /// What comes of a webhook of another account under the same secret, and of one that is an hour old.
    fn expected_of_strangers(&self) -> [Result<(), Forged>; 2];
}

pub(crate) struct Dialect(Provider, &'static dyn Speaks);

impl Dialect {
    pub(crate) fn of(provider: Provider) -> Self {
        let speaks: &dyn Speaks = match provider {
            Provider::Twilio => &twilio::Twilio,
            Provider::Telnyx => &telnyx::Telnyx,
            Provider::Vonage => &vonage::Vonage,
            Provider::Sinch => &sinch::Sinch,
            Provider::Bandwidth => &bandwidth::Bandwidth,
            Provider::Plivo => &plivo::Plivo,
        };
        Self(provider, speaks)
    }

    pub(crate) fn adapter(&self) -> &'static dyn Adapter {
        adapter(self.0)
    }

    pub(crate) fn tells_codes_in_answers(&self) -> bool {
        self.1.tells_codes_in_answers()
    }

    pub(crate) fn signs_the_body(&self) -> bool {
        self.1.signs_the_body()
    }

    /// An account with all that the provider's accounts have.
    pub(crate) fn account(&self) -> Account {
        let fields = self.0.account_fields();
        let given = |field: Option<&str>, value: &str| field.map_or_else(String::new, |_| value.to_owned());
        Account {
            account_sid: given(fields.account_sid, self.1.account_sid()),
            api_user: given(fields.api_user, "muster"),
            application_id: given(fields.application_id, "93de2206-9669-4e07-948d-329f4b722ee2"),
            api_secret: SECRET.into(),
            webhook_key: self.1.webhook_key_of(SECRET).into(),
            second_webhook_key: SecretString::default(),
            base_url: None,
        }
    }

    /// Our reference in the cases, as far as receipts of this provider have one. They have where nothing else says which
    /// text they are about.
    pub(crate) fn reference_of_receipts(&self) -> Option<Reference> {
        let told = self.fixture(&format!("receipt.{}", self.1.extension()));
        let told = told.contains("{reference}") || told.contains("{query}");
        assert!(told || self.adapter().correlation() == Correlation::CallbackUrl);
        told.then(reference)
    }

    /// The media of a text, as many of these as it can have.
    pub(crate) fn media(&self, all: &[String]) -> Vec<String> {
        all.iter().take(self.1.media_max()).cloned().collect()
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

    /// The first code that the provider documents for `class`, if it does.
    pub(crate) fn code_of(&self, class_wanted: ErrorClass) -> Option<String> {
        let mut rows = self.rows("codes.tsv").into_iter();
        let row = rows.find(|[_, name, _]| class(name) == class_wanted);
        row.map(|[code, _, _]| code)
    }

    pub(crate) fn error(&self, code: &str, status: u16) -> String {
        self.fixture("error.json").replace("{code}", code).replace("{status}", &status.to_string())
    }

    pub(crate) fn webhook(&self, name: &str) -> String {
        self.fixture(&format!("{name}.{}", self.1.extension()))
            .replace("{id}", "ID1")
            .replace("{reference}", &reference().to_string())
            .replace("{query}", &reference().query())
    }

    pub(crate) fn receipt(&self, state: &str, code: &str) -> String {
        self.webhook("receipt").replace("{state}", state).replace("{code}", &self.1.code(code))
    }

    /// The webhook `body` with the words `to` in the place of `from`, both as the provider writes them.
    pub(crate) fn reworded(&self, body: &str, from: &str, to: &str) -> String {
        let (from, to) = (self.1.written(from), self.1.written(to));
        assert!(body.contains(&from), "{from} is not in {body}");
        body.replace(&from, &to)
    }

    pub(crate) fn sign(&self, body: &str) -> HeaderMap {
        self.1.sign(SECRET, body)
    }

    pub(crate) fn sign_as_another(&self, body: &str) -> HeaderMap {
        self.1.sign(OTHER_SECRET, body)
    }

    pub(crate) fn sign_as_a_third(&self, body: &str) -> HeaderMap {
        self.1.sign(THIRD_SECRET, body)
    }

    pub(crate) fn verify(&self, headers: &HeaderMap, body: &str) -> Result<(), Forged> {
        self.verify_bytes(headers, body.as_bytes())
    }

    pub(crate) fn verify_bytes(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), Forged> {
        let request = WebhookRequest { url: URL, headers, body, now_s: NOW_S };
        self.adapter().verify(&self.account(), request).map(|_| ())
    }

    pub(crate) fn verify_for(
        &self,
        account: &Account,
        headers: &HeaderMap,
        body: &str,
    ) -> Result<(), Forged> {
        let request = WebhookRequest { url: URL, headers, body: body.as_bytes(), now_s: NOW_S };
        self.adapter().verify(account, request).map(|_| ())
    }

    /// What comes of it for another account with the same secrets, and an hour later.
    pub(crate) fn verify_of_strangers(
        &self,
        account: &Account,
        headers: &HeaderMap,
        body: &str,
    ) -> [Result<(), Forged>; 2] {
        let other =
            Account { account_sid: "AC00000000000000000000000000000002".to_owned(), ..account.clone() };
        let request = WebhookRequest { url: URL, headers, body: body.as_bytes(), now_s: NOW_S + 3_600 };
        let later = self.adapter().verify(account, request).map(|_| ());
        [self.verify_for(&other, headers, body), later]
    }

    /// The account while its key is changed: the other one is the second, or the first.
    pub(crate) fn with_two_keys(&self) -> [Account; 2] {
        let [ours, other] =
            [SECRET, OTHER_SECRET].map(|secret| SecretString::from(self.1.webhook_key_of(secret)));
        [(ours.clone(), other.clone()), (other, ours)].map(|(webhook_key, second_webhook_key)| Account {
            webhook_key,
            second_webhook_key,
            ..self.account()
        })
    }

    pub(crate) fn expected_of_strangers(&self) -> [Result<(), Forged>; 2] {
        self.1.expected_of_strangers()
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
        self.told_of(headers, body).into_iter().collect()
    }

    /// All that `body` tells, signed here, whatever can be read of it.
    pub(crate) fn told(&self, body: &str) -> Vec<Result<WebhookEvent, Unreadable>> {
        self.told_of(&self.sign(body), body.as_bytes())
    }

    fn told_of(&self, headers: &HeaderMap, body: &[u8]) -> Vec<Result<WebhookEvent, Unreadable>> {
        let request = WebhookRequest { url: URL, headers, body, now_s: NOW_S };
        let verified = self.adapter().verify(&self.account(), request).expect("a genuine webhook");
        self.adapter().events(&verified)
    }
}

/// The reference of the text that the cases send.
pub(crate) fn reference() -> Reference {
    Reference { message: Uuid::from_u128(0x0190_a7c0_0000_7000_8000_0000_0000_0001), attempt: 1 }
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

pub(crate) fn headers(pairs: &[(&'static str, String)]) -> HeaderMap {
    let value = |text| HeaderValue::from_str(text).expect("a header value");
    pairs.iter().map(|(name, text)| (HeaderName::from_static(name), value(text))).collect()
}
