//! The newest frames of all tenants that are watched, in bounded memory.
//!
//! Each tail of a tenant's stream has a ring. Watchers walk it, each from its own place; nobody waits for anybody, and what is
//! let go of is gone for those who have not come to it. What all rings hold is bounded: where there is more, the ring
//! with the most lets go of its oldest frame, so that a tenant with much to tell takes nothing from one with little.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::frame::Frame;

/// Which ring.
pub(super) type RingId = u64;

/// The rings.
#[derive(Debug)]
pub(super) struct Rings {
    bytes_max: usize,
    bytes: usize,
    next: RingId,
    rings: HashMap<RingId, Ring>,
}

#[derive(Debug)]
struct Ring {
    /// In order, without gaps between `floor` and `end`.
    frames: VecDeque<Arc<Frame>>,
    bytes: usize,
    /// Frames after this sequence are held.
    floor: u64,
    /// Frames up to this sequence have come.
    end: u64,
}

/// What comes after a place.
#[derive(Debug)]
pub(super) enum Next {
    /// This frame.
    Frame(Arc<Frame>),
    /// Nothing, up to this sequence.
    Nothing(u64),
    /// The place is before what is held, or there is no such ring any more.
    Before,
}

impl Rings {
    /// Rings that hold so many bytes at most, all together.
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { bytes_max, bytes: 0, next: 0, rings: HashMap::new() }
    }

    /// A new ring, for the frames after `sequence`.
    pub(super) fn open(&mut self, sequence: u64) -> RingId {
        self.next += 1;
        let ring = Ring { frames: VecDeque::new(), bytes: 0, floor: sequence, end: sequence };
        self.rings.insert(self.next, ring);
        self.next
    }

    /// Lets go of a ring.
    pub(super) fn close(&mut self, id: RingId) {
        self.bytes -= self.rings.remove(&id).map_or(0, |ring| ring.bytes);
    }

    /// Adds the next frame to a ring.
    pub(super) fn push(&mut self, id: RingId, frame: Arc<Frame>) {
        let Some(ring) = self.rings.get_mut(&id) else { return };
        ring.end = frame.sequence;
        ring.bytes += frame.bytes();
        self.bytes += frame.bytes();
        ring.frames.push_back(frame);
        while self.bytes > self.bytes_max {
            let Some(most) = self.rings.values_mut().max_by_key(|ring| ring.bytes) else { return };
            let Some(oldest) = most.frames.pop_front() else { return };
            most.floor = oldest.sequence;
            most.bytes -= oldest.bytes();
            self.bytes -= oldest.bytes();
        }
    }

    /// Notes that no frame of a ring's comes up to `sequence` that has not come.
    pub(super) fn pass(&mut self, id: RingId, sequence: u64) {
        if let Some(ring) = self.rings.get_mut(&id) {
            ring.end = ring.end.max(sequence);
        }
    }

    /// What comes after `sequence`.
    pub(super) fn after(&self, id: RingId, sequence: u64) -> Next {
        match self.rings.get(&id) {
            Some(ring) if sequence >= ring.floor => {
                let place = ring.frames.partition_point(|frame| frame.sequence <= sequence);
                ring.frames.get(place).map_or(Next::Nothing(ring.end), |frame| Next::Frame(frame.clone()))
            }
            Some(_) | None => Next::Before,
        }
    }

    /// Whether a ring holds all that has come after `sequence`, and that has come.
    pub(super) fn holds(&self, id: RingId, sequence: u64) -> bool {
        self.rings.get(&id).is_some_and(|ring| (ring.floor..=ring.end).contains(&sequence))
    }

    /// The sequence up to which frames have come.
    pub(super) fn end(&self, id: RingId) -> Option<u64> {
        self.rings.get(&id).map(|ring| ring.end)
    }
}

#[cfg(test)]
mod tests;
