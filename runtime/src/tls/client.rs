//! What we trust and show when we call others. One configuration of rustls that is always current, because what
//! verifies and what proves in it look at the files as they are now: so that every client that takes a rustls
//! configuration follows them, whoever wrote it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use anyhow::{Context as _, bail, ensure};
use hyper_util::rt::TokioIo;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, Resumption, WebPkiServerVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::codegen::Service;
use tonic::transport::Uri;

use super::live::Live;
use super::{ClientFiles, pem};
use crate::supervise::Tasks;

/// What gRPC is called in TLS (ALPN).
const HTTP2: &[u8] = b"h2";
/// Where https is served unless a URI says otherwise.
const HTTPS_PORT: u16 = 443;

/// A client's side of TLS.
#[derive(Clone, Debug)]
pub struct Client {
    current: Live<Trust>,
}

/// What the files say.
#[derive(Debug)]
struct Trust {
    /// `None` where there is no authority to trust: that is a fault only once somebody is to be verified.
    verifier: Option<Arc<WebPkiServerVerifier>>,
    pair: Option<Arc<CertifiedKey>>,
}

impl Client {
    /// TLS with these files. `what` is what logs call the client.
    ///
    /// # Errors
    /// Where the files cannot be used.
    pub fn start(what: &'static str, files: ClientFiles, tasks: &Tasks) -> anyhow::Result<Self> {
        let named = [&files.ca, &files.certificate, &files.key];
        let paths = named.into_iter().flatten().cloned().collect();
        let current = Live::start(what, paths, move || trust(&files), tasks);
        Ok(Self { current: current.with_context(|| format!("TLS to {what}"))? })
    }

    /// A configuration that is always current. Nothing is resumed: what was trusted then may not be now.
    pub fn config(&self) -> anyhow::Result<ClientConfig> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous() // is what rustls calls any verifier of one's own; ours asks its own, the current one.
            .with_custom_certificate_verifier(Arc::new(Current(self.current.clone())))
            .with_client_cert_resolver(Arc::new(Current(self.current.clone())));
        config.resumption = Resumption::disabled();
        Ok(config)
    }

    /// What connects gRPC to `server`, whatever URI it is asked for.
    ///
    /// # Errors
    /// Where the URI does not begin with `https`, or names no host that could be in a certificate.
    pub fn connector(&self, server: &Uri) -> anyhow::Result<Connector> {
        ensure!(server.scheme_str() == Some("https"), "it must begin with https");
        let host = server.host().context("it names no host")?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let mut config = self.config()?;
        config.alpn_protocols = vec![HTTP2.to_vec()];
        Ok(Connector {
            tls: TlsConnector::from(Arc::new(config)),
            name: ServerName::try_from(host.clone()).context("its host cannot be in a certificate")?,
            address: (host, server.port_u16().unwrap_or(HTTPS_PORT)),
        })
    }
}

/// Connects gRPC to one server.
#[derive(Clone)]
pub struct Connector {
    tls: TlsConnector,
    name: ServerName<'static>,
    address: (String, u16),
}

impl Connector {
    async fn connect(self) -> io::Result<TokioIo<TlsStream<TcpStream>>> {
        let tcp = TcpStream::connect(self.address).await?;
        tcp.set_nodelay(true)?;
        Ok(TokioIo::new(self.tls.connect(self.name, tcp).await?))
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<TlsStream<TcpStream>>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        Box::pin(self.clone().connect())
    }
}

impl Trust {
    fn verifier(&self) -> Result<&WebPkiServerVerifier, Error> {
        let none =
            || Error::General("there are no certificate authorities to trust; give `tls.ca`".to_owned());
        self.verifier.as_deref().ok_or_else(none)
    }
}

/// The authorities that the system trusts, as they are now.
pub fn system_roots() -> RootCertStore {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (_trusted, _unreadable) = roots.add_parsable_certificates(found.certs);
    roots
}

fn trust(files: &ClientFiles) -> anyhow::Result<Trust> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let pair = match (&files.certificate, &files.key) {
        (None, None) => None,
        (Some(certificate), Some(key)) => Some(pem::pair(certificate, key, &provider)?),
        (Some(_), None) => bail!("`tls.certificate` needs `tls.key`"),
        (None, Some(_)) => bail!("`tls.key` needs `tls.certificate`"),
    };
    let roots = files.ca.as_deref().map_or_else(|| Ok(system_roots()), pem::authorities)?;
    let verifier = match roots.is_empty() {
        true => None,
        false => Some(WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build()?),
    };
    Ok(Trust { verifier, pair })
}

/// Asks what is current.
#[derive(Debug)]
struct Current(Live<Trust>);

impl ResolvesClientCert for Current {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.get().pair.clone()
    }

    fn has_certs(&self) -> bool {
        self.0.get().pair.is_some()
    }
}

impl ServerCertVerifier for Current {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.0.get().verifier()?.verify_server_cert(certificate, intermediates, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.get().verifier()?.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.get().verifier()?.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
