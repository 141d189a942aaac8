//! Keeps what ended without a change: refused calls of known callers, with their result, and calls that found nothing to
//! do. They wait in a bounded queue for the one task that writes them, many in a transaction, so that a caller who is
//! refused a thousand times a second slows nobody; what the queue cannot hold is counted in the log.
//!
//! Calls without a valid credential belong to no tenant. They are counted in the log, and nothing else.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use muster_domain::id::TenantId;
use muster_runtime::access::Caller;
use muster_runtime::access::layer::Call;
use muster_runtime::clock;
use muster_runtime::supervise::Tasks;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use tonic::codegen::http;
use tonic::{Code, Status};
use uuid::Uuid;

use super::chain::Record;
use super::{Trail, append};
use crate::db::{Database, Result, TenantTx};

/// Records that may wait, and that are written at once.
const WAITING_MAX: usize = 1_024;
/// Records of one tenant that are written in a row; after that, so many a second. The rest of a flood is counted: nobody can
/// delete what is written, so nobody shall be able to fill the disk with it.
const IN_A_ROW: u32 = 500;
const A_SECOND: u32 = 5;
/// Tenants whose floods are remembered; those who had none lately are forgotten first.
const FLOODS_MAX: usize = 10_000;
/// How long records are gathered, so that many share a transaction.
const GATHERED_FOR: Duration = Duration::from_millis(100);
/// How often the log says what was counted.
const SAID_EVERY: Duration = Duration::from_secs(10);

/// Takes what is to be kept. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Keeper {
    queue: mpsc::Sender<(TenantId, Record)>,
    counts: Arc<Counts>,
}

/// What the log says from time to time.
#[derive(Default)]
struct Counts {
    strangers: AtomicU64,
    lost: AtomicU64,
}

impl Keeper {
    /// Starts the task that writes. It ends when the last keeper is gone and all is written.
    pub(crate) fn start(db: Database, tasks: &Tasks) -> Self {
        let (queue, waiting) = mpsc::channel(WAITING_MAX);
        let counts = Arc::new(Counts::default());
        tasks.spawn(write_all(db, waiting, counts.clone()));
        Self { queue, counts }
    }

    /// Hears how a call ended; it has a trail where it might have changed something.
    pub(super) fn hear<B>(&self, trail: Option<&Trail>, response: &http::Response<B>) {
        let code = code_of(response);
        let call = response.extensions().get::<Call>();
        if call.is_none() && code == Code::Unauthenticated {
            self.counts.strangers.fetch_add(1, Ordering::Relaxed);
        }
        let (Some(trail), Some(call)) = (trail, call) else { return };
        if trail.recorded.load(Ordering::Relaxed) {
            return;
        }
        let Some(tenant) = tenant_of(call.caller, trail.resource()) else { return };
        let record = trail.record(call.caller.name(), call.address, code);
        if self.queue.try_send((tenant, record)).is_err() {
            self.counts.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// What a call ended with: without a body the status is among the headers, and nothing but success has a body.
fn code_of<B>(response: &http::Response<B>) -> Code {
    response.headers().get(Status::GRPC_STATUS).map_or(Code::Ok, |status| Code::from_bytes(status.as_bytes()))
}

/// Whose log a call belongs in: its caller's tenant's or, for an operator, that of the tenant it is about.
fn tenant_of(caller: Caller, resource: &str) -> Option<TenantId> {
    match caller {
        Caller::Tenant(principal) => Some(principal.tenant),
        Caller::Operator => {
            let id = resource.strip_prefix("tenants/")?.split('/').next()?;
            Uuid::try_parse(id).ok().map(TenantId)
        }
    }
}

async fn write_all(db: Database, mut waiting: mpsc::Receiver<(TenantId, Record)>, counts: Arc<Counts>) {
    let mut say = tokio::time::interval(SAID_EVERY);
    say.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut records = Vec::with_capacity(WAITING_MAX);
    let mut floods = Floods::default();
    loop {
        tokio::select! {
            taken = waiting.recv_many(&mut records, WAITING_MAX) => {
                if taken == 0 {
                    return counts.say();
                }
                write(&db, &mut records, &mut floods, &counts).await;
                tokio::time::sleep(GATHERED_FOR).await;
            }
            _ = say.tick() => counts.say(),
        }
    }
}

/// Writes `records`, each tenant's in one transaction. Those that PostgreSQL does not take are counted, not tried again:
/// nothing was changed by their calls.
async fn write(db: &Database, records: &mut Vec<(TenantId, Record)>, floods: &mut Floods, counts: &Counts) {
    let mut by_tenant: HashMap<TenantId, Vec<Record>> = HashMap::new();
    for (tenant, record) in records.drain(..) {
        by_tenant.entry(tenant).or_default().push(record);
    }
    for (tenant, mut records) in by_tenant {
        let kept = floods.keep(tenant, records.len(), clock::instant());
        let flood = records.len() - kept;
        counts.lost.fetch_add(u64::try_from(flood).unwrap_or(u64::MAX), Ordering::Relaxed);
        records.truncate(kept);
        let count = records.len();
        if let Err(error) = write_tenant(db, tenant, records).await {
            tracing::warn!(%error, count, "calls that changed nothing are missing in the audit log");
            counts.lost.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
    }
}

/// How many records each tenant has left, as of a moment.
#[derive(Default)]
struct Floods(HashMap<TenantId, (f64, Instant)>);

impl Floods {
    /// How many of `count` records of a tenant may be written at `now`.
    fn keep(&mut self, tenant: TenantId, count: usize, now: Instant) -> usize {
        let full = f64::from(IN_A_ROW);
        let left = |(left, then): &(f64, Instant)| {
            let since = now.saturating_duration_since(*then).as_secs_f64();
            (left + since * f64::from(A_SECOND)).min(full)
        };
        if self.0.len() >= FLOODS_MAX {
            self.0.retain(|_, state| left(state) < full);
        }
        let mut room = self.0.get(&tenant).map_or(full, left);
        let mut kept = 0;
        while kept < count && room >= 1.0 {
            room -= 1.0;
            kept += 1;
        }
        self.0.insert(tenant, (room, now));
        kept
    }
}

async fn write_tenant(db: &Database, tenant: TenantId, records: Vec<Record>) -> Result<()> {
    let mut client = db.app().await?;
    let tx = TenantTx::begin(&mut client, tenant).await?;
    // An operator may have named a tenant that is not there; then there is no log to keep it in.
    if append(&tx, tenant, records).await? { tx.commit_entries().await } else { Ok(()) }
}

impl Counts {
    fn say(&self) {
        let (strangers, lost) =
            (self.strangers.swap(0, Ordering::Relaxed), self.lost.swap(0, Ordering::Relaxed));
        if strangers > 0 {
            tracing::warn!(count = strangers, "calls without a valid credential were refused");
        }
        if lost > 0 {
            tracing::warn!(count = lost, "calls that changed nothing were not kept in the audit log");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_cut_and_comes_to_an_end() {
        let (mut floods, now) = (Floods::default(), clock::instant());
        let [one, other] = [1, 2].map(|id| TenantId(Uuid::from_u128(id)));
        assert_eq!(floods.keep(one, 400, now), 400);
        assert_eq!(floods.keep(one, 400, now), 100);
        assert_eq!(floods.keep(one, 400, now), 0);
        assert_eq!(floods.keep(other, 10, now), 10, "another's flood is no concern of theirs");
        let later = now + Duration::from_secs(10);
        assert_eq!(floods.keep(one, 400, later), 50);
        assert_eq!(floods.keep(one, 1_000, later + Duration::from_secs(3_600)), 500);
    }
}
