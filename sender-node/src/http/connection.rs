//! A connection that is driven by whoever holds it.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::Reply;

/// The largest body that is read.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// The largest head that is read.
const HEAD_BYTES_MAX: usize = 64 * 1024;

type Driver = Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>;

/// An HTTP/1.1 connection.
pub(super) struct Connection {
    requests: SendRequest<Full<Bytes>>,
    /// What reads and writes; `None` once the connection has ended.
    driver: Option<Driver>,
}

/// Why a request has no answer.
#[derive(Debug)]
pub(super) enum Broken {
    /// Not a byte of it was written; here it is again.
    Unwritten(Box<Request<Full<Bytes>>>),
    /// The connection ended first.
    Reset,
    /// The answer was no HTTP, or too large.
    Unreadable,
}

impl Connection {
    /// Speaks HTTP/1.1 over `io`.
    pub(super) async fn over<T>(io: T) -> io::Result<Self>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (requests, driver) = http1::Builder::new()
            .max_buf_size(HEAD_BYTES_MAX)
            .handshake(TokioIo::new(io))
            .await
            .map_err(io::Error::other)?;
        Ok(Self { requests, driver: Some(Box::pin(driver)) })
    }

    /// Makes one request. Where this is dropped half way the connection must not be used again.
    pub(super) async fn exchange(&mut self, request: Request<Full<Bytes>>) -> Result<Reply, Broken> {
        let mut reply = pin!(read(self.requests.try_send_request(request)));
        let driver = &mut self.driver;
        poll_fn(|cx| {
            // First, so that the request is there when the driver looks for it.
            if let Poll::Ready(reply) = reply.as_mut().poll(cx) {
                return Poll::Ready(reply);
            }
            drive(driver, cx);
            reply.as_mut().poll(cx)
        })
        .await
    }

    /// Whether another request may be made: the last one is over, and the server has not closed.
    pub(super) async fn is_ready(&mut self) -> bool {
        poll_fn(|cx| {
            drive(&mut self.driver, cx);
            let ready = self.driver.is_some() && matches!(self.requests.poll_ready(cx), Poll::Ready(Ok(())));
            Poll::Ready(ready)
        })
        .await
    }
}

fn drive(driver: &mut Option<Driver>, cx: &mut Context<'_>) {
    if let Some(running) = driver
        && running.as_mut().poll(cx).is_ready()
    {
        // Whatever it ended with, the request that waits for it is told as it goes.
        *driver = None;
    }
}

async fn read(
    response: impl Future<Output = Result<Response<Incoming>, TrySendError<Request<Full<Bytes>>>>>,
) -> Result<Reply, Broken> {
    let response = response.await.map_err(|mut error| match error.take_message() {
        Some(request) => Broken::Unwritten(Box::new(request)),
        None if error.error().is_parse() => Broken::Unreadable,
        None => Broken::Reset,
    })?;
    let (head, body) = response.into_parts();
    let body = Limited::new(body, BODY_BYTES_MAX)
        .collect()
        .await
        .map_err(|error| if error.is::<LengthLimitError>() { Broken::Unreadable } else { Broken::Reset })?;
    Ok(Reply { status: head.status, headers: head.headers, body: body.to_bytes() })
}
