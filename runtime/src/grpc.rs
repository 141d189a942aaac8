//! The gRPC server that every service stands on: bounds, keep-alive and reflection.

use std::time::Duration;

use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic_reflection::server::Builder as Reflection;

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
        .tcp_nodelay(true)
}

/// Binds a listener and logs where it listens.
///
/// # Errors
/// Where the address is taken or not ours.
pub async fn bind(address: &str, what: &str) -> anyhow::Result<(TcpIncoming, std::net::SocketAddr)> {
    let listener = tokio::net::TcpListener::bind(address)
        .await
        .map_err(|error| anyhow::anyhow!("cannot listen for {what} on {address}: {error}"))?;
    let local = listener.local_addr()?;
    tracing::info!(what, address = %local, "listening");
    Ok((TcpIncoming::from(listener).with_nodelay(Some(true)), local))
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
