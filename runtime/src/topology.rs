//! Streams, subjects and consumers on NATS: every name is here and nowhere else.
//!
//! - `WORK` is the conveyor: order frames for sender nodes. It holds a few seconds of sending and may be lost:
//!   orders are made again from PostgreSQL.
//! - `EVENTS` is precious: what happened outside, until it is projected into PostgreSQL.
//! - `STATUS` carries committed changes of status to the gateways' watchers.

use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};
use uuid::Uuid;

use crate::config::Nats;

/// Shards that work is spread over. A number's orders always go to one shard.
pub const SHARDS: u16 = 16;

/// The shard of a sending number.
pub fn shard_of(number: Uuid) -> u16 {
    let [.., high, low] = *number.as_bytes();
    u16::from_be_bytes([high, low]) % SHARDS
}

/// How long a sender node may take over a frame before it is given to another: twice the longest call, and the
/// time to publish what came of it.
const WORK_ACK_WAIT: Duration = Duration::from_secs(60);
/// Frames that may be out with sender nodes at once.
const WORK_ACK_PENDING_MAX: i64 = 2_000;
/// How long events are kept: far longer than any projection's lag that people would let stand.
const EVENTS_AGE_MAX: Duration = Duration::from_hours(7 * 24);
/// How far back a status stream can resume.
const STATUS_AGE_MAX: Duration = Duration::from_hours(24);

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
                ..base(self.status_stream(), format!("{}.status.*", self.prefix))
            },
        ]
    }

    /// The one consumer of orders that all sender nodes pull from.
    pub fn work_consumer(&self) -> pull::Config {
        pull::Config {
            durable_name: Some("senders".to_owned()),
            ack_policy: AckPolicy::Explicit,
            ack_wait: WORK_ACK_WAIT,
            max_ack_pending: WORK_ACK_PENDING_MAX,
            max_deliver: -1,
            ..pull::Config::default()
        }
    }
}
