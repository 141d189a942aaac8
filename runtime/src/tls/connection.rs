//! A connection that was accepted, in plaintext or over TLS, and who is at the other end.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;
use tonic::transport::server::Connected;

use super::Identity;

/// Who is at the other end. Every call that comes over the connection has it in its extensions.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Where it calls from, unless it has gone.
    pub address: Option<SocketAddr>,
    /// Who it is, by the certificate that it has proven to be its own.
    identities: Arc<[Identity]>,
}

impl Peer {
    /// Whether it has proven to be one of these.
    pub fn is(&self, identity: Identity) -> bool {
        self.identities.contains(&identity)
    }
}

/// A connection that was accepted.
#[derive(Debug)]
pub struct Connection {
    stream: Either<TcpStream, Box<TlsStream<TcpStream>>>,
    peer: Peer,
}

impl Connection {
    /// In plaintext: nobody is proven to be anybody.
    pub(super) fn plaintext(stream: TcpStream) -> Self {
        let peer = Peer { address: stream.peer_addr().ok(), identities: Arc::default() };
        Self { stream: Either::Left(stream), peer }
    }

    /// Over TLS, after the handshake.
    pub(super) fn tls(stream: TlsStream<TcpStream>) -> Self {
        let (tcp, session) = stream.get_ref();
        let certificate = session.peer_certificates().and_then(|chain| chain.first());
        let identities = certificate.map(Identity::of).unwrap_or_default().into();
        let peer = Peer { address: tcp.peer_addr().ok(), identities };
        Self { stream: Either::Right(Box::new(stream)), peer }
    }
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
