//! New connections: where to, and over what.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::uri::{Authority, Scheme};
use http::{HeaderValue, Request, Uri};
use http_body_util::Full;
use muster_runtime::tls::system_roots;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::connection::Connection;

/// How long a connection may take to be made, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Origin {
    /// Plaintext is only for the base URLs that an operator sets.
    https: bool,
    authority: Authority,
}

/// Splits a request with an absolute URI into its origin and the request as it goes over the wire. `None` where
/// the URI names no origin that we can speak to.
pub(super) fn prepare(request: Request<Bytes>) -> Option<(Origin, Request<Full<Bytes>>)> {
    let (mut head, body) = request.into_parts();
    let mut uri = std::mem::take(&mut head.uri).into_parts();
    let scheme = uri.scheme.take()?;
    let authority = uri.authority.take()?;
    if authority.as_str().contains('@') || (scheme != Scheme::HTTPS && scheme != Scheme::HTTP) {
        return None;
    }
    head.uri = Uri::from_parts(uri).ok()?;
    head.headers.insert(HOST, HeaderValue::from_str(authority.as_str()).ok()?);
    let origin = Origin { https: scheme == Scheme::HTTPS, authority };
    Some((origin, Request::from_parts(head, Full::new(body))))
}

/// Makes connections.
pub(super) struct Connector {
    tls: TlsConnector,
}

impl Connector {
    /// A connector that trusts the certificate authorities of the host.
    pub(super) fn new() -> anyhow::Result<Self> {
        let roots = system_roots();
        if roots.is_empty() {
            tracing::warn!("the host has no certificate authorities; calls over TLS will fail");
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { tls: TlsConnector::from(Arc::new(tls)) })
    }

    /// Connects to `origin`.
    pub(super) async fn connect(&self, origin: &Origin) -> io::Result<Connection> {
        let connecting = Box::pin(self.dial(origin));
        let connection = match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
            Ok(connection) => connection,
            Err(_elapsed) => Err(io::ErrorKind::TimedOut.into()),
        };
        connection.inspect_err(|error| {
            let origin = origin.authority.as_str();
            // The outcome says so too; while a provider is away this may be every call.
            tracing::debug!(origin, error = %error, "cannot connect to a provider");
        })
    }

    async fn dial(&self, origin: &Origin) -> io::Result<Connection> {
        let Origin { https, authority } = origin;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let port = authority.port_u16().unwrap_or(if *https { 443 } else { 80 });
        let tcp = TcpStream::connect((host, port)).await?;
        tcp.set_nodelay(true)?;
        if *https {
            let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
            Connection::over(self.tls.connect(name, tcp).await?).await
        } else {
            Connection::over(tcp).await
        }
    }
}
