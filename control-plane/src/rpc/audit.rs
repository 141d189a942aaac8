//! The audit log: listed, exported, verified.

use futures::stream::{BoxStream, StreamExt as _, try_unfold};
use muster_domain::id::TenantId;
use muster_proto::v1::audit_service_server::AuditService;
use muster_proto::v1::{
    AuditEntry, AuditFault, ExportAuditLogRequest, ExportAuditLogResponse, ListAuditEntriesRequest,
    ListAuditEntriesResponse, VerifyAuditLogRequest, VerifyAuditLogResponse,
};
use muster_runtime::{Error, Result, clock};
use prost_types::Timestamp;
use tonic::{Request, Response, Status};

use crate::audit::chain::{Broken, Entry, FIRST, Fault, Hash, Known, Verifier};
use crate::db::{Database, Micros, TenantTx};
use crate::rpc::{Api, caller, page, tenant_of_parent};
use crate::store::audit::{Head, Wanted, entries_list, head_get};

/// Bytes of `before` and `after` after which a page or a part of an export is full. One entry alone has no more than some
/// hundred thousand, so that an answer stays below what gRPC clients take.
const FULL_BYTES: i64 = 1024 * 1024;
/// Entries that are read at once.
const READ_MAX: i64 = 1_000;
/// Before and after all times that PostgreSQL can hold, or nearly.
const ALWAYS: (Micros, Micros) = (Micros(-210_000_000_000_000_000), Micros(9_000_000_000_000_000_000));

fn encode(entry: Entry) -> AuditEntry {
    let name = entry.name();
    let record = entry.record;
    AuditEntry {
        name,
        time: Some(record.time.timestamp()),
        caller: record.caller,
        method: record.method,
        resource: record.resource,
        address: record.address,
        before: record.before,
        after: record.after,
        result: record.result,
        hash: entry.hash.to_vec(),
    }
}

fn encode_fault(fault: Fault) -> AuditFault {
    match fault {
        Fault::Changed => AuditFault::Changed,
        Fault::Missing => AuditFault::Missing,
        Fault::CutOff => AuditFault::CutOff,
        Fault::Added => AuditFault::Added,
        Fault::Rewritten => AuditFault::Rewritten,
    }
}

/// A time of the filter; one that is not given is `open`.
fn time(given: Option<Timestamp>, open: Micros, field: &str) -> Result<Micros> {
    let Some(time) = given else { return Ok(open) };
    let known = clock::micros(time).map(Micros).filter(|time| (ALWAYS.0..=ALWAYS.1).contains(time));
    known.ok_or_else(|| Error::invalid(field, "must be a time"))
}

/// What a request says it knows of an entry.
fn known(sequence: i64, hash: &[u8]) -> Result<Option<Known>> {
    match (sequence, hash) {
        (0, []) => Ok(None),
        (1.., hash) => {
            let hash =
                Hash::try_from(hash).map_err(|_| Error::invalid("known_hash", "must have 32 bytes"))?;
            Ok(Some(Known { sequence, hash }))
        }
        (..=0, _) => Err(Error::invalid("known_sequence", "must be that of an entry, where a hash is known")),
    }
}

/// Some entries after `after`, up to and with `up_to`.
async fn read(db: &Database, tenant: TenantId, (after, up_to): (i64, i64)) -> Result<Vec<Entry>> {
    let wanted = Wanted {
        sequences: (after, up_to),
        times: ALWAYS,
        caller: "",
        method: "",
        limit: READ_MAX,
        bytes: FULL_BYTES,
    };
    let mut client = db.app().await?;
    let tx = TenantTx::begin(&mut client, tenant).await?;
    Ok(entries_list(&tx, tenant, &wanted).await?)
}

async fn head(db: &Database, tenant: TenantId) -> Result<Head> {
    let mut client = db.app().await?;
    let tx = TenantTx::begin(&mut client, tenant).await?;
    Ok(head_get(&tx, tenant).await?)
}

/// Walks a tenant's chain to its end as it is now, a part at a time: what is written meanwhile is not waited for.
async fn walk(db: &Database, verifier: &mut Verifier, tenant: TenantId) -> Result<Result<(), Broken>> {
    let head = head(db, tenant).await?;
    loop {
        let entries = read(db, tenant, (verifier.held().sequence, head.sequence)).await?;
        if entries.is_empty() {
            return Ok(verifier.end(Known { sequence: head.sequence, hash: head.hash }, head.last));
        }
        if let Err(broken) = entries.iter().try_for_each(|entry| verifier.take(entry)) {
            return Ok(Err(broken));
        }
    }
}

/// How far an export is.
struct Export {
    db: Database,
    tenant: TenantId,
    after: i64,
    up_to: i64,
    previous: Hash,
}

impl Export {
    async fn begin(db: &Database, tenant: TenantId, start: i64) -> Result<Self> {
        let up_to = head(db, tenant).await?.sequence;
        let after = start.max(1) - 1;
        let before = read(db, tenant, (after.saturating_sub(1), after.min(up_to))).await?;
        let previous = before.first().map_or(FIRST, |entry| entry.hash);
        Ok(Self { db: db.clone(), tenant, after, up_to, previous })
    }

    /// The next part; none at the end.
    async fn next(mut self) -> Result<Option<(ExportAuditLogResponse, Self)>, Status> {
        let entries = read(&self.db, self.tenant, (self.after, self.up_to)).await?;
        let Some(last) = entries.last() else { return Ok(None) };
        let previous_hash = self.previous.to_vec();
        (self.after, self.previous) = (last.sequence, last.hash);
        let audit_entries = entries.into_iter().map(encode).collect();
        Ok(Some((ExportAuditLogResponse { audit_entries, previous_hash }, self)))
    }
}

#[tonic::async_trait]
impl AuditService for Api {
    type ExportAuditLogStream = BoxStream<'static, Result<ExportAuditLogResponse, Status>>;

    async fn list_audit_entries(
        &self,
        request: Request<ListAuditEntriesRequest>,
    ) -> Result<Response<ListAuditEntriesResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let tenant = tenant_of_parent(caller, &request.parent)?;
        let times = (
            time(request.start_time, ALWAYS.0, "start_time")?,
            time(request.end_time, ALWAYS.1, "end_time")?,
        );
        let scope = format!("audit {} {times:?} {} {}", request.parent, request.caller, request.method);
        let ask = page::Request { size: request.page_size, token: &request.page_token, scope };
        let page = ask.page::<i64>()?;
        let wanted = Wanted {
            sequences: (page.after, i64::MAX),
            times,
            caller: &request.caller,
            method: &request.method,
            limit: page.limit,
            bytes: FULL_BYTES,
        };
        let mut client = self.db.app().await?;
        let tx = TenantTx::begin(&mut client, tenant).await?;
        let mut rows = entries_list(&tx, tenant, &wanted).await?;
        let bytes: usize =
            rows.iter().map(|entry| entry.record.before.len() + entry.record.after.len()).sum();
        let full = i64::try_from(bytes).is_ok_and(|bytes| bytes >= FULL_BYTES);
        let last = rows.last().filter(|_| full).map(|entry| ask.token_after(&entry.sequence));
        let mut next_page_token = ask.finish(&mut rows, &page, |entry| entry.sequence);
        if next_page_token.is_empty() {
            next_page_token = last.unwrap_or_default();
        }
        let audit_entries = rows.into_iter().map(encode).collect();
        Ok(Response::new(ListAuditEntriesResponse { audit_entries, next_page_token }))
    }

    async fn export_audit_log(
        &self,
        request: Request<ExportAuditLogRequest>,
    ) -> Result<Response<Self::ExportAuditLogStream>, Status> {
        let caller = caller(&request)?;
        let ExportAuditLogRequest { parent, start_sequence } = request.into_inner();
        let tenant = tenant_of_parent(caller, &parent)?;
        if start_sequence < 0 {
            return Err(Error::invalid("start_sequence", "must not be negative").into());
        }
        let export = Export::begin(&self.db, tenant, start_sequence).await?;
        Ok(Response::new(try_unfold(export, Export::next).boxed()))
    }

    async fn verify_audit_log(
        &self,
        request: Request<VerifyAuditLogRequest>,
    ) -> Result<Response<VerifyAuditLogResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let tenant = tenant_of_parent(caller, &request.parent)?;
        let known = known(request.known_sequence, &request.known_hash)?;
        let mut verifier = Verifier::new(tenant, known);
        let walked = walk(&self.db, &mut verifier, tenant).await?;
        let held = verifier.held();
        let answer =
            VerifyAuditLogResponse { entry_count: held.sequence, ..VerifyAuditLogResponse::default() };
        Ok(Response::new(match walked {
            Ok(()) => VerifyAuditLogResponse { valid: true, hash: held.hash.to_vec(), ..answer },
            Err(Broken { sequence, fault }) => VerifyAuditLogResponse {
                broken_sequence: sequence,
                fault: encode_fault(fault).into(),
                ..answer
            },
        }))
    }
}
