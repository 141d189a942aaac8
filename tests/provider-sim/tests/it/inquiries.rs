//! What the providers say of a text when the adapters ask: that it is there, what became of it, or that it is not.

use muster_domain::error::ErrorClass;
use muster_domain::phone::PhoneNumber;
use muster_domain::provider::Provider;
use muster_domain::status::Fact;
use muster_providers::{AskedBy, Finding, Inquiry, Reference, adapter};
use serde_json::json;
use uuid::Uuid;

use crate::caller::call;
use crate::stage::{NUMBER, PHONE, Stage, now_s};

impl Stage {
    /// Asks for the text of this attempt, by the provider's id where there is one.
    async fn inquire(&self, reference: Reference, id: Option<&str>) -> Finding {
        self.inquire_beside(reference, id, &[]).await
    }

    /// The same, where these are our other texts between the phones.
    async fn inquire_beside(&self, reference: Reference, id: Option<&str>, others: &[String]) -> Finding {
        let (to, from) = (PhoneNumber::from_e164_trusted(PHONE), PhoneNumber::from_e164_trusted(NUMBER));
        let inquiry = Inquiry {
            provider_message_id: id,
            reference,
            to: &to,
            from: &from,
            body: "Hi é, it's Sam",
            since_s: now_s() - 60,
            until_s: now_s() + 60,
            others,
        };
        let inquiries = adapter(self.provider()).inquiries().expect("inquiries");
        let request = inquiries.inquire(&self.account.1, &inquiry).expect("a request");
        let called = call(request.expect("enough is known to ask")).await.expect("an answer");
        inquiries.finding(&inquiry, called.status, &called.headers, &called.body)
    }
}

fn reference(message: u128, attempt: u16) -> Reference {
    Reference { message: Uuid::from_u128(message), attempt }
}

#[tokio::test]
async fn a_text_that_was_accepted_in_silence_is_found_by_our_reference() {
    for provider in [Provider::Vonage, Provider::Sinch] {
        let stage = Stage::set(provider).await;
        assert_eq!(stage.inquire(reference(7, 1), None).await, Finding::NotFound);
        stage.behave(json!({"server_error_share": 1.0, "server_error_accepted_share": 1.0})).await;
        assert!(matches!(stage.send(Uuid::from_u128(7), |_| {}).await.fact, Fact::Ambiguous(_)));
        stage.send(Uuid::from_u128(8), |_| {}).await;
        stage.quiet().await;
        let found = stage.inquire(reference(7, 1), None).await;
        let Finding::Found { fact, provider_message_id } = found else { panic!("{found:?}") };
        let expected = stage.ledger().await.entries.swap_remove(0);
        assert_eq!(
            (expected.message_id, &*expected.provider_id),
            (Some(Uuid::from_u128(7)), &*provider_message_id)
        );
        // Sinch's list does not tell what became of it; reports by its own id do.
        let told = if provider == Provider::Sinch { Fact::Accepted } else { Fact::ReceiptDelivered };
        assert_eq!(fact, told);
        let again = stage.inquire(reference(7, 1), Some(&provider_message_id)).await;
        assert_eq!(again, Finding::Found { fact: Fact::ReceiptDelivered, provider_message_id });
        for other in [reference(7, 2), reference(9, 1)] {
            assert_eq!(stage.inquire(other, None).await, Finding::NotFound);
        }
        let id = Uuid::from_u128(1).to_string();
        assert_eq!(stage.inquire(reference(7, 1), Some(&id)).await, Finding::NotFound);
    }
}

#[tokio::test]
async fn a_text_that_was_accepted_in_silence_is_found_by_its_phones_where_it_was_alone() {
    for provider in [Provider::Twilio, Provider::Telnyx, Provider::Bandwidth, Provider::Plivo] {
        let stage = Stage::set(provider).await;
        assert_eq!(stage.inquire(reference(7, 1), None).await, Finding::NotFound);
        stage.behave(json!({"server_error_share": 1.0, "server_error_accepted_share": 1.0})).await;
        stage.send(Uuid::from_u128(7), |_| {}).await;
        stage.quiet().await;
        let found = stage.inquire(reference(7, 1), None).await;
        let Finding::Found { fact, provider_message_id } = found else { panic!("{provider}: {found:?}") };
        let expected = stage.ledger().await.entries.swap_remove(0);
        assert_eq!(*expected.provider_id, provider_message_id);
        assert_eq!(fact, Fact::ReceiptDelivered, "{provider}");
        let again = stage.inquire(reference(7, 1), Some(&provider_message_id)).await;
        assert_eq!(again, Finding::Found { fact: Fact::ReceiptDelivered, provider_message_id });

        stage.behave(json!({"server_error_share": 0.0})).await;
        let other = stage.send(Uuid::from_u128(8), |draft| draft.body = "Something else".to_owned()).await;
        stage.quiet().await;
        let other = vec![other.provider_message_id.expect("an id")];
        let inquiries = adapter(provider).inquiries().expect("inquiries");
        let tells_body = inquiries.asked_by().contains(&AskedBy::PhonesAndBody);
        let found = stage.inquire(reference(7, 1), None).await;
        assert_eq!(found != Finding::Unclear, tells_body, "{provider}: {found:?}");
        let found = stage.inquire_beside(reference(7, 1), None, &other).await;
        assert!(matches!(found, Finding::Found { .. }), "{provider}: {found:?}");
    }
}

#[tokio::test]
async fn why_a_text_was_not_delivered_is_told() {
    for provider in Provider::ALL {
        let stage = Stage::set(provider).await;
        stage.behave(json!({"undelivered_share": 1.0})).await;
        let answer = stage.send(Uuid::from_u128(7), |_| {}).await;
        stage.quiet().await;
        let found = stage.inquire(reference(7, 1), answer.provider_message_id.as_deref()).await;
        let Finding::Found { fact: Fact::ReceiptUndelivered(error), .. } = found else { panic!("{found:?}") };
        assert_ne!(error.class, ErrorClass::Unknown, "{error:?}");
    }
}
