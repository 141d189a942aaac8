//! Who of our own processes may call what. One table says it; what is not in it nobody may call. Who calls is what
//! the client's certificate says, which the listener has verified.

use std::future::{Future, ready};
use std::pin::Pin;
use std::task::{Context, Poll};

use muster_runtime::tls::{Identity, Peer};
use muster_runtime::{Error, Result};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::codegen::http;

/// Each internal rpc, and whose it is.
const CALLERS: [(&str, Identity); 7] = [
    ("/muster.internal.v1.ClaimService/ClaimMessages", Identity::SenderNode),
    ("/muster.internal.v1.InquiryService/TakeInquiries", Identity::SenderNode),
    ("/muster.internal.v1.MediaService/TakeMedia", Identity::Gateway),
    ("/muster.internal.v1.MediaService/ReportMedium", Identity::Gateway),
    ("/muster.internal.v1.DirectoryService/GetAccount", Identity::SenderNode),
    ("/muster.internal.v1.DirectoryService/GetWebhookAccount", Identity::Gateway),
    ("/muster.internal.v1.DirectoryService/Authenticate", Identity::Gateway),
];
/// What anybody may call whom the listener lets in.
const OPEN: &str = "/grpc.health.v1.Health/";

/// Whether the caller may call the rpc at `path`.
fn admit(path: &str, is: impl Fn(Identity) -> bool) -> Result<()> {
    let allowed = CALLERS.iter().any(|(rpc, caller)| *rpc == path && is(*caller));
    if allowed || path.starts_with(OPEN) {
        return Ok(());
    }
    Err(Error::forbidden("this certificate does not name a process that may call this"))
}

/// Puts [`InternalService`] before a service.
#[derive(Clone)]
pub(crate) struct InternalLayer;

impl<S> tower::Layer<S> for InternalLayer {
    type Service = InternalService<S>;

    fn layer(&self, inner: S) -> InternalService<S> {
        InternalService { inner }
    }
}

/// Admits calls by the table to the service within.
#[derive(Clone)]
pub(crate) struct InternalService<S> {
    inner: S,
}

impl<S> Service<http::Request<Body>> for InternalService<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = std::result::Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<std::result::Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let path = request.uri().path();
        let peer = request.extensions().get::<Peer>();
        match admit(path, |identity| peer.is_some_and(|peer| peer.is(identity))) {
            Ok(()) => Box::pin(self.inner.call(request)),
            Err(error) => {
                let address = peer.and_then(|peer| peer.address);
                tracing::warn!(rpc = path, ?address, "a process of ours called what is not its own");
                Box::pin(ready(Ok(Status::from(error).into_http())))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rpc_has_one_caller_and_others_have_none() {
        for (rpc, caller) in CALLERS {
            assert!(admit(rpc, |identity| identity == caller).is_ok(), "{rpc}");
            assert!(admit(rpc, |identity| identity != caller).is_err(), "{rpc}");
        }
        assert!(admit("/grpc.health.v1.Health/Check", |_| false).is_ok());
        assert!(admit("/muster.internal.v1.ClaimService/Other", |_| true).is_err());
        assert!(admit("", |_| true).is_err());
    }
}
