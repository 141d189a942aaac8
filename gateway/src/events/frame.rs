//! A tenant's frame, made into events and encoded once, for all who watch.
//!
//! The events of a response are the encoded events of its frame, one after the other: what a watcher does not want is left
//! out. So a response costs a look at what each event is about and a copy of bytes, however many watch.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use muster_proto::v1::Event;
use prost::encoding::message;

use super::filter::{About, Filter};

/// The field of `WatchEventsResponse` that holds events.
const EVENTS: u32 = 1;
/// Bytes of events in a response at most: far below the 4 MiB that clients take, and little to hold for one that has stopped
/// reading. No event is larger.
const RESPONSE_BYTES_MAX: usize = 128 * 1024;

/// What was committed together.
#[derive(Debug)]
pub(super) struct Frame {
    /// Where it is in the stream.
    pub(super) sequence: u64,
    /// When the stream took it, in microseconds since the Unix epoch, by the stream's clock.
    pub(super) time_us: i64,
    encoded: Bytes,
    events: Vec<Place>,
}

/// An event within a frame.
#[derive(Debug)]
struct Place {
    about: About,
    /// Where it ends in the encoded bytes.
    end: usize,
}

/// What of a frame goes into one response.
#[derive(Debug)]
pub(super) struct Part {
    /// The bytes to copy, in order.
    pub(super) picked: Vec<Range<usize>>,
    /// Events of the frame that are behind then; none where all are.
    pub(super) offset: Option<u32>,
}

impl Frame {
    /// Encodes `events`.
    pub(super) fn of(sequence: u64, time_us: i64, events: Vec<(About, Event)>) -> Self {
        let size = events.iter().map(|(_, event)| message::encoded_len(EVENTS, event)).sum();
        let mut encoded = BytesMut::with_capacity(size);
        let places = events.into_iter().map(|(about, event)| {
            message::encode(EVENTS, &event, &mut encoded);
            Place { about, end: encoded.len() }
        });
        let events = places.collect();
        Self { sequence, time_us, encoded: encoded.freeze(), events }
    }

    /// The memory that it takes, in bytes.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.encoded.len() + self.events.len() * size_of::<Place>()
    }

    /// What `filter` lets through of the events after the first `offset`, as much as one response holds.
    pub(super) fn part(&self, filter: &Filter, offset: u32) -> Part {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let mut start =
            offset.checked_sub(1).and_then(|last| self.events.get(last)).map_or(0, |place| place.end);
        let (mut picked, mut size) = (Vec::<Range<usize>>::new(), 0);
        for (index, place) in self.events.iter().enumerate().skip(offset) {
            let range = start..place.end;
            start = place.end;
            if !filter.admits(&place.about) {
                continue;
            }
            size += range.len();
            if size > RESPONSE_BYTES_MAX && !picked.is_empty() {
                return Part { picked, offset: Some(u32::try_from(index).unwrap_or(u32::MAX)) };
            }
            match picked.last_mut() {
                Some(last) if last.end == range.start => last.end = range.end,
                Some(_) | None => picked.push(range),
            }
        }
        Part { picked, offset: None }
    }

    /// The bytes of events.
    pub(super) fn slice(&self, range: Range<usize>) -> &[u8] {
        self.encoded.get(range).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use muster_domain::id::TenantId;
    use muster_proto::v1::{EventKind, StatusChange, WatchEventsRequest, WatchEventsResponse, event};
    use muster_runtime::access::Caller;
    use muster_runtime::name;
    use prost::Message as _;
    use uuid::Uuid;

    use super::*;

    const TENANT: TenantId = TenantId(Uuid::from_u128(9));

    /// Events of campaigns by turns.
    fn frame(events: u32, campaigns: u128) -> Frame {
        let event = |index: u32| {
            let campaign = Some(Uuid::from_u128(u128::from(index) % campaigns));
            let about = About { kind: EventKind::Status, campaign, message: None, number: None };
            let change = StatusChange { error_code: "x".repeat(100), ..StatusChange::default() };
            let kind = Some(event::Kind::StatusChange(change));
            (about, Event { id: index.to_string(), duplicate: false, kind })
        };
        Frame::of(1, 1, (0..events).map(event).collect())
    }

    fn filter(campaign: Option<u128>) -> Filter {
        let name = |id| name::format("tenants/*/campaigns/*", &[TENANT.0, Uuid::from_u128(id)]);
        let campaign = campaign.map(name).unwrap_or_default();
        let request = WatchEventsRequest { campaign, ..WatchEventsRequest::default() };
        Filter::of(Caller::Operator, TENANT, &request).expect("it may")
    }

    /// The ids of all events from `offset` on, and how many responses they came in.
    fn ids(frame: &Frame, filter: &Filter, mut offset: u32) -> (Vec<String>, usize) {
        let (mut ids, mut responses) = (Vec::new(), 0);
        loop {
            let part = frame.part(filter, offset);
            let bytes: Vec<u8> =
                part.picked.iter().flat_map(|range| frame.slice(range.clone())).copied().collect();
            assert!(bytes.len() <= RESPONSE_BYTES_MAX);
            let response = WatchEventsResponse::decode(&*bytes).expect("a response");
            ids.extend(response.events.into_iter().map(|event| event.id));
            responses += 1;
            match part.offset {
                Some(next) => offset = next,
                None => return (ids, responses),
            }
        }
    }

    #[test]
    fn what_is_filtered_is_left_out_and_the_rest_is_as_it_was() {
        let frame = frame(10, 3);
        assert_eq!(ids(&frame, &filter(None), 0).0, (0..10).map(|id| id.to_string()).collect::<Vec<_>>());
        assert_eq!(ids(&frame, &filter(Some(1)), 0).0, ["1", "4", "7"]);
        assert_eq!(ids(&frame, &filter(Some(1)), 5).0, ["7"]);
        assert_eq!(ids(&frame, &filter(Some(8)), 0).0.len(), 0);
    }

    #[test]
    fn a_large_frame_comes_in_parts_and_goes_on_after_each() {
        let frame = frame(6_000, 2);
        for campaign in [None, Some(1)] {
            let filter = filter(campaign);
            let (all, responses) = ids(&frame, &filter, 0);
            assert_eq!(all.len(), if campaign.is_some() { 3_000 } else { 6_000 });
            assert!(responses > 2, "{responses}");
            let part = frame.part(&filter, 0).offset.expect("there is more");
            let (rest, fewer) = ids(&frame, &filter, part);
            assert_eq!(fewer, responses - 1);
            assert!(all.ends_with(&rest) && rest.len() < all.len());
        }
        assert_eq!(ids(&frame, &filter(None), u32::MAX).0.len(), 0);
    }
}
