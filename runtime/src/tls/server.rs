//! What a listener shows and demands: its certificate and, where it says so, its clients' certificates.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::SingleCertAndKey;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::live::Live;
use super::{Connection, ServerFiles, pem};
use crate::supervise::Tasks;

/// How long a handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// A listener's side of TLS, or plaintext.
#[derive(Clone, Debug)]
pub struct Server {
    what: &'static str,
    /// Whether it demands certificates of its clients.
    mutual: bool,
    /// `None`: plaintext.
    current: Option<Live<ServerConfig>>,
}

impl Server {
    /// TLS with these files, or plaintext without. `what` is what logs call the listener, and `protocol` what is
    /// spoken inside, by its name in TLS (ALPN).
    ///
    /// # Errors
    /// Where the files cannot be used.
    pub fn start(
        what: &'static str,
        files: Option<ServerFiles>,
        protocol: &'static str,
        tasks: &Tasks,
    ) -> anyhow::Result<Self> {
        let live = |files: ServerFiles| {
            let mut paths = vec![files.certificate.clone(), files.key.clone()];
            paths.extend(files.client_ca.clone());
            Live::start(what, paths, move || config(&files, protocol), tasks)
        };
        let mutual = files.as_ref().is_some_and(|files| files.client_ca.is_some());
        Ok(Self { what, mutual, current: files.map(live).transpose()? })
    }

    /// Whether it speaks TLS.
    pub fn is_tls(&self) -> bool {
        self.current.is_some()
    }

    /// Takes a connection: with TLS, after a handshake that uses the files as they are now.
    ///
    /// # Errors
    /// Where there is no handshake in time, or the client's certificate is not one that is demanded. Logged already.
    pub async fn accept(&self, stream: TcpStream) -> io::Result<Connection> {
        // Only a matter of latency.
        let _ = stream.set_nodelay(true);
        let Some(current) = &self.current else { return Ok(Connection::plaintext(stream)) };
        let address = stream.peer_addr().ok();
        let handshake = Box::pin(TlsAcceptor::from(current.get()).accept(stream));
        let end = match tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake).await {
            Ok(end) => end,
            Err(_elapsed) => Err(io::ErrorKind::TimedOut.into()),
        };
        end.map(Connection::tls).inspect_err(|error| {
            // Whoever only looks whether somebody listens is gone again.
            let knocks =
                matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset);
            if self.mutual && !knocks {
                tracing::warn!(what = self.what, ?address, error = %error, "a connection was refused");
            } else {
                // Strangers could fill the log.
                tracing::debug!(what = self.what, ?address, error = %error, "a connection was refused");
            }
        })
    }
}

fn config(files: &ServerFiles, protocol: &str) -> anyhow::Result<ServerConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let pair = pem::pair(&files.certificate, &files.key, &provider)?;
    let builder =
        ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
    let builder = match &files.client_ca {
        None => builder.with_no_client_auth(),
        Some(bundle) => {
            let roots = Arc::new(pem::authorities(bundle)?);
            builder.with_client_cert_verifier(
                WebPkiClientVerifier::builder_with_provider(roots, provider).build()?,
            )
        }
    };
    let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(pair)));
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    if files.client_ca.is_some() {
        // Every connection shows its certificate anew: one that has expired resumes nothing.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    Ok(config)
}
