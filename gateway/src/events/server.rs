//! `EventService` on the wire. What is generated would encode each response for each watcher anew; this does not.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use muster_proto::v1::{WatchEventsRequest, event_service_server};
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::server::{Grpc, NamedService, ServerStreamingService};
use tonic::{Request, Status};

use super::response::{EventCodec, Response};
use super::{Responses, Watches};

/// The largest request, in bytes: names and a token.
const REQUEST_BYTES_MAX: usize = 16 * 1_024;

/// Serves event streams.
#[derive(Clone)]
pub(crate) struct EventServer(Arc<Watches>);

impl EventServer {
    pub(crate) fn new(watches: Watches) -> Self {
        Self(Arc::new(watches))
    }
}

impl NamedService for EventServer {
    const NAME: &'static str = event_service_server::SERVICE_NAME;
}

type Answer<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

/// The service has one rpc: the access layer lets no other path through.
impl Service<http::Request<Body>> for EventServer {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Answer<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let watch = WatchEvents(self.0.clone());
        Box::pin(async move {
            let mut grpc = Grpc::new(EventCodec).apply_max_message_size_config(Some(REQUEST_BYTES_MAX), None);
            Ok(grpc.server_streaming(watch, request).await)
        })
    }
}

struct WatchEvents(Arc<Watches>);

impl ServerStreamingService<WatchEventsRequest> for WatchEvents {
    type Response = Response;
    type ResponseStream = Responses;
    type Future = Answer<tonic::Response<Responses>, Status>;

    fn call(&mut self, request: Request<WatchEventsRequest>) -> Self::Future {
        let watches = self.0.clone();
        Box::pin(async move { Ok(watches.watch(request).await?) })
    }
}
