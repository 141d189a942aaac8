//! The control-plane's instruments. docs/telemetry.md says what each means; no label of any has more than a few dozen
//! values.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deadpool_postgres::Pool;
use muster_domain::status::{Decision, Status};
use muster_proto::internal::v1::Event;
use muster_proto::internal::v1::event::Kind;
use muster_runtime::telemetry::metrics::{
    SECONDS, age, counter, dependency, gauge, messaging, meter, seconds,
};
use muster_runtime::topology::EVENTS;
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Gauge, Histogram};

use crate::db::Micros;
use crate::store::campaigns::Mode;
use crate::store::transitions::Transition;

/// Bounds of what takes from a moment to a day, in seconds.
const LONG: [f64; 14] =
    [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0, 86_400.0];

/// The instruments.
pub(crate) static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::new);

/// Whether PostgreSQL answers.
pub(crate) static POSTGRESQL: Answers = Answers(AtomicBool::new(true));

/// Whether somebody answered when they were asked last.
pub(crate) struct Answers(AtomicBool);

impl Answers {
    /// They did, or did not.
    pub(crate) fn set(&self, answers: bool) {
        self.0.store(answers, Ordering::Relaxed);
    }
}

pub(crate) struct Metrics {
    texts: Counter<u64>,
    texts_open: Gauge<i64>,
    queue_wait: Histogram<f64>,
    queue_oldest: Gauge<f64>,
    outbox_frames: Gauge<i64>,
    outbox_oldest: Gauge<f64>,
    pub(crate) dispatcher_active: Gauge<i64>,
    claims: Counter<u64>,
    pub(crate) reaped: Counter<u64>,
    pub(crate) orders_revived: Counter<u64>,
    projection_lag: Gauge<f64>,
    event_lag: Histogram<f64>,
    stop_latency: Histogram<f64>,
    delivery: Histogram<f64>,
    receipts_unmatched: Counter<u64>,
    pub(crate) events_rejected: Counter<u64>,
    consumed: Counter<u64>,
    processing: Histogram<f64>,
    statements: Histogram<f64>,
}

impl Metrics {
    fn new() -> Self {
        let metrics = Self {
            texts: counter("muster.texts", "{text}", "Texts that came into a status."),
            texts_open: gauge(
                "muster.texts.open",
                "{text}",
                "Texts of campaigns that are not over, by where they are.",
            ),
            queue_wait: seconds(
                "muster.queue.wait",
                "From when a text was due to when it was ordered.",
                &LONG,
            ),
            queue_oldest: age(
                "muster.queue.oldest.age",
                "For how long the oldest text is due that waits in the queue.",
            ),
            outbox_frames: gauge(
                "muster.outbox.frames",
                "{frame}",
                "Frames that are committed and not published.",
            ),
            outbox_oldest: age(
                "muster.outbox.oldest.age",
                "The age of the oldest frame that is committed and not published.",
            ),
            dispatcher_active: gauge(
                "muster.dispatcher.active",
                "",
                "1 while this replica is the one that dispatches.",
            ),
            claims: counter("muster.claims", "{attempt}", "Attempts that sender nodes asked for."),
            reaped: counter(
                "muster.reaped.texts",
                "{text}",
                "Texts whose call was granted and never reported.",
            ),
            orders_revived: counter(
                "muster.orders.revived",
                "{frame}",
                "Frames of orders that were published again.",
            ),
            projection_lag: age(
                "muster.projection.lag",
                "How long ago the projection had all that JetStream had.",
            ),
            event_lag: seconds("muster.event.lag", "From when something was known to its commit.", &SECONDS),
            stop_latency: seconds(
                "muster.stop.latency",
                "From the webhook of a STOP to the commit of the opt-out.",
                &SECONDS,
            ),
            delivery: seconds("muster.delivery.duration", "From SENT to the receipt.", &LONG),
            receipts_unmatched: counter(
                "muster.receipts.unmatched",
                "{receipt}",
                "Receipts that belong to no text, or say what is not documented.",
            ),
            events_rejected: counter(
                "muster.events.rejected",
                "{event}",
                "Events that the database refused.",
            ),
            consumed: counter("messaging.client.consumed.messages", "{message}", "Frames that were taken."),
            processing: seconds("messaging.process.duration", "How long frames were worked on.", &SECONDS),
            statements: seconds("db.client.operation.duration", "Statements to PostgreSQL.", &SECONDS),
        };
        metrics.known();
        metrics
    }

    /// Makes those known that are seldom counted: so that 0 is 0, and not absent.
    fn known(&self) {
        for counter in [&self.reaped, &self.orders_revived, &self.receipts_unmatched, &self.events_rejected] {
            counter.add(0, &[]);
        }
    }

    /// Texts moved.
    pub(crate) fn moved(&self, transitions: &[Transition]) {
        let mut texts: BTreeMap<(&str, &str), u64> = BTreeMap::new();
        for Transition { from, since, to, time, .. } in transitions {
            let class = to.error.as_ref().map_or("none", |error| error.class.name());
            if from.is_some() || to.status != Status::Created {
                *texts.entry((to.status.name(), class)).or_default() += 1;
            }
            let was_sent = from.as_ref().is_some_and(|from| from.status == Status::Sent);
            if was_sent
                && matches!(to.status, Status::Delivered | Status::Undelivered)
                && let Some(since) = since
            {
                let status = KeyValue::new("status", to.status.name().to_ascii_lowercase());
                self.delivery.record(between(*since, *time), &[status]);
            }
        }
        for ((status, class), count) in texts {
            let status = KeyValue::new("status", status.to_ascii_lowercase());
            self.texts.add(count, &[status, KeyValue::new("error_class", class)]);
        }
    }

    /// Texts were ordered that had been due at these times.
    pub(crate) fn ordered(&self, mode: Mode, due: impl Iterator<Item = Micros>) {
        let (now, mode) = (Micros::now(), [KeyValue::new("mode", mode.name())]);
        for due in due {
            self.queue_wait.record(between(due, now), &mode);
        }
    }

    /// So many attempts that were asked for came to `result`.
    pub(crate) fn claims(&self, result: &'static str, attempts: usize) {
        if attempts > 0 {
            self.claims.add(attempts as u64, &[KeyValue::new("result", result)]);
        }
    }

    /// Attempts were not granted, and moved on.
    pub(crate) fn claims_refused(&self, decisions: impl Iterator<Item = Decision>) {
        let mut refused: BTreeMap<&str, usize> = BTreeMap::new();
        for decision in decisions {
            let result = match decision {
                Decision::Cancel => "canceled",
                Decision::Suppress => "suppressed",
                Decision::Expire => "expired",
                Decision::Withdraw => "withdrawn",
                Decision::Queue | Decision::Order | Decision::Claim | Decision::Reap => continue,
            };
            *refused.entry(result).or_default() += 1;
        }
        for (result, attempts) in refused {
            self.claims(result, attempts);
        }
    }

    /// Events are committed.
    pub(crate) fn projected<'a>(
        &self,
        events: impl Iterator<Item = &'a Event>,
        stops: &[Micros],
        unmatched: usize,
    ) {
        let now = Micros::now();
        for event in events {
            let kind = match &event.kind {
                Some(Kind::Outcome(_)) => "outcome",
                Some(Kind::Receipt(_)) => "receipt",
                Some(Kind::Inbound(_)) => "reply",
                Some(Kind::Unreadable(_)) | None => continue,
            };
            self.event_lag.record(between(Micros(event.time_us), now), &[KeyValue::new("event", kind)]);
        }
        for stop in stops {
            self.stop_latency.record(between(*stop, now), &[]);
        }
        self.receipts_unmatched.add(unmatched as u64, &[]);
    }

    /// A batch of frames of events was applied.
    pub(crate) fn batch_projected(&self, frames: usize, took: Duration) {
        let attributes = messaging(EVENTS, "process");
        self.consumed.add(frames as u64, &attributes);
        self.processing.record(took.as_secs_f64(), &attributes);
    }

    /// A statement was answered.
    pub(crate) fn statement(&self, took: Duration) {
        self.statements.record(took.as_secs_f64(), &[KeyValue::new("db.system.name", "postgresql")]);
    }

    /// So many texts are open.
    pub(crate) fn open_texts(&self, status: Status, mode: Mode, texts: i64) {
        let status = KeyValue::new("status", status.name().to_ascii_lowercase());
        self.texts_open.record(texts, &[status, KeyValue::new("mode", mode.name())]);
    }

    /// The oldest text in the queue is due since then.
    pub(crate) fn queue_oldest(&self, mode: Mode, due: Micros, now: Micros) {
        self.queue_oldest.record(between(due, now), &[KeyValue::new("mode", mode.name())]);
    }

    /// So many frames wait in an outbox, the oldest since then.
    pub(crate) fn outbox(&self, name: &'static str, frames: i64, oldest: Micros, now: Micros) {
        let outbox = [KeyValue::new("outbox", name)];
        self.outbox_frames.record(frames, &outbox);
        self.outbox_oldest.record(between(oldest, now), &outbox);
    }

    /// The projection had everything then.
    pub(crate) fn projection_lag(&self, caught_up: Micros, now: Micros) {
        self.projection_lag.record(between(caught_up, now), &[]);
    }
}

/// Tells from now on how the pools are, and whether PostgreSQL answers.
pub(crate) fn observe_pools(pools: [(&'static str, Pool); 2]) {
    dependency("postgresql", || POSTGRESQL.0.load(Ordering::Relaxed));
    let pool = |name| KeyValue::new("db.client.connection.pool.name", name);
    let [of_count, of_max, of_pending] = [pools.clone(), pools.clone(), pools];
    let meter = meter();
    meter
        .u64_observable_gauge("db.client.connection.count")
        .with_unit("{connection}")
        .with_description("Connections to PostgreSQL.")
        .with_callback(move |observer| {
            for (name, of) in &of_count {
                let status = of.status();
                let state = |state| KeyValue::new("db.client.connection.state", state);
                observer.observe(status.available as u64, &[pool(*name), state("idle")]);
                let used = status.size.saturating_sub(status.available);
                observer.observe(used as u64, &[pool(*name), state("used")]);
            }
        })
        .build();
    meter
        .u64_observable_gauge("db.client.connection.max")
        .with_unit("{connection}")
        .with_description("How many connections there may be.")
        .with_callback(move |observer| {
            for (name, of) in &of_max {
                observer.observe(of.status().max_size as u64, &[pool(*name)]);
            }
        })
        .build();
    meter
        .u64_observable_gauge("db.client.connection.pending_requests")
        .with_unit("{request}")
        .with_description("Who waits for a connection.")
        .with_callback(move |observer| {
            for (name, of) in &of_pending {
                observer.observe(of.status().waiting as u64, &[pool(*name)]);
            }
        })
        .build();
}

/// Seconds from one moment to another by clocks that may be a little apart; never less than none.
#[expect(clippy::cast_precision_loss, reason = "in microseconds, exact for 285 years")]
fn between(then: Micros, now: Micros) -> f64 {
    (now.0 - then.0).max(0) as f64 / 1e6
}
