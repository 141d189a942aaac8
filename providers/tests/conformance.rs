//! The same cases over every provider. A new provider brings its fixtures and its way of signing (see
//! `conformance/dialect.rs`), and is held to all of this at once.

#[path = "conformance/dialect.rs"]
mod dialect;
#[path = "conformance/edge.rs"]
mod edge;

use bytes::Bytes;
use dialect::Dialect;
use http::{HeaderMap, Request, StatusCode};
use muster_domain::error::{ErrorClass, SendError};
use muster_domain::phone::PhoneNumber;
use muster_domain::provider::Provider;
use muster_domain::status::Fact;
use muster_providers::{Answer, Forged, Text, WebhookEvent};

fn every_provider() -> impl Iterator<Item = Dialect> {
    Provider::ALL.into_iter().map(Dialect::of)
}

/// Those whose answers say why with a code.
fn tellers() -> impl Iterator<Item = Dialect> {
    every_provider().filter(Dialect::tells_codes_in_answers)
}

fn error(class: ErrorClass, code: &str) -> SendError {
    SendError { class, code: code.to_owned() }
}

fn phone(e164: &str) -> PhoneNumber {
    PhoneNumber::from_e164_trusted(e164)
}

fn request(dialect: &Dialect, body: &str, media_urls: &[String]) -> Request<Bytes> {
    let (to, from) = (phone("+12025550123"), phone("+14155550100"));
    let text = Text {
        to: &to,
        from: &from,
        body,
        media_urls,
        status_callback: "https://gw.muster.example/hooks/t1/status?m=0190a7c0&a=1",
        reference: dialect::reference(),
        validity_s: 3_600,
        now_s: dialect::NOW_S,
    };
    dialect.adapter().request(&dialect.account(), &text).expect("a request")
}

#[test]
fn the_adapter_is_the_one_asked_for() {
    for provider in Provider::ALL {
        assert_eq!(muster_providers::adapter(provider).provider(), provider);
    }
}

#[test]
fn a_request_is_what_the_provider_documents() {
    let media = ["https://media.example/a.png?x=1".to_owned(), "https://media.example/b.png".to_owned()];
    for dialect in every_provider() {
        let sms = request(&dialect, "Hi é & \"bye\" 50%+1=2\n", &[]);
        assert_eq!(sms.method(), http::Method::POST);
        assert_eq!(dialect::wire(&sms), dialect.fixture("sms.http"));
        let mms = request(&dialect, "", &dialect.media(&media));
        assert_eq!(dialect::wire(&mms), dialect.fixture("mms.http"));
        assert!(sms.headers()["authorization"].is_sensitive());
    }
}

#[test]
fn another_base_url_is_used_where_the_account_names_one() {
    for dialect in every_provider() {
        let text_to = |base: Option<&str>| {
            let (to, from) = (phone("+12025550123"), phone("+14155550100"));
            let text = Text {
                to: &to,
                from: &from,
                body: "hi",
                media_urls: &[],
                status_callback: "http://x/",
                reference: dialect::reference(),
                validity_s: 60,
                now_s: dialect::NOW_S,
            };
            let account =
                muster_providers::Account { base_url: base.map(str::to_owned), ..dialect.account() };
            dialect.adapter().request(&account, &text).expect("a request").uri().to_string()
        };
        let path = text_to(None).replace(dialect.adapter().base_url(), "");
        assert!(path.starts_with('/'));
        for base in ["http://127.0.0.1:4010", "http://127.0.0.1:4010/"] {
            assert_eq!(text_to(Some(base)), format!("http://127.0.0.1:4010{path}"));
        }
    }
}

fn answer(dialect: &Dialect, status: u16, body: &str) -> Answer {
    let status = StatusCode::from_u16(status).expect("a status");
    dialect.adapter().answer(status, &HeaderMap::new(), body.as_bytes())
}

#[test]
fn an_accepted_text_has_an_id() {
    for dialect in every_provider() {
        for status in [200, 201, 202] {
            let answer = answer(&dialect, status, &dialect.fixture("accepted.json").replace("{id}", "ID1"));
            assert_eq!(answer.fact, Fact::Accepted);
            assert_eq!(answer.provider_message_id.as_deref(), Some("ID1"));
        }
    }
}

#[test]
fn a_success_that_nobody_can_read_proves_nothing() {
    for dialect in every_provider() {
        let accepted = dialect.fixture("accepted.json").replace("{id}", "ID1");
        let cut = &accepted[..accepted.len() - 9];
        let nameless = accepted.replace("ID1", "");
        for body in ["", "<html>It works!</html>", "{}", "[]", "null", cut, &nameless] {
            let unknown = Fact::Ambiguous(error(ErrorClass::Unknown, "http-200"));
            assert_eq!(answer(&dialect, 200, body).fact, unknown, "{body}");
        }
        for status in [100, 204, 301, 302, 307] {
            assert!(matches!(answer(&dialect, status, "").fact, Fact::Ambiguous(_)), "{status}");
        }
    }
}

#[test]
fn every_documented_code_has_its_class() {
    for dialect in tellers() {
        for [code, class, verdict] in dialect.rows("codes.tsv") {
            let error = error(dialect::class(&class), &code);
            let expected = match verdict.as_str() {
                "permanent" => Fact::Refused(error.clone()),
                "passing" => Fact::NotAccepted(error.clone()),
                "unclear" => Fact::Ambiguous(error.clone()),
                other => panic!("{code}: no verdict is called {other}"),
            };
            assert_eq!(answer(&dialect, 400, &dialect.error(&code, 400)).fact, expected);
            // The same code with a 5xx says nothing about what became of the text.
            let fact = answer(&dialect, 503, &dialect.error(&code, 503)).fact;
            assert_eq!(fact, Fact::Ambiguous(error));
        }
    }
}

#[test]
fn a_recipient_that_is_invalid_or_opted_out_is_refused_for_good() {
    for dialect in tellers() {
        assert!(dialect.code_of(ErrorClass::InvalidRecipient).is_some());
        for class in [ErrorClass::InvalidRecipient, ErrorClass::OptedOut, ErrorClass::Landline] {
            let Some(code) = dialect.code_of(class) else { continue };
            let fact = answer(&dialect, 400, &dialect.error(&code, 400)).fact;
            assert_eq!(fact, Fact::Refused(error(class, &code)));
        }
    }
}

#[test]
fn refused_credentials_are_not_retried_blindly() {
    for dialect in every_provider() {
        if let Some(code) = dialect.code_of(ErrorClass::Credentials) {
            let fact = answer(&dialect, 401, &dialect.error(&code, 401)).fact;
            assert_eq!(fact, Fact::Refused(error(ErrorClass::Credentials, &code)));
        }
        let fact = answer(&dialect, 401, "").fact;
        assert_eq!(fact, Fact::Refused(error(ErrorClass::Credentials, "http-401")));
    }
}

#[test]
fn too_fast_may_be_tried_again_when_the_provider_says() {
    for dialect in every_provider() {
        let headers =
            HeaderMap::from_iter([(http::header::RETRY_AFTER, http::HeaderValue::from_static("7"))]);
        let mut answers = vec![(String::new(), "http-429".to_owned())];
        if dialect.tells_codes_in_answers() {
            let code = dialect.code_of(ErrorClass::Rate).expect("a code for too fast");
            answers.push((dialect.error(&code, 429), code));
        }
        for (body, code) in answers {
            let answer = dialect.adapter().answer(StatusCode::TOO_MANY_REQUESTS, &headers, body.as_bytes());
            assert_eq!(answer.fact, Fact::NotAccepted(error(ErrorClass::Rate, &code)));
            assert_eq!(answer.retry_after_s, Some(7));
        }
    }
}

#[test]
fn a_server_error_proves_nothing() {
    for dialect in every_provider() {
        for status in [500, 502, 503, 504] {
            let code = format!("http-{status}");
            let fact = answer(&dialect, status, "<html>oops</html>").fact;
            assert_eq!(fact, Fact::Ambiguous(error(ErrorClass::Transient, &code)));
        }
    }
}

#[test]
fn an_undocumented_code_is_unknown_and_final() {
    for dialect in every_provider() {
        if dialect.tells_codes_in_answers() {
            let fact = answer(&dialect, 400, &dialect.error("99999", 400)).fact;
            assert_eq!(fact, Fact::Refused(error(ErrorClass::Unknown, "99999")));
        }
        let fact = answer(&dialect, 400, "not what the provider writes").fact;
        assert_eq!(fact, Fact::Refused(error(ErrorClass::Unknown, "http-400")));
    }
}

#[test]
fn every_documented_state_of_a_receipt_has_its_meaning() {
    for dialect in every_provider() {
        for [state, code, meaning, class] in dialect.rows("states.tsv") {
            let told = if code.is_empty() { &state } else { &code };
            let fact = match meaning.as_str() {
                "sent" => Some(Fact::ReceiptSent),
                "delivered" => Some(Fact::ReceiptDelivered),
                "undelivered" => Some(Fact::ReceiptUndelivered(error(dialect::class(&class), told))),
                "unknown" => None,
                other => panic!("{state}: no meaning is called {other}"),
            };
            let provider_message_id = "ID1".to_owned();
            let events = dialect.events(&dialect.receipt(&state, &code)).expect("a receipt");
            let reference = dialect.reference_of_receipts();
            assert_eq!(events, [WebhookEvent::Receipt { reference, fact, provider_message_id, state }]);
        }
    }
}

/// What the states' table does not say otherwise of a code.
#[test]
fn every_documented_code_has_its_class_in_receipts() {
    for dialect in every_provider() {
        let states: Vec<[String; 4]> = dialect.rows("states.tsv");
        let told = |code: &str| states.iter().any(|[_, told, _, _]| told == code);
        let [state, ..] = states.iter().find(|[.., class]| class == "Unknown").expect("a state that fails");
        for [code, class, _] in
            dialect.rows("codes.tsv").into_iter().filter(|row: &[String; 3]| !told(&row[0]))
        {
            let events = dialect.events(&dialect.receipt(state, &code)).expect("a receipt");
            let [WebhookEvent::Receipt { fact, .. }] = &events[..] else { panic!("{events:?}") };
            let undelivered = Fact::ReceiptUndelivered(error(dialect::class(&class), &code));
            assert_eq!(*fact, Some(undelivered));
        }
    }
}

#[test]
fn a_reply_says_who_and_what() {
    for dialect in every_provider() {
        let reply = |body: &str, media_urls: &[&str]| WebhookEvent::Reply {
            from: phone("+12025550123"),
            to: phone("+14155550100"),
            body: body.to_owned(),
            media_urls: media_urls.iter().map(|url| (*url).to_owned()).collect(),
            media_dropped: 0,
            provider_message_id: "ID1".to_owned(),
        };
        let events = dialect.events(&dialect.webhook("reply")).expect("a reply");
        assert_eq!(events, [reply("Café ☕ & more=1", &[])]);
        let events = dialect.events(&dialect.webhook("reply-media")).expect("a reply");
        assert_eq!(events, [reply("", &["https://media.example/0", "https://media.example/1?a=b"])]);
    }
}

#[test]
fn what_is_not_in_the_providers_form_is_unreadable() {
    for dialect in every_provider() {
        assert!(dialect.events(&dialect.webhook("reply-shortcode")).is_err());
    }
}

#[test]
fn one_event_that_is_unreadable_hides_none_of_the_others() {
    let dialect = Dialect::of(Provider::Bandwidth);
    let list = |events: &[&str]| format!("[{}]", events.join(","));
    let one = |body: &str| body.trim().trim_start_matches('[').trim_end_matches(']').to_owned();
    let (receipt, reply) = (one(&dialect.receipt("message-delivered", "")), one(&dialect.webhook("reply")));
    let shortcode = one(&dialect.webhook("reply-shortcode"));
    let whole = dialect.events(&list(&[&receipt, &reply])).expect("two events");
    for odd in [&shortcode, "{}", "null", "7", r#"{"type":"message-read","message":{"id":7}}"#] {
        let body = list(&[&receipt, odd, &reply]);
        let told = dialect.told(&body);
        assert_eq!(told.len(), 3, "{odd}");
        assert!(told[1].is_err(), "{odd}");
        let read: Vec<_> = told.into_iter().filter_map(Result::ok).collect();
        assert_eq!(read, whole, "{odd}");
    }
    assert_eq!(dialect.events("[]"), Ok(Vec::new()));
}

#[test]
fn a_genuine_webhook_is_believed() {
    for dialect in every_provider() {
        let body = dialect.receipt("delivered", "");
        assert_eq!(dialect.verify(&dialect.sign(&body), &body), Ok(()));
    }
}

#[test]
fn an_unsigned_webhook_is_not() {
    for dialect in every_provider() {
        let body = dialect.receipt("delivered", "");
        assert_eq!(dialect.verify(&HeaderMap::new(), &body), Err(Forged::Unsigned));
        for missing in dialect.sign(&body).keys() {
            let mut headers = dialect.sign(&body);
            headers.remove(missing);
            assert_eq!(dialect.verify(&headers, &body), Err(Forged::Unsigned), "{missing}");
        }
    }
}

#[test]
fn one_signed_with_another_secret_is_not() {
    for dialect in every_provider() {
        let body = dialect.receipt("delivered", "");
        let headers = dialect.sign_as_another(&body);
        assert_eq!(dialect.verify(&headers, &body), Err(Forged::WrongSignature));
    }
}

#[test]
fn either_of_two_keys_will_do() {
    for dialect in every_provider() {
        let body = dialect.receipt("delivered", "");
        let (ours, anothers) = (dialect.sign(&body), dialect.sign_as_another(&body));
        for account in dialect.with_two_keys() {
            let verify = |headers| dialect.verify_for(&account, headers, &body);
            assert_eq!((verify(&ours), verify(&anothers)), (Ok(()), Ok(())));
            let headers = dialect.sign_as_a_third(&body);
            assert_eq!(verify(&headers), Err(Forged::WrongSignature));
            // What is wrong beside the signature is told all the same.
            assert_eq!(dialect.verify_of_strangers(&account, &ours, &body), dialect.expected_of_strangers());
            assert_eq!(
                dialect.verify_of_strangers(&account, &anothers, &body),
                dialect.expected_of_strangers()
            );
        }
    }
}

#[test]
fn one_for_another_account_or_of_another_time_is_not() {
    for dialect in every_provider() {
        let body = dialect.receipt("delivered", "");
        let headers = dialect.sign(&body);
        let found = dialect.verify_of_strangers(&dialect.account(), &headers, &body);
        assert_eq!(found, dialect.expected_of_strangers());
    }
}

/// Some flips change the bytes and not what they say (`%2B` and `%2b`): then the events are the same, too.
#[test]
fn no_flipped_byte_of_the_body_changes_what_is_believed() {
    for dialect in every_provider().filter(Dialect::signs_the_body) {
        let body = dialect.receipt("undelivered", "30005");
        let headers = dialect.sign(&body);
        let genuine = dialect.events(&body);
        for index in 0..body.len() {
            for mask in [1, 0x20, 0x80] {
                let mut forged = body.clone().into_bytes();
                forged[index] ^= mask;
                if dialect.verify_bytes(&headers, &forged).is_ok() {
                    assert_eq!(dialect.events_of(&headers, &forged), genuine, "byte {index}");
                }
            }
        }
        assert_eq!(dialect.verify(&headers, &format!("{body}0")), Err(Forged::WrongSignature));
    }
}

#[test]
fn no_flipped_byte_of_the_signature_is_believed() {
    for dialect in every_provider() {
        let body = dialect.receipt("delivered", "");
        for (name, value) in &dialect.sign(&body) {
            for index in 0..value.len() {
                let mut flipped = value.as_bytes().to_vec();
                flipped[index] ^= 1;
                let mut headers = dialect.sign(&body);
                headers.insert(name, http::HeaderValue::from_bytes(&flipped).expect("a header value"));
                assert!(dialect.verify(&headers, &body).is_err(), "{name}, byte {index}");
            }
        }
    }
}
