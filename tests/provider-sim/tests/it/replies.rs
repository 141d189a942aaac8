//! Replies: by themselves, on command, STOP and START.

use http::Method;
use muster_domain::error::ErrorClass;
use muster_domain::provider::Provider;
use muster_domain::status::Fact;
use muster_provider_sim::control::{InboundSpec, Posted};
use muster_providers::{Forged, WebhookEvent};
use serde_json::json;
use uuid::Uuid;

use crate::stage::{NUMBER, PHONE, Stage};

#[tokio::test]
async fn people_reply_and_some_stop_and_start() {
    for mut stage in Stage::set_each().await {
        stage
            .behave(json!({
                "receipt_loss_share": 1.0, "reply_share": 1.0, "reply_ms": [1, 5],
                "stop_share": 1.0, "start_share": 1.0, "start_ms": [200, 210],
            }))
            .await;
        stage.send(Uuid::from_u128(7), |_| {}).await;
        for expected in ["STOP", "START"] {
            let event = stage.gateway.next_event(&stage.account).await.expect("a genuine webhook");
            let WebhookEvent::Reply { from, to, body, .. } = event else { panic!("no reply: {event:?}") };
            assert_eq!(body.trim().to_uppercase(), expected);
            assert_eq!((from.as_e164(), to.as_e164()), (PHONE, NUMBER));
        }
        stage.quiet().await;
        let stats = stage.stats().await;
        assert_eq!((stats.replies_acked, stats.stops_acked, stats.starts_acked), (2, 1, 1));
        assert_eq!(stage.ledger().await.replies.len(), 2);
    }
}

#[tokio::test]
async fn a_reply_sent_twice_is_the_same_reply() {
    for mut stage in Stage::set_each().await {
        stage
            .behave(json!({
                "receipt_loss_share": 1.0, "reply_share": 1.0, "reply_ms": [1, 5],
                "reply_duplicate_share": 1.0, "reply_media_share": 1.0,
            }))
            .await;
        stage.send(Uuid::from_u128(7), |_| {}).await;
        let first = stage.gateway.next_event(&stage.account).await.expect("a genuine webhook");
        let second = stage.gateway.next_event(&stage.account).await.expect("a genuine webhook");
        assert_eq!(first, second);
        let WebhookEvent::Reply { media_urls, .. } = first else { panic!("no reply: {first:?}") };
        assert_eq!(media_urls.len(), 1);
    }
}

#[tokio::test]
async fn a_reply_comes_on_command() {
    for mut stage in Stage::set_each().await {
        let spec = |body: &str, forged| InboundSpec {
            from: PHONE.to_owned(),
            to: NUMBER.to_owned(),
            body: body.to_owned(),
            media: vec!["http://media.example/1".to_owned(), "http://media.example/2".to_owned()],
            forged,
            times: 1,
        };
        let posted: Posted = stage.order(Method::POST, "inbound", &spec("¿Qué?\n& =", false)).await;
        assert_eq!(posted.answers, [Some(204)]);
        let event = stage.gateway.next_event(&stage.account).await.expect("a genuine webhook");
        let WebhookEvent::Reply { body, media_urls, provider_message_id, .. } = event else {
            panic!("no reply: {event:?}")
        };
        assert_eq!(body, "¿Qué?\n& =");
        assert_eq!(media_urls, ["http://media.example/1", "http://media.example/2"]);
        assert_eq!(provider_message_id, posted.provider_id);
        let _: Posted = stage.order(Method::POST, "inbound", &spec("forged", true)).await;
        assert_eq!(stage.gateway.next_event(&stage.account).await, Err(Forged::WrongSignature));
    }
}

#[tokio::test]
async fn a_provider_blocks_who_has_stopped_on_request() {
    for stage in Stage::set_each().await {
        stage.behave(json!({"blocks_opted_out": true})).await;
        let say = |body: &str| InboundSpec {
            from: PHONE.to_owned(),
            to: NUMBER.to_owned(),
            body: body.to_owned(),
            times: 1,
            ..InboundSpec::default()
        };
        let _: Posted = stage.order(Method::POST, "inbound", &say("stop ")).await;
        let fact = stage.send(Uuid::from_u128(7), |_| {}).await.fact;
        let Fact::Refused(error) = fact else { panic!("{fact:?}") };
        // Some have no code that says so.
        let expected = match stage.provider() {
            Provider::Twilio | Provider::Telnyx | Provider::Vonage => ErrorClass::OptedOut,
            Provider::Bandwidth => ErrorClass::InvalidRecipient,
            Provider::Plivo => ErrorClass::Unknown,
            Provider::Sinch => ErrorClass::BadRequest,
        };
        assert_eq!(error.class, expected);
        let _: Posted = stage.order(Method::POST, "inbound", &say("START")).await;
        assert_eq!(stage.send(Uuid::from_u128(8), |_| {}).await.fact, Fact::Accepted);
    }
}
