//! The gRPC server that every service stands on: bounds, keep-alive and reflection.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tonic::transport::Server;
use tonic_reflection::server::Builder as Reflection;

use crate::supervise::Tasks;
use crate::tls::{self, Incoming, ServerFiles};

/// The largest message that a server takes; an import's chunk is at most 1 MiB.
pub const MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Calls that one connection may have open at once.
const STREAMS_MAX: u32 = 1_024;
/// How often an idle connection is probed.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// A server with our bounds.
pub fn server() -> Server {
    Server::builder()
        .max_concurrent_streams(STREAMS_MAX)
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_adaptive_window(Some(true))
}

/// Binds a listener, with TLS where there are files for it, and logs where it listens.
///
/// # Errors
/// Where the address is taken or not ours, or the files cannot be used.
pub async fn bind(
    address: &str,
    files: Option<ServerFiles>,
    what: &'static str,
    tasks: &Tasks,
) -> anyhow::Result<(Incoming, SocketAddr)> {
    let server = tls::Server::start(what, files, "h2", tasks).with_context(|| format!("TLS for {what}"))?;
    let listener =
        TcpListener::bind(address).await.with_context(|| format!("cannot listen for {what} on {address}"))?;
    let local = listener.local_addr()?;
    tracing::info!(what, address = %local, tls = server.is_tls(), "listening");
    Ok((tls::listen(listener, server, tasks), local))
}

/// Reflection v1 and v1alpha (older clients ask for the latter) over the public API, with the details of errors.
///
/// # Errors
/// Where the descriptors cannot be read: a fault of the build.
pub fn reflection(
    services: &[&str],
) -> anyhow::Result<(
    tonic_reflection::server::v1::ServerReflectionServer<impl tonic_reflection::server::v1::ServerReflection>,
    tonic_reflection::server::v1alpha::ServerReflectionServer<
        impl tonic_reflection::server::v1alpha::ServerReflection,
    >,
)> {
    let builder = || {
        let builder = Reflection::configure()
            .register_encoded_file_descriptor_set(muster_proto::PUBLIC_DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .with_service_name("grpc.health.v1.Health");
        services.iter().fold(builder, |builder, service| builder.with_service_name(*service))
    };
    Ok((builder().build_v1()?, builder().build_v1alpha()?))
}
