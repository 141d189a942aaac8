//! The simulator's HTTP server: the providers' send and look-up endpoints, and the control API beside them.

mod lookup;
pub(crate) mod media;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::account::Account;
use crate::behaviour::Behaviour;
use crate::chance::Chance;
use crate::control;
use crate::dialect::{self, Asks, Dialect};
use crate::message::{Conduct, Message, News, Post};
use crate::plan::{Acceptance, Mishap, Mood, Plan};
use crate::send::{Refusal, SendRequest, check};
use crate::sim::{Call, Sim};
use crate::stats::one_more;
use crate::target::Target;

use wire::Wire;

/// More than any call needs.
const BODY_BYTES_MAX: usize = 1 << 20;

/// How long a call waits for its receipts to be answered, where they go first.
const RECEIPTS_FIRST_MAX: Duration = Duration::from_secs(10);

pub(crate) type Answer = Response<Full<Bytes>>;

/// The connection is to be reset instead of answered.
#[derive(Debug, thiserror::Error)]
#[error("reset on purpose")]
pub(crate) struct Reset;

/// Serves until dropped.
pub(crate) async fn run(sim: Arc<Sim>, listener: TcpListener) {
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Without this, each answer waits for the caller's delayed acknowledgement.
                let _ = stream.set_nodelay(true);
                connections.spawn(serve(Arc::clone(&sim), Wire::new(stream)));
            }
            // Out of file descriptors, mostly: it passes.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(sim: Arc<Sim>, wire: Wire) {
    let resetting = wire.resetting();
    let service = service_fn(move |request| {
        let (sim, resetting) = (Arc::clone(&sim), Arc::clone(&resetting));
        async move {
            let answer = route(&sim, request).await;
            if answer.is_err() {
                resetting.store(true, std::sync::atomic::Ordering::Relaxed);
            }
            answer
        }
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(wire), service);
    // Callers come and go, and some are sent away: nothing to tell anybody.
    let _ = connection.await;
}

async fn route(sim: &Arc<Sim>, request: Request<Incoming>) -> Result<Answer, Reset> {
    let (head, body) = request.into_parts();
    let Some(body) = read(body).await else {
        return Ok(status(StatusCode::PAYLOAD_TOO_LARGE));
    };
    let path = head.uri.path();
    if let Some(command) = path.strip_prefix("/sim/") {
        return Ok(control::answer(sim, &head, command, &body).await);
    }
    if let Some(path) = path.strip_prefix("/media/") {
        return Ok(media::answer(sim, &head, path).await);
    }
    let routed = dialect::all().find_map(|dialect| Some((dialect, dialect.route(&head.method, path)?)));
    let Some((dialect, route)) = routed else { return Ok(status(StatusCode::NOT_FOUND)) };
    let authorization = authorization(&head.headers);
    let account = sim.accounts.find(dialect.provider(), route.account.unwrap_or(authorization));
    let Some(account) = account.filter(|account| *account.authorization == *authorization) else {
        return Ok(refuse(sim, dialect, dialect.codes().credentials));
    };
    let query = head.uri.query().unwrap_or_default();
    match route.asks {
        Asks::Send => send(sim, dialect, &account, &body).await,
        Asks::Text(id) => Ok(lookup::text(sim, dialect, &account, id)),
        Asks::List => Ok(lookup::list(sim, dialect, &account, query).await),
        Asks::Other => Ok(status(StatusCode::METHOD_NOT_ALLOWED)),
    }
}

fn authorization(headers: &HeaderMap) -> &str {
    headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The whole body. Most come in one piece, which is used as it is. `None` where it is too large or broken off.
async fn read(mut body: Incoming) -> Option<Bytes> {
    let mut whole = Bytes::new();
    while let Some(frame) = body.frame().await {
        let Ok(piece) = frame.ok()?.into_data() else { continue };
        if whole.is_empty() {
            whole = piece;
        } else {
            let mut longer = BytesMut::from(whole);
            longer.extend_from_slice(&piece);
            whole = longer.freeze();
        }
        if whole.len() > BODY_BYTES_MAX {
            return None;
        }
    }
    Some(whole)
}

/// A call that wants to send a text.
async fn send(
    sim: &Arc<Sim>,
    dialect: &'static dyn Dialect,
    account: &Arc<Account>,
    body: &[u8],
) -> Result<Answer, Reset> {
    let behaviour = sim.behaviour();
    let judged = dialect.read(body).and_then(|request| {
        let target = judge(sim, dialect, account, &request, &behaviour)?;
        Ok((request, target))
    });
    let (request, target) = match judged {
        Ok(judged) => judged,
        Err(refusal) => return Ok(refuse(sim, dialect, refusal)),
    };
    let call = |silent| Call { account, request: &request, target, silent };
    match sim.mood(&behaviour) {
        Mood::Well => {
            let (message, plan) = sim.accept(&behaviour, call(false));
            Ok(accepted(sim, dialect, &behaviour, message, plan).await)
        }
        Mood::Rate => {
            one_more(&sim.counters.rate_limited);
            let mut answer = json(429, dialect.refused(dialect.codes().rate));
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(behaviour.retry_after_s));
            Ok(answer)
        }
        Mood::Bad(mishap, acceptance) => {
            match acceptance {
                Acceptance::Accepted => {
                    let (message, plan) = sim.accept(&behaviour, call(true));
                    sim.post_receipts(&message, &plan, 0);
                    sim.post_reply(&message, &plan, 0);
                }
                Acceptance::Not => count_mishap(sim, mishap),
            }
            fail(&behaviour, mishap).await
        }
    }
}

fn count_mishap(sim: &Sim, mishap: Mishap) {
    one_more(match mishap {
        Mishap::ServerError => &sim.counters.server_errors,
        Mishap::Timeout => &sim.counters.timeouts,
        Mishap::Reset => &sim.counters.resets,
    });
}

/// Whether the provider takes the text; if so, where its receipts go.
fn judge(
    sim: &Sim,
    dialect: &dyn Dialect,
    account: &Account,
    request: &SendRequest<'_>,
    behaviour: &Behaviour,
) -> Result<Option<Target>, Refusal> {
    let codes = dialect.codes();
    let target = check(request, account, codes)?;
    if behaviour.blocks_opted_out && sim.has_opted_out(&request.to, &request.from) {
        return Err(codes.opted_out);
    }
    // A phone that cannot be texted cannot be texted next time either.
    let mut chance = Chance::of(sim.seed, &[b"recipient", request.to.as_bytes()]);
    let refusal = chance.pick(codes.recipients);
    if chance.happens(behaviour.refused_share) { Err(refusal) } else { Ok(target) }
}

/// Answers a call that was accepted, with its receipts before or after that.
async fn accepted(
    sim: &Arc<Sim>,
    dialect: &dyn Dialect,
    behaviour: &Behaviour,
    message: Arc<Message>,
    plan: Plan,
) -> Answer {
    let answer_ms =
        Chance::of(sim.seed, &[b"answer", message.entry.provider_id.as_bytes()]).between(behaviour.answer_ms);
    if behaviour.receipt_before_answer {
        // Whoever does not answer the receipts gets the answer to the send in the end.
        let _ = tokio::time::timeout(RECEIPTS_FIRST_MAX, receipts_first(sim, &message, &plan)).await;
    } else {
        sim.post_receipts(&message, &plan, answer_ms);
    }
    sim.post_reply(&message, &plan, answer_ms);
    if answer_ms > 0 {
        tokio::time::sleep(Duration::from_millis(answer_ms)).await;
    }
    let state = dialect.state_queued();
    json(dialect.accepted_status(), dialect.message(&message.entry, state, None, &sim.clock.second()))
}

async fn receipts_first(sim: &Arc<Sim>, message: &Arc<Message>, plan: &Plan) {
    for (receipt, leg) in sim.receipts(message, plan) {
        sim.count_lost(&receipt, leg);
        for _ in 0..leg.copies {
            let (post, answered) = Post::watched(News::Receipt(receipt.clone()), Conduct::Faithful);
            sim.post_after(0, post);
            let _ = answered.await;
        }
    }
}

async fn fail(behaviour: &Behaviour, mishap: Mishap) -> Result<Answer, Reset> {
    match mishap {
        Mishap::ServerError => {
            let mut answer = Response::new(Full::from("<html><body>Service Unavailable</body></html>"));
            *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
            Ok(answer)
        }
        Mishap::Timeout => {
            tokio::time::sleep(Duration::from_millis(behaviour.timeout_ms)).await;
            Err(Reset)
        }
        Mishap::Reset => Err(Reset),
    }
}

fn refuse(sim: &Sim, dialect: &dyn Dialect, refusal: Refusal) -> Answer {
    sim.counters.refuse(refusal.code);
    json(refusal.status, dialect.refused(refusal))
}

/// An answer in JSON.
pub(crate) fn json(status: u16, body: String) -> Answer {
    let mut answer = Response::new(Full::from(body));
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

/// An answer without a body.
pub(crate) fn status(status: StatusCode) -> Answer {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = status;
    answer
}
