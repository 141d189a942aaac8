//! The instruments that every process has. Each service has its own beside them, in a file of this name; docs/telemetry.md
//! lists all of them.

use std::sync::{Mutex, OnceLock, PoisonError};

use opentelemetry::metrics::{Counter, Gauge, Histogram, Meter};
use opentelemetry::{KeyValue, global};

use super::process;

/// The bounds of the buckets of what takes milliseconds to seconds, in seconds: those of the semantic conventions.
pub const SECONDS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// Where all instruments come from.
pub fn meter() -> Meter {
    global::meter("muster")
}

/// A counter. `unit` is in curly brackets what is counted, such as `{text}`.
pub fn counter(name: &'static str, unit: &'static str, description: &'static str) -> Counter<u64> {
    meter().u64_counter(name).with_unit(unit).with_description(description).build()
}

/// A histogram of seconds.
pub fn seconds(name: &'static str, description: &'static str, bounds: &[f64]) -> Histogram<f64> {
    let meter = meter();
    let histogram = meter.f64_histogram(name).with_unit("s").with_description(description);
    histogram.with_boundaries(bounds.to_vec()).build()
}

/// A number that goes up and down, as it was when it was last said.
pub fn gauge(name: &'static str, unit: &'static str, description: &'static str) -> Gauge<i64> {
    meter().i64_gauge(name).with_unit(unit).with_description(description).build()
}

/// An age in seconds, as it was when it was last said.
pub fn age(name: &'static str, description: &'static str) -> Gauge<f64> {
    meter().f64_gauge(name).with_unit("s").with_description(description).build()
}

/// Something that is asked whenever metrics are read.
type Ask = Box<dyn Fn() -> bool + Send + Sync>;

struct Process {
    loop_failures: Counter<u64>,
    telemetry_failures: Counter<u64>,
    sent: Counter<u64>,
    sending: Histogram<f64>,
}

/// Nothing until [`process`]: what pushes metrics is itself made before there is anything to count with.
static PROCESS: OnceLock<Process> = OnceLock::new();

static DEPENDENCIES: Mutex<Vec<(&'static str, Ask)>> = Mutex::new(Vec::new());

/// Tells from now on whether `name` answers.
pub fn dependency(name: &'static str, up: impl Fn() -> bool + Send + Sync + 'static) {
    let mut dependencies = DEPENDENCIES.lock().unwrap_or_else(PoisonError::into_inner);
    dependencies.push((name, Box::new(up)));
}

/// What this process depends on, and whether it answers.
pub(super) fn dependencies() -> Vec<(&'static str, bool)> {
    let dependencies = DEPENDENCIES.lock().unwrap_or_else(PoisonError::into_inner);
    dependencies.iter().map(|(name, up)| (*name, up())).collect()
}

/// So many times a background loop failed; 0 makes it known.
pub(crate) fn loop_failed(name: &'static str, times: u64) {
    if let Some(process) = PROCESS.get() {
        process.loop_failures.add(times, &[KeyValue::new("loop", name)]);
    }
}

/// So many pushes of `signal` failed; 0 makes it known.
pub(super) fn telemetry_failed(signal: &'static str, times: u64) {
    if let Some(process) = PROCESS.get() {
        process.telemetry_failures.add(times, &[KeyValue::new("signal", signal)]);
    }
}

/// What says which stream, and what is done with it.
pub fn messaging(stream: &'static str, operation: &'static str) -> [KeyValue; 3] {
    [
        KeyValue::new("messaging.system", "nats"),
        KeyValue::new("messaging.destination.name", stream),
        KeyValue::new("messaging.operation.name", operation),
    ]
}

/// JetStream has acked a frame for `stream`, after so many seconds.
pub(crate) fn frame_sent(stream: &'static str, seconds: f64) {
    if let Some(process) = PROCESS.get() {
        let attributes = messaging(stream, "send");
        process.sent.add(1, &attributes);
        process.sending.record(seconds, &attributes);
    }
}

/// Tells whether the process is ready, as `ready` says.
pub(crate) fn ready(ready: impl Fn() -> bool + Send + Sync + 'static) {
    meter()
        .u64_observable_gauge("muster.ready")
        .with_description("1 while the process is ready and not asked to stop.")
        .with_callback(move |observer| observer.observe(u64::from(ready()), &[]))
        .build();
}

/// Tells what every process tells of itself.
pub(super) fn process(version: &'static str) {
    let meter = meter();
    let _ = PROCESS.set(Process {
        loop_failures: counter(
            "muster.loop.failures",
            "{failure}",
            "Background loops that failed and began again.",
        ),
        telemetry_failures: counter(
            "muster.telemetry.failures",
            "{push}",
            "Pushes to the collector that failed.",
        ),
        sent: counter("messaging.client.sent.messages", "{message}", "Frames that JetStream has acked."),
        sending: seconds(
            "messaging.client.operation.duration",
            "From a publish to JetStream's ack.",
            &SECONDS,
        ),
    });
    meter
        .u64_observable_gauge("muster.build.info")
        .with_description("1; which version runs.")
        .with_callback(move |observer| observer.observe(1, &[KeyValue::new("version", version)]))
        .build();
    meter
        .u64_observable_gauge("muster.dependency.up")
        .with_description("1 while it answers.")
        .with_callback(|observer| {
            for (name, up) in dependencies() {
                observer.observe(u64::from(up), &[KeyValue::new("dependency", name)]);
            }
        })
        .build();
    process::observe(&meter);
}
