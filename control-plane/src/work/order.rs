//! Order frames: what sender nodes are told. Ids, and what it takes to pace them, but nothing of a recipient or a text.

use std::collections::{BTreeMap, HashMap, HashSet};

use bytes::Bytes;
use muster_proto::internal::v1::{OrderFrame, OrderedNumber};
use muster_runtime::{clock, frame, topology};
use prost::Message as _;
use uuid::Uuid;

use crate::store::outbox::OrderFrameRow;
use crate::store::queue::Taken;
use crate::store::transitions::Transition;

/// Orders in one frame at most: large enough to make JetStream cheap, small enough to spread over nodes.
const FRAME_ORDERS_MAX: usize = 200;

/// A number as the dispatcher knows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sender {
    /// The provider account it belongs to.
    pub(crate) account: Uuid,
    /// Its rate.
    pub(crate) segments_per_second: f64,
}

/// The ordered messages in frames of one shard each, so that a number's texts stay together.
pub(crate) fn frames(
    taken: &[Taken],
    moved: &[Transition],
    senders: &HashMap<Uuid, Sender>,
) -> Vec<OrderFrameRow> {
    let ordered: HashSet<Uuid> = moved.iter().map(|transition| transition.message).collect();
    let mut shards: BTreeMap<u16, Vec<&Taken>> = BTreeMap::new();
    for message in taken.iter().filter(|message| ordered.contains(&message.message)) {
        shards.entry(topology::shard_of(message.number)).or_default().push(message);
    }
    shards
        .iter()
        .flat_map(|(shard, messages)| messages.chunks(FRAME_ORDERS_MAX).map(move |chunk| (*shard, chunk)))
        .map(|(shard, messages)| row(shard, messages, senders))
        .collect()
}

fn row(shard: u16, taken: &[&Taken], senders: &HashMap<Uuid, Sender>) -> OrderFrameRow {
    let id = clock::new_id();
    let messages: Vec<Uuid> = taken.iter().map(|message| message.message).collect();
    let attempts: Vec<i16> = taken.iter().map(|message| message.attempt).collect();
    let mut frame = of_ids(id, &messages, &attempts);
    let mut places: HashMap<Uuid, u32> = HashMap::new();
    for message in taken {
        let next = places.len();
        let place = *places.entry(message.number).or_insert_with(|| u32::try_from(next).unwrap_or(u32::MAX));
        if places.len() > next {
            frame.numbers.push(number(message.number, senders.get(&message.number)));
        }
        frame.number_places.push(place);
        frame.segments.push(u32::from(message.segments.unsigned_abs()));
    }
    let shard = i16::try_from(shard).unwrap_or_default();
    OrderFrameRow { id, shard, messages, attempts, payload: Some(frame.encode_to_vec()) }
}

fn number(id: Uuid, sender: Option<&Sender>) -> OrderedNumber {
    OrderedNumber {
        number_id: frame::id_bytes(id),
        account_id: frame::id_bytes(sender.map_or(Uuid::nil(), |sender| sender.account)),
        segments_per_second: sender.map_or(0.0, |sender| sender.segments_per_second),
    }
}

fn of_ids(id: Uuid, messages: &[Uuid], attempts: &[i16]) -> OrderFrame {
    OrderFrame {
        frame_id: frame::id_bytes(id),
        message_ids: messages.iter().flat_map(|id| *id.as_bytes()).collect::<Vec<u8>>().into(),
        attempts: attempts.iter().map(|attempt| u32::from(attempt.unsigned_abs())).collect(),
        ..OrderFrame::default()
    }
}

/// A frame as it is published.
pub(crate) fn published(row: OrderFrameRow) -> Bytes {
    match row.payload {
        Some(payload) => payload.into(),
        None => of_ids(row.id, &row.messages, &row.attempts).encode_to_vec().into(),
    }
}
