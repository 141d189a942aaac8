//! The egress guard: requests to URLs that strangers chose leave through here, and reach nothing inside.
//!
//! A name is resolved once, each address that it has is judged, and the connection goes to one of those very addresses:
//! what the name means a moment later changes nothing. Redirects are followed by hand, few, and each is judged as if
//! somebody had sent it. Nothing is tried twice, no proxy is asked, and size and time are bounded.
//!
//! Hosts that the operator trusts are the exception: they may be inside, on any port and without TLS.

pub mod address;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use bytes::{Bytes, BytesMut};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderValue, StatusCode};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Response, Url, retry};
use url::Host;

use self::address::allowed;

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Redirects that are followed.
const REDIRECTS_MAX: usize = 3;
/// The longest content type that is worth keeping.
const CONTENT_TYPE_BYTES_MAX: usize = 200;

/// Why a URL is not asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It cannot be read, or has no host.
    #[error("it is no URL of a host")]
    Unreadable,
    /// It is not of https.
    #[error("it is not of https")]
    Scheme,
    /// It has a user name or a password in it.
    #[error("it has credentials in it")]
    Credentials,
    /// It names another port than https has.
    #[error("it names a port")]
    Port,
    /// Its host is, or has, an address that is not out in the world.
    #[error("its host has an address that is not public")]
    Address,
}

/// Why nothing was fetched.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// The URL, or where it led, may not be asked.
    #[error("a URL that may not be asked: {0}")]
    Refused(#[from] Refused),
    /// It led on and on, or nowhere.
    #[error("too many redirects, or one to nowhere")]
    Redirects,
    /// There is more of it than may be.
    #[error("it is too large")]
    TooLarge,
    /// The answer was no success.
    #[error("the answer was {0}")]
    Status(StatusCode),
    /// It took too long.
    #[error("it took too long")]
    Late,
    /// The host could not be reached, or broke off.
    #[error("the host could not be reached, or broke off")]
    Unreachable(#[source] reqwest::Error),
}

/// What was fetched.
#[derive(Debug)]
pub struct Fetched {
    /// What the host says that it is.
    pub content_type: Option<String>,
    /// All of it.
    pub body: Bytes,
}

/// How much may be fetched, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Bytes of the body at most.
    pub bytes_max: usize,
    /// How long all of it may take, redirects included.
    pub within: Duration,
}

/// Fetches from strangers.
pub struct Guard {
    /// Goes to public addresses only.
    guarded: Client,
    /// Goes anywhere.
    trusting: Client,
    /// The hosts with their ports that the second one is for.
    trusted: HashSet<String>,
}

/// Resolves a name. A test brings its own.
type Lookup = Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync>;

impl Guard {
    /// A guard that lets `trusted` pass: hosts with their ports, such as `10.0.0.7:8080` or `simulator:4010`.
    ///
    /// # Errors
    /// Where one of them is no host with a port, or this host trusts no certificate authority.
    pub fn new(trusted: &[String]) -> anyhow::Result<Self> {
        let system = |name: String| -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
            async move { Ok(tokio::net::lookup_host((name, 0)).await?.collect()) }.boxed()
        };
        Self::resolving(trusted, Arc::new(system))
    }

    fn resolving(trusted: &[String], lookup: Lookup) -> anyhow::Result<Self> {
        let mut hosts = HashSet::new();
        for host in trusted {
            let url = Url::parse(&format!("http://{host}/")).with_context(|| format!("{host:?}"))?;
            ensure!(
                host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()),
                "{host:?} names no port"
            );
            hosts.insert(place(&url).with_context(|| format!("{host:?} is no host"))?);
        }
        Ok(Self {
            guarded: client(&|it| it.https_only(true).dns_resolver(Arc::new(Checked(lookup.clone()))))?,
            trusting: client(&|it| it)?,
            trusted: hosts,
        })
    }

    /// `text` as a URL that may be asked, as far as that can be seen from it.
    ///
    /// # Errors
    /// Where it may not.
    pub fn url(&self, text: &str) -> Result<Url, Refused> {
        let url = Url::parse(text).map_err(|_| Refused::Unreadable)?;
        self.judge(&url)?;
        Ok(url)
    }

    fn is_trusted(&self, url: &Url) -> bool {
        place(url).is_some_and(|place| self.trusted.contains(&place))
    }

    fn judge(&self, url: &Url) -> Result<(), Refused> {
        if !matches!(url.scheme(), "https" | "http") {
            return Err(Refused::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refused::Credentials);
        }
        let host = url.host().ok_or(Refused::Unreadable)?;
        if self.is_trusted(url) {
            return Ok(());
        }
        if url.scheme() != "https" {
            return Err(Refused::Scheme);
        }
        if url.port().is_some() {
            return Err(Refused::Port);
        }
        // The client connects to an address without asking the resolver.
        let public = match host {
            Host::Domain(_) => true,
            Host::Ipv4(address) => allowed(address.into()),
            Host::Ipv6(address) => allowed(address.into()),
        };
        if public { Ok(()) } else { Err(Refused::Address) }
    }

    /// What is at `url`. The first request alone carries `authorization`; where it leads on to gets none.
    ///
    /// # Errors
    /// [`Failed`]; nothing in it quotes the URL.
    pub async fn fetch(
        &self,
        url: Url,
        authorization: Option<HeaderValue>,
        bounds: Bounds,
    ) -> Result<Fetched, Failed> {
        let fetched = self.follow(url, authorization, bounds.bytes_max);
        tokio::time::timeout(bounds.within, fetched).await.map_err(|_elapsed| Failed::Late)?
    }

    async fn follow(
        &self,
        mut url: Url,
        authorization: Option<HeaderValue>,
        bytes_max: usize,
    ) -> Result<Fetched, Failed> {
        let mut headers = HeaderMap::new();
        headers.extend(authorization.map(|value| (AUTHORIZATION, value)));
        for _ in 0..=REDIRECTS_MAX {
            self.judge(&url)?;
            let client = if self.is_trusted(&url) { &self.trusting } else { &self.guarded };
            let request = client.get(url.clone()).headers(std::mem::take(&mut headers));
            let response = request.send().await.map_err(failed)?;
            if !response.status().is_redirection() {
                return read(response, bytes_max).await;
            }
            let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
            url = location.and_then(|location| url.join(location).ok()).ok_or(Failed::Redirects)?;
        }
        Err(Failed::Redirects)
    }
}

async fn read(mut response: Response, bytes_max: usize) -> Result<Fetched, Failed> {
    if response.status() != StatusCode::OK {
        return Err(Failed::Status(response.status()));
    }
    let told = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type = told.filter(|told| told.len() <= CONTENT_TYPE_BYTES_MAX).map(str::to_owned);
    if response.content_length().is_some_and(|length| length > bytes_max as u64) {
        return Err(Failed::TooLarge);
    }
    let mut body = BytesMut::new();
    while let Some(piece) = response.chunk().await.map_err(failed)? {
        if body.len() + piece.len() > bytes_max {
            return Err(Failed::TooLarge);
        }
        body.extend_from_slice(&piece);
    }
    Ok(Fetched { content_type, body: body.freeze() })
}

/// The host and the port that a URL leads to.
fn place(url: &Url) -> Option<String> {
    Some(format!("{}:{}", url.host_str()?, url.port_or_known_default()?))
}

fn failed(error: reqwest::Error) -> Failed {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(at) = cause {
        if let Some(refused) = at.downcast_ref::<Refused>() {
            return Failed::Refused(*refused);
        }
        cause = at.source();
    }
    if error.is_timeout() { Failed::Late } else { Failed::Unreachable(error.without_url()) }
}

/// A client, `with` more settings. What has no certificate authorities can still do all that needs none.
fn client(with: &dyn Fn(ClientBuilder) -> ClientBuilder) -> reqwest::Result<Client> {
    with(builder()).build().or_else(|error| {
        tracing::warn!(%error, "this host trusts no certificate authority, so nothing can be fetched over TLS");
        with(builder()).tls_certs_only([]).build()
    })
}

fn builder() -> ClientBuilder {
    Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(Policy::none())
        .retry(retry::never())
        .no_proxy()
        .referer(false)
        .http1_only()
        .pool_max_idle_per_host(0)
        .user_agent("muster")
}

/// Resolves names, and refuses those of which any address is not public.
struct Checked(Lookup);

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let found = (self.0)(name.as_str().to_owned());
        Box::pin(async move {
            let addresses = found.await?;
            if !addresses.iter().all(|address| allowed(address.ip())) {
                return Err(Refused::Address.into());
            }
            let addresses: Addrs = Box::new(addresses.into_iter());
            Ok(addresses)
        })
    }
}
