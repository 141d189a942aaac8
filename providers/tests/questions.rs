//! What providers answer when they are asked about phones, numbers and texts.

use http::{HeaderMap, StatusCode};
use muster_domain::error::ErrorClass;
use muster_domain::phone::PhoneNumber;
use muster_domain::provider::Provider;
use muster_providers::{
    Account, Finding, Inquiry, LineType, OwnNumber, Purchase, Reference, Unanswered, adapter,
};
use uuid::Uuid;

const FOUR: [Provider; 4] = [Provider::Twilio, Provider::Telnyx, Provider::Bandwidth, Provider::Plivo];

fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).expect("a status")
}

fn phone(e164: &str) -> PhoneNumber {
    PhoneNumber::from_e164_trusted(e164)
}

fn line(provider: Provider, answer: &str) -> LineType {
    let look_ups = adapter(provider).look_ups().expect("look-ups");
    look_ups.line_type(status(200), &HeaderMap::new(), answer.as_bytes()).expect("a line type")
}

#[test]
fn line_types() {
    use LineType::{Invalid, Landline, Mobile, TollFree, Unknown, Voip};
    for (word, expected) in [
        ("mobile", Mobile),
        ("landline", Landline),
        ("fixedVoip", Voip),
        ("nonFixedVoip", Voip),
        ("tollFree", TollFree),
        ("pager", Unknown),
    ] {
        let answer =
            format!(r#"{{"valid":true,"line_type_intelligence":{{"type":"{word}","error_code":null}}}}"#);
        assert_eq!(line(Provider::Twilio, &answer), expected, "{word}");
    }
    assert_eq!(line(Provider::Twilio, r#"{"valid":false,"line_type_intelligence":null}"#), Invalid);
    for (word, expected) in [
        ("mobile", Mobile),
        ("fixed line", Landline),
        ("voip", Voip),
        ("toll free", TollFree),
        ("fixed line or mobile", Unknown),
    ] {
        let answer = format!(r#"{{"data":{{"carrier":{{"type":"{word}","name":"A carrier"}}}}}}"#);
        assert_eq!(line(Provider::Telnyx, &answer), expected, "{word}");
    }
    assert_eq!(line(Provider::Telnyx, r#"{"data":{"carrier":null}}"#), Unknown);
    for (word, state, expected) in [
        ("MOBILE", "ACTIVE", Mobile),
        ("FIXED", "UNKNOWN", Landline),
        ("VOIP", "ACTIVE", Voip),
        ("VOIP-FIXED", "ACTIVE", Voip),
        ("MOBILE", "DEACTIVATED", Invalid),
        ("OTHER", "ACTIVE", Unknown),
    ] {
        let answer = format!(
            r#"{{"data":{{"results":[{{"lineType":"{word}","latestMessageDeliveryStatus":"{state}"}}]}}}}"#
        );
        assert_eq!(line(Provider::Bandwidth, &answer), expected, "{word}");
    }
    for (word, expected) in [("mobile", Mobile), ("fixed", Landline), ("voip", Voip), ("x", Unknown)] {
        let answer = format!(r#"{{"carrier":{{"type":"{word}"}}}}"#);
        assert_eq!(line(Provider::Plivo, &answer), expected, "{word}");
    }
}

#[test]
fn numbers_that_are_to_be_had() {
    let answers = [
        r#"{"available_phone_numbers":[{"phone_number":"+14155550100"},{"phone_number":"+442071838750"}]}"#,
        r#"{"data":[{"phone_number":"+14155550100"}]}"#,
        "<SearchResult><ResultCount>1</ResultCount><TelephoneNumberList><TelephoneNumber>4155550100\
         </TelephoneNumber></TelephoneNumberList></SearchResult>",
        r#"{"objects":[{"number":"14155550100"}],"meta":{"next":null,"offset":0}}"#,
    ];
    for (provider, answer) in FOUR.into_iter().zip(answers) {
        let numbers = adapter(provider).numbers().expect("numbers");
        let offered = numbers.offered(status(200), &HeaderMap::new(), answer.as_bytes());
        assert_eq!(offered, Ok(vec![phone("+14155550100")]), "{provider}");
    }
}

#[test]
fn numbers_that_are_ours_page_by_page() {
    let next = "/2010-04-01/Accounts/AC1/IncomingPhoneNumbers.json?PageSize=1000&Page=1&PageToken=PAPN1";
    let twilio = format!(
        r#"{{"incoming_phone_numbers":[{{"sid":"PN1","phone_number":"+14155550100"}}],"next_page_uri":"{next}"}}"#
    );
    let answers = [
        (twilio.as_str(), "PN1", next),
        (
            r#"{"data":[{"id":"12","phone_number":"+14155550100"}],"meta":{"page_number":1,"total_pages":2}}"#,
            "12",
            "2",
        ),
        (
            "<TNs><TotalCount>2</TotalCount><Links><next>Link=&lt;https://d.example/n?size=500&amp;page=2&gt;\
             </next></Links><TelephoneNumbers><TelephoneNumber>4155550100</TelephoneNumber></TelephoneNumbers></TNs>",
            "4155550100",
            "2",
        ),
        (
            r#"{"objects":[{"number":"14155550100"}],"meta":{"next":"/v1/x","offset":20}}"#,
            "14155550100",
            "21",
        ),
    ];
    for (provider, (answer, id, next)) in FOUR.into_iter().zip(answers) {
        let numbers = adapter(provider).numbers().expect("numbers");
        let listed = numbers.listed(None, status(200), &HeaderMap::new(), answer.as_bytes()).expect("a list");
        let own = OwnNumber { phone: phone("+14155550100"), id: id.to_owned() };
        assert_eq!((listed.numbers, listed.next_page.as_deref()), (vec![own], Some(next)), "{provider}");
        let page = numbers.list(&Account::default(), Some(next)).expect("a request").uri().to_string();
        assert!(page.starts_with("https://") && page.contains(next.trim_start_matches('/')), "{page}");
    }
}

#[test]
fn purchases() {
    let bought = |provider: Provider, code, answer: &str| {
        let numbers = adapter(provider).numbers().expect("numbers");
        numbers.bought(status(code), &HeaderMap::new(), answer.as_bytes())
    };
    let twilio = r#"{"sid":"PN1","phone_number":"+14155550100"}"#;
    assert_eq!(bought(Provider::Twilio, 201, twilio), Ok(Purchase::Done));
    let order = |status: &str| format!(r#"{{"data":{{"id":"1","status":"{status}"}}}}"#);
    assert_eq!(bought(Provider::Telnyx, 200, &order("pending")), Ok(Purchase::Ordered));
    assert_eq!(bought(Provider::Telnyx, 200, &order("success")), Ok(Purchase::Done));
    let refused = bought(Provider::Telnyx, 200, &order("failure")).expect_err("a failure");
    assert_eq!(refused.error.class, ErrorClass::SenderNumber);
    let gone = r#"{"errors":[{"code":"85001","title":"No longer available"}]}"#;
    let refused = bought(Provider::Telnyx, 422, gone).expect_err("a refusal");
    assert_eq!((refused.error.class, &*refused.error.code), (ErrorClass::SenderNumber, "85001"));
    assert_eq!(bought(Provider::Plivo, 201, r#"{"status":"fulfilled"}"#), Ok(Purchase::Done));
    assert_eq!(bought(Provider::Plivo, 202, r#"{"status":"pending"}"#), Ok(Purchase::Ordered));
    let numbers = adapter(Provider::Bandwidth).numbers().expect("numbers");
    assert!(numbers.buy(&Account::default(), &phone("+14155550100")).expect("no error").is_none());
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
    for provider in FOUR {
        let numbers = adapter(provider).numbers().expect("numbers");
        let look_ups = adapter(provider).look_ups().expect("look-ups");
        for (code, body) in [(200, ""), (200, "<html>It works!"), (200, "[]"), (500, "{}"), (302, "{}")] {
            let (status, headers, body) = (status(code), HeaderMap::new(), body.as_bytes());
            let found = [
                numbers.offered(status, &headers, body).map(|_| ()),
                numbers.listed(None, status, &headers, body).map(|_| ()),
                numbers.bought(status, &headers, body).map(|_| ()),
                look_ups.line_type(status, &headers, body).map(|_| ()),
            ];
            for found in found {
                let Unanswered { error, .. } = found.expect_err("no answer");
                assert!(matches!(error.class, ErrorClass::Unknown | ErrorClass::Transient), "{error:?}");
            }
            assert_eq!(numbers.released(status, &headers, body).is_ok(), code == 200);
        }
        let refused = numbers.offered(status(401), &HeaderMap::new(), b"").expect_err("a refusal");
        assert_eq!(refused.error.class, ErrorClass::Credentials);
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
