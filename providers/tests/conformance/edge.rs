//! Genuine webhooks and answers with words in them that must not come in.

use muster_domain::error::ErrorClass;
use muster_domain::status::Fact;
use muster_providers::WebhookEvent;

use crate::dialect::Dialect;
use crate::{answer, error, every_provider};

/// The one event of a genuine webhook.
fn event(dialect: &Dialect, body: &str) -> WebhookEvent {
    let mut events = dialect.events(body).expect("a readable webhook");
    assert_eq!(events.len(), 1);
    events.remove(0)
}

/// The body of `reply.*`, whose last word is `word`.
fn body_of_reply(dialect: &Dialect, word: &str) -> String {
    let webhook = dialect.reworded(&dialect.webhook("reply"), "more=1", word);
    match event(dialect, &webhook) {
        WebhookEvent::Reply { body, .. } => body,
        WebhookEvent::Receipt { .. } => panic!("a reply was taken for a receipt"),
    }
}

#[test]
fn an_id_that_can_be_none_makes_a_webhook_unreadable() {
    let (longest, long) = ("a".repeat(128), "a".repeat(9_000));
    for dialect in every_provider() {
        for webhook in [dialect.webhook("reply"), dialect.receipt("delivered", "")] {
            let with_id = |id: &str| dialect.events(&dialect.reworded(&webhook, "ID1", id));
            assert!(with_id(&longest).is_ok());
            for id in ["", " ", "ID\0", "ID 1", "\u{130}D1", "ID1\n", &long, &format!("{longest}a")] {
                assert!(with_id(id).is_err(), "{id:?}");
            }
        }
    }
}

#[test]
fn a_reply_loses_nul_and_what_is_beyond_any_text() {
    for dialect in every_provider() {
        assert_eq!(body_of_reply(&dialect, "S\0TOP\0"), "Café ☕ & STOP");
        let long = body_of_reply(&dialect, &"☕".repeat(10_001));
        assert_eq!(long.chars().count(), 10_000);
        assert!(long.starts_with("Café ☕ & ☕☕"));
    }
}

#[test]
fn media_that_can_be_none_are_dropped_and_counted() {
    let long = format!("https://media.example/{}", "a".repeat(2_000));
    for dialect in every_provider() {
        for url in ["", "https://media.example/\0", "https://media.example/é", "a b", &long] {
            let webhook = dialect.reworded(&dialect.webhook("reply-media"), "https://media.example/0", url);
            let WebhookEvent::Reply { media_urls, media_dropped, .. } = event(&dialect, &webhook) else {
                panic!("a reply was taken for a receipt")
            };
            assert_eq!((media_urls, media_dropped), (vec!["https://media.example/1?a=b".to_owned()], 1));
        }
    }
}

#[test]
fn a_state_is_kept_as_far_as_it_can_be_shown() {
    let long = "x".repeat(9_000);
    for dialect in every_provider() {
        let kept =
            [("levi\0tating\u{1b}", "levi\u{fffd}tating\u{fffd}"), ("delivered\0", "delivered\u{fffd}")];
        for (told, kept) in kept.into_iter().chain([(&long[..], &long[..100])]) {
            let webhook = dialect.reworded(&dialect.receipt("levitating", ""), "levitating", told);
            let (fact, provider_message_id) = (None, "ID1".to_owned());
            let (reference, state) = (dialect.reference_of_receipts(), kept.to_owned());
            let expected = WebhookEvent::Receipt { reference, fact, provider_message_id, state };
            assert_eq!(event(&dialect, &webhook), expected);
        }
    }
}

#[test]
fn a_code_that_can_be_none_says_nothing() {
    let long = "3".repeat(33);
    for dialect in every_provider() {
        let state =
            dialect.rows("states.tsv").into_iter().find_map(|[state, _, meaning, class]: [String; 4]| {
                (meaning == "undelivered" && class == "Unknown").then_some(state)
            });
        let state = state.expect("a state of what was not delivered");
        for code in ["30005\0", "3 5", "é", &long] {
            let webhook = dialect.reworded(&dialect.receipt(&state, "12345"), "12345", code);
            let WebhookEvent::Receipt { fact, .. } = event(&dialect, &webhook) else {
                panic!("a receipt was taken for a reply")
            };
            assert_eq!(fact, Some(Fact::ReceiptUndelivered(error(ErrorClass::Unknown, &state))), "{code:?}");
        }
    }
}

#[test]
fn an_accepted_text_is_accepted_whatever_its_id() {
    let long = "a".repeat(9_000);
    for dialect in every_provider() {
        for id in ["ID\\u0000", "ID 1", "é", &long] {
            let answer = answer(&dialect, 201, &dialect.fixture("accepted.json").replace("{id}", id));
            assert_eq!((answer.fact, answer.provider_message_id), (Fact::Accepted, None), "{id:?}");
        }
    }
}

#[test]
fn a_refusal_with_a_code_that_can_be_none_is_of_an_unknown_class() {
    for dialect in every_provider() {
        for code in ["\\u0000", &"9".repeat(33)] {
            let fact = answer(&dialect, 400, &dialect.error(code, 400)).fact;
            assert_eq!(fact, Fact::Refused(error(ErrorClass::Unknown, "http-400")), "{code:?}");
        }
    }
}
