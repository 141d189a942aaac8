//! Pushing to the collector, from threads of their own. A push that fails is counted and, seldom, logged; what it held
//! is gone. Nothing else notices.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use opentelemetry_otlp::{MetricExporter, SpanExporter, WithExportConfig as _, WithTonicConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{PeriodicReader, Temporality};
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, SpanData, SpanExporter as ExportSpans, SpanProcessor as _,
};
use tonic::transport::{Channel, Endpoint, Uri};

use super::metrics;
use crate::config;
use crate::supervise::Tasks;
use crate::{clock, tls};

/// How long connecting and a push may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Spans that wait to be pushed at most; the rest is dropped.
const SPANS_MAX: usize = 8_192;
/// Spans in one push.
const PUSH_SPANS_MAX: usize = 1_024;
/// How often spans are pushed.
const PUSH_SPANS: Duration = Duration::from_secs(1);
/// How often at most it is logged that pushes fail.
const LOG_EVERY: Duration = Duration::from_secs(60);

/// A channel to the collector, which connects when it is first used.
pub(super) fn channel(config: &config::Telemetry, tasks: &Tasks) -> anyhow::Result<Channel> {
    let uri: Uri = config.otlp.parse().context("it is no URL")?;
    let endpoint = Endpoint::from_shared(config.otlp.replacen("https:", "http:", 1))
        .context("it is no URL")?
        .connect_timeout(TIMEOUT)
        .timeout(TIMEOUT);
    match uri.scheme_str() {
        Some("http") => {
            ensure!(config.tls.is_none(), "telemetry.tls is for a URL that begins with https");
            Ok(endpoint.connect_lazy())
        }
        _ => {
            let tls = tls::Client::start("the collector", config.tls.clone().unwrap_or_default(), tasks)?;
            let connector = tls.connector(&uri)?;
            Ok(endpoint.origin(uri).connect_with_connector_lazy(connector))
        }
    }
}

/// What pushes metrics.
pub(super) fn metrics(
    channel: Channel,
    interval: Duration,
) -> anyhow::Result<PeriodicReader<Counted<MetricExporter>>> {
    let exporter =
        MetricExporter::builder().with_tonic().with_channel(channel).with_timeout(TIMEOUT).build()?;
    Ok(PeriodicReader::builder(Counted::new(exporter, "metrics")).with_interval(interval).build())
}

/// What pushes spans.
pub(super) fn spans(channel: Channel, resource: &Resource) -> anyhow::Result<BatchSpanProcessor> {
    let exporter =
        SpanExporter::builder().with_tonic().with_channel(channel).with_timeout(TIMEOUT).build()?;
    let batches = BatchConfigBuilder::default()
        .with_max_queue_size(SPANS_MAX)
        .with_max_export_batch_size(PUSH_SPANS_MAX)
        .with_scheduled_delay(PUSH_SPANS)
        .build();
    let mut spans =
        BatchSpanProcessor::builder(Counted::new(exporter, "traces")).with_batch_config(batches).build();
    spans.set_resource(resource);
    Ok(spans)
}

/// An exporter whose failures are counted.
#[derive(Debug)]
pub(super) struct Counted<E> {
    exporter: E,
    signal: &'static str,
    failed: AtomicU64,
    /// When that was logged last, in microseconds since the epoch.
    logged_us: AtomicU64,
}

impl<E> Counted<E> {
    fn new(exporter: E, signal: &'static str) -> Self {
        Self { exporter, signal, failed: AtomicU64::new(0), logged_us: AtomicU64::new(0) }
    }

    fn count(&self, result: OTelSdkResult) -> OTelSdkResult {
        let Err(error) = &result else { return result };
        metrics::telemetry_failed(self.signal, 1);
        let failed = self.failed.fetch_add(1, Ordering::Relaxed) + 1;
        let now = clock::now_us().unsigned_abs();
        let logged = self.logged_us.load(Ordering::Relaxed);
        if Duration::from_micros(now.saturating_sub(logged)) >= LOG_EVERY {
            self.logged_us.store(now, Ordering::Relaxed);
            tracing::warn!(signal = self.signal, failed, %error, "the collector did not take what was pushed");
        }
        result
    }
}

impl PushMetricExporter for Counted<MetricExporter> {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        self.count(self.exporter.export(metrics).await)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.exporter.temporality()
    }
}

impl ExportSpans for Counted<SpanExporter> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.count(self.exporter.export(batch).await)
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
