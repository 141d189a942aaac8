//! A collector of OpenTelemetry: takes what processes push by OTLP, and keeps it for a test to look at.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status};

use crate::wait;

/// A span, and whose it is.
#[derive(Clone, Debug)]
pub struct Told {
    /// The service, such as `sender-node`.
    pub service: String,
    /// The span.
    pub span: Span,
}

impl Told {
    /// An attribute, as text; empty where there is none of this name.
    pub fn attribute(&self, name: &str) -> String {
        text_of(&self.span.attributes, name)
    }

    /// Whether it is linked with a trace.
    pub fn is_linked_with(&self, trace: &[u8]) -> bool {
        self.span.links.iter().any(|link| link.trace_id == trace)
    }
}

#[derive(Debug, Default)]
struct Kept {
    spans: Vec<Told>,
    /// The services that pushed metrics, with the names of these.
    metrics: BTreeSet<(String, String)>,
}

/// A collector that listens until it is dropped.
#[derive(Debug)]
pub struct Collector {
    kept: Kepts,
    address: SocketAddr,
    task: JoinHandle<()>,
}

#[derive(Clone, Debug, Default)]
struct Kepts(Arc<Mutex<Kept>>);

impl Kepts {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Collector {
    /// Begins to listen on loopback.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (address, kept) = (listener.local_addr()?, Kepts::default());
        let server = Server::builder()
            .add_service(TraceServiceServer::new(kept.clone()))
            .add_service(MetricsServiceServer::new(kept.clone()));
        let task = tokio::spawn(async move {
            // It ends with the test.
            let _ = server.serve_with_incoming(TcpListenerStream::new(listener)).await;
        });
        Ok(Self { kept, address, task })
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All spans that it has.
    pub fn spans(&self) -> Vec<Told> {
        self.kept.lock().spans.clone()
    }

    /// The services that pushed metrics, with the names of these.
    pub fn metrics(&self) -> BTreeSet<(String, String)> {
        self.kept.lock().metrics.clone()
    }

    /// Waits until the spans of a trace are as `enough` wants them.
    pub async fn trace(
        &self,
        id: &[u8],
        within: Duration,
        enough: impl Fn(&[Told]) -> bool,
    ) -> Result<Vec<Told>> {
        let mut last = Vec::new();
        let look = async || {
            last = self.spans();
            last.retain(|told| told.span.trace_id == id);
            Ok(enough(&last).then(|| last.clone()))
        };
        let found = wait::until("the spans of a trace", within, look).await;
        found.map_err(|error| {
            let names: Vec<_> =
                last.iter().map(|told| format!("{} {}", told.service, told.span.name)).collect();
            error.context(format!("it has {names:?}"))
        })
    }
}

#[tonic::async_trait]
impl TraceService for Kepts {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let mut kept = self.lock();
        for of_resource in request.into_inner().resource_spans {
            let service = service(of_resource.resource.as_ref());
            let spans = of_resource.scope_spans.into_iter().flat_map(|of_scope| of_scope.spans);
            kept.spans.extend(spans.map(|span| Told { service: service.clone(), span }));
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Kepts {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        let mut kept = self.lock();
        for of_resource in request.into_inner().resource_metrics {
            let service = service(of_resource.resource.as_ref());
            let metrics = of_resource.scope_metrics.into_iter().flat_map(|of_scope| of_scope.metrics);
            kept.metrics.extend(metrics.map(|metric| (service.clone(), metric.name)));
        }
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

fn service(resource: Option<&Resource>) -> String {
    resource.map_or_else(String::new, |resource| text_of(&resource.attributes, "service.name"))
}

fn text_of(attributes: &[KeyValue], name: &str) -> String {
    let value = attributes.iter().find(|attribute| attribute.key == name);
    match value.and_then(|attribute| attribute.value.as_ref()) {
        Some(AnyValue { value: Some(Value::StringValue(text)) }) => text.clone(),
        Some(AnyValue { value: Some(Value::IntValue(number)) }) => number.to_string(),
        Some(other) => format!("{other:?}"),
        None => String::new(),
    }
}
