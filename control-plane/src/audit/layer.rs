//! The layer around all others of the API: it hears how calls end that may change something, and what ended without a
//! change of its own in the audit log is handed to the [keeper](super::keeper). It holds no call up.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use muster_runtime::access::layer::Unseen;
use muster_runtime::access::table;
use tonic::body::Body;
use tonic::codegen::{Service, http};

use super::Trail;
use super::keeper::Keeper;

/// Puts [`AuditService`] before a service.
#[derive(Clone)]
pub(crate) struct AuditLayer(pub(crate) Keeper);

impl<S> tower::Layer<S> for AuditLayer {
    type Service = AuditService<S>;

    fn layer(&self, inner: S) -> AuditService<S> {
        AuditService { keeper: self.0.clone(), inner }
    }
}

/// Hears how the calls of the service within end.
#[derive(Clone)]
pub(crate) struct AuditService<S> {
    keeper: Keeper,
    inner: S,
}

type Response = http::Response<Body>;
type Answer = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

impl<S> Service<http::Request<Body>> for AuditService<S>
where
    S: Service<http::Request<Body>, Response = Response, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Answer {
        let rule = table::rule(request.uri().path()).filter(|rule| rule.changes);
        let trail = rule.map(|rule| Arc::new(Trail::new(rule)));
        if let Some(trail) = &trail {
            request.extensions_mut().insert(trail.clone());
        }
        let keeper = self.keeper.clone();
        let answer = self.inner.call(request);
        Box::pin(async move {
            let response = answer.await?;
            if let (Some(trail), Some(Unseen(beginning))) = (&trail, response.extensions().get()) {
                trail.note_unseen(beginning);
            }
            keeper.hear(trail.as_deref(), &response);
            Ok(response)
        })
    }
}
