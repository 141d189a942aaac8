//! Orders: the messages that this node may ask for. An order says nothing about a message but its id.

use bytes::Bytes;
use muster_proto::internal::v1::OrderFrame;
use prost::Message as _;

/// The bytes of one id.
const ID_BYTES: usize = 16;

/// Messages ordered and not yet claimed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Order {
    /// Their ids, 16 bytes each.
    pub(crate) message_ids: Bytes,
    /// Their attempts, in the same order.
    pub(crate) attempts: Vec<u32>,
}

/// The frame is not one of ours.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    /// It does not decode.
    #[error("the order frame does not decode")]
    Decode(#[source] prost::DecodeError),
    /// Its lists are not of one length.
    #[error("the order frame has {ids} bytes of ids and {attempts} attempts")]
    Lengths {
        /// Bytes of ids.
        ids: usize,
        /// Attempts.
        attempts: usize,
    },
}

impl Order {
    /// Reads an order frame.
    pub(crate) fn read(payload: Bytes) -> Result<Self, Unreadable> {
        let frame = OrderFrame::decode(payload).map_err(Unreadable::Decode)?;
        let OrderFrame { message_ids, attempts, .. } = frame;
        if message_ids.len() != attempts.len() * ID_BYTES {
            return Err(Unreadable::Lengths { ids: message_ids.len(), attempts: attempts.len() });
        }
        Ok(Self { message_ids, attempts })
    }

    /// How many messages are ordered.
    pub(crate) fn len(&self) -> usize {
        self.attempts.len()
    }

    /// The same messages in orders of at most `messages_max`.
    pub(crate) fn split(self, messages_max: usize) -> Vec<Self> {
        if self.len() <= messages_max {
            return if self.attempts.is_empty() { Vec::new() } else { vec![self] };
        }
        let chunks = self.attempts.chunks(messages_max);
        let split = chunks.scan(0, |begin, attempts| {
            let end = *begin + attempts.len() * ID_BYTES;
            let message_ids = self.message_ids.slice(*begin..end);
            *begin = end;
            Some(Self { message_ids, attempts: attempts.to_vec() })
        });
        split.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(ids: usize, attempts: usize) -> Bytes {
        let message_ids = (0..ids).flat_map(|id| [u8::try_from(id).expect("small"); ID_BYTES]).collect();
        OrderFrame { frame_id: Bytes::new(), message_ids, attempts: vec![1; attempts] }.encode_to_vec().into()
    }

    #[test]
    fn splits_into_bounded_orders_of_the_same_messages() {
        let orders = Order::read(frame(5, 5)).expect("reads").split(2);
        assert_eq!(orders.iter().map(Order::len).collect::<Vec<_>>(), [2, 2, 1]);
        assert_eq!(orders[2].message_ids, [4; ID_BYTES][..]);
        assert_eq!(Order::read(frame(2, 2)).expect("reads").split(2).len(), 1);
        assert!(Order::read(frame(0, 0)).expect("reads").split(2).is_empty());
    }

    #[test]
    fn refuses_what_is_not_an_order() {
        assert!(matches!(Order::read(frame(2, 3)), Err(Unreadable::Lengths { ids: 32, attempts: 3 })));
        assert!(matches!(Order::read(Bytes::from_static(&[0xff; 9])), Err(Unreadable::Decode(_))));
    }
}
