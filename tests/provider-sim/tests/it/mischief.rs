//! Misbehaviour on request: too fast, server errors, silence and resets, each of the last three with texts that
//! were accepted all the same.

use muster_domain::error::ErrorClass;
use muster_domain::status::Fact;
use serde_json::json;
use uuid::Uuid;

use crate::caller::call;
use crate::stage::Stage;

#[tokio::test]
async fn too_fast_is_not_accepted_and_says_how_long_to_wait() {
    for stage in Stage::set_each().await {
        stage.behave(json!({"rate_share": 1.0, "retry_after_s": 3})).await;
        let answer = stage.send(Uuid::from_u128(7), |_| {}).await;
        assert!(
            matches!(&answer.fact, Fact::NotAccepted(error) if error.class == ErrorClass::Rate),
            "{answer:?}"
        );
        assert_eq!(answer.retry_after_s, Some(3));
        assert_eq!(stage.ledger().await.entries.len(), 0);
        assert_eq!(stage.stats().await.rate_limited, 1);
    }
}

#[tokio::test]
async fn a_server_error_says_nothing_about_the_text() {
    for mut stage in Stage::set_each().await {
        for (share, accepted) in [(0.0, 0), (1.0, 1)] {
            stage.behave(json!({"server_error_share": 1.0, "server_error_accepted_share": share})).await;
            let answer = stage.send(Uuid::from_u128(7), |_| {}).await;
            assert!(matches!(answer.fact, Fact::Ambiguous(_)), "{answer:?}");
            assert_eq!(stage.ledger().await.entries.len(), accepted);
        }
        assert_eq!(stage.next_fact().await, Fact::ReceiptSent);
        assert!(stage.ledger().await.entries[0].silent);
        let stats = stage.stats().await;
        assert_eq!((stats.server_errors, stats.accepted_in_silence), (1, 1));
    }
}

#[tokio::test]
async fn a_reset_or_a_silence_says_nothing_about_the_text() {
    let knobs = [
        json!({"reset_share": 1.0, "reset_accepted_share": 0.0}),
        json!({"reset_share": 1.0, "reset_accepted_share": 1.0}),
        json!({"reset_share": 0.0, "timeout_share": 1.0, "timeout_ms": 20, "timeout_accepted_share": 0.0}),
        json!({"timeout_share": 1.0, "timeout_ms": 20, "timeout_accepted_share": 1.0}),
    ];
    for mut stage in Stage::set_each().await {
        for (id, knobs) in (0..).zip(knobs.clone()) {
            stage.behave(knobs).await;
            assert!(call(stage.request(Uuid::from_u128(id), |_| {})).await.is_err());
        }
        let ids: Vec<_> = stage.ledger().await.entries.iter().map(|entry| entry.message_id).collect();
        assert_eq!(ids, [Some(Uuid::from_u128(1)), Some(Uuid::from_u128(3))]);
        assert_eq!(stage.next_fact().await, Fact::ReceiptSent);
        let stats = stage.stats().await;
        assert_eq!((stats.resets, stats.timeouts, stats.accepted_in_silence), (1, 1, 2));
    }
}

#[tokio::test]
async fn answers_take_as_long_as_asked() {
    for stage in Stage::set_each().await {
        stage.behave(json!({"answer_ms": [80, 90]})).await;
        let started = std::time::Instant::now();
        assert_eq!(stage.send(Uuid::from_u128(7), |_| {}).await.fact, Fact::Accepted);
        assert!(started.elapsed().as_millis() >= 80);
    }
}
