//! Open streams of a caller who may not call any more: what goes in or out of a call that lasts is cut off within
//! seconds of a credential being revoked, or of losing what the call needs.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use muster_domain::permission::Permissions;
use tokio::time::{Instant, Sleep, sleep_until};
use tonic::{Code, Status};

use super::layer::Authenticate;
use super::table::Rule;
use super::{Caller, Credential};
use crate::{Error, Result, clock};

/// How often the credential of an open stream is looked at again.
const AGAIN: Duration = Duration::from_secs(1);
/// How long a stream goes on after a look that found the credential good, while those who know do not answer: over a
/// restart of theirs, but not over an outage. What is remembered on the way may be 2 seconds old, so that a revoked
/// credential is good for 5 seconds at the most.
const GOOD_FOR: Duration = Duration::from_secs(3);

/// How long a first look may take after nobody has read or written for so long that nothing is known of the credential.
const CAUGHT_UP_WITHIN: Duration = Duration::from_secs(1);

/// Looks whether a call may go on.
#[derive(Clone)]
pub(super) struct Guard<A> {
    access: A,
    credential: Credential,
    caller: Caller,
    rule: &'static Rule,
    relies_on: Permissions,
}

impl<A: Authenticate> Guard<A> {
    /// A guard of a call that `caller` has just been let into.
    pub(super) fn new(access: A, credential: Credential, caller: Caller, rule: &'static Rule) -> Self {
        Self { access, credential, caller, rule, relies_on: Permissions::NONE }
    }

    /// The same for a caller who must also keep `permissions`.
    pub(super) fn relying_on(self, permissions: Permissions) -> Self {
        Self { relies_on: permissions, ..self }
    }

    /// Whether the credential still belongs to the same tenant, meets the rule and has what is relied on.
    async fn look(self) -> Result<()> {
        let now = self.access.caller(&self.credential).await?;
        self.rule.admit(now)?;
        self.relies_on.iter().try_for_each(|permission| now.needs(permission))?;
        match (self.caller, now) {
            (Caller::Operator, Caller::Operator) => Ok(()),
            (Caller::Tenant(then), Caller::Tenant(now)) if then.tenant == now.tenant => Ok(()),
            (Caller::Operator | Caller::Tenant(_), _) => Err(Error::unauthenticated()),
        }
    }
}

type Looking = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// Which way a body goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// From the caller to a handler, who gets the refusal as an error of the stream.
    In,
    /// From a handler to the caller, who gets the refusal as the call's status.
    Out,
}

/// A body that ends when its guard says so.
pub(super) struct Guarded<A> {
    body: tonic::body::Body,
    way: Way,
    guard: Guard<A>,
    next: Pin<Box<Sleep>>,
    /// The end, where no look finds the credential good before.
    end: Pin<Box<Sleep>>,
    looking: Option<Looking>,
    /// Whether nothing may pass before a look has found the credential good: whoever reads or writes was away for longer
    /// than it was known to be.
    held: bool,
    ended: bool,
}

impl<A: Authenticate> Guarded<A> {
    /// `body`, for as long as `guard` lets it.
    pub(super) fn new(body: tonic::body::Body, way: Way, guard: Guard<A>) -> Self {
        let [next, end] = [AGAIN, GOOD_FOR].map(|pause| Box::pin(sleep_until(after(pause))));
        Self { body, way, guard, next, end, looking: None, held: false, ended: false }
    }

    /// Ready with why the call may not go on.
    fn poll_refused(&mut self, context: &mut Context<'_>) -> Poll<Error> {
        loop {
            if let Some(looking) = &mut self.looking {
                match looking.as_mut().poll(context) {
                    Poll::Pending => return self.poll_end(context),
                    Poll::Ready(Ok(())) => {
                        self.end.as_mut().reset(after(GOOD_FOR));
                        self.held = false;
                    }
                    // Nobody has said that the credential is bad, and it was good a moment ago.
                    Poll::Ready(Err(error)) if error.code() == Code::Unavailable => {}
                    Poll::Ready(Err(error)) => return Poll::Ready(error),
                }
                self.looking = None;
                self.next.as_mut().reset(after(AGAIN));
            }
            if self.next.as_mut().poll(context).is_pending() {
                return self.poll_end(context);
            }
            // Nobody has polled since the end: it was not reached for want of an answer, but of a question.
            if self.end.deadline() <= after(Duration::ZERO) {
                self.end.as_mut().reset(after(CAUGHT_UP_WITHIN));
                self.held = true;
            }
            self.looking = Some(Box::pin(self.guard.clone().look()));
        }
    }

    /// Ready when the credential has not been found good for too long, whatever a look is still waiting for.
    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<Error> {
        self.end
            .as_mut()
            .poll(context)
            .map(|()| Error::unavailable("nobody could say whose credential it is"))
    }
}

/// The end of a call with `status`.
fn trailers(status: Status) -> std::result::Result<Frame<Bytes>, Status> {
    let mut trailers = HeaderMap::new();
    status.add_header(&mut trailers)?;
    Ok(Frame::trailers(trailers))
}

fn after(pause: Duration) -> Instant {
    (clock::instant() + pause).into()
}

impl<A: Authenticate> Body for Guarded<A> {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        if this.ended {
            return Poll::Ready(None);
        }
        if let Poll::Ready(error) = this.poll_refused(context) {
            this.ended = true;
            return Poll::Ready(Some(match this.way {
                Way::In => Err(error.into()),
                Way::Out => trailers(error.into()),
            }));
        }
        if this.held {
            return Poll::Pending;
        }
        Pin::new(&mut this.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use muster_domain::permission::Permission;

    use super::*;
    use crate::access::table::rule;

    /// Knows the caller until it is told otherwise.
    #[derive(Clone)]
    struct Knows(bool);

    impl Authenticate for Knows {
        async fn caller(&self, _: &Credential) -> Result<Caller> {
            tokio::time::sleep(Duration::from_millis(10)).await;
            if self.0 { Ok(Caller::Operator) } else { Err(Error::unauthenticated()) }
        }
    }

    fn guarded(knows: Knows) -> Guarded<Knows> {
        let headers = HeaderMap::from_iter([(
            http::header::AUTHORIZATION,
            http::HeaderValue::from_static("Bearer somebody"),
        )]);
        let credential = Credential::of(&headers).expect("a credential");
        let rule = rule("/muster.v1.CampaignService/GetCampaign").expect("a rule");
        assert!(Caller::Operator.may(Permission::CampaignsRead));
        let body = tonic::body::Body::new(http_body_util::Full::new(Bytes::from_static(b"data")));
        Guarded::new(body, Way::In, Guard::new(knows, credential, Caller::Operator, rule))
    }

    async fn frame(guarded: &mut Guarded<Knows>) -> Option<std::result::Result<Frame<Bytes>, Status>> {
        std::future::poll_fn(|context| Pin::new(&mut *guarded).poll_frame(context)).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_nobody_read_for_long_goes_on_after_a_look() {
        for (knows, goes_on) in [(true, true), (false, false)] {
            let mut guarded = guarded(Knows(knows));
            tokio::time::advance(Duration::from_secs(60)).await;
            let first = frame(&mut guarded).await.expect("a frame or a refusal");
            assert_eq!(first.is_ok(), goes_on, "{first:?}");
        }
    }
}
