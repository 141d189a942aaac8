//! Streams, subjects and consumers on NATS: every name is here and nowhere else.
//!
//! - `WORK` is the conveyor: order frames for sender nodes, in shards. It holds a few seconds of sending and may be
//!   lost: orders are made again from PostgreSQL.
//! - `EVENTS` is precious: what happened outside, until it is projected into PostgreSQL.
//! - `STATUS` carries what was committed of each tenant's to the gateways' watchers.
//! - Reports of sender nodes are plain messages that nobody keeps: the next one comes in a moment.

use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, PriorityPolicy, pull};
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};
use uuid::Uuid;

use crate::config::Nats;

/// Shards that work is spread over: at most as many sender nodes have work at once. A number's orders always go to
/// one shard, and a shard's orders to one node, so that one process paces a number.
pub const SHARDS: u16 = 32;

/// The name that clients of a shard's consumer pull under. The server pins one of them.
pub const SHARD_OWNER: &str = "owner";

/// The shard of a sending number.
pub fn shard_of(number: Uuid) -> u16 {
    let [.., high, low] = *number.as_bytes();
    u16::from_be_bytes([high, low]) % SHARDS
}

/// How long a sender node may say nothing of a frame before it is given to another. A node that works on it says so
/// every 3 seconds, so this is how long the orders that a dead node had taken stay with it.
const WORK_ACK_WAIT: Duration = Duration::from_secs(8);
/// Frames of one shard that may be out with its sender node at once.
const SHARD_ACK_PENDING_MAX: i64 = 256;
/// How long a shard's node may be silent before the server gives the shard to another one that asks for it. A node
/// asks again every [`SHARD_PULL_EXPIRES`].
const SHARD_SILENCE_MAX: Duration = Duration::from_secs(4);
/// How long one request for a shard's orders stands.
pub const SHARD_PULL_EXPIRES: Duration = Duration::from_millis(1_500);
/// How long events are kept: far longer than any projection's lag that people would let stand.
const EVENTS_AGE_MAX: Duration = Duration::from_hours(7 * 24);
/// How far back an event stream can resume.
const STATUS_AGE_MAX: Duration = Duration::from_hours(24);
/// For how long JetStream knows a frame of statuses again that is published once more: longer than a control-plane that
/// died before it could note the ack takes to come back. What is published again later comes twice.
const STATUS_DUPLICATES: Duration = Duration::from_mins(2);

/// The names of one system's streams and subjects.
#[derive(Clone, Debug)]
pub struct Topology {
    prefix: String,
    replicas: usize,
}

impl Topology {
    /// The topology that the configuration asks for.
    pub fn new(nats: &Nats) -> Self {
        Self { prefix: nats.prefix.clone(), replicas: nats.replicas }
    }

    fn stream(&self, name: &str) -> String {
        format!("{}_{name}", self.prefix.to_uppercase())
    }

    /// The name of the stream of orders.
    pub fn work_stream(&self) -> String {
        self.stream("WORK")
    }

    /// The name of the stream of events.
    pub fn events_stream(&self) -> String {
        self.stream("EVENTS")
    }

    /// The name of the stream of status changes.
    pub fn status_stream(&self) -> String {
        self.stream("STATUS")
    }

    /// The subject of a shard's orders.
    pub fn work_subject(&self, shard: u16) -> String {
        format!("{}.work.{shard}", self.prefix)
    }

    /// The subject of events.
    pub fn events_subject(&self) -> String {
        format!("{}.events", self.prefix)
    }

    /// The subject of a tenant's status changes.
    pub fn status_subject(&self, tenant: Uuid) -> String {
        format!("{}.status.{}", self.prefix, tenant.simple())
    }

    /// The streams, as they must be.
    pub fn streams(&self) -> [Config; 3] {
        let base = |name: String, subject: String| Config {
            name,
            subjects: vec![subject],
            storage: StorageType::File,
            num_replicas: self.replicas,
            ..Config::default()
        };
        [
            Config {
                retention: RetentionPolicy::WorkQueue,
                discard: DiscardPolicy::New,
                ..base(self.work_stream(), format!("{}.work.*", self.prefix))
            },
            Config { max_age: EVENTS_AGE_MAX, ..base(self.events_stream(), self.events_subject()) },
            Config {
                max_age: STATUS_AGE_MAX,
                duplicate_window: STATUS_DUPLICATES,
                ..base(self.status_stream(), format!("{}.status.*", self.prefix))
            },
        ]
    }

    /// The subject of sender nodes' reports.
    pub fn nodes_subject(&self) -> String {
        format!("{}.nodes", self.prefix)
    }

    /// The name of the consumer of a shard's orders.
    pub fn shard_consumer_name(&self, shard: u16) -> String {
        format!("shard-{shard}")
    }

    /// The consumer of a shard's orders. The server delivers to one client at a time, the pinned one. That is no
    /// exclusion that a text's safety could rest on (the claim is), only what keeps two nodes from pacing one number.
    pub fn shard_consumer(&self, shard: u16) -> pull::Config {
        pull::Config {
            durable_name: Some(self.shard_consumer_name(shard)),
            filter_subject: self.work_subject(shard),
            ack_policy: AckPolicy::Explicit,
            ack_wait: WORK_ACK_WAIT,
            max_ack_pending: SHARD_ACK_PENDING_MAX,
            max_deliver: -1,
            priority_policy: PriorityPolicy::PinnedClient,
            priority_groups: vec![SHARD_OWNER.to_owned()],
            priority_timeout: SHARD_SILENCE_MAX,
            ..pull::Config::default()
        }
    }
}
