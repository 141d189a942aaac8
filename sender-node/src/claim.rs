//! Claims: the control-plane grants each message and attempt at most once, ever. What is not granted is not
//! called, whatever the order said.
//!
//! What is wanted at once is asked for together: while some claims are on their way, the next ones gather.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use muster_proto::internal::v1::claim_service_client::ClaimServiceClient;
use muster_proto::internal::v1::{ClaimMessagesRequest, ClaimMessagesResponse, ClaimedMessage};
use muster_runtime::clock;
use muster_runtime::directory::Channel;
use muster_runtime::frame::ids_from;
use muster_runtime::supervise::Tasks;
use muster_runtime::telemetry::trace::{Span, SpanKind, within};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::error::Elapsed;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Response, Status};

use crate::order::Wanted;
use crate::window::{Stopped, Window};

/// Messages in one claim at most.
pub(crate) const CLAIM_MESSAGES_MAX: usize = 200;
/// Requests that wait to be put together; then those who ask wait too.
const REQUESTS_MAX: usize = 256;
/// Claims on their way at once: while one is answered the next one gathers. With more, each has fewer messages, and what
/// a claim costs is mostly the claim.
const CLAIMS_MAX: usize = 2;
/// How long a claim keeps others from being asked for: as long as its calls may begin. One control-plane that does not
/// answer does not keep this node from another that does.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long an answer is waited for: longer than calls may begin, because an answer that comes too late still
/// says which messages were certainly not called.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long it is waited for once the node is stopping: less than the 25 seconds of a drain, so that what it says can
/// still be published and the frame given back.
const ANSWER_TIMEOUT_STOPPING: Duration = Duration::from_secs(20);
/// The pauses between tries to claim.
const RETRY_PAUSE: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(50)..=Duration::from_millis(2_000);

/// A message granted to this node: the right, and the duty, to make one call.
#[derive(Debug)]
pub(crate) struct Claimed {
    /// All that the call needs.
    pub(crate) message: ClaimedMessage,
    /// When the call may begin.
    pub(crate) window: Window,
}

/// Why an order was not claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotClaimed {
    /// The node is stopping; another may claim it.
    Stopping,
    /// The control-plane says that it is no order.
    Refused,
}

type Answer = Result<Vec<Claimed>, NotClaimed>;

struct Request {
    wanted: Wanted,
    answer: oneshot::Sender<Answer>,
}

/// Asks for claims.
#[derive(Clone)]
pub(crate) struct Claims {
    requests: mpsc::Sender<Request>,
}

impl Claims {
    /// Claims for `node`, until `tasks` are told to stop; `stopped` says when that was.
    /// `messages_max` messages at most are asked for together, unless one asks for more alone.
    pub(crate) fn start(
        channel: Channel,
        node: String,
        stopped: Stopped,
        messages_max: usize,
        tasks: &Tasks,
    ) -> Self {
        let (requests, waiting) = mpsc::channel(REQUESTS_MAX);
        let asker = Asker { client: ClaimServiceClient::new(channel), node, stop: tasks.stop(), stopped };
        let spawner = tasks.clone();
        tasks.spawn(async move { gather(waiting, asker, messages_max, spawner).await });
        Self { requests }
    }

    /// Claims what is wanted. Once asked for, the answer has to be waited for: what it grants, nobody else is granted.
    pub(crate) async fn claim(&self, wanted: Wanted) -> Answer {
        let (answer, answered) = oneshot::channel();
        self.requests.send(Request { wanted, answer }).await.map_err(|_| NotClaimed::Stopping)?;
        answered.await.unwrap_or(Err(NotClaimed::Stopping))
    }
}

/// Puts together what waits. It ends when nobody is left who could ask.
async fn gather(mut waiting: mpsc::Receiver<Request>, asker: Asker, messages_max: usize, tasks: Tasks) {
    let asker = Arc::new(asker);
    let claims = Arc::new(Semaphore::new(CLAIMS_MAX));
    let mut next = None;
    while let Some(first) = match next.take() {
        Some(request) => Some(request),
        None => waiting.recv().await,
    } {
        let Ok(slot) = claims.clone().acquire_owned().await else { return };
        let mut messages = first.wanted.len();
        let mut together = vec![first];
        while let Ok(request) = waiting.try_recv() {
            messages += request.wanted.len();
            if messages > messages_max {
                next = Some(request);
                break;
            }
            together.push(request);
        }
        let asker = asker.clone();
        tasks.spawn(async move {
            let mut claim = pin!(asker.claim(together));
            if tokio::time::timeout(PATIENCE, &mut claim).await.is_err() {
                drop(slot);
                claim.await;
            }
        });
    }
}

struct Asker {
    client: ClaimServiceClient<Channel>,
    node: String,
    stop: CancellationToken,
    stopped: Stopped,
}

impl Asker {
    /// Claims what all requests want, and gives each its part of the answer.
    async fn claim(&self, requests: Vec<Request>) {
        let mut wanted = Wanted::default();
        for request in &requests {
            wanted.append(&request.wanted);
        }
        match self.claim_all(&wanted).await {
            Ok(claimed) => share_out(requests, claimed),
            // Which of them it was is found out one by one.
            Err(NotClaimed::Refused) if requests.len() > 1 => {
                for Request { wanted, answer } in requests {
                    // Whoever does not wait any more has gone down with the process.
                    let _ = answer.send(self.claim_all(&wanted).await);
                }
            }
            Err(why) => {
                for request in requests {
                    let _ = request.answer.send(Err(why));
                }
            }
        }
    }

    /// Tries again for as long as the control-plane does not answer: an answer that was lost granted something that
    /// nobody will grant again, but what it did not grant is still to be sent.
    async fn claim_all(&self, wanted: &Wanted) -> Answer {
        let Wanted { message_ids, attempts, number_ids } = wanted.clone();
        let request = ClaimMessagesRequest {
            node: self.node.clone(),
            message_ids: message_ids.into(),
            attempts,
            number_ids: number_ids.into(),
        };
        let mut pause = *RETRY_PAUSE.start();
        while !self.stop.is_cancelled() {
            // Begun before the request leaves, so it is earlier than the claim itself.
            let window = Window::of_claim(clock::instant(), self.stopped.clone());
            let answer = tokio::select! {
                answer = self.ask(request.clone()) => answer,
                () = self.stopping_for(ANSWER_TIMEOUT_STOPPING) => break,
            };
            match answer {
                Ok(Ok(answer)) => {
                    let messages = answer.into_inner().messages.into_iter();
                    return Ok(messages.map(|message| Claimed { message, window: window.clone() }).collect());
                }
                Ok(Err(status)) if status.code() == Code::InvalidArgument => {
                    tracing::error!(error = status.message(), "an order was refused; it is dropped");
                    return Err(NotClaimed::Refused);
                }
                Ok(Err(status)) => {
                    tracing::warn!(code = ?status.code(), error = status.message(), "cannot claim; trying again");
                }
                Err(_elapsed) => tracing::warn!("a claim was not answered in time; trying again"),
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(*RETRY_PAUSE.end()),
                () = self.stop.cancelled() => {}
            }
        }
        Err(NotClaimed::Stopping)
    }

    /// Waits until the node has been stopping for that long.
    async fn stopping_for(&self, wait: Duration) {
        self.stop.cancelled().await;
        tokio::time::sleep(wait).await;
    }

    async fn ask(
        &self,
        request: ClaimMessagesRequest,
    ) -> Result<Result<Response<ClaimMessagesResponse>, Status>, Elapsed> {
        let mut client = self.client.clone();
        let span = Span::of_texts(None, "claim", SpanKind::Internal, ids_from(&request.message_ids));
        let asked = within(span.as_ref().map(Span::place), client.claim_messages(request));
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, asked).await;
        span.into_iter().for_each(Span::end);
        answer
    }
}

/// Gives each request what was granted of it. A message that two of them want goes to one.
fn share_out(requests: Vec<Request>, claimed: Vec<Claimed>) {
    let mut shares: Vec<Vec<Claimed>> = requests.iter().map(|_| Vec::new()).collect();
    if let [share] = shares.as_mut_slice() {
        *share = claimed;
    } else {
        let mut wanted_by: HashMap<&[u8], usize> = HashMap::new();
        for (at, request) in requests.iter().enumerate() {
            wanted_by.extend(request.wanted.ids().map(|id| (id, at)));
        }
        for claimed in claimed {
            let at = wanted_by.get(&claimed.message.message_id[..]).copied();
            if let Some(share) = at.and_then(|at| shares.get_mut(at)) {
                share.push(claimed);
            }
        }
    }
    for (request, share) in requests.into_iter().zip(shares) {
        let _ = request.answer.send(Ok(share));
    }
}
