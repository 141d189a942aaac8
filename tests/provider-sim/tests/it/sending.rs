//! What is accepted, what is refused and how, and what the ledger keeps of it.

use bytes::Bytes;
use http::Request;
use http::header::AUTHORIZATION;
use muster_domain::error::ErrorClass;
use muster_domain::provider::Provider;
use muster_domain::status::Fact;
use muster_provider_sim::control::Found;
use muster_provider_sim::ledger::Outcome;
use uuid::Uuid;

use crate::caller::call;
use crate::stage::{Draft, NUMBER, PHONE, Stage};

#[tokio::test]
async fn an_accepted_text_is_in_the_ledger() {
    for stage in Stage::set_each().await {
        let message_id = Uuid::from_u128(7);
        let media = vec!["https://media.example/a.png".to_owned()];
        let answer = stage.send(message_id, |draft| draft.media_urls = media).await;
        assert_eq!(answer.fact, Fact::Accepted);
        let ledger = stage.ledger().await;
        let [entry] = &ledger.entries[..] else { panic!("{} entries", ledger.entries.len()) };
        assert_eq!(entry.message_id, Some(message_id));
        assert_eq!((entry.provider, entry.attempt), (stage.provider(), 1));
        assert_eq!((&*entry.to, &*entry.from), (PHONE, NUMBER));
        assert_eq!(&*entry.body, "Hi é, it's Sam");
        assert_eq!(entry.media, ["https://media.example/a.png".into()]);
        assert_eq!(Some(&*entry.provider_id), answer.provider_message_id.as_deref());
        assert_eq!(entry.outcome, Outcome::Delivered);
        let found: Vec<Found> =
            stage.order(http::Method::GET, &format!("ledger?message={message_id}"), &()).await;
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].message_id, Some(message_id));
    }
}

#[tokio::test]
async fn a_text_accepted_twice_is_told() {
    for stage in Stage::set_each().await {
        for id in [7, 8, 7] {
            stage.send(Uuid::from_u128(id), |_| {}).await;
        }
        let duplicates = stage.ledger().await.duplicates();
        assert_eq!(duplicates.into_iter().collect::<Vec<_>>(), [(Uuid::from_u128(7), 2)]);
        assert_eq!(stage.stats().await.duplicates_accepted, 1);
    }
}

/// Each of these is wrong in one way. The codes are in the order of `Provider::ALL`; an empty one is a text that the
/// adapter cannot even ask for: Bandwidth's carries no callback, and Sinch's no more than one medium.
#[tokio::test]
async fn what_the_providers_refuse_is_refused_with_their_codes() {
    type Spoil = fn(&mut Draft);
    let (fields, violation) = ("request-validation", "syntax_constraint_violation");
    let (words, format) = ("http-400", "syntax_invalid_parameter_format");
    let cases: [(Spoil, [&str; 6]); 9] = [
        (|draft| draft.to.clear(), ["21604", "10004", fields, words, "1010", violation]),
        (|draft| draft.to = "+1202555".to_owned(), ["21211", "40310", fields, words, "1170", format]),
        (|draft| draft.from.clear(), ["21603", "10004", fields, words, "1010", violation]),
        (
            |draft| draft.from = "+14155550101".to_owned(),
            ["21606", "40305", fields, words, "1120", "unknown_campaign"],
        ),
        (|draft| draft.body.clear(), ["21619", "40316", fields, words, "1010", violation]),
        (|draft| draft.body = "x".repeat(3_201), ["21617", "40302", fields, words, "1020", violation]),
        (
            |draft| draft.media_urls = vec!["not a URL".to_owned()],
            ["21620", "40317", fields, words, "1020", format],
        ),
        (|draft| draft.callback = "not a URL".to_owned(), ["21609", "10015", "", words, "1020", format]),
        (
            |draft| draft.media_urls = vec!["https://media.example/a.png".to_owned(); 11],
            ["21623", "40317", fields, words, "1020", ""],
        ),
    ];
    for (stage, number) in Stage::set_each().await.iter().zip(0..) {
        let mut refused = 0;
        for (spoil, codes) in cases.iter().filter(|(_, codes)| !codes[number].is_empty()) {
            let fact = stage.send(Uuid::from_u128(7), spoil).await.fact;
            let Fact::Refused(error) = fact else { panic!("{fact:?}, not {}", codes[number]) };
            assert_eq!(error.code, codes[number]);
            // Plivo says why in words alone.
            let told = stage.provider() != Provider::Plivo;
            assert_eq!(error.class != ErrorClass::Unknown, told, "{error:?}");
            refused += 1;
        }
        assert_eq!(stage.ledger().await.entries.len(), 0);
        assert_eq!(stage.stats().await.refused.values().sum::<u64>(), refused);
    }
}

#[tokio::test]
async fn only_the_account_itself_may_send() {
    for stage in Stage::set_each().await {
        for header in [Some("Basic eDp5"), Some("Bearer x"), Some(""), None] {
            let mut request = stage.request(Uuid::from_u128(7), |_| {});
            request.headers_mut().remove(AUTHORIZATION);
            if let Some(header) = header {
                request.headers_mut().insert(AUTHORIZATION, http::HeaderValue::from_static(header));
            }
            let called = call(request).await.expect("an answer");
            assert_eq!(called.status, 401);
            let fact = stage.understand(&called).fact;
            let Fact::Refused(error) = fact else { panic!("{fact:?}") };
            assert_eq!(error.class, ErrorClass::Credentials);
        }
    }
}

#[tokio::test]
async fn bad_recipients_stay_bad() {
    for stage in Stage::set_each().await {
        stage.behave(serde_json::json!({"refused_share": 0.5})).await;
        let mut refused = 0;
        for phone in 0..40 {
            let to = format!("+120255501{phone:02}");
            let first = stage.send(Uuid::from_u128(phone), |draft| draft.to = to.clone()).await;
            let second = stage.send(Uuid::from_u128(100 + phone), |draft| draft.to = to).await;
            assert_eq!(first.fact, second.fact);
            refused += u32::from(first.fact != Fact::Accepted);
        }
        assert!((5..35).contains(&refused), "{refused}");
    }
}

#[tokio::test]
async fn a_ledger_is_gone_on_with_where_it_ended() {
    let directory = tempfile::tempdir().expect("a directory");
    let ledger = directory.path().join("ledger");
    let line =
        "A\t1\t00000000000000000000000000000007\ttwilio\tAC1\t+1\t+2\tSM1\tdelivered\t0\t1\t\t1\thi\t\n";
    std::fs::write(&ledger, format!("{line}A\t2\tcut o")).expect("written");
    let options = muster_provider_sim::Options {
        listen: "127.0.0.1:0".parse().expect("an address"),
        ledger: ledger.clone(),
        seed: 7,
        accounts: vec![],
    };
    let sim = muster_provider_sim::start(options).await.expect("a simulator");
    let request = Request::get(format!("{}/sim/ledger?message={}", sim.url(), Uuid::from_u128(7)));
    let found = call(request.body(Bytes::new()).expect("a request")).await.expect("an answer");
    assert_eq!(found.json()[0]["body"], "hi");
    sim.stop().await.expect("stopped");
    assert_eq!(std::fs::read_to_string(&ledger).expect("a ledger"), line);
}
