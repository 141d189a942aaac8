//! The gateway's instruments. docs/telemetry.md says what each means; no label of any has more than a few dozen values.

use std::sync::LazyLock;
use std::time::Duration;

use http::{Method, StatusCode};
use muster_domain::error::ErrorClass;
use muster_domain::provider::Provider;
use muster_proto::internal::v1::event::Kind;
use muster_proto::internal::v1::{Event, FactKind, Receipt};
use muster_runtime::clock;
use muster_runtime::telemetry::metrics::{SECONDS, counter, meter, seconds};
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram, UpDownCounter};

use crate::count::Fate;

static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::new);

struct Metrics {
    requests: Histogram<f64>,
    webhooks: Counter<u64>,
    receipts: Counter<u64>,
    replies: Counter<u64>,
    watches: UpDownCounter<i64>,
    watched: Counter<u64>,
    watchers_lost: Counter<u64>,
    watch_lag: Histogram<f64>,
}

impl Metrics {
    fn new() -> Self {
        Self {
            requests: seconds("http.server.request.duration", "Webhooks, to their answers.", &SECONDS),
            webhooks: counter("muster.webhooks", "{webhook}", "Webhooks, by what became of them."),
            receipts: counter("muster.receipts", "{receipt}", "Receipts, by what they say."),
            replies: counter("muster.replies", "{reply}", "Replies."),
            watches: meter()
                .i64_up_down_counter("muster.watches")
                .with_unit("{stream}")
                .with_description("Event streams that are open.")
                .build(),
            watched: counter("muster.watch.told", "{event}", "Events that watchers were told."),
            watchers_lost: counter(
                "muster.watchers.lost",
                "{stream}",
                "Event streams that ended because their watcher did not keep up.",
            ),
            watch_lag: seconds(
                "muster.watch.lag",
                "From when JetStream took an event to when a watcher was told.",
                &SECONDS,
            ),
        }
    }
}

/// A request was answered, on a route of ours or on none.
pub(crate) fn request(
    method: &Method,
    route: Option<&'static str>,
    scheme: &'static str,
    status: StatusCode,
    took: Duration,
) {
    // Strangers could make up any number of methods.
    let method = if *method == Method::POST {
        "POST"
    } else if *method == Method::GET {
        "GET"
    } else {
        "_OTHER"
    };
    let attributes = [
        KeyValue::new("http.request.method", method),
        KeyValue::new("http.route", route.unwrap_or("none")),
        KeyValue::new("http.response.status_code", i64::from(status.as_u16())),
        KeyValue::new("url.scheme", scheme),
    ];
    METRICS.requests.record(took.as_secs_f64(), &attributes);
}

/// A webhook came for `kind`, of a provider where that is known.
pub(crate) fn webhook(provider: Option<Provider>, kind: &'static str, fate: Fate) {
    let attributes = [
        KeyValue::new("provider", provider.map_or("none", Provider::name)),
        KeyValue::new("webhook", kind),
        KeyValue::new("result", became(fate)),
    ];
    METRICS.webhooks.add(1, &attributes);
}

/// What became of a webhook, as far as somebody has to act on it; the log is more precise.
fn became(fate: Fate) -> &'static str {
    match fate {
        Fate::Accepted | Fate::Misdirected => "accepted",
        Fate::Unreadable => "unreadable",
        Fate::Unknown => "unknown",
        Fate::Unsigned | Fate::WrongSignature | Fate::Stale | Fate::WrongAccount => "forged",
        Fate::TooLarge | Fate::TooSlow | Fate::Broken => "unreceived",
        Fate::Unavailable => "unavailable",
        Fate::Crowded => "crowded",
    }
}

/// JetStream has what a provider told.
pub(crate) fn told(provider: Provider, event: &Event) {
    let provider = KeyValue::new("provider", provider.name());
    match &event.kind {
        Some(Kind::Receipt(receipt)) => {
            let class = i16::try_from(receipt.error_class).ok().and_then(ErrorClass::from_code);
            let class = KeyValue::new("error_class", class.map_or("none", ErrorClass::name));
            METRICS.receipts.add(1, &[provider, KeyValue::new("result", result(receipt)), class]);
        }
        Some(Kind::Inbound(_)) => METRICS.replies.add(1, &[provider]),
        Some(Kind::Outcome(_) | Kind::Unreadable(_)) | None => {}
    }
}

fn result(receipt: &Receipt) -> &'static str {
    match receipt.fact() {
        FactKind::ReceiptSent => "sent",
        FactKind::ReceiptDelivered => "delivered",
        FactKind::ReceiptUndelivered => "undelivered",
        FactKind::Unspecified
        | FactKind::Accepted
        | FactKind::Refused
        | FactKind::NotAccepted
        | FactKind::Ambiguous => "undocumented",
    }
}

/// An event stream that is open, until it is dropped.
#[derive(Debug)]
pub(crate) struct Watching(());

impl Watching {
    /// It is open from now on.
    pub(crate) fn begin() -> Self {
        METRICS.watches.add(1, &[]);
        Self(())
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        METRICS.watches.add(-1, &[]);
    }
}

/// A watcher is told of events that JetStream took at `time_us`, in microseconds since the epoch.
pub(crate) fn watched(events: usize, time_us: i64) {
    METRICS.watched.add(events as u64, &[]);
    let lag_us = clock::now_us().saturating_sub(time_us).max(0);
    METRICS.watch_lag.record(Duration::from_micros(lag_us.unsigned_abs()).as_secs_f64(), &[]);
}

/// An event stream ended because its watcher did not keep up.
pub(crate) fn watcher_lost() {
    METRICS.watchers_lost.add(1, &[]);
}
