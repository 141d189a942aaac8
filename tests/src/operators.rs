//! What an operator asks of a process: its metrics, its probes, the level of its log.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Makes one request of a plaintext URL.
pub async fn request(method: Method, url: &str, body: &str) -> Result<(StatusCode, String)> {
    let uri: Uri = url.parse()?;
    let authority = uri.authority().context("a host")?.clone();
    let stream = TcpStream::connect(authority.as_str()).await.with_context(|| format!("connect to {url}"))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", authority.as_str())
        .body(Full::new(Bytes::copy_from_slice(body.as_bytes())))?;
    let asked = async {
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        drop(sender);
        Ok((status, String::from_utf8(body.to_vec())?))
    };
    let (answer, _closed) = tokio::join!(asked, connection);
    answer
}

/// What a process exposes to Prometheus.
#[derive(Clone, Debug, Default)]
pub struct Exposed {
    /// Each metric's kind and the names of its labels, those of buckets apart.
    pub metrics: BTreeMap<String, (String, BTreeSet<String>)>,
    /// Each metric that says what it is.
    pub described: BTreeSet<String>,
    /// The values of all samples, by their names with labels.
    pub samples: BTreeMap<String, f64>,
}

impl Exposed {
    /// Asks a process for its metrics.
    pub async fn by(admin_url: &str) -> Result<Self> {
        let (status, text) = request(Method::GET, &format!("{admin_url}/metrics"), "").await?;
        ensure!(status == StatusCode::OK, "{status}: {text}");
        Self::read(&text)
    }

    /// The sum of the samples of a metric whose labels hold all of these, such as `status="sent"`.
    pub fn sum(&self, metric: &str, labels: &[&str]) -> f64 {
        let those = self.samples.iter().filter(|(name, _)| {
            name.split('{').next() == Some(metric) && labels.iter().all(|label| name.contains(label))
        });
        those.map(|(_, value)| value).sum()
    }

    fn read(text: &str) -> Result<Self> {
        let mut exposed = Self::default();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').context("a kind")?;
                exposed.metrics.insert(name.to_owned(), (kind.to_owned(), BTreeSet::new()));
            } else if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').unwrap_or((rest, ""));
                if !help.trim().is_empty() {
                    exposed.described.insert(name.to_owned());
                }
            } else if !line.is_empty() {
                exposed.sample(line)?;
            }
        }
        Ok(exposed)
    }

    fn sample(&mut self, line: &str) -> Result<()> {
        let (name, value) = line.rsplit_once(' ').context("a value")?;
        self.samples.insert(name.to_owned(), value.parse()?);
        let (name, labels) = name.split_once('{').unwrap_or((name, "}"));
        let ends = ["", "_bucket", "_sum", "_count"].iter().filter_map(|end| name.strip_suffix(end));
        let of = ends.map(str::to_owned).find(|name| self.metrics.contains_key(name));
        let entry = of.and_then(|name| self.metrics.get_mut(&name)).context("a sample without a kind")?;
        for label in labels.trim_end_matches('}').split("\",") {
            if let Some((label, _)) = label.split_once('=')
                && label != "le"
            {
                entry.1.insert(label.to_owned());
            }
        }
        Ok(())
    }
}
