//! What follows from the answers of Vonage and Sinch to our questions: about texts, phones and numbers.

use http::{HeaderMap, StatusCode};
use muster_domain::error::ErrorClass;
use muster_domain::phone::PhoneNumber;
use muster_domain::provider::Provider;
use muster_domain::status::Fact;
use muster_providers::{
    Account, Finding, Inquiries, Inquiry, LookUps, Numbers, Purchase, Reference, adapter,
};
use uuid::Uuid;

const NOW_S: i64 = 1_700_000_000;
const OURS: &str = "00000000000000000000000000000007-1";

fn phone(e164: &str) -> PhoneNumber {
    PhoneNumber::from_e164_trusted(e164)
}

fn inquiry<'a>(id: Option<&'a str>, to: &'a PhoneNumber, from: &'a PhoneNumber) -> Inquiry<'a> {
    Inquiry {
        provider_message_id: id,
        reference: Reference { message: Uuid::from_u128(7), attempt: 1 },
        to,
        from,
        body: "hi",
        since_s: NOW_S - 100_000,
        until_s: NOW_S,
        others: &[],
    }
}

fn finding(provider: Provider, id: Option<&str>, status: StatusCode, body: &str) -> Finding {
    let (to, from) = (phone("+12025550123"), phone("+14155550100"));
    let inquiries: &dyn Inquiries = adapter(provider).inquiries().expect("inquiries");
    inquiries.finding(&inquiry(id, &to, &from), status, &HeaderMap::new(), body.as_bytes())
}

fn found(fact: Fact, id: &str) -> Finding {
    Finding::Found { fact, provider_message_id: id.to_owned() }
}

#[test]
fn vonage_is_asked_for_a_day_at_most() {
    let (to, from) = (phone("+12025550123"), phone("+14155550100"));
    let account = Account { account_sid: "a1b2c3d4".to_owned(), ..Account::default() };
    let inquiries = adapter(Provider::Vonage).inquiries().expect("inquiries");
    let url = |id| {
        let request = inquiries.inquire(&account, &inquiry(id, &to, &from)).expect("a request");
        request.expect("enough is known").uri().to_string()
    };
    let base =
        "https://api.nexmo.com/v2/reports/records?account_id=a1b2c3d4&product=MESSAGES&direction=outbound";
    assert_eq!(
        url(None),
        format!(
            "{base}&date_start=2023-11-13T22%3A13%3A21Z&date_end=2023-11-14T22%3A13%3A21Z&to=12025550123"
        )
    );
    assert_eq!(url(Some("ID 1&")), format!("{base}&id=ID+1%26"));
}

#[test]
fn vonage_finds_texts_by_our_reference_or_by_its_id() {
    let report = |records: &str| format!(r#"{{"request_status":"SUCCESS","records":[{records}]}}"#);
    let record = |id: &str, reference: &str, status: &str, code: &str| {
        format!(
            r#"{{"message_id":"{id}","client_ref":"{reference}","status":"{status}","error_code":"{code}"}}"#
        )
    };
    let other = record("ID2", "m-1", "delivered", "");
    let error = |class, code: &str| {
        Fact::ReceiptUndelivered(muster_domain::error::SendError { class, code: code.to_owned() })
    };
    for (status, code, fact) in [
        ("submitted", "", Fact::ReceiptSent),
        ("delivered", "0", Fact::ReceiptDelivered),
        ("rejected", "1240", error(ErrorClass::OptedOut, "1240")),
        ("rejected", "", error(ErrorClass::Unknown, "rejected")),
        ("", "", Fact::Accepted),
        ("levitating", "", Fact::Accepted),
    ] {
        let body = report(&[&*other, &record("ID1", OURS, status, code)].join(","));
        assert_eq!(finding(Provider::Vonage, None, StatusCode::OK, &body), found(fact.clone(), "ID1"));
        assert_eq!(finding(Provider::Vonage, Some("ID1"), StatusCode::OK, &body), found(fact, "ID1"));
    }
    let ask = |status, body: &str| finding(Provider::Vonage, None, status, body);
    assert_eq!(ask(StatusCode::OK, &report(&other)), Finding::NotFound);
    assert_eq!(ask(StatusCode::OK, r#"{"request_status":"SUCCESS"}"#), Finding::NotFound);
    let next = r#"{"request_status":"SUCCESS","records":[],"_links":{"self":{},"next":{"href":"x"}}}"#;
    for unclear in ["", "{}", "[]", "<html>", next, r#"{"request_status":"PENDING","records":[]}"#] {
        assert_eq!(ask(StatusCode::OK, unclear), Finding::Unclear, "{unclear}");
    }
    for status in [StatusCode::NOT_FOUND, StatusCode::UNAUTHORIZED, StatusCode::BAD_GATEWAY] {
        assert_eq!(ask(status, &report("")), Finding::Unclear, "{status}");
    }
    assert_eq!(ask(StatusCode::OK, &report(&record("", OURS, "delivered", ""))), Finding::Unclear);
}

#[test]
fn sinch_finds_texts_by_our_reference_or_by_its_id() {
    let list = |batches: &str| format!(r#"{{"count":1,"page":0,"batches":[{batches}],"page_size":10}}"#);
    let batch = |id: &str, reference: &str| format!(r#"{{"id":"{id}","client_reference":"{reference}"}}"#);
    let ask = |status, body: &str| finding(Provider::Sinch, None, status, body);
    assert_eq!(ask(StatusCode::OK, &list(&batch("ID1", OURS))), found(Fact::Accepted, "ID1"));
    assert_eq!(ask(StatusCode::OK, &list("")), Finding::NotFound);
    for unclear in ["", "{}", &list(&batch("ID1", "m-1")), &list(r#"{"id":"ID1"}"#), &list(&batch("", OURS))]
    {
        assert_eq!(ask(StatusCode::OK, unclear), Finding::Unclear, "{unclear}");
    }
    for status in [StatusCode::NOT_FOUND, StatusCode::UNAUTHORIZED, StatusCode::BAD_GATEWAY] {
        assert_eq!(ask(status, &list("")), Finding::Unclear, "{status}");
    }
    let report = |id: &str, state: &str, code: u32| {
        format!(
            r#"{{"type":"recipient_delivery_report_sms","batch_id":"{id}","recipient":"12025550123","code":{code},"status":"{state}","at":"2023-11-14T22:13:20.000Z"}}"#
        )
    };
    let ask = |status, body: &str| finding(Provider::Sinch, Some("ID1"), status, body);
    assert_eq!(ask(StatusCode::OK, &report("ID1", "Dispatched", 401)), found(Fact::ReceiptSent, "ID1"));
    assert_eq!(ask(StatusCode::OK, &report("ID1", "Delivered", 0)), found(Fact::ReceiptDelivered, "ID1"));
    assert_eq!(ask(StatusCode::OK, &report("ID1", "Levitating", 0)), found(Fact::Accepted, "ID1"));
    assert_eq!(ask(StatusCode::OK, &report("ID2", "Delivered", 0)), Finding::Unclear);
    assert_eq!(ask(StatusCode::NOT_FOUND, ""), Finding::NotFound);
    assert_eq!(ask(StatusCode::FORBIDDEN, ""), Finding::Unclear);
}

#[test]
fn vonage_tells_what_line_a_phone_is_on() {
    let look_ups: &dyn LookUps = adapter(Provider::Vonage).look_ups().expect("look-ups");
    let told = |status, body: &str| look_ups.line_type(status, &HeaderMap::new(), body.as_bytes());
    let insight = |status: u32, kind: &str| {
        let body = format!(
            r#"{{"status":{status},"status_message":"Success","current_carrier":{{"network_code":"310004","network_type":"{kind}"}}}}"#
        );
        told(StatusCode::OK, &body)
    };
    for (status, class) in [
        (1, ErrorClass::Rate),
        (4, ErrorClass::Credentials),
        (5, ErrorClass::Transient),
        (9, ErrorClass::Account),
        (77, ErrorClass::Unknown),
    ] {
        let unanswered = insight(status, "mobile").expect_err("no answer");
        assert_eq!((unanswered.error.class, unanswered.error.code), (class, status.to_string()));
    }
    let unanswered = told(StatusCode::UNAUTHORIZED, "").expect_err("no answer");
    assert_eq!(unanswered.error.class, ErrorClass::Credentials);
    assert!(told(StatusCode::OK, "<html>").is_err());
}

#[test]
fn vonage_numbers_are_found_bought_listed_and_given_back() {
    let numbers: &dyn Numbers = adapter(Provider::Vonage).numbers().expect("numbers");
    let (ok, headers) = (StatusCode::OK, HeaderMap::new());
    let page = br#"{"count":2,"numbers":[{"country":"US","msisdn":"14155550100","cost":"0.67","type":"mobile-lvn","features":["SMS"]},{"country":"US","msisdn":"26262"}]}"#;
    assert_eq!(numbers.offered(ok, &headers, page), Ok(vec![phone("+14155550100")]));
    assert_eq!(numbers.offered(ok, &headers, b"{}"), Ok(vec![]));
    let own = numbers.listed(None, ok, &headers, page).expect("a list");
    assert_eq!((own.numbers.len(), &*own.numbers[0].id, own.next_page), (1, "14155550100", None));
    let many = br#"{"count":201,"numbers":[{"country":"US","msisdn":"14155550100"}]}"#;
    for (page, next) in [(None, Some("2")), (Some("2"), Some("3")), (Some("3"), None)] {
        let own = numbers.listed(page, ok, &headers, many).expect("a list");
        assert_eq!(own.next_page.as_deref(), next, "{page:?}");
    }
    // However many there are said to be, an empty page is the last one.
    let empty = numbers.listed(None, ok, &headers, br#"{"count":201}"#).expect("a list");
    assert_eq!((empty.numbers, empty.next_page), (vec![], None));

    let done = br#"{"error-code":"200","error-code-label":"success"}"#;
    assert_eq!(numbers.bought(ok, &headers, done), Ok(Purchase::Done));
    assert_eq!(numbers.released(ok, &headers, done), Ok(()));
    let refused = br#"{"error-code":"420","error-code-label":"method failed"}"#;
    for status in [ok, StatusCode::from_u16(420).expect("a status")] {
        let unanswered = numbers.bought(status, &headers, refused).expect_err("a refusal");
        assert_eq!((unanswered.error.class, &*unanswered.error.code), (ErrorClass::BadRequest, "420"));
        assert!(numbers.released(status, &headers, refused).is_err());
    }
    let credentials = numbers.bought(StatusCode::UNAUTHORIZED, &headers, br#"{"error-code":"401"}"#);
    assert_eq!(credentials.expect_err("a refusal").error.class, ErrorClass::Credentials);
    // After these, nobody knows: list before asking again.
    let unknown = numbers.bought(StatusCode::BAD_GATEWAY, &headers, b"").expect_err("no answer");
    assert_eq!(unknown.error.class, ErrorClass::Transient);
    let unknown = numbers.bought(ok, &headers, b"{}").expect_err("no answer");
    assert_eq!(unknown.error.class, ErrorClass::Unknown);
}
