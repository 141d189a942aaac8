//! Calls the simulator over HTTP, one connection a call.

use anyhow::Context;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

pub(crate) struct Called {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Called {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }
}

/// Makes a call to the absolute URI of `request`.
pub(crate) async fn call(request: Request<Bytes>) -> anyhow::Result<Called> {
    let authority = request.uri().authority().context("an absolute URI")?.to_string();
    let stream = TcpStream::connect(&authority).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let (mut head, body) = request.into_parts();
    head.headers.insert(http::header::HOST, authority.parse()?);
    head.uri = head.uri.path_and_query().context("a path")?.as_str().parse()?;
    let answer = sender.send_request(Request::from_parts(head, Full::new(body))).await?;
    let (head, body) = answer.into_parts();
    Ok(Called { status: head.status, headers: head.headers, body: body.collect().await?.to_bytes() })
}
