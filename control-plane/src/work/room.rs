//! Room: how much of the conveyor is free. It holds a few seconds of sending, no more, and in shards, so that one that
//! stands still holds up no other.

use std::collections::HashMap;

use muster_runtime::bus::Bus;
use muster_runtime::topology;
use uuid::Uuid;

use crate::work::nodes::{Nodes, Room};
use crate::work::order::Sender;

/// Frames that may wait in one shard: a few seconds of sending.
const SHARD_FRAMES_MAX: u64 = 8;

/// What may be ordered now.
pub(crate) struct Rooms {
    shards: Vec<bool>,
    accounts: HashMap<Uuid, Room>,
}

impl Rooms {
    /// Asks JetStream, and takes what the nodes say.
    pub(crate) async fn look(bus: &Bus, nodes: &Nodes) -> anyhow::Result<Self> {
        let waiting = bus.frames_waiting().await?;
        let shards = waiting.into_iter().map(|frames| frames < SHARD_FRAMES_MAX).collect();
        Ok(Self { shards, accounts: nodes.rooms() })
    }

    /// The accounts whose providers do not answer.
    pub(crate) fn open_accounts(&self) -> impl Iterator<Item = Uuid> + '_ {
        self.accounts.iter().filter(|(_, room)| **room == Room::CircuitOpen).map(|(account, _)| *account)
    }

    /// What of a number's messages may be ordered.
    pub(crate) fn of(&self, number: Uuid, sender: &Sender) -> Room {
        let shard = usize::from(topology::shard_of(number));
        if self.shards.get(shard).is_some_and(|free| *free) {
            self.accounts.get(&sender.account).copied().unwrap_or(Room::Free)
        } else {
            Room::Full
        }
    }
}
