//! From what a webhook tells to the event that JetStream keeps.

use bytes::Bytes;
use muster_proto::internal::v1::{Event, FactKind, Inbound, Receipt, event};
use muster_providers::{Reference, WebhookEvent};
use muster_runtime::frame::{WireFact, id_bytes};

use crate::account::Account;

/// The event. What the URL says a receipt is about goes before what the receipt itself says: the URL is our own. A receipt that does not say which attempt at which message it is about is kept all the same: the
/// provider's own id may still find it.
pub(super) fn of(told: WebhookEvent, about: Option<Reference>, account: &Account, time_us: i64) -> Event {
    let kind = match told {
        WebhookEvent::Receipt { reference, fact, provider_message_id, state } => {
            let about = about.or(reference);
            let documented = fact.is_some();
            let unknown = WireFact { kind: FactKind::Unspecified, error_class: 0, error_code: String::new() };
            let WireFact { kind, error_class, error_code } = fact.map_or(unknown, WireFact::from);
            event::Kind::Receipt(Receipt {
                message_id: about.map_or_else(Bytes::new, |about| id_bytes(about.message)),
                attempt: about.map_or(0, |about| about.attempt.into()),
                fact: kind.into(),
                error_class,
                error_code,
                provider_message_id,
                state: if documented { String::new() } else { state },
                asked: false,
            })
        }
        WebhookEvent::Reply { from, to, body, media_urls, media_dropped, provider_message_id } => {
            if media_dropped > 0 {
                tracing::warn!(account.id = %account.id, media_dropped, "a reply came with media that are not kept");
            }
            event::Kind::Inbound(Inbound {
                from: from.as_e164().to_owned(),
                to: to.as_e164().to_owned(),
                body,
                media_urls,
                provider_message_id,
                account_id: id_bytes(account.id.0),
            })
        }
    };
    Event { time_us, tenant_id: id_bytes(account.tenant.0), kind: Some(kind) }
}
