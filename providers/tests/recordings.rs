//! Our requests against those that the providers' own software makes for the same call, recorded by a server that
//! answered it (`fixtures/{provider}/sdk/*.http`): same address, same proof of who calls, same fields with the same
//! values. The first line of a recording names the software; another may name fields that the software adds `beside`
//! those that it was told, and that we leave out. Bandwidth's has nothing for its numbers.

use bytes::Bytes;
use http::Request;
use muster_domain::phone::PhoneNumber;
use muster_domain::provider::Provider;
use muster_providers::{Account, Adapter, Inquiry, OwnNumber, Reference, Text, adapter};
use serde_json::Value;
use uuid::Uuid;

const BODY: &str = "Hi é & \"bye\" 50%+1=2\n";
const NOW_S: i64 = 1_700_000_000;

#[test]
fn twilio() {
    all_of(Provider::Twilio);
}

#[test]
fn telnyx() {
    all_of(Provider::Telnyx);
}

#[test]
fn plivo() {
    all_of(Provider::Plivo);
}

fn all_of(provider: Provider) {
    let recorded = Recorded::of(provider);
    recorded.texts_and_inquiries();
    recorded.numbers();
    recorded.done();
}

#[test]
fn bandwidth() {
    let recorded = Recorded::of(Provider::Bandwidth);
    recorded.texts_and_inquiries();
    recorded.done();
}

#[test]
fn vonage() {
    let recorded = Recorded::of(Provider::Vonage);
    recorded.text("sms", BODY, &[]);
    recorded.text("mms", "", &["https://media.example/a.png?x=1", "https://media.example/b.png"]);
    for (kind, ending) in
        [("image", "png"), ("vcard", "vcf"), ("audio", "mp3"), ("video", "mp4"), ("file", "pdf")]
    {
        let url = format!("https://media.example/a.{ending}");
        recorded.text(&format!("mms-{kind}"), BODY, &[&url]);
    }
    recorded.look_up();
    recorded.numbers();
    recorded.done();
}

#[test]
fn sinch() {
    let recorded = Recorded::of(Provider::Sinch);
    recorded.text("sms", BODY, &[]);
    recorded.text("mms", "", &["https://media.example/a.png?x=1"]);
    recorded.text("mms-text", BODY, &["https://media.example/a.png"]);
    recorded.inquiry("inquiry-id", Some("ID1"));
    recorded.inquiry("inquiry-reference", None);
    recorded.done();
}

/// The recordings of a provider, and which of them were compared.
struct Recorded {
    provider: Provider,
    compared: std::cell::RefCell<Vec<String>>,
}

impl Recorded {
    fn of(provider: Provider) -> Self {
        Self { provider, compared: std::cell::RefCell::default() }
    }

    fn adapter(&self) -> &'static dyn Adapter {
        adapter(self.provider)
    }

    /// With all that the provider's accounts have.
    fn account(&self) -> Account {
        let fields = self.provider.account_fields();
        let given = |field: Option<&str>, value: &str| field.map_or_else(String::new, |_| value.to_owned());
        let account_sid = match self.provider {
            Provider::Plivo => "MA000000000000000001",
            Provider::Twilio
            | Provider::Telnyx
            | Provider::Bandwidth
            | Provider::Vonage
            | Provider::Sinch => "AC00000000000000000000000000000001",
        };
        let secret = "12345678901234567890123456789012";
        Account {
            account_sid: given(fields.account_sid, account_sid),
            api_user: given(fields.api_user, "muster"),
            application_id: given(fields.application_id, "93de2206-9669-4e07-948d-329f4b722ee2"),
            api_secret: secret.into(),
            webhook_key: secret.into(),
            ..Account::default()
        }
    }

    fn folder(&self) -> String {
        format!("{}/tests/fixtures/{}/sdk", env!("CARGO_MANIFEST_DIR"), self.provider)
    }

    fn text(&self, name: &str, body: &str, media_urls: &[&str]) {
        let media_urls: Vec<_> = media_urls.iter().map(|url| (*url).to_owned()).collect();
        let text = Text {
            to: &recipient(),
            from: &sender(),
            body,
            media_urls: &media_urls,
            status_callback: "https://gw.muster.example/hooks/t1/status?m=0190a7c0&a=1",
            reference: reference(),
            validity_s: 3_600,
            now_s: NOW_S,
        };
        self.compare(name, &self.adapter().request(&self.account(), &text).expect("a request"));
    }

    fn texts_and_inquiries(&self) {
        self.text("sms", BODY, &[]);
        self.text("mms", "", &["https://media.example/a.png?x=1", "https://media.example/b.png"]);
        self.inquiry("inquiry-id", Some("ID1"));
        self.inquiry("inquiry-phones", None);
        self.look_up();
    }

    fn inquiry(&self, name: &str, provider_message_id: Option<&str>) {
        let inquiry = Inquiry {
            provider_message_id,
            reference: reference(),
            to: &recipient(),
            from: &sender(),
            body: BODY,
            since_s: NOW_S,
            until_s: NOW_S + 60,
            others: &[],
        };
        let inquiries = self.adapter().inquiries().expect("inquiries");
        let request = inquiries.inquire(&self.account(), &inquiry).expect("a request");
        self.compare(name, &request.expect("enough is known to ask"));
    }

    fn look_up(&self) {
        let look_ups = self.adapter().look_ups().expect("look-ups");
        self.compare("look-up", &look_ups.look_up(&self.account(), &recipient()).expect("a request"));
    }

    fn numbers(&self) {
        let (numbers, account) = (self.adapter().numbers().expect("numbers"), self.account());
        let own = OwnNumber { phone: sender(), id: "ID1".to_owned() };
        self.compare("search", &numbers.search(&account, "415", 20).expect("a request"));
        let request = numbers.buy(&account, &sender()).expect("a request");
        self.compare("buy", &request.expect("enough is known to buy"));
        self.compare("release", &numbers.release(&account, &own).expect("a request"));
        self.compare("list", &numbers.list(&account, None).expect("a request"));
    }

    fn compare(&self, name: &str, ours: &Request<Bytes>) {
        let path = format!("{}/{name}.http", self.folder());
        let theirs = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let (head, body) = theirs.split_once("\n\n").expect("a head and a body");
        let mut lines = head.lines().skip_while(|line| line.starts_with('#'));
        let (method, url) = lines.next().and_then(|line| line.split_once(' ')).expect("a request line");
        let headers: Vec<_> = lines.filter_map(|line| line.split_once(": ")).collect();
        let header = |name| headers.iter().find_map(|(key, value)| (*key == name).then_some(*value));

        assert_eq!(ours.method().as_str(), method, "{name}");
        assert_eq!(address(&ours.uri().to_string()), address(url), "{name}");
        for key in ["authorization", "content-type"] {
            let value = ours.headers().get(key).map(|value| value.to_str().expect("text"));
            assert_eq!(value, header(key), "{name}: {key}");
        }
        let beside: Vec<_> = head
            .lines()
            .filter_map(|line| line.strip_prefix("# beside: "))
            .flat_map(str::split_whitespace)
            .collect();
        let ours = fields(str::from_utf8(ours.body()).expect("text"));
        let mut theirs = fields(body.trim_end_matches('\n'));
        if let Some(fields) = theirs.as_object_mut() {
            fields.retain(|field, _| !beside.contains(&field.as_str()));
        }
        assert_eq!(ours, theirs, "{name}");
        self.compared.borrow_mut().push(format!("{name}.http"));
    }

    /// That each recording was compared.
    fn done(self) {
        let entries = std::fs::read_dir(self.folder()).expect("the recordings");
        let name = |entry: std::io::Result<std::fs::DirEntry>| {
            entry.expect("a recording").file_name().into_string().expect("a name")
        };
        let mut all: Vec<_> = entries.map(name).collect();
        let mut compared = self.compared.into_inner();
        all.sort();
        compared.sort();
        assert_eq!(compared, all);
    }
}

/// The fields of a body, whatever their order: of JSON, or of a form.
fn fields(body: &str) -> Value {
    // One software writes the same zone in another way.
    let body = body.replace("+00:00\"", "Z\"");
    serde_json::from_str(&body).unwrap_or_else(|_| pairs(&body).into())
}

/// The fields of a form, in the order of their names.
fn pairs(form: &str) -> Vec<String> {
    let pairs = form_urlencoded::parse(form.as_bytes());
    let mut pairs: Vec<_> = pairs.map(|(name, value)| format!("{name}={value}")).collect();
    pairs.sort();
    pairs
}

/// A URL without its query, and the fields of its query.
fn address(url: &str) -> (&str, Vec<String>) {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    (path, pairs(query))
}

fn recipient() -> PhoneNumber {
    PhoneNumber::from_e164_trusted("+12025550123")
}

fn sender() -> PhoneNumber {
    PhoneNumber::from_e164_trusted("+14155550100")
}

fn reference() -> Reference {
    Reference { message: Uuid::from_u128(0x0190_a7c0_0000_7000_8000_0000_0000_0001), attempt: 1 }
}
