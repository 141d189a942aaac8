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
use tokio_util::sync::CancellationToken;

use super::Webhooks;
use super::path::Path;
use super::places::Places;
use crate::config;
use crate::count::{Counts, Fate};
use crate::metrics;

/// The largest head that is read.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// The pause after a connection could not be accepted, which is mostly for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long a connection may be used. Then it ends with the answer that is due, so that providers come to new gateways,
/// too, and nobody has a place for good.
const CONNECTION_AGE_MAX: Duration = Duration::from_mins(10);
/// How long a connection may take to end. More than a request and its answer may.
const END_WITHIN: Duration = Duration::from_secs(20);

/// Listens for webhooks until the service stops.
///
/// # Errors
/// Where the address is taken or not ours.
pub(crate) async fn listen(
    config: &config::Webhooks,
    webhooks: Webhooks,
    counts: Arc<Counts>,
    tasks: &Tasks,
) -> anyhow::Result<SocketAddr> {
    let server =
        Server::start("webhooks", config.tls.clone(), "http/1.1", tasks).context("TLS for webhooks")?;
    let listener = TcpListener::bind(&config.listen)
        .await
        .with_context(|| format!("cannot listen for webhooks on {}", config.listen))?;
    let address = listener.local_addr()?;
    tracing::info!(what = "webhooks", %address, tls = server.is_tls(), "listening");
    let door = Door {
        server,
        webhooks: Arc::new(webhooks),
        counts,
        places: Places::new(config.connections_max, config.connections_of_address_max),
        head_timeout: Duration::from_secs(config.head_timeout_s.max(1)),
    };
    tasks.spawn(accept(listener, door, tasks.clone()));
    Ok(address)
}

/// What a connection meets.
#[derive(Clone)]
struct Door {
    server: Server,
    webhooks: Arc<Webhooks>,
    counts: Arc<Counts>,
    places: Places,
    /// How long a request's head may take, from the end of the one before: so an idle connection goes, too.
    head_timeout: Duration,
}

async fn accept(listener: TcpListener, door: Door, tasks: Tasks) {
    let stop = tasks.stop();
    loop {
        let accepted = tokio::select! {
            accepted = async { (door.places.free().await, listener.accept().await) } => accepted,
            () = stop.cancelled() => return,
        };
        let (Some(free), Ok((stream, peer))) = accepted else {
            tracing::warn!("a connection could not be accepted");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let Some(place) = door.places.give(free, peer.ip()) else {
            door.counts.add(None, Fate::Crowded);
            metrics::webhook(None, "none", Fate::Crowded);
            continue;
        };
        let (door, stop) = (door.clone(), stop.clone());
        tasks.spawn(async move {
            let accepted = tokio::select! {
                biased;
                accepted = door.server.accept(stream) => accepted,
                () = stop.cancelled() => return,
            };
            if let Ok(connection) = accepted {
                serve(connection, &door, stop).await;
            }
            drop(place);
        });
    }
}

/// Serves one connection; when the service stops, or it is too old, answers what it has begun to receive and closes.
async fn serve(connection: Connection, door: &Door, stop: CancellationToken) {
    let scheme = if door.server.is_tls() { "https" } else { "http" };
    let answer = service_fn(|request: Request<Incoming>| {
        let webhooks = door.webhooks.clone();
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
            .header_read_timeout(door.head_timeout)
            // While JetStream is waited for, nothing is read: a read that only finds that nothing came costs what the rest
            // of a small answer does.
            .half_close(true)
            .max_buf_size(HEAD_BYTES_MAX)
            .serve_connection(TokioIo::new(connection), answer)
    );
    let over = async {
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(CONNECTION_AGE_MAX) => {}
        }
    };
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = over => {
            connection.as_mut().graceful_shutdown();
            match tokio::time::timeout(END_WITHIN, connection).await {
                Ok(ended) => ended,
                Err(_elapsed) => return,
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error = %error, "a webhook connection broke");
    }
}
