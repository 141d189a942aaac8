//! The access layer: turns a call's credential into a [`Caller`] with what the [table](super::table) demands, or refuses
//! the call. It stands before every service, so that a service without access control cannot be added by mistake. Only
//! health and reflection are open.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use muster_domain::permission::Permissions;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::{Service, http};

use super::guard::{Guard, Guarded, Way};
use super::table::{self, Needs, Rule};
use super::{Caller, Credential};
use crate::tls::Peer;
use crate::{Error, Result};

/// What may be called without a credential.
const OPEN: [&str; 2] = ["/grpc.health.v1.Health/", "/grpc.reflection."];

/// How much of a refused request is read, and for how long: any but the longest uploads.
const REFUSED_BYTES_MAX: usize = 64 * 1024;
/// How much of that is shown to layers around: more than a request has that is nothing but names.
const SHOWN_BYTES_MAX: usize = 4 * 1024;
const REFUSED_WITHIN: Duration = Duration::from_secs(1);

/// Knows whose credential is whose.
pub trait Authenticate: Clone + Send + Sync + Unpin + 'static {
    /// Who proves themselves with `credential`. What is revoked may be believed for 2 seconds longer, all that is remembered
    /// on the way taken together; see [`guard`](super::guard) for the rest of the 5 seconds that are promised.
    ///
    /// # Errors
    /// UNAUTHENTICATED where it is nobody's, PERMISSION_DENIED where their tenant is suspended.
    fn caller(&self, credential: &Credential) -> impl Future<Output = Result<Caller>> + Send;
}

/// A call of somebody known. Handlers find it among the request's extensions; layers around this one find it among the
/// response's, also where the call was refused.
#[derive(Clone, Debug)]
pub struct Call {
    /// Who calls.
    pub caller: Caller,
    /// What the table says of the rpc.
    pub rule: &'static Rule,
    /// Where the call comes from, where the transport tells.
    pub address: Option<SocketAddr>,
}

impl Call {
    /// The call that `request` is of.
    ///
    /// # Errors
    /// UNAUTHENTICATED where no layer has let it in: without that, nothing runs.
    pub fn of<T>(request: &tonic::Request<T>) -> Result<&Self> {
        request.extensions().get().ok_or_else(Error::unauthenticated)
    }
}

/// Permissions that an answer was given because of, beyond what the table says. A handler puts it among the extensions of
/// a stream that it answers with, which then ends when the caller loses one of them.
#[derive(Clone, Copy, Debug)]
pub struct ReliesOn(pub Permissions);

/// How a request began that no service has seen, as it came. Layers around find it among the extensions of the refusal:
/// so that the audit log can tell what the call was about.
#[derive(Clone, Debug)]
pub struct Unseen(pub Bytes);

/// Puts [`AccessService`] before a service.
#[derive(Clone)]
pub struct AccessLayer<A>(pub A);

impl<A: Clone, S> tower::Layer<S> for AccessLayer<A> {
    type Service = AccessService<A, S>;

    fn layer(&self, inner: S) -> AccessService<A, S> {
        AccessService { access: self.0.clone(), inner }
    }
}

/// Admits calls with a valid credential to the service within.
#[derive(Clone)]
pub struct AccessService<A, S> {
    access: A,
    inner: S,
}

type Response = http::Response<Body>;
type Answer = Pin<Box<dyn Future<Output = std::result::Result<Response, Infallible>> + Send>>;

impl<A, S> Service<http::Request<Body>> for AccessService<A, S>
where
    A: Authenticate,
    S: Service<http::Request<Body>, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<std::result::Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Answer {
        let access = self.access.clone();
        // The service that was polled ready is the one to call.
        let ready = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, ready);
        Box::pin(async move {
            if OPEN.iter().any(|open| request.uri().path().starts_with(open)) {
                return inner.call(request).await;
            }
            match admit(&access, &mut request).await {
                Ok(Admission::Guarded(call, guard)) => {
                    let request = request.map(|body| Body::new(Guarded::new(body, Way::In, guard.clone())));
                    let response = inner.call(request).await?;
                    let guard = match response.extensions().get() {
                        Some(ReliesOn(permissions)) => guard.relying_on(*permissions),
                        None => guard,
                    };
                    Ok(of(call, response.map(|body| Body::new(Guarded::new(body, Way::Out, guard)))))
                }
                Ok(Admission::Openly) => inner.call(request).await,
                Ok(Admission::Refused(call, error)) => Ok(of(call, refuse(request, error).await)),
                Err(error) => Ok(refuse(request, error).await),
            }
        })
    }
}

/// Says whose call a response answers.
fn of(call: Call, mut response: Response) -> Response {
    response.extensions_mut().insert(call);
    response
}

/// Whether a call may go on.
enum Admission<A> {
    /// As long as the credential is good.
    Guarded(Call, Guard<A>),
    /// By whoever it is.
    Openly,
    /// It may not: the caller is known, and has not what is needed.
    Refused(Call, Error),
}

async fn admit<A: Authenticate>(access: &A, request: &mut http::Request<Body>) -> Result<Admission<A>> {
    let path = request.uri().path();
    let rule = table::rule(path).ok_or_else(|| Error::unimplemented(path))?;
    if rule.needs == Needs::Nothing {
        return Ok(Admission::Openly);
    }
    let credential = Credential::of(request.headers())?;
    let caller = access.caller(&credential).await?;
    let address = request.extensions().get::<Peer>().and_then(|peer| peer.address);
    let call = Call { caller, rule, address };
    if let Err(error) = rule.admit(caller) {
        return Ok(Admission::Refused(call, error));
    }
    request.extensions_mut().insert(call.clone());
    Ok(Admission::Guarded(call, Guard::new(access.clone(), credential, caller, rule)))
}

/// Refuses a call that no service has seen.
pub async fn refuse(request: http::Request<Body>, error: Error) -> Response {
    let unseen = read_out(request.into_body()).await;
    let mut response = Status::from(error).into_http();
    response.extensions_mut().insert(Unseen(unseen));
    response
}

/// Reads what a refused caller still sends, and forgets all but its beginning. HTTP/2 counts what arrives for a call that is over against its
/// connection and in the end breaks that off, with all the calls of others that go over it.
async fn read_out(mut body: Body) -> Bytes {
    let mut shown = BytesMut::new();
    let read = async {
        let mut bytes = 0;
        while let Some(Ok(frame)) = body.frame().await {
            let Some(data) = frame.data_ref() else { continue };
            let room = SHOWN_BYTES_MAX - shown.len();
            shown.extend_from_slice(&data[..room.min(data.len())]);
            bytes += data.len();
            if bytes > REFUSED_BYTES_MAX {
                break;
            }
        }
    };
    // Who sends on and on is cut off.
    let _ = tokio::time::timeout(REFUSED_WITHIN, read).await;
    shown.freeze()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use http_body_util::StreamBody;
    use tonic_types::StatusExt as _;

    use super::*;

    /// Refuses an upload of so many frames of 10,000 bytes; how many of them were read, and the answer.
    async fn refused(frames: usize) -> (usize, Response) {
        let read = Arc::new(AtomicUsize::new(0));
        let count = read.clone();
        let frames = futures::stream::iter((0..frames).map(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            Ok::<_, Status>(http_body::Frame::data(Bytes::from_static(&[7; 10_000])))
        }));
        let request = http::Request::new(Body::new(StreamBody::new(frames)));
        let error = Error::quota_exceeded("tenants/1".to_owned(), "api_calls_per_second", 1);
        let answer = refuse(request, error.retry_after(Duration::from_millis(20))).await;
        (read.load(Ordering::Relaxed), answer)
    }

    #[tokio::test]
    async fn a_refused_upload_is_read_to_its_end_and_one_without_end_is_not() {
        let (read, answer) = refused(5).await;
        assert_eq!(read, 5);
        assert_eq!(answer.extensions().get::<Unseen>().map(|unseen| unseen.0.len()), Some(SHOWN_BYTES_MAX));
        let status = Status::from_header_map(answer.headers()).expect("a status");
        let wait = status.get_details_retry_info().and_then(|info| info.retry_delay);
        assert_eq!(wait, Some(Duration::from_millis(20)));
        assert_eq!(
            status.get_details_error_info().map(|info| info.reason).as_deref(),
            Some("QUOTA_EXCEEDED")
        );
        assert_eq!(refused(1_000).await.0, REFUSED_BYTES_MAX / 10_000 + 1);
    }
}
