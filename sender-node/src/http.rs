//! One HTTP request a call, and an honest word on what became of it.
//!
//! The general clients retry and follow redirects on their own, which can text a person twice. This one does
//! neither: it has idle connections by origin, and tells apart what was certainly not sent from what may have
//! been. A connection is driven by the call that holds it, so a call is one task and no wake-ups between two.

mod connect;
mod connection;
#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the tests play servers, which end with the test")]
mod tests;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use muster_runtime::clock;

use self::connect::{Connector, Origin};
use self::connection::{Broken, Connection};
use crate::window::Window;

/// How long an idle connection is used again: less than the 5 seconds after which the hastiest common server
/// closes it, because a request that crosses with the close leaves a text unconfirmed for ever.
const IDLE_MAX: Duration = Duration::from_secs(4);

/// The provider's answer.
#[derive(Debug)]
pub(crate) struct Reply {
    /// Its status.
    pub(crate) status: StatusCode,
    /// Its headers.
    pub(crate) headers: HeaderMap,
    /// Its body.
    pub(crate) body: Bytes,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The request cannot be put on the wire, now or later.
    Unsendable,
    /// Not a byte of the request was written.
    NotSent(&'static str),
    /// Not a byte of the request was written, because its window was over: the provider has no part in it.
    Late,
    /// Some of it may have been written: nobody knows whether the provider acted on it.
    Unknown(&'static str),
}

/// Idle connections, and the making of new ones. Calls are bounded by who calls.
pub(crate) struct Pool {
    connector: Connector,
    call_timeout: Duration,
    idle: Mutex<HashMap<Origin, Vec<Idle>>>,
}

struct Idle {
    connection: Connection,
    since: Instant,
}

impl Pool {
    /// A pool whose calls may take `call_timeout`.
    pub(crate) fn new(call_timeout: Duration) -> anyhow::Result<Self> {
        Ok(Self { connector: Connector::new()?, call_timeout, idle: Mutex::default() })
    }

    /// Makes one request, whose URI is absolute, if it can begin while `window` is open.
    pub(crate) async fn call(&self, request: Request<Bytes>, window: &Window) -> Result<Reply, Failure> {
        let (origin, mut request) = connect::prepare(request).ok_or(Failure::Unsendable)?;
        let mut idle = self.take_idle(&origin).await;
        loop {
            let fresh = idle.is_none();
            let mut connection = match idle.take() {
                Some(connection) => connection,
                None => self.connector.connect(&origin).await.map_err(|_| Failure::NotSent("connect"))?,
            };
            if clock::instant() >= window.end() {
                return Err(Failure::Late);
            }
            let exchange = connection.exchange(request);
            request = match tokio::time::timeout(self.call_timeout, exchange).await {
                Ok(Ok(reply)) => {
                    self.keep(origin, connection).await;
                    return Ok(reply);
                }
                // The idle connection turned out to be closed before anything was written to it.
                Ok(Err(Broken::Unwritten(request))) if !fresh => *request,
                Ok(Err(Broken::Unwritten(_))) => return Err(Failure::NotSent("connect")),
                Ok(Err(Broken::Reset)) => return Err(Failure::Unknown("reset")),
                Ok(Err(Broken::Unreadable)) => return Err(Failure::Unknown("unreadable")),
                Err(_elapsed) => return Err(Failure::Unknown("timeout")),
            };
        }
    }

    /// Closes connections that have been idle for too long.
    pub(crate) fn sweep(&self) {
        let now = clock::instant();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, stack| {
            stack.retain(|idle| now.duration_since(idle.since) < IDLE_MAX);
            !stack.is_empty()
        });
    }

    /// The connection that was used last, if it is still good: so that the others grow old and are closed.
    async fn take_idle(&self, origin: &Origin) -> Option<Connection> {
        loop {
            let Idle { mut connection, since } = self.pop(origin)?;
            if clock::instant().duration_since(since) < IDLE_MAX && connection.is_ready().await {
                return Some(connection);
            }
        }
    }

    fn pop(&self, origin: &Origin) -> Option<Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).get_mut(origin)?.pop()
    }

    async fn keep(&self, origin: Origin, mut connection: Connection) {
        if connection.is_ready().await {
            let since = clock::instant();
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.entry(origin).or_default().push(Idle { connection, since });
        }
    }
}
