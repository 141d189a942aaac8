//! Calling a listener on loopback, in plaintext or over TLS: a client apart from those of our services.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint, Uri};

use super::{Authority, Pair};

/// What a client trusts and shows. What is `http` is called in plaintext all the same.
#[derive(Clone, Debug)]
pub struct Dial {
    ca: PathBuf,
    pair: Option<Pair>,
}

impl Dial {
    /// Trusts what an authority signs, and shows nothing.
    #[must_use]
    pub fn trusting(authority: &Authority) -> Self {
        Self { ca: authority.bundle(), pair: None }
    }

    /// The same with a certificate to show.
    #[must_use]
    pub fn showing(&self, pair: &Pair) -> Self {
        Self { pair: Some(pair.clone()), ..self.clone() }
    }

    /// A channel to `url`, adjusted. It connects when it is first used, with the files as they are then.
    pub fn channel(&self, url: &str, adjust: impl FnOnce(Endpoint) -> Endpoint) -> Result<Channel> {
        let Some(authority) = url.strip_prefix("https://").map(|rest| rest.trim_end_matches('/').to_owned())
        else {
            return Ok(adjust(Endpoint::from_shared(url.to_owned())?).connect_lazy());
        };
        let endpoint = Endpoint::from_shared(format!("http://{authority}"))?.origin(url.parse()?);
        let dial = self.clone();
        Ok(adjust(endpoint).connect_with_connector_lazy(tower::service_fn(move |_: Uri| {
            let (dial, authority) = (dial.clone(), authority.clone());
            async move {
                dial.connect(&authority, &["h2"])
                    .await
                    .map(TokioIo::new)
                    .map_err(Box::<dyn std::error::Error + Send + Sync>::from)
            }
        })))
    }

    /// A connection over TLS to `address`, such as `127.0.0.1:7400`, to speak one of `protocols`.
    pub async fn connect(&self, address: &str, protocols: &[&str]) -> Result<TlsStream<TcpStream>> {
        let (host, _port) = address.rsplit_once(':').context("an address has a port")?;
        let name = ServerName::try_from(host.to_owned())?;
        let mut config = self.config()?;
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        let tcp = TcpStream::connect(address).await?;
        tcp.set_nodelay(true)?;
        Ok(TlsConnector::from(Arc::new(config)).connect(name, tcp).await?)
    }

    fn config(&self) -> Result<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates(&self.ca)?);
        ensure!(!roots.is_empty(), "no authority in {}", self.ca.display());
        let builder = ClientConfig::builder().with_root_certificates(roots);
        Ok(match &self.pair {
            None => builder.with_no_client_auth(),
            Some(Pair { certificate, key }) => builder
                .with_client_auth_cert(certificates(certificate)?, PrivateKeyDer::from_pem_file(key)?)?,
        })
    }
}

/// The certificate that a server has shown.
pub fn shown(stream: &TlsStream<TcpStream>) -> Result<CertificateDer<'static>> {
    let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
    Ok(chain.first().context("the server showed no certificate")?.clone().into_owned())
}

pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    Ok(CertificateDer::pem_file_iter(path)?.collect::<Result<_, _>>()?)
}
