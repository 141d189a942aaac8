//! Asks an issuer for its keys: its discovery document first, then the keys that this points to.
//!
//! It goes where it is sent by those two only: no redirect, no proxy, no second try, and over TLS unless the service is
//! set to do without. What an issuer answers is bounded in size and in time, and goes into no log.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, ClientBuilder, StatusCode, Url, retry};
use serde::Deserialize;

use super::keys::Keys;
use crate::config::Oidc;

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long both documents may take together.
pub(super) const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of one document at most.
const DOCUMENT_BYTES_MAX: usize = 256 * 1024;

/// Fetches keys.
pub(super) struct Fetcher {
    client: Client,
    insecure: bool,
}

/// What matters of a discovery document (OpenID Connect Discovery, section 3).
#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

impl Fetcher {
    /// A fetcher that trusts the certificate authorities of the host and those that the settings name.
    pub(super) fn new(config: &Oidc) -> anyhow::Result<Self> {
        let client = match config.ca.as_ref().filter(|path| !path.as_os_str().is_empty()) {
            Some(path) => {
                let pem = std::fs::read(path).with_context(|| format!("oidc.ca: {}", path.display()))?;
                let found = Certificate::from_pem_bundle(&pem).context("oidc.ca is not in PEM")?;
                ensure!(!found.is_empty(), "oidc.ca has no certificate");
                builder().tls_certs_merge(found).build().context("oidc.ca")?
            }
            // What has no certificate authorities can still do all that needs none.
            None => builder().build().or_else(|error| {
                tracing::warn!(%error, "no OIDC issuer can be trusted on this host; set oidc.ca");
                trusting_nobody()
            })?,
        };
        Ok(Self { client, insecure: config.insecure_issuers })
    }

    /// `text` as a URL that may be asked.
    pub(super) fn url(&self, text: &str) -> Option<Url> {
        let url = Url::parse(text).ok()?;
        let safe = url.scheme() == "https" || (self.insecure && url.scheme() == "http");
        let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
        (safe && plain && url.host().is_some()).then_some(url)
    }

    /// All keys that `issuer` publishes now.
    pub(super) async fn keys(&self, issuer: &str) -> anyhow::Result<Keys> {
        tokio::time::timeout(FETCH_TIMEOUT, self.discover(issuer)).await.context("it took too long")?
    }

    async fn discover(&self, issuer: &str) -> anyhow::Result<Keys> {
        ensure!(self.url(issuer).is_some_and(|url| url.query().is_none()), "the issuer is no URL to ask");
        let discovery = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let discovery = self.url(&discovery).context("the issuer is no URL to ask")?;
        let document = self.get(discovery).await.context("the discovery document")?;
        let document: Option<Discovery> = serde_json::from_slice(&document).ok();
        let Discovery { issuer: said, jwks_uri } =
            document.context("the discovery document is unreadable")?;
        ensure!(said == issuer, "the discovery document is of another issuer");
        let keys = self.url(&jwks_uri).context("the keys are at no URL to ask")?;
        let document = self.get(keys).await.context("the keys")?;
        Keys::read(&document).context("the keys are unreadable")
    }

    async fn get(&self, url: Url) -> anyhow::Result<Vec<u8>> {
        // An issuer chooses the URL of its keys, which may be long: it goes into no error.
        let mut response = self.client.get(url).send().await.map_err(reqwest::Error::without_url)?;
        ensure!(response.status() == StatusCode::OK, "the answer was {}", response.status());
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(reqwest::Error::without_url)? {
            ensure!(body.len() + piece.len() <= DOCUMENT_BYTES_MAX, "it is too large");
            body.extend_from_slice(&piece);
        }
        Ok(body)
    }
}

pub(super) fn trusting_nobody() -> reqwest::Result<Client> {
    builder().tls_certs_only([]).build()
}

fn builder() -> ClientBuilder {
    Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(Policy::none())
        .retry(retry::never())
        .no_proxy()
        .referer(false)
        // Minutes pass between two fetches: by then the issuer has closed the connection.
        .pool_max_idle_per_host(0)
        .user_agent("muster")
}
