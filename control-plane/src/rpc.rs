//! The API: each service decodes a request, checks it, asks the store, and encodes the answer.

pub(crate) mod access;
pub(crate) mod api_keys;
pub(crate) mod audit;
pub(crate) mod campaigns;
pub(crate) mod claims;
pub(crate) mod contact_lists;
pub(crate) mod conversations;
pub(crate) mod directory;
pub(crate) mod inquiries;
pub(crate) mod internal;
pub(crate) mod media;
pub(crate) mod members;
pub(crate) mod messages;
pub(crate) mod numbers;
mod page;
pub(crate) mod provider_accounts;
pub(crate) mod roles;
pub(crate) mod routes;
pub(crate) mod tenants;
pub(crate) mod texting;

use std::sync::Arc;

use muster_domain::id::TenantId;
use muster_runtime::access::Caller;
use muster_runtime::access::layer::Call;
use muster_runtime::objects::Objects;
use muster_runtime::supervise::Tasks;
use muster_runtime::{Error, Result, clock, name};
use prost_types::{FieldMask, Timestamp};
use tonic::Request;
use uuid::Uuid;

use crate::config::Config;
use crate::db::{Database, Micros, TenantTx};
use crate::hours::Window;
use crate::nudge::Nudges;
use crate::oidc::Verifier;
use crate::quota::Quotas;
use crate::secrets::Secrets;
use crate::store::tenants::{TenantState, tenant_lock};

/// The longest display name, in characters.
const DISPLAY_NAME_CHARS_MAX: usize = 200;

/// What every service of the API needs.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) db: Database,
    pub(crate) secrets: Secrets,
    pub(crate) nudges: Arc<Nudges>,
    pub(crate) config: Arc<Config>,
    pub(crate) verifier: Verifier,
    /// The platform's hours.
    pub(crate) hours: Window,
    pub(crate) tasks: Tasks,
    /// Where media of replies are.
    pub(crate) objects: Objects,
}

/// Who is calling. The access layer has put it there; without it, nothing runs.
fn caller<T>(request: &Request<T>) -> Result<Caller> {
    Ok(Call::of(request)?.caller)
}

/// The tenant that `parent` names, where the caller may act for it.
fn tenant_of_parent(caller: Caller, parent: &str) -> Result<TenantId> {
    let [tenant] = name::parse("tenants/*", parent, "parent")?;
    caller.tenant(tenant, parent)
}

/// The tenant and the id that a name of two ids holds, where the caller may act for that tenant.
fn resource(caller: Caller, pattern: &str, text: &str, field: &str) -> Result<(TenantId, Uuid)> {
    let [tenant, id] = name::parse(pattern, text, field)?;
    Ok((caller.tenant(tenant, text)?, id))
}

/// The id of a resource that a request refers to, which must be of `tenant`: another's is refused like what is not there.
fn reference(tenant: TenantId, pattern: &str, text: &str, field: &str) -> Result<Uuid> {
    let [owner, id] = name::parse(pattern, text, field)?;
    if owner == tenant.0 { Ok(id) } else { Err(missing(field, text)) }
}

/// Refuses a reference to what is not there.
fn missing(field: &str, text: &str) -> Error {
    Error::invalid(field, format!("{text} was not found"))
}

fn display_name(text: &str, field: &str) -> Result<String> {
    let text = text.trim();
    let length = text.chars().count();
    if (1..=DISPLAY_NAME_CHARS_MAX).contains(&length) && !text.contains(char::is_control) {
        Ok(text.to_owned())
    } else {
        Err(Error::invalid(
            field,
            format!("must have 1 to {DISPLAY_NAME_CHARS_MAX} characters, none of them a control character"),
        ))
    }
}

/// The tenant, locked, of which something is about to be created: what is counted then, and looked up, stays so until this
/// transaction ends. An operator can name a tenant that is not there.
async fn counted(tx: &TenantTx<'_>, tenant: TenantId, parent: &str) -> Result<Quotas> {
    let found = tenant_lock(tx, tenant).await?.filter(|tenant| tenant.state != TenantState::Purged);
    Ok(found.ok_or_else(|| Error::not_found(parent))?.quotas)
}

fn required<T>(value: Option<T>, field: &str) -> Result<T> {
    value.ok_or_else(|| Error::invalid(field, "is required"))
}

/// A time to come, at most `most_s` seconds after `now`.
fn later(time: Timestamp, now: Micros, most_s: i64, field: &str) -> Result<Micros> {
    match clock::micros(time) {
        Some(us) if us > now.0 && us <= now.0.saturating_add(most_s * 1_000_000) => Ok(Micros(us)),
        _ => {
            Err(Error::invalid(field, format!("must be to come, at most {} days from now", most_s / 86_400)))
        }
    }
}

/// The fields to change, of those that may be: the ones in `mask` or, without one, those that are `set` (AIP-134).
fn masked<'a>(mask: Option<FieldMask>, mutable: &[&'a str], set: &[bool]) -> Result<Vec<&'a str>> {
    let Some(mask) = mask else {
        return Ok(mutable.iter().zip(set).filter(|(_, set)| **set).map(|(path, _)| *path).collect());
    };
    if mask.paths == ["*"] {
        return Ok(mutable.to_vec());
    }
    let known = |path: &String| {
        let found = mutable.iter().copied().find(|mutable| mutable == path);
        found.ok_or_else(|| Error::invalid("update_mask", format!("{path} cannot be changed")))
    };
    mask.paths.iter().map(known).collect()
}
