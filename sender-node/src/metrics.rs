//! The sender node's instruments. docs/telemetry.md says what each means; no label of any has more than a few dozen values.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use muster_domain::provider::Provider;
use muster_domain::status::Fact;
use muster_runtime::telemetry::metrics::{SECONDS, counter, gauge, messaging, meter, seconds};
use muster_runtime::topology::WORK;
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Gauge, Histogram, UpDownCounter};

use crate::gate::{Gates, Load};

/// Bounds of what takes from a moment to minutes, in seconds.
const LONG: [f64; 14] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 900.0];

static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::new);

struct Metrics {
    outcomes: Counter<u64>,
    calls: Histogram<f64>,
    calls_open: UpDownCounter<i64>,
    claim_wait: Histogram<f64>,
    orders: Histogram<f64>,
    shards: Gauge<i64>,
    nodes: Gauge<i64>,
    inquiries: Counter<u64>,
    consumed: Counter<u64>,
    processing: Histogram<f64>,
}

impl Metrics {
    fn new() -> Self {
        let meter = meter();
        Self {
            outcomes: counter("muster.outcomes", "{text}", "What became of claimed texts."),
            calls: seconds("muster.call.duration", "The HTTP call of a text.", &SECONDS),
            calls_open: meter
                .i64_up_down_counter("muster.calls.open")
                .with_unit("{call}")
                .with_description("Calls that are open.")
                .build(),
            claim_wait: seconds(
                "muster.claim.wait",
                "From asking for a claim to the begin of the call.",
                &SECONDS,
            ),
            orders: seconds(
                "muster.order.duration",
                "From a text's order to when JetStream has its outcome.",
                &LONG,
            ),
            shards: gauge("muster.shards", "{shard}", "Shards of numbers that this node sends for."),
            nodes: gauge(
                "muster.nodes",
                "{node}",
                "Sender nodes that this one knows to live, itself included.",
            ),
            inquiries: counter("muster.inquiries", "{inquiry}", "Questions about UNCONFIRMED texts."),
            consumed: counter("messaging.client.consumed.messages", "{message}", "Frames that were taken."),
            processing: seconds("messaging.process.duration", "How long frames were worked on.", &SECONDS),
        }
    }
}

/// What a fact says, in a word.
pub(crate) fn outcome(fact: &Fact) -> &'static str {
    match fact {
        Fact::Accepted => "accepted",
        Fact::Refused(_) => "refused",
        Fact::NotAccepted(_) => "not_accepted",
        Fact::Ambiguous(_) => "ambiguous",
        Fact::ReceiptSent | Fact::ReceiptDelivered | Fact::ReceiptUndelivered(_) => "receipt",
    }
}

/// The class of the error that a fact tells of, in a word.
pub(crate) fn error_class(fact: &Fact) -> Option<&'static str> {
    match fact {
        Fact::Refused(error)
        | Fact::NotAccepted(error)
        | Fact::Ambiguous(error)
        | Fact::ReceiptUndelivered(error) => Some(error.class.name()),
        Fact::Accepted | Fact::ReceiptSent | Fact::ReceiptDelivered => None,
    }
}

fn of_provider(provider: Option<Provider>) -> KeyValue {
    KeyValue::new("provider", provider.map_or("none", Provider::name))
}

/// A claimed text has an outcome.
pub(crate) fn text(provider: Option<Provider>, fact: &Fact) {
    let attributes = [
        of_provider(provider),
        KeyValue::new("outcome", outcome(fact)),
        KeyValue::new("error_class", error_class(fact).unwrap_or("none")),
    ];
    METRICS.outcomes.add(1, &attributes);
}

/// A call that is open, until it is dropped.
pub(crate) struct Open(Provider);

/// A call begins, so long after its claim was asked for.
pub(crate) fn call_begins(provider: Provider, after_claim: Duration) -> Open {
    METRICS.claim_wait.record(after_claim.as_secs_f64(), &[]);
    METRICS.calls_open.add(1, &[of_provider(Some(provider))]);
    Open(provider)
}

impl Drop for Open {
    fn drop(&mut self) {
        METRICS.calls_open.add(-1, &[of_provider(Some(self.0))]);
    }
}

/// A call ended.
pub(crate) fn call_ended(provider: Provider, fact: &Fact, took: Duration) {
    let attributes = [of_provider(Some(provider)), KeyValue::new("outcome", outcome(fact))];
    METRICS.calls.record(took.as_secs_f64(), &attributes);
}

/// JetStream has the outcome of a text, so long after its order.
pub(crate) fn order_done(outcome: &'static str, after_order: Duration) {
    METRICS.orders.record(after_order.as_secs_f64(), &[KeyValue::new("outcome", outcome)]);
}

/// This node has so many shards, and there are so many nodes.
pub(crate) fn divided(shards: usize, nodes: usize) {
    METRICS.shards.record(count(shards), &[]);
    METRICS.nodes.record(count(nodes), &[]);
}

fn count(things: usize) -> i64 {
    i64::try_from(things).unwrap_or(i64::MAX)
}

/// A provider was asked about a text.
pub(crate) fn inquiry(provider: Provider, result: &'static str) {
    METRICS.inquiries.add(1, &[of_provider(Some(provider)), KeyValue::new("result", result)]);
}

/// A frame of orders was worked on.
pub(crate) fn frame(took: Duration) {
    let attributes = messaging(WORK, "process");
    METRICS.consumed.add(1, &attributes);
    METRICS.processing.record(took.as_secs_f64(), &attributes);
}

/// Tells from now on how the gates are, by provider.
pub(crate) fn observe_gates(gates: &Arc<Gates>) {
    let by_provider = |name, unit, description, of: fn(&Load) -> u64| {
        let gates = gates.clone();
        meter()
            .u64_observable_gauge(name)
            .with_unit(unit)
            .with_description(description)
            .with_callback(move |observer| {
                for (provider, load) in gates.by_provider() {
                    observer.observe(of(&load), &[of_provider(Some(provider))]);
                }
            })
            .build();
    };
    let circuits = "Accounts whose provider does not answer.";
    by_provider("muster.circuits.open", "{account}", circuits, |load| load.circuits_open);
    by_provider("muster.calls.max", "{call}", "How many calls may be open.", |load| load.calls_max);
    by_provider("muster.gate.waiting.texts", "{text}", "Texts that wait for a call.", |load| load.waiting);
}
