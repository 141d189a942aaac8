//! The accept loop of a gRPC listener. Handshakes happen beside it, so that a slow client holds up nobody, and however many
//! clients say nothing: where too many handshakes are under way, the one that has taken longest is given up.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;

use super::{Connection, Server};
use crate::supervise::Tasks;

/// Handshakes that may be under way at once.
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
    tasks.spawn(accept(listener, server, accepted, Handshakes::up_to(HANDSHAKES_MAX), tasks.clone()));
    ReceiverStream::new(incoming)
}

/// The handshakes that are under way, oldest first. One ends when what it was given is dropped.
#[derive(Debug)]
struct Handshakes {
    most: usize,
    under_way: VecDeque<oneshot::Sender<Infallible>>,
}

impl Handshakes {
    fn up_to(most: usize) -> Self {
        Self { most, under_way: VecDeque::with_capacity(most) }
    }

    /// A place for one more. What it gives is ready when the place is lost, and is dropped when the handshake is over.
    fn begin(&mut self) -> oneshot::Receiver<Infallible> {
        if self.under_way.len() >= self.most {
            self.under_way.retain(|place| !place.is_closed());
        }
        if self.under_way.len() >= self.most {
            self.under_way.pop_front();
        }
        let (place, lost) = oneshot::channel();
        self.under_way.push_back(place);
        lost
    }
}

async fn accept(
    listener: TcpListener,
    server: Server,
    accepted: mpsc::Sender<Result<Connection, Infallible>>,
    mut handshakes: Handshakes,
    tasks: Tasks,
) {
    loop {
        let next = tokio::select! {
            next = listener.accept() => next,
            () = accepted.closed() => return,
        };
        let Ok((stream, _peer)) = next else {
            tracing::warn!("a connection could not be accepted");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let (server, accepted, mut lost) = (server.clone(), accepted.clone(), handshakes.begin());
        tasks.spawn(async move {
            let connected = async {
                if let Ok(connection) = server.accept(stream).await {
                    // Where nobody takes it any more, it ends here.
                    let _ = accepted.send(Ok(connection)).await;
                }
            };
            tokio::select! {
                () = connected => {}
                _ = &mut lost => {}
                () = accepted.closed() => {}
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use tokio::io::AsyncReadExt as _;
    use tokio::net::TcpStream;

    use super::*;
    use crate::tls::ServerFiles;

    /// Files of a certificate that nobody has to trust.
    fn files(folder: &std::path::Path) -> ServerFiles {
        let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let [certificate, key]: [PathBuf; 2] = ["cert.pem", "key.pem"].map(|name| folder.join(name));
        std::fs::write(&certificate, pair.cert.pem()).expect("written");
        std::fs::write(&key, pair.signing_key.serialize_pem()).expect("written");
        ServerFiles { certificate, key, client_ca: None }
    }

    #[tokio::test]
    async fn who_says_nothing_gives_way_to_who_comes_next() {
        let (folder, tasks) = (tempfile::tempdir().expect("a folder"), Tasks::default());
        let server = Server::start("the test", Some(files(folder.path())), "h2", &tasks).expect("TLS");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (accepted, incoming) = mpsc::channel(1);
        tasks.spawn(accept(listener, server, accepted, Handshakes::up_to(3), tasks.clone()));
        let mut silent = Vec::new();
        for _ in 0..4 {
            silent.push(TcpStream::connect(address).await.expect("connected"));
        }
        // The fourth has taken the place of the first, long before a handshake is too old.
        let gone = tokio::time::timeout(Duration::from_secs(3), silent[0].read_u8()).await;
        assert!(gone.expect("in time").is_err(), "nothing was ever said");
        let mut one = [0];
        for waiting in &silent[1..] {
            assert!(
                waiting.try_read(&mut one).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
            );
        }
        drop(incoming);
    }

    #[test]
    fn handshakes_that_are_over_leave_their_places() {
        let mut handshakes = Handshakes::up_to(2);
        let (mut first, second) = (handshakes.begin(), handshakes.begin());
        drop(second);
        let mut third = handshakes.begin();
        assert!(matches!(first.try_recv(), Err(oneshot::error::TryRecvError::Empty)));
        let _fourth = handshakes.begin();
        assert!(matches!(first.try_recv(), Err(oneshot::error::TryRecvError::Closed)), "the oldest");
        assert!(matches!(third.try_recv(), Err(oneshot::error::TryRecvError::Empty)));
    }
}
