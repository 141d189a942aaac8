//! Receipts: signed, in their order or not, repeated, lost, tried again, forged on request.

use http::Method;
use muster_domain::provider::Provider;
use muster_domain::status::Fact;
use muster_provider_sim::control::{Posted, ReceiptSpec};
use muster_provider_sim::ledger::Tally;
use muster_providers::{Forged, WebhookEvent};
use serde_json::json;
use uuid::Uuid;

use crate::stage::{PHONE, Stage};

#[tokio::test]
async fn a_text_is_sent_and_then_delivered() {
    for mut stage in Stage::set_each().await {
        let message_id = Uuid::from_u128(7);
        let answer = stage.send(message_id, |_| {}).await;
        for expected in [Fact::ReceiptSent, Fact::ReceiptDelivered] {
            let hook = stage.gateway.next().await;
            assert_eq!(hook.url, stage.receipts_url(message_id));
            let event = hook.event(&stage.account).expect("a genuine webhook");
            let WebhookEvent::Receipt { fact, provider_message_id, .. } = event else {
                panic!("no receipt: {event:?}")
            };
            assert_eq!(fact, Some(expected));
            assert_eq!(Some(provider_message_id), answer.provider_message_id);
        }
        stage.quiet().await;
        let stats = stage.stats().await;
        assert_eq!((stats.receipts_sent, stats.receipts_acked), (2, 2));
        assert_eq!(stage.gateway.rest(), 0);
    }
}

#[tokio::test]
async fn what_is_not_delivered_has_a_code_that_the_adapters_know() {
    for mut stage in Stage::set_each().await {
        for (knob, other) in [("undelivered_share", "failed_share"), ("failed_share", "undelivered_share")] {
            stage.behave(json!({knob: 1.0, other: 0.0, "sent_receipts": false})).await;
            stage.send(Uuid::now_v7(), |draft| draft.body = knob.to_owned()).await;
            let fact = stage.next_fact().await;
            assert!(matches!(fact, Fact::ReceiptUndelivered(_)), "{fact:?}");
        }
        let tally = stage.ledger().await.tally();
        assert_eq!((tally.accepted, tally.delivered), (2, 0));
        assert_eq!(tally.undelivered.values().sum::<u64>(), 2);
    }
}

#[tokio::test]
async fn receipts_are_reordered_repeated_and_lost_on_request() {
    for mut stage in Stage::set_each().await {
        stage.behave(json!({"receipt_reorder_share": 1.0})).await;
        stage.send(Uuid::from_u128(1), |_| {}).await;
        assert_eq!(stage.next_fact().await, Fact::ReceiptDelivered);
        assert_eq!(stage.next_fact().await, Fact::ReceiptSent);

        stage.behave(json!({"receipt_reorder_share": 0.0, "receipt_duplicate_share": 1.0})).await;
        stage.send(Uuid::from_u128(2), |_| {}).await;
        stage.quiet().await;
        assert_eq!(stage.gateway.rest(), 4);

        stage.behave(json!({"receipt_loss_share": 1.0})).await;
        stage.send(Uuid::from_u128(3), |_| {}).await;
        stage.quiet().await;
        assert_eq!(stage.gateway.rest(), 0);
        assert_eq!(stage.stats().await.receipts_lost, 2);
        let tally = stage.ledger().await.tally();
        assert_eq!(tally, Tally { accepted: 3, delivered: 2, untold: 1, ..Tally::default() });
    }
}

#[tokio::test]
async fn receipts_come_before_the_answer_on_request() {
    for mut stage in Stage::set_each().await {
        stage.behave(json!({"receipt_before_answer": true})).await;
        let answer = stage.send(Uuid::from_u128(7), |_| {}).await;
        assert_eq!(answer.fact, Fact::Accepted);
        // Both had been answered before the send was.
        assert_eq!(stage.stats().await.receipts_acked, 2);
        assert_eq!(stage.gateway.rest(), 2);
    }
}

#[tokio::test]
async fn a_webhook_is_tried_again_until_it_is_taken() {
    for mut stage in Stage::set_each().await {
        stage
            .behave(json!({"webhook_retry_ms": [1, 100], "webhook_retries": 250, "sent_receipts": false}))
            .await;
        stage.gateway.answer_with(503);
        stage.send(Uuid::from_u128(7), |_| {}).await;
        assert_eq!(stage.next_fact().await, Fact::ReceiptDelivered);
        assert_eq!(stage.next_fact().await, Fact::ReceiptDelivered);
        stage.gateway.answer_with(204);
        stage.quiet().await;
        let stats = stage.stats().await;
        assert_eq!((stats.receipts_sent, stats.receipts_acked, stats.receipts_given_up), (1, 1, 0));
        assert!(stats.webhook_retries >= 1);
    }
}

#[tokio::test]
async fn a_webhook_that_nobody_takes_is_given_up() {
    for stage in Stage::set_each().await {
        stage.behave(json!({"webhook_retry_ms": [1, 2], "webhook_retries": 2})).await;
        // Nobody listens on port 1, where receipts go that a text says where to send; others are turned away.
        stage.gateway.answer_with(503);
        let callback = "http://127.0.0.1:1/status?m=00000000000000000000000000000007";
        let callback = [callback, stage.provider().webhook_fragment()].concat();
        stage.send(Uuid::from_u128(7), |draft| draft.callback = callback).await;
        stage.quiet().await;
        let stats = stage.stats().await;
        assert_eq!((stats.receipts_given_up, stats.webhook_retries), (2, 4));
        let ledger = stage.ledger().await;
        assert!(ledger.given_up.contains(&Uuid::from_u128(7)));
        assert_eq!(ledger.tally().untold, 1);
    }
}

#[tokio::test]
async fn each_provider_tries_again_after_what_it_says_it_does() {
    for (provider, fragment, answer, retries) in [
        (Provider::Twilio, "", 503, 0),
        (Provider::Twilio, "#rc=5&rp=5xx,ct,rt", 503, 2),
        (Provider::Twilio, "#rc=5&rp=5xx,ct,rt", 403, 0),
        (Provider::Twilio, "#rc=5&rp=all", 403, 2),
        (Provider::Telnyx, "", 403, 2),
        (Provider::Bandwidth, "", 403, 2),
        (Provider::Plivo, "", 403, 2),
        (Provider::Vonage, "", 403, 0),
        (Provider::Vonage, "", 429, 2),
        (Provider::Vonage, "", 503, 2),
        (Provider::Sinch, "", 403, 0),
        (Provider::Sinch, "", 503, 2),
    ] {
        let stage = Stage::set(provider).await;
        let knobs = json!({"webhook_retry_ms": [1, 2], "webhook_retries": 2, "sent_receipts": false});
        stage.behave(knobs).await;
        stage.gateway.answer_with(answer);
        let callback = format!("{}{fragment}", stage.callback(Uuid::from_u128(7)));
        stage.send(Uuid::from_u128(7), |draft| draft.callback = callback).await;
        stage.quiet().await;
        let stats = stage.stats().await;
        let found = (stats.receipts_given_up, stats.webhook_retries);
        assert_eq!(found, (1, retries), "{provider} {fragment} {answer}");
    }
}

#[tokio::test]
async fn any_receipt_is_sent_on_command() {
    for mut stage in Stage::set_each().await {
        let message_id = Uuid::from_u128(7);
        stage.behave(json!({"receipt_loss_share": 1.0})).await;
        let sent = stage.send(message_id, |_| {}).await;
        let spec = |state: &str, forged, times| ReceiptSpec {
            provider: stage.provider().name().to_owned(),
            account_sid: stage.account.1.account_sid.clone(),
            state: state.to_owned(),
            message_id: Some(message_id),
            forged,
            times,
            ..ReceiptSpec::default()
        };
        let delivered = match stage.provider() {
            Provider::Bandwidth => "message-delivered",
            Provider::Sinch => "Delivered",
            Provider::Twilio | Provider::Telnyx | Provider::Plivo | Provider::Vonage => "delivered",
        };
        let posted: Posted = stage.order(Method::POST, "receipt", &spec(delivered, false, 2)).await;
        assert_eq!(posted.answers, [Some(204), Some(204)]);
        assert_eq!(Some(posted.provider_id), sent.provider_message_id);
        let posted: Posted = stage.order(Method::POST, "receipt", &spec("sent", true, 1)).await;
        assert_eq!(posted.answers, [Some(204)]);
        for _ in 0..2 {
            let hook = stage.gateway.next().await;
            assert_eq!(hook.url, stage.receipts_url(message_id));
            let event = hook.event(&stage.account).expect("a genuine webhook");
            assert!(matches!(event, WebhookEvent::Receipt { fact: Some(Fact::ReceiptDelivered), .. }));
        }
        let forged = stage.gateway.next_event(&stage.account).await;
        assert_eq!(forged, Err(Forged::WrongSignature));
    }
}

#[tokio::test]
async fn fates_follow_from_the_seed() {
    let mut tallies = Vec::new();
    for _ in 0..2 {
        let stage = Stage::set(Provider::Twilio).await;
        stage.behave(json!({"undelivered_share": 0.3, "failed_share": 0.1})).await;
        for phone in 0..30 {
            stage.send(Uuid::now_v7(), |draft| draft.to = format!("{}{phone:02}", &PHONE[..10])).await;
        }
        tallies.push(stage.ledger().await.tally());
    }
    assert_eq!(tallies[0], tallies[1]);
    assert!(tallies[0].delivered < 30);
}
