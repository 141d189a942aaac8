//! A webhook on the wire, written out by hand: so that anything can be wrong with it.

use std::time::Duration;

use anyhow::{Context, Result};
use muster_provider_sim::control::Written;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// How long the gateway may take to answer.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);

/// A request as it will be sent.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    /// The host and port, which the connection goes to and the `Host` header names.
    pub(crate) authority: String,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Wire {
    /// A webhook as the provider wrote it.
    pub(crate) fn of(written: Written) -> Result<Self> {
        let rest = written.url.strip_prefix("http://").context("a URL")?;
        let (authority, _) = rest.split_once('/').context("a path")?;
        Ok(Self {
            authority: authority.to_owned(),
            target: rest[authority.len()..].to_owned(),
            headers: written.headers,
            body: written.body.into(),
        })
    }

    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> String {
        let mut all = self.headers.iter();
        let found = all.find_map(|(other, value)| other.eq_ignore_ascii_case(name).then(|| value.clone()));
        found.unwrap_or_else(|| panic!("no {name} in {:?}", self.headers))
    }

    /// With another value of a header.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        let value = value.into();
        let mut all = self.headers.iter_mut();
        match all.find(|(other, _)| other.eq_ignore_ascii_case(name)) {
            Some(header) => header.1 = value,
            None => self.headers.push((name.to_owned(), value)),
        }
        self
    }

    /// Without a header.
    #[must_use]
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self
    }

    /// With another body.
    #[must_use]
    pub(crate) fn saying(self, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..self }
    }

    /// With every `from` of the body replaced, of which there is one at least.
    #[must_use]
    pub(crate) fn reworded(self, from: &str, to: &str) -> Self {
        let body = self.text();
        assert!(body.contains(from), "{from} is not in {body}");
        self.saying(body.replace(from, to))
    }

    /// At another path or query.
    #[must_use]
    pub(crate) fn to(self, target: impl Into<String>) -> Self {
        Self { target: target.into(), ..self }
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("text")
    }

    /// Sends it over a connection of its own; the status that it is answered with.
    pub(crate) async fn post(&self) -> Result<u16> {
        let mut request = format!("POST {} HTTP/1.1\r\n", self.target);
        if !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            request += &format!("Host: {}\r\n", self.authority);
        }
        for (name, value) in &self.headers {
            request += &format!("{name}: {value}\r\n");
        }
        request += &format!("Content-Length: {}\r\nConnection: close\r\n\r\n", self.body.len());
        let mut stream = TcpStream::connect(&self.authority).await?;
        stream.write_all(&[request.as_bytes(), &self.body].concat()).await?;
        let mut answer = Vec::new();
        tokio::time::timeout(ANSWERED_WITHIN, stream.read_to_end(&mut answer)).await??;
        let answer = String::from_utf8_lossy(&answer);
        let status = answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
        status.and_then(|status| status.parse().ok()).with_context(|| format!("no answer: {answer:?}"))
    }
}
