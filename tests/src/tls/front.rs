//! PostgreSQL over TLS and not otherwise, whichever PostgreSQL was found: the one that is fetched cannot speak TLS
//! itself, so this ends it in front of the server.

use std::sync::Arc;

use anyhow::{Result, ensure};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::Pair;
use super::dial::certificates;

/// How a client asks PostgreSQL for TLS: the length of the message and a number.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// A listener that ends TLS for PostgreSQL, until it is dropped.
#[derive(Debug)]
pub struct PostgresFront {
    port: u16,
    task: JoinHandle<()>,
}

impl PostgresFront {
    /// Listens before the PostgreSQL on port `server`, and shows this certificate.
    pub async fn start(server: u16, pair: &Pair) -> Result<Self> {
        let key = PrivateKeyDer::from_pem_file(&pair.key)?;
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(certificates(&pair.certificate)?, key)?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                // Whoever is cut off sees it; what was wrong is theirs to say.
                tokio::spawn(pass(client, acceptor.clone(), server));
            }
        });
        Ok(Self { port, task })
    }

    /// The port to connect to.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for PostgresFront {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(mut client: TcpStream, acceptor: TlsAcceptor, server: u16) -> Result<()> {
    let mut asked = [0; 8];
    client.read_exact(&mut asked).await?;
    ensure!(asked == SSL_REQUEST, "it asks for no TLS");
    client.write_all(b"S").await?;
    let mut client = acceptor.accept(client).await?;
    let mut server = TcpStream::connect(("127.0.0.1", server)).await?;
    copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}
