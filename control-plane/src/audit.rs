//! The audit log: what every call changed, in the same transaction as the change, and which calls were refused.
//!
//! A handler gets an [`Act`] from its request, and makes a [`Change`] of it, without which a tenant's transaction cannot
//! be committed. What ends without a change is heard by the [layer](layer) and written a moment later by the
//! [keeper](keeper).

pub(crate) mod chain;
mod json;
pub(crate) mod keeper;
pub(crate) mod layer;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use deadpool_postgres::Transaction;
use muster_domain::id::TenantId;
use muster_runtime::access::Caller;
use muster_runtime::access::layer::Call;
use muster_runtime::access::table::Rule;
use muster_runtime::tls::Peer;
use muster_runtime::{Error, Result, name};
use prost::{Message, Name};
use tonic::{Code, Request};

use self::chain::Record;
use crate::db::{self, Micros};
use crate::store::audit::{entries_append, head_advance};

/// What is known of a call while it runs; the layer and the handler share it.
pub(crate) struct Trail {
    rule: &'static Rule,
    resource: OnceLock<String>,
    recorded: AtomicBool,
}

impl Trail {
    fn new(rule: &'static Rule) -> Self {
        Self { rule, resource: OnceLock::new(), recorded: AtomicBool::new(false) }
    }

    fn of<T>(request: &Request<T>) -> Result<Arc<Self>> {
        let trail = request.extensions().get::<Arc<Self>>();
        trail.cloned().ok_or_else(|| Error::internal("the call did not come through the audit layer"))
    }

    /// Notes which resource the call names. It is not checked yet, and kept only where it has the form of a name: what else
    /// somebody writes into such a field is nobody's business.
    fn note(&self, resource: String) {
        if self.rule.about.is_some_and(|about| name::fits(about.pattern, &resource)) {
            let _ = self.resource.set(resource);
        }
    }

    /// Notes which resource a request names that no service has seen, as far as its beginning tells.
    fn note_unseen(&self, beginning: &[u8]) {
        if let Some(about) = self.rule.about
            && self.resource.get().is_none()
            && let Some(resource) = json::text_in(self.rule, about.field, beginning)
        {
            self.note(resource);
        }
    }

    fn resource(&self) -> &str {
        self.resource.get().map_or("", String::as_str)
    }

    fn record(&self, caller: String, address: Option<SocketAddr>, result: Code) -> Record {
        Record {
            time: Micros::now(),
            caller,
            method: format!("{}/{}", self.rule.service, self.rule.method),
            resource: self.resource().to_owned(),
            address: address.map_or_else(String::new, |address| address.ip().to_canonical().to_string()),
            before: String::new(),
            after: String::new(),
            result: code_name(result).to_owned(),
        }
    }
}

/// A call that is about to change something: who makes it, what it is, and where it comes from.
#[derive(Clone)]
pub(crate) struct Act {
    caller: String,
    address: Option<SocketAddr>,
    trail: Arc<Trail>,
}

impl Act {
    /// The call that `request` is of, with who makes it.
    pub(crate) fn of<T: Message + Name>(request: &Request<T>) -> Result<(Caller, Self)> {
        let (caller, act) = Self::of_stream(request)?;
        if let Some(about) = act.trail.rule.about {
            act.note(json::text_at(request.get_ref(), about.field)?);
        }
        Ok((caller, act))
    }

    /// The same where the request is a stream. Which resource it names is noted when that is known.
    pub(crate) fn of_stream<T>(request: &Request<T>) -> Result<(Caller, Self)> {
        let &Call { caller, address, .. } = Call::of(request)?;
        Ok((caller, Self { caller: caller.name(), address, trail: Trail::of(request)? }))
    }

    /// The call of somebody who has no credential yet, and who is called `caller` from now on.
    pub(crate) fn of_newcomer<T>(request: &Request<T>, caller: String) -> Result<Self> {
        let address = request.extensions().get::<Peer>().and_then(|peer| peer.address);
        Ok(Self { caller, address, trail: Trail::of(request)? })
    }

    /// Notes which resource the call names.
    pub(crate) fn note(&self, resource: String) {
        self.trail.note(resource);
    }

    /// The call has changed `resource`.
    pub(crate) fn about(self, resource: impl Into<String>) -> Change {
        let record = self.trail.record(self.caller, self.address, Code::Ok);
        Change { record: Record { resource: resource.into(), ..record }, trail: self.trail }
    }

    /// The call has created `after`, which has a name.
    pub(crate) fn created<M: Message + Name>(self, after: &M) -> Result<Change> {
        self.about(json::text_at(after, "name")?).after(after)
    }

    /// The call has made `after`, which has a name, of `before`.
    pub(crate) fn changed<M: Message + Name>(self, before: &M, after: &M) -> Result<Change> {
        self.created(after)?.before(before)
    }

    /// The call has deleted `before`, which has a name.
    pub(crate) fn deleted<M: Message + Name>(self, before: &M) -> Result<Change> {
        self.about(json::text_at(before, "name")?).before(before)
    }
}

/// What a call has changed, to be committed together with it.
#[must_use]
pub(crate) struct Change {
    record: Record,
    trail: Arc<Trail>,
}

impl Change {
    /// What was there before.
    pub(crate) fn before<M: Message + Name>(mut self, message: &M) -> Result<Self> {
        self.record.before = json::json(message)?;
        Ok(self)
    }

    /// What is there after it.
    pub(crate) fn after<M: Message + Name>(mut self, message: &M) -> Result<Self> {
        self.record.after = json::json(message)?;
        Ok(self)
    }

    /// The call ends with this code, though it has changed something.
    pub(crate) fn result(mut self, code: Code) -> Self {
        self.record.result = code_name(code).to_owned();
        self
    }

    /// Writes the entry into `tx`, as the last thing before its commit: from here on every other change of the tenant's waits.
    pub(crate) async fn write(&self, tx: &Transaction<'_>, tenant: TenantId) -> db::Result<()> {
        match append(tx, tenant, vec![self.record.clone()]).await? {
            true => Ok(()),
            false => Err(db::Error::NoTenant),
        }
    }

    /// The entry was committed: nothing more is to be kept of the call.
    pub(crate) fn recorded(&self) {
        self.trail.recorded.store(true, Ordering::Relaxed);
    }
}

/// Appends records to a tenant's chain. False where there is no such tenant.
async fn append(tx: &Transaction<'_>, tenant: TenantId, records: Vec<Record>) -> db::Result<bool> {
    let count = i64::try_from(records.len()).unwrap_or(i64::MAX);
    let Some((sequence, previous)) = head_advance(tx, tenant, count).await? else { return Ok(false) };
    entries_append(tx, tenant, &chain::link(tenant, sequence, previous, records)).await?;
    Ok(true)
}

/// A code as google.rpc.Code names it.
fn code_name(code: Code) -> &'static str {
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
