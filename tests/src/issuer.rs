//! An OpenID Connect issuer on this machine: it publishes freshly made keys, signs whatever it is told to, counts what
//! it is asked, and can go away, come back and lie.

mod key;
mod tls;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::header::LOCATION;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use self::key::Key;

pub use self::key::Algorithm;

/// Where the discovery document is.
pub const DISCOVERY: &str = "/.well-known/openid-configuration";
/// Where the keys are.
pub const KEYS: &str = "/keys";

/// How long its tokens are good, in seconds.
const LIFETIME_S: i64 = 300;

/// An issuer. It goes away when it is dropped.
pub struct Issuer {
    address: SocketAddr,
    url: String,
    tls: Option<TlsAcceptor>,
    keys: Vec<Key>,
    documents: Arc<Mutex<Documents>>,
    serving: Option<AbortHandle>,
}

/// What it answers, and how often it was asked, by path.
#[derive(Default)]
struct Documents {
    answers: HashMap<String, Answer>,
    held: HashMap<String, watch::Receiver<()>>,
    asked: HashMap<String, usize>,
}

/// Answers of a path that are not given before this is dropped.
#[must_use]
pub struct Held(#[expect(dead_code, reason = "what waits hears that it is gone")] watch::Sender<()>);

/// What it answers on one path.
#[derive(Clone, Debug)]
pub enum Answer {
    /// This.
    Body(String),
    /// That it is elsewhere.
    Redirect(String),
}

impl From<Value> for Answer {
    fn from(document: Value) -> Self {
        Self::Body(document.to_string())
    }
}

impl Issuer {
    /// An issuer over plaintext HTTP on a free port, with one key for each algorithm.
    ///
    /// # Errors
    /// Where there is no port.
    pub async fn start() -> anyhow::Result<Self> {
        Self::begin("http", None).await
    }

    /// An issuer over HTTPS, and the certificate in PEM that makes callers trust it.
    ///
    /// # Errors
    /// Where there is no port.
    pub async fn start_with_tls() -> anyhow::Result<(Self, String)> {
        let (tls, certificate) = tls::acceptor()?;
        Ok((Self::begin("https", Some(tls)).await?, certificate))
    }

    async fn begin(scheme: &str, tls: Option<TlsAcceptor>) -> anyhow::Result<Self> {
        let mut issuer = Self {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            url: String::new(),
            tls,
            keys: Vec::new(),
            documents: Arc::default(),
            serving: None,
        };
        issuer.serve().await?;
        issuer.url = format!("{scheme}://{}", issuer.address);
        issuer
            .answer(DISCOVERY, json!({ "issuer": issuer.url, "jwks_uri": format!("{}{KEYS}", issuer.url) }));
        issuer.rotate()?;
        Ok(issuer)
    }

    /// Its name, and where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Comes back on the same port.
    ///
    /// # Errors
    /// Where another process has taken the port meanwhile.
    pub async fn serve(&mut self) -> anyhow::Result<()> {
        self.stop();
        let listener = TcpListener::bind(self.address).await.context("the issuer's port")?;
        self.address = listener.local_addr()?;
        self.serving =
            Some(tokio::spawn(run(listener, self.tls.clone(), self.documents.clone())).abort_handle());
        Ok(())
    }

    /// Goes away: connections are refused.
    pub fn stop(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
        }
    }

    /// Makes new keys and publishes them in place of those before.
    ///
    /// # Errors
    /// Where there is no randomness.
    pub fn rotate(&mut self) -> anyhow::Result<()> {
        self.keys = Algorithm::ALL.into_iter().map(Key::generate).collect::<Result<_, _>>()?;
        self.answer(KEYS, self.key_set());
        Ok(())
    }

    /// Its keys as it publishes them, unless it was told otherwise.
    pub fn key_set(&self) -> Value {
        json!({ "keys": self.keys.iter().map(Key::published).collect::<Vec<_>>() })
    }

    /// Answers this on `path` from now on.
    pub fn answer(&self, path: &str, answer: impl Into<Answer>) {
        lock(&self.documents).answers.insert(path.to_owned(), answer.into());
    }

    /// Keeps callers waiting who ask for `path`, for as long as what is given back is kept.
    pub fn hold(&self, path: &str) -> Held {
        let (held, waits) = watch::channel(());
        lock(&self.documents).held.insert(path.to_owned(), waits);
        Held(held)
    }

    /// How often `path` was asked for.
    pub fn asked(&self, path: &str) -> usize {
        lock(&self.documents).asked.get(path).copied().unwrap_or_default()
    }

    /// What a good token for `audience` says of `subject`, whose email address is verified.
    pub fn claims(&self, audience: &str, subject: &str) -> Value {
        let now_s = jiff::Timestamp::now().as_second();
        json!({
            "iss": self.url, "aud": audience, "sub": subject, "iat": now_s, "exp": now_s + LIFETIME_S,
            "email": format!("{subject}@example.org"), "email_verified": true,
        })
    }

    /// What a good token says in its header.
    pub fn header(&self, algorithm: Algorithm) -> Value {
        json!({ "alg": algorithm.name(), "typ": "JWT", "kid": self.key(algorithm).id() })
    }

    /// A token that says `claims`.
    pub fn mint(&self, algorithm: Algorithm, claims: &Value) -> String {
        self.sign(algorithm, &self.header(algorithm), claims)
    }

    /// A token that says `header` and `claims`, whatever they are, signed with the key for `algorithm`.
    pub fn sign(&self, algorithm: Algorithm, header: &Value, claims: &Value) -> String {
        token(header, claims, |message| self.key(algorithm).sign(message))
    }

    fn key(&self, algorithm: Algorithm) -> &Key {
        self.keys.iter().find(|key| key.algorithm() == algorithm).expect("one for each algorithm")
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A token of these parts, signed by whatever `sign` does.
pub fn token(header: &Value, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let message = format!("{header}.{claims}");
    let signature = URL_SAFE_NO_PAD.encode(sign(message.as_bytes()));
    format!("{message}.{signature}")
}

fn lock(documents: &Mutex<Documents>) -> MutexGuard<'_, Documents> {
    documents.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Serves until aborted, and its connections with it.
async fn run(listener: TcpListener, tls: Option<TlsAcceptor>, documents: Arc<Mutex<Documents>>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (tls, documents) = (tls.clone(), documents.clone());
        // Callers come and go, and some do not trust us: nothing to tell anybody.
        connections.spawn(async move {
            match tls {
                None => speak(stream, documents).await,
                Some(tls) => speak(tls.accept(stream).await?, documents).await,
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn speak<S>(stream: S, documents: Arc<Mutex<Documents>>) -> anyhow::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(async |request: Request<Incoming>| {
        let answer = answer(&documents, &request);
        let held = lock(&documents).held.get(request.uri().path()).cloned();
        if let Some(mut held) = held {
            // Over when the other end is dropped.
            while held.changed().await.is_ok() {}
        }
        answer
    });
    Ok(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await?)
}

fn answer(documents: &Mutex<Documents>, request: &Request<Incoming>) -> http::Result<Response<Full<Bytes>>> {
    let path = request.uri().path();
    let mut documents = lock(documents);
    *documents.asked.entry(path.to_owned()).or_default() += 1;
    match documents.answers.get(path) {
        Some(Answer::Body(body)) => Response::builder().body(body.clone().into()),
        Some(Answer::Redirect(to)) => {
            Response::builder().status(StatusCode::FOUND).header(LOCATION, to).body(Full::default())
        }
        None => Response::builder().status(StatusCode::NOT_FOUND).body(Full::default()),
    }
}
