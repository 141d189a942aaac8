//! Claims: the control-plane grants each message and attempt at most once, ever. What is not granted is not
//! called, whatever the order said.

use std::time::Duration;

use muster_proto::internal::v1::claim_service_client::ClaimServiceClient;
use muster_proto::internal::v1::{ClaimMessagesRequest, ClaimMessagesResponse, ClaimedMessage};
use muster_runtime::clock;
use tokio::time::error::Elapsed;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic::{Code, Response, Status};

use crate::order::Order;
use crate::window::{Stopped, Window};

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

/// Asks for claims.
pub(crate) struct Claims {
    client: ClaimServiceClient<Channel>,
    node: String,
    stop: CancellationToken,
    stopped: Stopped,
}

impl Claims {
    /// Claims for `node`, until `stop`; `stopped` says when that was.
    pub(crate) fn new(channel: Channel, node: String, stop: CancellationToken, stopped: Stopped) -> Self {
        Self { client: ClaimServiceClient::new(channel), node, stop, stopped }
    }

    /// Claims what `order` names. Tries again for as long as the control-plane does not answer: an answer that
    /// was lost granted something that nobody will grant again, but what it did not grant is still to be sent.
    pub(crate) async fn claim(&self, order: Order) -> Result<Vec<Claimed>, NotClaimed> {
        let Order { message_ids, attempts } = order;
        let request = ClaimMessagesRequest { node: self.node.clone(), message_ids, attempts };
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

    /// Waits until the node is stopping.
    pub(crate) async fn stopping(&self) {
        self.stop.cancelled().await;
    }

    /// Waits until the node has been stopping for that long.
    async fn stopping_for(&self, wait: Duration) {
        self.stopping().await;
        tokio::time::sleep(wait).await;
    }

    async fn ask(
        &self,
        request: ClaimMessagesRequest,
    ) -> Result<Result<Response<ClaimMessagesResponse>, Status>, Elapsed> {
        let mut client = self.client.clone();
        tokio::time::timeout(ANSWER_TIMEOUT, client.claim_messages(request)).await
    }
}
