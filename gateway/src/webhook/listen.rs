//! The listener for providers: an accept loop with bounds on connections, heads and time.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use muster_runtime::clock;
use muster_runtime::supervise::Tasks;
use muster_runtime::tls::{Connection, Server};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::Webhooks;
use super::path::Path;
use crate::config;
use crate::metrics;

/// How long a request's head may take, from the end of the one before: so an idle connection goes, too.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// The largest head that is read.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// The pause after a connection could not be accepted, which is mostly for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Listens for webhooks until the service stops.
///
/// # Errors
/// Where the address is taken or not ours.
pub(crate) async fn listen(
    config: &config::Webhooks,
    webhooks: Webhooks,
    tasks: &Tasks,
) -> anyhow::Result<SocketAddr> {
    let server =
        Server::start("webhooks", config.tls.clone(), "http/1.1", tasks).context("TLS for webhooks")?;
    let listener = TcpListener::bind(&config.listen)
        .await
        .with_context(|| format!("cannot listen for webhooks on {}", config.listen))?;
    let address = listener.local_addr()?;
    tracing::info!(what = "webhooks", %address, tls = server.is_tls(), "listening");
    let connections = Arc::new(Semaphore::new(config.connections_max.clamp(1, Semaphore::MAX_PERMITS)));
    tasks.spawn(accept(listener, server, Arc::new(webhooks), connections, tasks.clone()));
    Ok(address)
}

async fn accept(
    listener: TcpListener,
    server: Server,
    webhooks: Arc<Webhooks>,
    connections: Arc<Semaphore>,
    tasks: Tasks,
) {
    let stop = tasks.stop();
    loop {
        let accepted = tokio::select! {
            accepted = async { (connections.clone().acquire_owned().await, listener.accept().await) } => accepted,
            () = stop.cancelled() => return,
        };
        let (Ok(place), Ok((stream, _peer))) = accepted else {
            tracing::warn!("a connection could not be accepted");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let (server, webhooks, stop) = (server.clone(), webhooks.clone(), stop.clone());
        tasks.spawn(async move {
            let accepted = tokio::select! {
                biased;
                accepted = server.accept(stream) => accepted,
                () = stop.cancelled() => return,
            };
            if let Ok(connection) = accepted {
                serve(connection, server.is_tls(), webhooks, stop).await;
            }
            drop(place);
        });
    }
}

/// Serves one connection; when the service stops, answers what it has begun to receive and closes.
async fn serve(connection: Connection, tls: bool, webhooks: Arc<Webhooks>, stop: CancellationToken) {
    let scheme = if tls { "https" } else { "http" };
    let answer = service_fn(|request: Request<Incoming>| {
        let webhooks = webhooks.clone();
        async move {
            let (begun, method) = (clock::instant(), request.method().clone());
            let route = Path::read(request.uri()).map(|path| path.kind.route());
            let answer = webhooks.answer(request).await;
            metrics::request(&method, route, scheme, answer.status(), clock::since(begun));
            Ok::<_, Infallible>(answer)
        }
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(HEAD_BYTES_MAX)
            .serve_connection(TokioIo::new(connection), answer)
    );
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error = %error, "a webhook connection broke");
    }
}
