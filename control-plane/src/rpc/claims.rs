//! Claims, asked for by sender nodes: the barrier that keeps anybody from being texted twice, or after STOP.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::try_join3;
use muster_domain::status::{Decision, Status as MessageStatus};
use muster_proto::internal::v1::claim_service_server::ClaimService;
use muster_proto::internal::v1::{ClaimMessagesRequest, ClaimMessagesResponse, ClaimedMessage};
use muster_runtime::{Error, Result, clock, frame};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::db::{self, Database, Micros, SystemTx};
use crate::hours::Window;
use crate::nudge::Nudges;
use crate::rpc::Api;
use crate::store::claims::{
    Grant, Wanted, attempt_from, claim_batch_insert, claim_bound, claims_grant, claims_refused,
};
use crate::store::projections::projection_caught_up;
use crate::store::queue::queue_return;
use crate::store::transitions::{Attempt, Moved, Transition, decide, record};

/// Messages in one call at most.
const BATCH_MAX: usize = 1_000;
/// How long a claim may be judged, from the begin of its transaction: it judges by what was committed when it began,
/// and the promise that nobody is called long after their STOP counts on that being a moment ago.
const JUDGED_WITHIN: Duration = Duration::from_secs(1);
/// How far the projection may be behind, in microseconds. Beyond it nothing is granted: the person may have said STOP, and
/// the gateway may have taken it.
const BEHIND_MAX_US: i64 = 10_000_000;
/// The longest name of a node, in bytes.
const NODE_BYTES_MAX: usize = 200;

/// What the request asks for, in the order of the messages' ids, each once.
fn wanted(request: &ClaimMessagesRequest) -> Result<Vec<Wanted>> {
    if request.message_ids.len() != request.attempts.len() * 16 {
        return Err(Error::invalid("message_ids", "must have 16 bytes for each of `attempts`"));
    }
    if !request.number_ids.is_empty() && request.number_ids.len() != request.message_ids.len() {
        return Err(Error::invalid("number_ids", "must have 16 bytes for each of `attempts`, or none"));
    }
    if request.attempts.len() > BATCH_MAX {
        return Err(Error::invalid("attempts", format!("must be at most {BATCH_MAX}")));
    }
    let ids = frame::ids_from(&request.message_ids);
    let attempts = request.attempts.iter().map(|attempt| attempt_from(*attempt));
    let numbers = frame::ids_from(&request.number_ids).map(|id| Some(id).filter(|id| !id.is_nil()));
    let numbers = numbers.chain(std::iter::repeat(None));
    let attempts = ids.zip(attempts).map(|(message, attempt)| Attempt { message, attempt, number: None });
    let mut wanted: Vec<Wanted> =
        attempts.zip(numbers).map(|(attempt, number)| Wanted { attempt, number }).collect();
    wanted.sort_unstable();
    wanted.dedup();
    Ok(wanted)
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
    wanted: &[Wanted],
    hours: Window,
    now: Micros,
    cause: &Arc<str>,
) -> Result<Vec<Transition>, db::Error> {
    let refused = claims_refused(tx, wanted, hours, now).await?;
    let mut moved = Vec::new();
    for decision in [Decision::Cancel, Decision::Suppress, Decision::Expire, Decision::Withdraw] {
        let those = refused.iter().filter(|refused| refused.decision == decision);
        let due: HashMap<Uuid, Micros> =
            those.clone().map(|refused| (refused.attempt.message, refused.due_time)).collect();
        let those: Vec<Attempt> = those.map(|refused| refused.attempt).collect();
        if those.is_empty() {
            continue;
        }
        let transitions = decide(tx, decision, MessageStatus::Ordered, &those, cause).await?;
        if decision == Decision::Withdraw {
            let ids: Vec<Uuid> = transitions.iter().map(|transition| transition.message).collect();
            let due_times: Vec<Micros> = ids.iter().map(|id| due.get(id).copied().unwrap_or(now)).collect();
            queue_return(tx, &ids, &due_times).await?;
        }
        moved.extend(transitions);
    }
    Ok(moved)
}

/// What was judged: the grants, and the campaigns that they move.
type Judged = (Vec<Grant>, Moved);

/// Judges `wanted` in `tx`: what is granted, with everything that follows from it. `None` while the projection is too
/// far behind to judge: then `tx` must not be committed.
async fn judge(
    tx: &SystemTx<'_>,
    node: &str,
    wanted: &[Wanted],
    hours: Window,
    now: Micros,
) -> Result<Option<Judged>, db::Error> {
    let cause: Arc<str> = format!("node:{node}").into();
    // All are on their way at once, in this order: the bound and the look cost no wait.
    let ((), caught_up, grants) =
        try_join3(claim_bound(tx), projection_caught_up(tx), claims_grant(tx, wanted, hours, now)).await?;
    if caught_up.is_none_or(|time| now.0 - time.0 > BEHIND_MAX_US) {
        return Ok(None);
    }
    let mut transitions: Vec<Transition> = grants.iter().map(|grant| grant.transition(now, &cause)).collect();
    if grants.len() < wanted.len() {
        transitions.extend(turn_away(tx, wanted, hours, now, &cause).await?);
    }
    if !grants.is_empty() {
        let granted: Vec<Attempt> = grants.iter().map(|grant| grant.attempt).collect();
        claim_batch_insert(tx, clock::new_id(), node, now, &granted).await?;
    }
    let moved = record(tx, &transitions).await?;
    Ok(Some((grants, moved)))
}

/// Claims `wanted` for `node`, in one transaction that asks for its commit within [`JUDGED_WITHIN`], or leaves
/// nothing behind. The commit itself is waited for: cut off, it would be in doubt, and what it granted would never be
/// called, whereas a node that learns late what it was granted says of each that it was certainly not called.
async fn claim(
    db: &Database,
    nudges: &Nudges,
    hours: Window,
    node: &str,
    wanted: &[Wanted],
) -> Result<Vec<Grant>> {
    let mut client = db.system().await?;
    let judged = async {
        let tx = SystemTx::begin(&mut client).await?;
        let judged = judge(&tx, node, wanted, hours, Micros::now()).await?;
        Ok::<_, db::Error>((tx, judged))
    };
    let (tx, judged) = tokio::time::timeout(JUDGED_WITHIN, judged).await.map_err(Error::unavailable)??;
    let (grants, moved) = judged
        .ok_or_else(|| Error::unavailable("the projection is behind; a STOP may not have been seen"))?;
    let _telling = nudges.telling(moved);
    tx.commit().await?;
    Ok(grants)
}

#[tonic::async_trait]
impl ClaimService for Api {
    async fn claim_messages(
        &self,
        request: Request<ClaimMessagesRequest>,
    ) -> Result<Response<ClaimMessagesResponse>, Status> {
        let request = request.into_inner();
        let wanted = wanted(&request)?;
        if request.node.is_empty() || request.node.len() > NODE_BYTES_MAX {
            return Err(Error::invalid("node", format!("must have 1 to {NODE_BYTES_MAX} bytes")).into());
        }
        let grants = claim(&self.db, &self.nudges, self.hours, &request.node, &wanted).await?;
        self.nudges.statuses.notify_one();
        Ok(Response::new(ClaimMessagesResponse { messages: grants.into_iter().map(encode).collect() }))
    }
}
