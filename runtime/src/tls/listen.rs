//! The accept loop of a gRPC listener. Handshakes happen beside it, so that a slow client holds up nobody.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;

use super::{Connection, Server};
use crate::supervise::Tasks;

/// Handshakes that may be under way at once. Those that come then wait in the kernel's queue.
const HANDSHAKES_MAX: usize = 512;
/// Connections that may wait to be served.
const WAITING_MAX: usize = 64;
/// The pause after a connection could not be accepted, which is mostly for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Connections as gRPC servers take them. Dropped, nobody is accepted any more.
pub type Incoming = ReceiverStream<Result<Connection, Infallible>>;

/// Accepts connections from `listener` for as long as somebody takes them.
pub fn listen(listener: TcpListener, server: Server, tasks: &Tasks) -> Incoming {
    let (accepted, incoming) = mpsc::channel(WAITING_MAX);
    tasks.spawn(accept(listener, server, accepted, tasks.clone()));
    ReceiverStream::new(incoming)
}

async fn accept(
    listener: TcpListener,
    server: Server,
    accepted: mpsc::Sender<Result<Connection, Infallible>>,
    tasks: Tasks,
) {
    let handshakes = Arc::new(Semaphore::new(HANDSHAKES_MAX));
    loop {
        let next = tokio::select! {
            next = async { (handshakes.clone().acquire_owned().await, listener.accept().await) } => next,
            () = accepted.closed() => return,
        };
        let (Ok(place), Ok((stream, _peer))) = next else {
            tracing::warn!("a connection could not be accepted");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let (server, accepted) = (server.clone(), accepted.clone());
        tasks.spawn(async move {
            let connection = tokio::select! {
                connection = server.accept(stream) => connection,
                () = accepted.closed() => return,
            };
            if let Ok(connection) = connection {
                // Where nobody takes it any more, it ends here.
                let _ = accepted.send(Ok(connection)).await;
            }
            drop(place);
        });
    }
}
