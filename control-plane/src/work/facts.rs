//! Reading frames: from what crossed JetStream to facts about messages, replies, and what fits neither.

use std::sync::Arc;

use muster_domain::status::{ATTEMPTS_MAX, Fact};
use muster_proto::internal::v1::event::Kind;
use muster_proto::internal::v1::{Event, EventFrame, FactKind, Inbound, Outcome, Receipt, Unreadable};
use muster_runtime::frame::{self, WireFact};
use prost::Message as _;
use uuid::Uuid;

use crate::db::Micros;
use crate::store::projections::{RejectedEvent, UnmatchedReceipt};

/// A frame, and where in the stream it stands.
pub(crate) struct Framed {
    pub(crate) sequence: i64,
    /// Where in the frame of that sequence its first event stands: 0, but where the frame was taken apart.
    pub(crate) place: i32,
    pub(crate) frame: EventFrame,
}

/// Where an event stands.
#[derive(Clone, Copy)]
struct Place<'a> {
    sequence: i64,
    place: i32,
    node: &'a str,
}

/// A fact about one attempt of one message.
#[derive(Clone, Debug)]
pub(crate) struct KnownFact {
    pub(crate) tenant: Uuid,
    pub(crate) message: Uuid,
    pub(crate) attempt: u16,
    pub(crate) fact: Fact,
    pub(crate) time: Micros,
    pub(crate) cause: Arc<str>,
    pub(crate) provider_message_id: String,
    /// How long the provider asks us to wait before another attempt, in seconds.
    pub(crate) retry_after_s: u32,
    /// Which text it is about is told by a URL alone that nobody signed.
    pub(crate) by_url_alone: bool,
}

/// A reply, with the tenant whose account it came through.
#[derive(Clone, Debug)]
pub(crate) struct InboundReply {
    pub(crate) tenant: Uuid,
    pub(crate) time: Micros,
    pub(crate) inbound: Inbound,
}

/// All that a batch of frames says, in its order.
#[derive(Default)]
pub(crate) struct Facts {
    pub(crate) known: Vec<KnownFact>,
    pub(crate) inbound: Vec<InboundReply>,
    pub(crate) unmatched: Vec<UnmatchedReceipt>,
    /// Webhooks of which nobody can make anything.
    pub(crate) unreadable: Vec<RejectedEvent>,
}

/// Reads frames. Whatever cannot be read is kept as unmatched or logged; nothing stops the rest.
pub(crate) fn read<'a>(frames: impl IntoIterator<Item = &'a Framed>) -> Facts {
    let mut facts = Facts::default();
    let (receipt, inquiry): (Arc<str>, Arc<str>) = ("receipt".into(), "inquiry".into());
    for Framed { sequence, place, frame } in frames {
        let node_cause: Arc<str> = format!("node:{}", frame.node).into();
        for (place, event) in (*place..).zip(&frame.events) {
            let Some(tenant) = frame::id_from(&event.tenant_id) else {
                tracing::error!(node = frame.node, "an event without a tenant is passed over");
                continue;
            };
            let cause = match &event.kind {
                Some(Kind::Receipt(told)) if told.asked => &inquiry,
                Some(Kind::Receipt(_)) => &receipt,
                Some(Kind::Outcome(_) | Kind::Inbound(_) | Kind::Unreadable(_)) | None => &node_cause,
            };
            let at = Place { sequence: *sequence, place, node: &frame.node };
            facts.read(tenant, event, at, cause);
        }
    }
    facts
}

impl Facts {
    fn read(&mut self, tenant: Uuid, event: &Event, at: Place<'_>, cause: &Arc<str>) {
        let time = Micros(event.time_us);
        match &event.kind {
            Some(Kind::Outcome(outcome)) => self.outcome(tenant, time, outcome, cause),
            Some(Kind::Receipt(receipt)) => self.receipt(tenant, time, receipt, cause),
            Some(Kind::Inbound(inbound)) => {
                self.inbound.push(InboundReply { tenant, time, inbound: inbound.clone() });
            }
            Some(Kind::Unreadable(unreadable)) => self.unreadable.push(RejectedEvent {
                sequence: at.sequence,
                place: at.place,
                node: at.node.to_owned(),
                event: event.encode_to_vec(),
                reason: reason(unreadable),
                tenant,
            }),
            None => tracing::error!("an event of a kind that this build does not know is passed over"),
        }
    }

    fn outcome(&mut self, tenant: Uuid, time: Micros, outcome: &Outcome, cause: &Arc<str>) {
        let wire = wire_fact(outcome.fact, outcome.error_class, &outcome.error_code);
        let (Some(message), Some(attempt), Some(fact)) =
            (frame::id_from(&outcome.message_id), attempt(outcome.attempt), wire.into_fact())
        else {
            tracing::error!("an outcome that cannot be read is passed over");
            return;
        };
        self.known.push(KnownFact {
            tenant,
            message,
            attempt,
            fact,
            time,
            cause: cause.clone(),
            provider_message_id: outcome.provider_message_id.clone(),
            retry_after_s: outcome.retry_after_s,
            by_url_alone: false,
        });
    }

    fn receipt(&mut self, tenant: Uuid, time: Micros, receipt: &Receipt, cause: &Arc<str>) {
        let wire = wire_fact(receipt.fact, receipt.error_class, &receipt.error_code);
        let message = frame::id_from(&receipt.message_id);
        let provider_message_id = receipt.provider_message_id.clone();
        let (Some(message), Some(attempt), Some(fact)) =
            (message, attempt(receipt.attempt), wire.into_fact())
        else {
            let state = receipt.state.clone();
            self.unmatched.push(UnmatchedReceipt { tenant, message, provider_message_id, state, time });
            return;
        };
        self.known.push(KnownFact {
            tenant,
            message,
            attempt,
            fact,
            time,
            cause: cause.clone(),
            provider_message_id,
            retry_after_s: 0,
            by_url_alone: receipt.by_url_alone,
        });
    }
}

/// Why the webhook is kept, as the database can hold it.
fn reason(unreadable: &Unreadable) -> String {
    unreadable.reason.replace('\0', "")
}

fn wire_fact(kind: i32, error_class: u32, error_code: &str) -> WireFact {
    let kind = FactKind::try_from(kind).unwrap_or(FactKind::Unspecified);
    WireFact { kind, error_class, error_code: error_code.to_owned() }
}

/// The number of an attempt; `None` where it is none that was ever made.
fn attempt(number: u32) -> Option<u16> {
    u16::try_from(number).ok().filter(|number| (1..=ATTEMPTS_MAX).contains(number))
}
