//! Claims, asked for by sender nodes: the barrier that keeps anybody from being texted twice, or after STOP.

use std::sync::Arc;

use muster_domain::status::{Decision, Status as MessageStatus};
use muster_proto::internal::v1::claim_service_server::ClaimService;
use muster_proto::internal::v1::{ClaimMessagesRequest, ClaimMessagesResponse, ClaimedMessage};
use muster_runtime::{Error, Result, clock, frame};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::db::{Micros, SystemTx};
use crate::rpc::Api;
use crate::store::claims::{Grant, attempt_from, claim_batch_insert, claims_grant, claims_refused};
use crate::store::queue::queue_return;
use crate::store::transitions::{Attempt, Transition, decide, record};

/// Messages in one call at most.
const BATCH_MAX: usize = 1_000;
/// The longest name of a node, in bytes.
const NODE_BYTES_MAX: usize = 200;

/// The attempts in the request, in the order of their messages' ids, each once.
fn attempts(request: &ClaimMessagesRequest) -> Result<Vec<Attempt>> {
    if request.message_ids.len() != request.attempts.len() * 16 {
        return Err(Error::invalid("message_ids", "must have 16 bytes for each of `attempts`"));
    }
    if request.attempts.len() > BATCH_MAX {
        return Err(Error::invalid("attempts", format!("must be at most {BATCH_MAX}")));
    }
    let ids = frame::ids_from(&request.message_ids);
    let numbers = request.attempts.iter().map(|attempt| attempt_from(*attempt));
    let mut attempts: Vec<Attempt> =
        ids.zip(numbers).map(|(message, attempt)| Attempt { message, attempt }).collect();
    attempts.sort_unstable();
    attempts.dedup();
    Ok(attempts)
}

fn encode(grant: Grant) -> ClaimedMessage {
    ClaimedMessage {
        message_id: frame::id_bytes(grant.attempt.message),
        attempt: u32::from(grant.attempt.attempt.unsigned_abs()),
        account_id: frame::id_bytes(grant.account),
        to: grant.to,
        from: grant.from,
        body: grant.body,
        media_urls: grant.media_urls,
        validity_s: grant.validity_s.unsigned_abs(),
        tenant_id: frame::id_bytes(grant.owner.tenant),
    }
}

/// Moves what was not granted to where it belongs: ended, or back to the queue.
async fn turn_away(
    tx: &SystemTx<'_>,
    attempts: &[Attempt],
    now: Micros,
    cause: &Arc<str>,
) -> Result<Vec<Transition>> {
    let refused = claims_refused(tx, attempts, now).await?;
    let mut moved = Vec::new();
    for decision in [Decision::Cancel, Decision::Suppress, Decision::Expire, Decision::Withdraw] {
        let those: Vec<Attempt> =
            refused.iter().filter(|(_, reason)| *reason == decision).map(|(attempt, _)| *attempt).collect();
        if those.is_empty() {
            continue;
        }
        let transitions = decide(tx, decision, MessageStatus::Ordered, &those, cause).await?;
        if decision == Decision::Withdraw {
            let ids: Vec<Uuid> = transitions.iter().map(|transition| transition.message).collect();
            queue_return(tx, &ids, &vec![now; ids.len()]).await?;
        }
        moved.extend(transitions);
    }
    Ok(moved)
}

#[tonic::async_trait]
impl ClaimService for Api {
    async fn claim_messages(
        &self,
        request: Request<ClaimMessagesRequest>,
    ) -> Result<Response<ClaimMessagesResponse>, Status> {
        let request = request.into_inner();
        let attempts = attempts(&request)?;
        if request.node.is_empty() || request.node.len() > NODE_BYTES_MAX {
            return Err(Error::invalid("node", format!("must have 1 to {NODE_BYTES_MAX} bytes")).into());
        }
        let cause: Arc<str> = format!("node:{}", request.node).into();
        let now = Micros::now();
        let mut client = self.db.system().await?;
        let tx = SystemTx::begin(&mut client).await?;
        let grants = claims_grant(&tx, &attempts, now).await?;
        let mut transitions: Vec<Transition> =
            grants.iter().map(|grant| grant.transition(now, &cause)).collect();
        if grants.len() < attempts.len() {
            transitions.extend(turn_away(&tx, &attempts, now, &cause).await?);
        }
        if !grants.is_empty() {
            let granted: Vec<Attempt> = grants.iter().map(|grant| grant.attempt).collect();
            claim_batch_insert(&tx, clock::new_id(), &request.node, now, &granted).await?;
        }
        record(&tx, &transitions).await?;
        tx.commit().await?;
        self.nudges.statuses.notify_one();
        Ok(Response::new(ClaimMessagesResponse { messages: grants.into_iter().map(encode).collect() }))
    }
}
