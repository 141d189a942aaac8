//! What sender nodes say of themselves: how much they hold for each provider account, and whether the provider
//! answers. The dispatcher orders by it, so that what cannot be sent stays in PostgreSQL, where it can be paused,
//! canceled and moved, and one slow provider holds up nobody else.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use async_nats::Subscriber;
use futures::{FutureExt as _, StreamExt as _};
use muster_proto::internal::v1::{AccountLoad, NodeReport};
use muster_runtime::bus::Bus;
use muster_runtime::clock;
use muster_runtime::frame::id_from;
use prost::Message as _;
use uuid::Uuid;

/// A node that has been silent for this long counts no more.
const SILENCE_MAX: Duration = Duration::from_secs(3);
/// Messages that may wait in nodes for one account, however few calls it takes.
const WAITING_MIN: u32 = 200;
/// Messages that may wait in nodes for each call that may be open.
const WAITING_PER_CALL: u32 = 2;
/// Frames of one shard that may wait for one account, however few messages are in them: a node takes a number of frames of
/// a shard, whoever they are for.
const SHARD_FRAMES_MAX: u32 = 16;

/// The nodes, as far as they said anything lately.
pub(crate) struct Nodes {
    reports: Subscriber,
    loads: HashMap<Uuid, (Instant, Vec<AccountLoad>)>,
}

/// What may be ordered for an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// It takes what its numbers may send.
    Free,
    /// Enough is waiting for it.
    Full,
    /// Its provider does not answer.
    CircuitOpen,
}

impl Nodes {
    /// Begins to listen.
    pub(crate) async fn listen(bus: &Bus) -> anyhow::Result<Self> {
        let subject = bus.topology.nodes_subject();
        let reports = bus.jetstream.client().subscribe(subject).await.context("cannot hear sender nodes")?;
        Ok(Self { reports, loads: HashMap::new() })
    }

    /// Takes in what was said since the last time.
    pub(crate) fn hear(&mut self) {
        while let Some(Some(message)) = self.reports.next().now_or_never() {
            // Whatever else is published there says nothing to us.
            let Ok(report) = NodeReport::decode(message.payload) else { continue };
            let Some(instance) = id_from(&report.instance_id) else { continue };
            if report.leaving {
                self.loads.remove(&instance);
            } else {
                self.loads.insert(instance, (clock::instant(), report.accounts));
            }
        }
        self.loads.retain(|_, (heard, _)| clock::since(*heard) < SILENCE_MAX);
    }

    /// Whether any node was heard lately.
    pub(crate) fn are_heard(&self) -> bool {
        !self.loads.is_empty()
    }

    /// What each account that any node speaks of has room for. An account that nobody speaks of is free.
    pub(crate) fn rooms(&self) -> HashMap<Uuid, Room> {
        rooms(self.loads.values().flat_map(|(_, loads)| loads))
    }
}

/// One node whose calls are answered is enough to go on: that node takes what comes, and the others' numbers are found
/// to be closed by them.
fn rooms<'a>(loads: impl Iterator<Item = &'a AccountLoad>) -> HashMap<Uuid, Room> {
    #[derive(Default)]
    struct Sum {
        waiting: u32,
        calls_max: u32,
        shard_frames: u32,
        nodes: usize,
        nodes_open: usize,
    }
    let mut sums: HashMap<Uuid, Sum> = HashMap::new();
    for load in loads {
        let Some(account) = id_from(&load.account_id) else { continue };
        let sum = sums.entry(account).or_default();
        sum.waiting = sum.waiting.saturating_add(load.waiting);
        sum.calls_max = sum.calls_max.saturating_add(load.calls_max);
        sum.shard_frames = sum.shard_frames.max(load.shard_frames);
        sum.nodes += 1;
        sum.nodes_open += usize::from(load.circuit_open);
    }
    let room = |sum: Sum| {
        if sum.nodes_open == sum.nodes {
            Room::CircuitOpen
        } else if sum.shard_frames > SHARD_FRAMES_MAX
            || sum.waiting > WAITING_MIN.max(sum.calls_max.saturating_mul(WAITING_PER_CALL))
        {
            Room::Full
        } else {
            Room::Free
        }
    };
    sums.into_iter().map(|(account, sum)| (account, room(sum))).collect()
}

#[cfg(test)]
mod tests {
    use muster_runtime::frame::id_bytes;

    use super::*;

    fn load(account: u128, waiting: u32, calls_max: u32, circuit_open: bool) -> AccountLoad {
        let account_id = id_bytes(Uuid::from_u128(account));
        AccountLoad { account_id, waiting, calls_max, circuit_open, shard_frames: 0 }
    }

    fn room_of(loads: &[AccountLoad]) -> Option<Room> {
        rooms(loads.iter()).get(&Uuid::from_u128(1)).copied()
    }

    #[test]
    fn an_account_is_full_when_more_waits_than_its_calls_can_take() {
        assert_eq!(room_of(&[]), None);
        assert_eq!(room_of(&[load(1, 200, 1, false)]), Some(Room::Free));
        assert_eq!(room_of(&[load(1, 201, 1, false)]), Some(Room::Full));
        assert_eq!(room_of(&[load(1, 700, 200, false), load(1, 100, 200, false)]), Some(Room::Free));
        assert_eq!(room_of(&[load(1, 701, 200, false), load(1, 100, 200, false)]), Some(Room::Full));
        assert_eq!(room_of(&[load(2, 9_999, 1, false)]), None);
    }

    #[test]
    fn an_account_is_full_when_it_has_its_share_of_a_shard() {
        let trickle = |shard_frames| AccountLoad { shard_frames, ..load(1, shard_frames, 100, false) };
        assert_eq!(room_of(&[trickle(16), trickle(16)]), Some(Room::Free));
        assert_eq!(room_of(&[trickle(1), trickle(17)]), Some(Room::Full));
    }

    #[test]
    fn a_circuit_is_open_when_no_node_gets_through() {
        assert_eq!(room_of(&[load(1, 0, 9, true)]), Some(Room::CircuitOpen));
        assert_eq!(room_of(&[load(1, 0, 9, true), load(1, 0, 9, false)]), Some(Room::Free));
    }
}
