//! A balancer of connections, as stands before several gateways: each connection goes to the next of them that listens.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// It listens until it is dropped.
#[derive(Debug)]
pub struct Front {
    port: u16,
    behind: Arc<Behind>,
    task: JoinHandle<()>,
}

/// The ports of those behind it.
#[derive(Debug, Default)]
struct Behind {
    ports: Mutex<Vec<u16>>,
    turn: AtomicUsize,
}

impl Front {
    /// Listens on loopback. Until it is told who is behind it, nobody is.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (port, behind) = (listener.local_addr()?.port(), Arc::new(Behind::default()));
        let passing = Arc::clone(&behind);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let behind = Arc::clone(&passing);
                // Where nobody listens the connection is closed: that is what a caller of a balancer sees.
                tokio::spawn(async move { behind.pass(client).await });
            }
        });
        Ok(Self { port, behind, task })
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Says who is behind it from now on, by their ports on loopback.
    pub fn leads_to(&self, ports: Vec<u16>) {
        *self.behind.ports.lock().unwrap_or_else(PoisonError::into_inner) = ports;
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Behind {
    async fn pass(&self, mut client: TcpStream) {
        let ports = self.ports.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        for place in 0..ports.len() {
            let port = ports[(turn + place) % ports.len()];
            if let Ok(mut server) = TcpStream::connect(("127.0.0.1", port)).await {
                // Without this, each answer waits for a delayed acknowledgement.
                let _ = (client.set_nodelay(true), server.set_nodelay(true));
                // Whichever side is lost, both are.
                let _ = copy_bidirectional(&mut client, &mut server).await;
                return;
            }
        }
    }
}
