//! From the domain's words to the frames' and back: facts, ids, errors.

use bytes::Bytes;
use muster_domain::error::{ErrorClass, SendError};
use muster_domain::status::Fact;
use muster_proto::internal::v1::event::Kind;
use muster_proto::internal::v1::{Event, FactKind};
use uuid::Uuid;

/// A fact as a frame spells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireFact {
    /// What it means.
    pub kind: FactKind,
    /// The class of the error; 0 where there is none.
    pub error_class: u32,
    /// The provider's own code.
    pub error_code: String,
}

impl From<Fact> for WireFact {
    fn from(fact: Fact) -> Self {
        let (kind, error) = match fact {
            Fact::Accepted => (FactKind::Accepted, None),
            Fact::Refused(error) => (FactKind::Refused, Some(error)),
            Fact::NotAccepted(error) => (FactKind::NotAccepted, Some(error)),
            Fact::Ambiguous(error) => (FactKind::Ambiguous, Some(error)),
            Fact::ReceiptSent => (FactKind::ReceiptSent, None),
            Fact::ReceiptDelivered => (FactKind::ReceiptDelivered, None),
            Fact::ReceiptUndelivered(error) => (FactKind::ReceiptUndelivered, Some(error)),
        };
        let error_class = error.as_ref().map_or(0, |error| u32::from(error.class.code().unsigned_abs()));
        Self { kind, error_class, error_code: error.map(|error| error.code).unwrap_or_default() }
    }
}

impl WireFact {
    /// The fact, or `None` where the frame holds one that this build does not know.
    pub fn into_fact(self) -> Option<Fact> {
        let class = i16::try_from(self.error_class).ok().and_then(ErrorClass::from_code);
        let error = SendError { class: class.unwrap_or(ErrorClass::Unknown), code: self.error_code };
        Some(match self.kind {
            FactKind::Unspecified => return None,
            FactKind::Accepted => Fact::Accepted,
            FactKind::Refused => Fact::Refused(error),
            FactKind::NotAccepted => Fact::NotAccepted(error),
            FactKind::Ambiguous => Fact::Ambiguous(error),
            FactKind::ReceiptSent => Fact::ReceiptSent,
            FactKind::ReceiptDelivered => Fact::ReceiptDelivered,
            FactKind::ReceiptUndelivered => Fact::ReceiptUndelivered(error),
        })
    }
}

/// The message that an event is about; `None` where it is about none, or does not say.
pub fn message_of(event: &Event) -> Option<Uuid> {
    match event.kind.as_ref()? {
        Kind::Outcome(outcome) => id_from(&outcome.message_id),
        Kind::Receipt(receipt) => id_from(&receipt.message_id),
        Kind::Inbound(_) | Kind::Unreadable(_) => None,
    }
}

/// An id as 16 bytes.
pub fn id_bytes(id: Uuid) -> Bytes {
    Bytes::copy_from_slice(id.as_bytes())
}

/// The id in exactly 16 bytes.
pub fn id_from(bytes: &[u8]) -> Option<Uuid> {
    Uuid::from_slice(bytes).ok()
}

/// When an id was made, in microseconds since the epoch; `None` where it does not say.
pub fn made_us(id: Uuid) -> Option<i64> {
    let (seconds, nanos) = id.get_timestamp()?.to_unix();
    Some(i64::try_from(seconds).ok()? * 1_000_000 + i64::from(nanos / 1_000))
}

/// The ids in a run of 16 bytes each. A remainder is ignored.
pub fn ids_from(bytes: &[u8]) -> impl Iterator<Item = Uuid> + '_ {
    bytes.chunks_exact(16).filter_map(id_from)
}
