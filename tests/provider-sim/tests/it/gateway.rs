//! Stands in for Muster's gateway: takes webhooks, answers as told, and believes what the adapters believe.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use muster_domain::provider::Provider;
use muster_providers::{Account, Forged, WebhookEvent, WebhookRequest, adapter};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::stage::now_s;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Gateway {
    pub(crate) url: String,
    hooks: mpsc::UnboundedReceiver<Hook>,
    status: Arc<AtomicU16>,
}

/// A webhook as it arrived.
#[derive(Debug)]
pub(crate) struct Hook {
    pub(crate) url: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Gateway {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("listen");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (sender, hooks) = mpsc::unbounded_channel();
        let status = Arc::new(AtomicU16::new(204));
        tokio::spawn(serve(listener, url.clone(), sender, Arc::clone(&status)));
        Self { url, hooks, status }
    }

    /// What webhooks are answered with from now on.
    pub(crate) fn answer_with(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    /// The next webhook.
    pub(crate) async fn next(&mut self) -> Hook {
        let hook = tokio::time::timeout(PATIENCE, self.hooks.recv()).await;
        hook.expect("a webhook in time").expect("a running gateway")
    }

    /// What the next webhook says, if its signature fits.
    pub(crate) async fn next_event(&mut self, account: &(Provider, Account)) -> Result<WebhookEvent, Forged> {
        self.next().await.event(account)
    }

    /// Webhooks that have arrived and were not looked at.
    pub(crate) fn rest(&mut self) -> usize {
        std::iter::from_fn(|| self.hooks.try_recv().ok()).count()
    }
}

impl Hook {
    pub(crate) fn event(&self, (provider, account): &(Provider, Account)) -> Result<WebhookEvent, Forged> {
        let request =
            WebhookRequest { url: &self.url, headers: &self.headers, body: &self.body, now_s: now_s() };
        let verified = adapter(*provider).verify(account, request)?;
        let mut events = adapter(*provider).events(&verified);
        assert_eq!(events.len(), 1);
        Ok(events.remove(0).expect("the provider's own form"))
    }
}

async fn serve(
    listener: TcpListener,
    base: String,
    hooks: mpsc::UnboundedSender<Hook>,
    status: Arc<AtomicU16>,
) {
    loop {
        let (stream, _) = listener.accept().await.expect("accept");
        let (base, hooks, status) = (base.clone(), hooks.clone(), Arc::clone(&status));
        let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
            let (base, hooks, status) = (base.clone(), hooks.clone(), Arc::clone(&status));
            async move {
                let (head, body) = request.into_parts();
                let body = body.collect().await?.to_bytes();
                let _ = hooks.send(Hook { url: format!("{base}{}", head.uri), headers: head.headers, body });
                let mut answer = Response::new(Full::<Bytes>::default());
                *answer.status_mut() = StatusCode::from_u16(status.load(Ordering::SeqCst)).expect("a status");
                Ok::<_, hyper::Error>(answer)
            }
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}
