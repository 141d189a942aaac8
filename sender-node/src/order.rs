//! Orders: the messages that this node may ask for. An order says nothing about a message but its id and what it takes
//! to pace it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use muster_proto::internal::v1::{OrderFrame, OrderedNumber};
use muster_runtime::frame::{id_from, made_us};
use prost::Message as _;
use uuid::Uuid;

use crate::pace::{Pace, Paced};

/// The bytes of one id.
const ID_BYTES: usize = 16;
/// Messages that may be sent within so short a time of each other are claimed together.
const TOGETHER: Duration = Duration::from_millis(50);

/// A frame of orders, checked.
#[derive(Debug)]
pub(crate) struct Order {
    frame: OrderFrame,
}

/// The frame is not one of ours.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    /// It does not decode.
    #[error("the order frame does not decode")]
    Decode(#[source] prost::DecodeError),
    /// Its lists do not fit together.
    #[error(
        "the order frame has {ids} bytes of ids and {attempts} attempts, or numbers that do not fit them"
    )]
    Lists {
        /// Bytes of ids.
        ids: usize,
        /// Attempts.
        attempts: usize,
    },
}

/// Messages of one account that may be claimed together.
#[derive(Debug)]
pub(crate) struct Part {
    /// Their ids and attempts.
    pub(crate) wanted: Wanted,
    /// Their paces, in the same order.
    pub(crate) paced: Vec<Paced>,
    /// When the first of them may be claimed.
    pub(crate) begin: Instant,
    /// When they were ordered, in microseconds since the epoch, where the frame says.
    pub(crate) ordered_us: Option<i64>,
}

/// What a claim asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Messages' ids, 16 bytes each.
    pub(crate) message_ids: Vec<u8>,
    /// Their attempts, in the same order.
    pub(crate) attempts: Vec<u32>,
    /// The numbers that they were ordered from, 16 bytes each, in the same order. Zeros: the order does not say.
    pub(crate) number_ids: Vec<u8>,
}

impl Order {
    /// Reads an order frame.
    pub(crate) fn read(payload: Bytes) -> Result<Self, Unreadable> {
        let frame = OrderFrame::decode(payload).map_err(Unreadable::Decode)?;
        let (ids, attempts) = (frame.message_ids.len(), frame.attempts.len());
        // A frame of ids alone comes from a version that paced nothing here.
        let lists = [frame.number_places.len(), frame.segments.len()];
        let paced = frame.number_places.iter().all(|place| frame.numbers.get(place_of(*place)).is_some());
        if ids != attempts * ID_BYTES || !(lists == [attempts; 2] || lists == [0; 2]) || !paced {
            return Err(Unreadable::Lists { ids, attempts });
        }
        Ok(Self { frame })
    }

    /// The messages by account and by when they may be sent, which is reserved in `pace`: the next ones first.
    pub(crate) fn parts(&self, pace: &mut Pace, now: Instant) -> Vec<(Uuid, Part)> {
        let unpaced = OrderedNumber::default();
        let ordered_us = id_from(&self.frame.frame_id).and_then(made_us);
        let mut parts: BTreeMap<(u128, Uuid), Part> = BTreeMap::new();
        let ids = self.frame.message_ids.chunks_exact(ID_BYTES);
        for (at, (id, attempt)) in ids.zip(&self.frame.attempts).enumerate() {
            let place = self.frame.number_places.get(at).map(|place| place_of(*place));
            let number = place.and_then(|place| self.frame.numbers.get(place)).unwrap_or(&unpaced);
            let segments = self.frame.segments.get(at).copied().unwrap_or(1);
            let rate = number.segments_per_second;
            let paced = Paced { number: id_from(&number.number_id).unwrap_or(Uuid::nil()), segments, rate };
            let begin = pace.claim(paced, now);
            let slot = begin.duration_since(now).as_millis() / TOGETHER.as_millis();
            let account = id_from(&number.account_id).unwrap_or(Uuid::nil());
            let empty = || Part { wanted: Wanted::default(), paced: Vec::new(), begin, ordered_us };
            let part = parts.entry((slot, account)).or_insert_with(empty);
            part.begin = part.begin.min(begin);
            part.wanted.push(id, *attempt, paced.number);
            part.paced.push(paced);
        }
        parts.into_iter().map(|((_, account), part)| (account, part)).collect()
    }
}

impl Part {
    /// Its first `messages`, which leave it.
    pub(crate) fn split(&mut self, messages: usize) -> Self {
        let messages = messages.min(self.paced.len());
        let (wanted, paced) = (self.wanted.split_off(messages), self.paced.split_off(messages));
        std::mem::replace(self, Self { wanted, paced, ..*self })
    }
}

impl Wanted {
    /// Adds a message, ordered from `number`.
    pub(crate) fn push(&mut self, id: &[u8], attempt: u32, number: Uuid) {
        self.message_ids.extend_from_slice(id);
        self.attempts.push(attempt);
        self.number_ids.extend_from_slice(number.as_bytes());
    }

    fn split_off(&mut self, messages: usize) -> Self {
        Self {
            message_ids: self.message_ids.split_off(messages * ID_BYTES),
            attempts: self.attempts.split_off(messages),
            number_ids: self.number_ids.split_off(messages * ID_BYTES),
        }
    }

    /// Adds what another claim asks for.
    pub(crate) fn append(&mut self, other: &Self) {
        self.message_ids.extend_from_slice(&other.message_ids);
        self.attempts.extend_from_slice(&other.attempts);
        self.number_ids.extend_from_slice(&other.number_ids);
    }

    /// How many messages there are.
    pub(crate) fn len(&self) -> usize {
        self.attempts.len()
    }

    /// The messages' ids.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &[u8]> {
        self.message_ids.chunks_exact(ID_BYTES)
    }
}

fn place_of(place: u32) -> usize {
    usize::try_from(place).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use muster_runtime::clock;
    use muster_runtime::frame::id_bytes;

    use super::*;

    fn number(number: u128, account: u128, segments_per_second: f64) -> OrderedNumber {
        OrderedNumber {
            number_id: id_bytes(Uuid::from_u128(number)),
            account_id: id_bytes(Uuid::from_u128(account)),
            segments_per_second,
        }
    }

    /// Messages with these places of numbers and these segments; each's id is its place in the frame.
    fn frame(places: &[u32], segments: &[u32]) -> OrderFrame {
        OrderFrame {
            message_ids: (0..places.len())
                .flat_map(|id| [u8::try_from(id).expect("few"); ID_BYTES])
                .collect(),
            attempts: vec![1; places.len()],
            numbers: vec![number(1, 7, 1.0), number(2, 8, 1000.0), number(3, 8, 2.0)],
            number_places: places.to_vec(),
            segments: segments.to_vec(),
            ..OrderFrame::default()
        }
    }

    fn read(frame: &OrderFrame) -> Result<Order, Unreadable> {
        Order::read(frame.encode_to_vec().into())
    }

    #[test]
    fn messages_are_claimed_by_account_when_they_may_be_sent() {
        let (mut pace, now) = (Pace::default(), clock::instant());
        let order = read(&frame(&[0, 1, 1, 2, 0], &[1, 1, 1, 2, 1])).expect("reads");
        let parts = order.parts(&mut pace, now).into_iter();
        let told = |(account, part): (Uuid, Part)| {
            let ids = part.wanted.ids().map(|id| id[0]).collect();
            (account.as_u128(), ids, part.begin.duration_since(now).as_millis())
        };
        let parts: Vec<(u128, Vec<u8>, u128)> = parts.map(told).collect();
        let expected = [(8, vec![1, 2], 1), (8, vec![3], 500), (7, vec![0], 1_000), (7, vec![4], 2_000)];
        assert_eq!(parts, expected);
    }

    #[test]
    fn a_part_is_split_into_the_same_messages() {
        let order = read(&frame(&[1; 5], &[1; 5])).expect("reads");
        let (_, mut part) = order.parts(&mut Pace::default(), clock::instant()).remove(0);
        let first = part.split(2);
        assert_eq!((first.wanted.len(), first.paced.len()), (2, 2));
        assert_eq!(first.wanted.number_ids, [Uuid::from_u128(2).into_bytes(); 2].concat());
        assert_eq!(part.wanted.number_ids.len(), 3 * ID_BYTES);
        assert_eq!(part.wanted.ids().map(|id| id[0]).collect::<Vec<_>>(), [2, 3, 4]);
        assert_eq!(part.split(9).paced.len(), 3);
        assert_eq!((part.wanted.len(), part.paced.len()), (0, 0));
    }

    #[test]
    fn a_frame_of_ids_alone_is_not_paced() {
        let now = clock::instant();
        let mut frame = frame(&[0, 1], &[1, 1]);
        (frame.numbers, frame.number_places, frame.segments) = (vec![], vec![], vec![]);
        let parts = read(&frame).expect("reads").parts(&mut Pace::default(), now);
        assert_eq!(parts.len(), 1);
        assert_eq!((parts[0].0, parts[0].1.begin, parts[0].1.wanted.len()), (Uuid::nil(), now, 2));
    }

    #[test]
    fn refuses_what_is_not_an_order() {
        let short = OrderFrame { attempts: vec![1; 3], ..frame(&[0, 0], &[1, 1]) };
        assert!(matches!(read(&short), Err(Unreadable::Lists { ids: 32, attempts: 3 })));
        assert!(read(&frame(&[0, 3], &[1, 1])).is_err(), "a number that is not there");
        assert!(read(&frame(&[0, 0], &[1])).is_err(), "a message without segments");
        assert!(matches!(Order::read(Bytes::from_static(&[0xff; 9])), Err(Unreadable::Decode(_))));
    }
}
