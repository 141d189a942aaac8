//! From what a webhook tells to the events that JetStream keeps.

use bytes::Bytes;
use muster_proto::internal::v1::{Event, FactKind, Inbound, Receipt, Unreadable, event};
use muster_providers::{Reference, WebhookEvent};
use muster_runtime::frame::{WireFact, id_bytes};

use super::path::Kind;
use crate::account::Account;
use crate::count::Fate;

/// The longest content type that is kept.
const CONTENT_TYPE_BYTES_MAX: usize = 100;

/// A webhook that was believed.
pub(super) struct Believed<'a> {
    pub(super) account: &'a Account,
    pub(super) kind: Kind,
    /// The query of its URL.
    pub(super) query: &'a str,
    pub(super) headers: &'a http::HeaderMap,
    pub(super) body: &'a Bytes,
    pub(super) arrived_us: i64,
}

impl Believed<'_> {
    /// The events of what it tells, and what is to be counted. Where any of it cannot be read, one event holds all of it
    /// as it came, beside those that could be.
    pub(super) fn events(
        &self,
        told: Vec<Result<WebhookEvent, muster_providers::Unreadable>>,
    ) -> (Vec<Event>, Fate) {
        let (mut events, mut fate, mut unreadable) = (Vec::with_capacity(told.len()), Fate::Accepted, None);
        for told in told {
            match told {
                Ok(WebhookEvent::Receipt { reference, fact, provider_message_id, state }) => {
                    let in_url = Reference::in_query(self.query);
                    if reference.is_some() && in_url.is_some() && reference != in_url {
                        fate = Fate::Misdirected;
                    }
                    let about = About { reference, in_url };
                    events.push(self.receipt(about, fact, provider_message_id, state));
                }
                Ok(WebhookEvent::Reply {
                    from,
                    to,
                    body,
                    media_urls,
                    media_dropped,
                    provider_message_id,
                }) => {
                    if media_dropped > 0 {
                        tracing::warn!(account.id = %self.account.id, media_dropped, "a reply came with media that are not kept");
                    }
                    events.push(self.event(event::Kind::Inbound(Inbound {
                        from: from.as_e164().to_owned(),
                        to: to.as_e164().to_owned(),
                        body,
                        media_urls,
                        provider_message_id,
                        account_id: id_bytes(self.account.id.0),
                    })));
                }
                Err(error) => unreadable = unreadable.or(Some(error)),
            }
        }
        if let Some(error) = unreadable {
            fate = Fate::Unreadable;
            events.push(self.unreadable(error));
        }
        (events, fate)
    }

    /// A receipt that does not say which attempt at which message it is about is kept all the same: the provider's own id
    /// may still find it.
    fn receipt(
        &self,
        About { reference, in_url }: About,
        fact: Option<muster_domain::status::Fact>,
        provider_message_id: String,
        state: String,
    ) -> Event {
        // What the proof covers goes first.
        let about = reference.or(in_url);
        let by_url_alone = reference.is_none() && in_url.is_some() && !self.account.adapter.signs_the_url();
        let documented = fact.is_some();
        let unknown = WireFact { kind: FactKind::Unspecified, error_class: 0, error_code: String::new() };
        let WireFact { kind, error_class, error_code } = fact.map_or(unknown, WireFact::from);
        self.event(event::Kind::Receipt(Receipt {
            message_id: about.map_or_else(Bytes::new, |about| id_bytes(about.message)),
            attempt: about.map_or(0, |about| about.attempt.into()),
            fact: kind.into(),
            error_class,
            error_code,
            provider_message_id,
            state: if documented { String::new() } else { state },
            asked: false,
            by_url_alone,
        }))
    }

    fn unreadable(&self, error: muster_providers::Unreadable) -> Event {
        let content_type =
            self.headers.get(http::header::CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
        let content_type = &content_type[..content_type.len().min(CONTENT_TYPE_BYTES_MAX)];
        self.event(event::Kind::Unreadable(Unreadable {
            account_id: id_bytes(self.account.id.0),
            inbound: self.kind == Kind::Inbound,
            query: self.query.to_owned(),
            content_type: String::from_utf8_lossy(content_type).into_owned(),
            body: self.body.clone(),
            reason: error.to_string(),
        }))
    }

    fn event(&self, kind: event::Kind) -> Event {
        Event { time_us: self.arrived_us, tenant_id: id_bytes(self.account.tenant.0), kind: Some(kind) }
    }
}

/// What says which text a receipt is about.
struct About {
    /// The receipt itself.
    reference: Option<Reference>,
    /// The URL that it came to.
    in_url: Option<Reference>,
}
