//! gRPC calls, made and answered: how long each took and how it ended, and a span for those that are traced. A call is
//! over when the last of its answer has gone out, its trailers, or when nobody waits for it any longer.

use std::pin::Pin;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::{Frame, SizeHint};
use opentelemetry::KeyValue;
use opentelemetry::metrics::Histogram;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::{Code, Status};

use super::metrics::{SECONDS, dependency, seconds};
use super::trace::{NotTraced, Place, Span, SpanKind, by_chance, current, within};
use crate::clock;

/// The header of a call's status.
const GRPC_STATUS: &str = "grpc-status";
/// What a method is called that there is not: callers could make up any number of them.
const OTHER: &str = "_OTHER";

static ANSWERED: LazyLock<Histogram<f64>> =
    LazyLock::new(|| seconds("rpc.server.call.duration", "gRPC calls that were answered.", &SECONDS));
static CALLED: LazyLock<Histogram<f64>> =
    LazyLock::new(|| seconds("rpc.client.call.duration", "gRPC calls of the control-plane.", &SECONDS));
/// Whether the last call of the control-plane reached it.
static REACHED: AtomicBool = AtomicBool::new(true);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Server,
    Client,
}

/// Puts [`Rpc`] around a server.
#[derive(Clone, Copy, Debug)]
pub struct RpcLayer;

impl<S> tower::Layer<S> for RpcLayer {
    type Service = Rpc<S>;

    fn layer(&self, inner: S) -> Rpc<S> {
        Rpc { inner, side: Side::Server }
    }
}

/// Tells of the calls that go through it.
#[derive(Clone, Debug)]
pub struct Rpc<S> {
    inner: S,
    side: Side,
}

impl<S> Rpc<S> {
    /// Around a channel to the control-plane.
    pub fn of_control_plane(inner: S) -> Self {
        dependency("control_plane", || REACHED.load(Ordering::Relaxed));
        Self { inner, side: Side::Client }
    }
}

impl<S> Service<Request<Body>> for Rpc<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let call = Call::begin(self.side, &mut request);
        let place = call.span.as_ref().map(Span::place);
        let answer = self.inner.call(request);
        Box::pin(async move {
            match within(place, answer).await {
                Ok(response) => Ok(call.follow(response)),
                Err(error) => {
                    call.end(Code::Unavailable);
                    Err(error)
                }
            }
        })
    }
}

/// A call that has begun.
struct Call {
    side: Side,
    /// Such as `muster.v1.TextingService/SendMessage`.
    method: String,
    begun: Instant,
    span: Option<Span>,
}

impl Call {
    fn begin(side: Side, request: &mut Request<Body>) -> Self {
        let method = request.uri().path().trim_start_matches('/').to_owned();
        let span = match side {
            Side::Server => match Place::of_call(request.headers()) {
                Ok(Some(parent)) => Some(Span::begin(Some(parent), method.clone(), SpanKind::Server)),
                Ok(None) => by_chance().then(|| Span::begin(None, method.clone(), SpanKind::Server)),
                Err(NotTraced) => None,
            },
            Side::Client => {
                let span = current().map(|place| Span::begin(Some(place), method.clone(), SpanKind::Client));
                if let Some(span) = &span {
                    span.place().tell(request.headers_mut());
                }
                span
            }
        };
        Self { side, method, begun: clock::instant(), span }
    }

    /// Follows the answer to its end.
    fn follow(self, response: Response<Body>) -> Response<Body> {
        if let Some(code) = code(response.headers()) {
            self.end(code);
            return response;
        }
        response.map(|body| Body::new(Followed { body, call: Some(self) }))
    }

    fn end(self, code: Code) {
        let Self { side, method, begun, span } = self;
        let method = if code == Code::Unimplemented { OTHER.to_owned() } else { method };
        let status = name(code);
        if let Some(span) = span {
            let span = span
                .with("rpc.system.name", "grpc")
                .with("rpc.method", method.clone())
                .with("rpc.response.status_code", status);
            if is_fault(side, code) { span.failed(status) } else { span }.end();
        }
        let attributes = [
            KeyValue::new("rpc.system.name", "grpc"),
            KeyValue::new("rpc.method", method),
            KeyValue::new("rpc.response.status_code", status),
        ];
        let took = clock::since(begun).as_secs_f64();
        match side {
            Side::Server => ANSWERED.record(took, &attributes),
            Side::Client => {
                REACHED.store(code != Code::Unavailable, Ordering::Relaxed);
                CALLED.record(took, &attributes);
            }
        }
    }
}

/// The body of an answer, followed to its end.
struct Followed {
    body: Body,
    call: Option<Call>,
}

impl Followed {
    fn end(&mut self, code: Code) {
        if let Some(call) = self.call.take() {
            call.end(code);
        }
    }
}

impl http_body::Body for Followed {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(code) = frame.trailers_ref().and_then(code) {
                    self.end(code);
                }
            }
            Some(Err(status)) => self.end(status.code()),
            None => self.end(Code::Unknown),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.end(Code::Cancelled);
    }
}

fn code(headers: &HeaderMap) -> Option<Code> {
    headers.get(GRPC_STATUS).map(|status| Code::from_bytes(status.as_bytes()))
}

/// Whether the one who answered is at fault; whoever called counts every error as one.
fn is_fault(side: Side, code: Code) -> bool {
    match code {
        Code::Ok => false,
        Code::Unknown
        | Code::DeadlineExceeded
        | Code::Unimplemented
        | Code::Internal
        | Code::Unavailable
        | Code::DataLoss => true,
        Code::Cancelled
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::ResourceExhausted
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unauthenticated => side == Side::Client,
    }
}

/// A code as the conventions write it.
fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
