//! The listener for operators, on one port: metrics (`/metrics`), probes by HTTP (`/livez`, `/readyz`) and by gRPC health,
//! and what is logged (`/loglevel`). It asks nobody who they are: it belongs on loopback or inside of a cluster.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus::{Encoder as _, TextEncoder};
use tonic::service::Routes;

use super::{log, metrics};
use crate::config::Admin;
use crate::grpc;
use crate::health::{Health, HealthServer, HealthService, closing};
use crate::supervise::Tasks;

/// How often it is looked whether what the process depends on answers.
const LOOK: Duration = Duration::from_secs(1);

/// Listens until the service stops; nowhere, where the configuration names no address.
///
/// # Errors
/// Where the address is taken or not ours, or the files of TLS cannot be used.
pub async fn serve(
    config: &Admin,
    health: &Health,
    service: HealthServer<impl HealthService>,
    tasks: &Tasks,
) -> anyhow::Result<()> {
    if config.listen.is_empty() {
        return Ok(());
    }
    let (incoming, _address) = grpc::bind(&config.listen, config.tls.clone(), "operators", tasks).await?;
    let router = Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(scrape))
        .route("/loglevel", get(level).put(set_level))
        .with_state(health.clone());
    let router = Routes::new(service).into_axum_router().merge(router);
    let server = grpc::server().accept_http1(true).add_routes(Routes::from(router));
    let stop = tasks.stop();
    tasks.spawn(async move {
        if let Err(error) = server.serve_with_incoming_shutdown(incoming, closing(stop)).await {
            tracing::error!(%error, "operators are not served any longer");
        }
    });
    let health = health.clone();
    tasks.keep_running("look at dependencies", move || look(health.clone()));
    Ok(())
}

/// Says in gRPC health whether all that the process depends on answers.
async fn look(health: Health) -> anyhow::Result<()> {
    loop {
        health.dependencies(metrics::dependencies().iter().all(|(_, up)| *up)).await;
        tokio::time::sleep(LOOK).await;
    }
}

async fn ready(State(health): State<Health>) -> (StatusCode, &'static str) {
    if health.is_ready() {
        (StatusCode::OK, "ok\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n")
    }
}

async fn scrape() -> Response {
    let encoder = TextEncoder::new();
    let mut text = Vec::new();
    match encoder.encode(&prometheus::gather(), &mut text) {
        Ok(()) => ([(CONTENT_TYPE, encoder.format_type().to_owned())], text).into_response(),
        Err(error) => {
            tracing::warn!(%error, "metrics could not be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

async fn level() -> String {
    log::filter().unwrap_or_default() + "\n"
}

async fn set_level(filter: String) -> (StatusCode, String) {
    match log::change(filter.trim()) {
        Ok(()) => (StatusCode::OK, level().await),
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error:#}\n")),
    }
}
