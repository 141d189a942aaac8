//! What providers answer when they are asked about phones, numbers and texts.

use http::{HeaderMap, StatusCode};
use muster_domain::error::ErrorClass;
use muster_domain::phone::PhoneNumber;
use muster_domain::provider::Provider;
use muster_providers::{
    Account, Finding, Inquiry, LookUps, Numbers, OwnNumber, Reference, Unanswered, adapter,
};
use uuid::Uuid;

/// What a provider can be asked, beside what became of a text.
struct Asked {
    look_ups: bool,
    numbers: bool,
    /// Whether an account says enough to buy a number.
    buys: bool,
}

/// Who can be asked what. A provider that is added must say so here.
fn asked(provider: Provider) -> Asked {
    match provider {
        Provider::Twilio | Provider::Telnyx | Provider::Plivo | Provider::Vonage => {
            Asked { look_ups: true, numbers: true, buys: true }
        }
        // A purchase wants to know a site, which no account says.
        Provider::Bandwidth => Asked { look_ups: true, numbers: true, buys: false },
        // Both are at other services of Sinch's, with credentials of their own.
        Provider::Sinch => Asked { look_ups: false, numbers: false, buys: false },
    }
}

fn look_ups() -> impl Iterator<Item = (Provider, &'static dyn LookUps)> {
    Provider::ALL.into_iter().filter_map(|provider| Some((provider, adapter(provider).look_ups()?)))
}

fn numbers() -> impl Iterator<Item = (Provider, &'static dyn Numbers)> {
    Provider::ALL.into_iter().filter_map(|provider| Some((provider, adapter(provider).numbers()?)))
}

/// What a provider answered, as it was recorded.
fn fixture(provider: Provider, name: &str) -> String {
    let extension = if provider == Provider::Bandwidth { "xml" } else { "json" };
    let name = if name.contains('.') { name.to_owned() } else { format!("{name}.{extension}") };
    let path = format!("{}/tests/fixtures/{provider}/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The rows of a table, without its heading.
fn rows<const N: usize>(provider: Provider, name: &str) -> Vec<[String; N]> {
    let cells = |line: &str| {
        let cells: Vec<_> = line.split('\t').map(str::to_owned).collect();
        cells.try_into().unwrap_or_else(|_| panic!("{provider} {name}: {line:?} has not {N} cells"))
    };
    fixture(provider, name).lines().skip(1).map(cells).collect()
}

fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).expect("a status")
}

fn phone(e164: &str) -> PhoneNumber {
    PhoneNumber::from_e164_trusted(e164)
}

#[test]
fn everybody_says_what_they_can_be_asked() {
    for provider in Provider::ALL {
        let Asked { look_ups, numbers, buys } = asked(provider);
        let adapter = adapter(provider);
        assert!(adapter.inquiries().is_some(), "{provider}");
        assert_eq!(adapter.look_ups().is_some(), look_ups, "{provider}");
        assert_eq!(adapter.numbers().is_some(), numbers, "{provider}");
        let buy = adapter
            .numbers()
            .and_then(|numbers| numbers.buy(&Account::default(), &phone("+14155550100")).expect("no error"));
        assert_eq!(buy.is_some(), buys, "{provider}");
    }
}

#[test]
fn line_types() {
    for (provider, look_ups) in look_ups() {
        for [answer, line] in rows(provider, "lines.tsv") {
            let told = look_ups.line_type(status(200), &HeaderMap::new(), answer.as_bytes());
            assert_eq!(format!("{:?}", told.expect("a line type")), line, "{provider} {answer}");
        }
    }
}

#[test]
fn numbers_that_are_to_be_had() {
    for (provider, numbers) in numbers() {
        let answer = fixture(provider, "offered");
        let offered = numbers.offered(status(200), &HeaderMap::new(), answer.as_bytes());
        assert_eq!(offered, Ok(vec![phone("+14155550100")]), "{provider}");
    }
}

#[test]
fn numbers_that_are_ours_page_by_page() {
    for (provider, numbers) in numbers() {
        let (answer, headers) = (fixture(provider, "owned"), HeaderMap::new());
        let listed = numbers.listed(None, status(200), &headers, answer.as_bytes()).expect("a list");
        let [own] = &listed.numbers[..] else { panic!("{provider}: {listed:?}") };
        assert_eq!(own.phone, phone("+14155550100"), "{provider}");
        assert!(!own.id.is_empty(), "{provider}");
        let next = listed.next_page.expect("a next page");
        let page = numbers.list(&Account::default(), Some(&next)).expect("a request").uri().to_string();
        assert!(page.starts_with("https://") && page.contains(next.trim_start_matches('/')), "{page}");
    }
}

#[test]
fn purchases() {
    for (provider, numbers) in numbers().filter(|(provider, _)| asked(*provider).buys) {
        for [code, answer, became] in rows(provider, "purchases.tsv") {
            let code = status(code.parse().expect("a status"));
            let told = match numbers.bought(code, &HeaderMap::new(), answer.as_bytes()) {
                Ok(purchase) => format!("{purchase:?}"),
                Err(Unanswered { error, .. }) => format!("{:?}", error.class),
            };
            assert_eq!(told, became, "{provider} {answer}");
        }
    }
}

#[test]
fn bandwidth_takes_a_number_back_by_its_national_form() {
    let own = OwnNumber { phone: phone("+14155550100"), id: "4155550100".to_owned() };
    let numbers = adapter(Provider::Bandwidth).numbers().expect("numbers");
    let request = numbers.release(&Account::default(), &own).expect("a request");
    assert_eq!(request.method(), http::Method::POST);
    let order = str::from_utf8(request.body()).expect("text");
    assert!(order.contains("<TelephoneNumber>4155550100</TelephoneNumber>"), "{order}");
    assert_eq!(request.headers()["content-type"], "application/xml");
}

#[test]
fn what_cannot_be_read_is_no_answer() {
    const UNREADABLE: [(u16, &str); 5] =
        [(200, ""), (200, "<html>It works!"), (200, "[]"), (500, "{}"), (302, "{}")];
    let headers = HeaderMap::new();
    let nothing = |answer: Result<(), Unanswered>| {
        let Unanswered { error, .. } = answer.expect_err("no answer");
        assert!(matches!(error.class, ErrorClass::Unknown | ErrorClass::Transient), "{error:?}");
    };
    for (code, body) in UNREADABLE.map(|(code, body)| (status(code), body.as_bytes())) {
        for (_, numbers) in numbers() {
            nothing(numbers.offered(code, &headers, body).map(|_| ()));
            nothing(numbers.listed(None, code, &headers, body).map(|_| ()));
            nothing(numbers.bought(code, &headers, body).map(|_| ()));
        }
        for (_, look_ups) in look_ups() {
            nothing(look_ups.line_type(code, &headers, body).map(|_| ()));
        }
    }
    for (provider, numbers) in numbers() {
        let refused = numbers.offered(status(401), &headers, b"").expect_err("a refusal");
        assert_eq!(refused.error.class, ErrorClass::Credentials, "{provider}");
        assert!(numbers.released(status(500), &headers, b"{}").is_err(), "{provider}");
    }
}

/// Whatever a provider answers, an inquiry never says that a text was not accepted; and what nobody can read says
/// nothing at all.
#[test]
fn inquiries_that_say_nothing() {
    let (to, from) = (phone("+12025550123"), phone("+14155550100"));
    for provider in Provider::ALL {
        for provider_message_id in [None, Some("ID1")] {
            let inquiry = Inquiry {
                provider_message_id,
                reference: Reference { message: Uuid::nil(), attempt: 1 },
                to: &to,
                from: &from,
                body: "hi",
                since_s: 0,
                until_s: 60,
                others: &[],
            };
            let inquiries = adapter(provider).inquiries().expect("inquiries");
            let bodies = ["", "<html>oops</html>", "{}", "[]", "null", r#"{"messages":null}"#];
            for (code, body) in
                [200, 401, 429, 500].into_iter().flat_map(|code| bodies.map(|body| (code, body)))
            {
                let finding = inquiries.finding(&inquiry, status(code), &HeaderMap::new(), body.as_bytes());
                assert_eq!(finding, Finding::Unclear, "{provider} {code} {body}");
            }
        }
    }
}
