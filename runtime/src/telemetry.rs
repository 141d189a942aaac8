//! What a process tells of itself: metrics, traces and logs, set up here and nowhere else.
//!
//! Metrics have two readers, Prometheus and OTLP, of the same instruments. Traces are pushed by OTLP, and only where a
//! collector is named. Both are pushed by threads of their own, from bounded queues: a collector that is slow or gone
//! holds nothing up, and what it misses is counted.
//!
//! A process has one of each, so what is set up here is global, as the libraries have it. Until [`Telemetry::start`]
//! instruments and spans are there and do nothing.

pub mod admin;
mod export;
pub mod log;
pub mod metrics;
mod process;
pub mod rpc;
pub mod trace;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use opentelemetry::{KeyValue, global};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::{BatchSpanProcessor, SpanProcessor as _};

use crate::config;
use crate::supervise::Tasks;

/// How long the last push may take when the process ends.
const LAST_PUSH: Duration = Duration::from_secs(3);
/// The namespace of all services.
const NAMESPACE: &str = "muster";

/// The telemetry of a process, until it ends.
#[derive(Debug)]
pub struct Telemetry {
    meters: SdkMeterProvider,
    spans: Option<Arc<BatchSpanProcessor>>,
}

impl Telemetry {
    /// Sets up metrics and traces of `service`, whose process is called `node`. To be called before anything that tells
    /// of itself.
    ///
    /// # Errors
    /// Where a setting is wrong. That the collector does not answer is no error.
    pub fn start(
        config: &config::Telemetry,
        service: &'static str,
        node: &str,
        tasks: &Tasks,
    ) -> anyhow::Result<Self> {
        let ratio = config.sampling_ratio;
        ensure!((0.0..=1.0).contains(&ratio), "telemetry.sampling_ratio must be between 0 and 1");
        let resource = resource(&config.resource, service, node)?;
        let prometheus = opentelemetry_prometheus::exporter()
            .with_registry(prometheus::default_registry().clone())
            .scope_info_enabled(false)
            .build()
            .context("metrics cannot be set up")?;
        let mut meters = SdkMeterProvider::builder().with_resource(resource.clone()).with_reader(prometheus);
        let mut spans = None;
        if !config.otlp.is_empty() {
            let channel = export::channel(config, tasks).context("telemetry.otlp")?;
            let interval = Duration::from_secs(config.push_interval_s.max(1));
            meters = meters.with_reader(export::metrics(channel.clone(), interval)?);
            spans = Some(Arc::new(export::spans(channel, &resource)?));
        }
        let meters = meters.build();
        global::set_meter_provider(meters.clone());
        if let Some(spans) = &spans {
            trace::start(spans.clone(), ratio);
        }
        metrics::process(env!("CARGO_PKG_VERSION"));
        if spans.is_some() {
            metrics::telemetry_failed("metrics", 0);
            metrics::telemetry_failed("traces", 0);
        }
        Ok(Self { meters, spans })
    }

    /// Pushes what is left.
    pub async fn end(self) {
        let push = tokio::task::spawn_blocking(move || {
            // What cannot be pushed has been counted and logged.
            let _ = self.meters.shutdown_with_timeout(LAST_PUSH);
            if let Some(spans) = self.spans {
                let _ = spans.shutdown_with_timeout(LAST_PUSH);
            }
        });
        let _ = tokio::time::timeout(2 * LAST_PUSH, push).await;
    }
}

fn resource(more: &str, service: &'static str, node: &str) -> anyhow::Result<Resource> {
    let mut attributes = vec![
        KeyValue::new("service.namespace", NAMESPACE),
        KeyValue::new("service.name", service),
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("service.instance.id", node.to_owned()),
    ];
    for attribute in more.split(',').map(str::trim).filter(|attribute| !attribute.is_empty()) {
        let (name, value) = attribute
            .split_once('=')
            .with_context(|| format!("telemetry.resource: `{attribute}` is not name=value"))?;
        attributes.push(KeyValue::new(name.trim().to_owned(), value.trim().to_owned()));
    }
    Ok(Resource::builder_empty().with_attributes(attributes).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_read_as_the_standard_spells_it() {
        let resource = resource("a.b=c, d = e=f,", "gateway", "g-1").expect("reads");
        let of = |name: &'static str| resource.get(&name.into()).map(|value| value.to_string());
        assert_eq!(of("a.b").as_deref(), Some("c"));
        assert_eq!(of("d").as_deref(), Some("e=f"));
        assert_eq!(of("service.instance.id").as_deref(), Some("g-1"));
        assert!(super::resource("oops", "gateway", "g-1").is_err());
    }
}
