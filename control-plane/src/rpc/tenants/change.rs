//! What an update changes of a tenant, and which of it is the operator's alone. Pure.

use muster_proto::v1::{IdentityProvider, SendingHours, Tenant as Wanted, TenantQuotas, TenantSettings};
use muster_runtime::access::Caller;
use muster_runtime::{Error, Result};
use prost_types::FieldMask;

use super::POOL;
use crate::config::RETENTION_DAYS_MIN;
use crate::hours::{Window, minute};
use crate::quota::{Quota, Quotas};
use crate::rpc::{display_name, masked, reference};
use crate::store::tenants::{self, Tenant, TenantState};

/// What an update may change: first whole fields, then fields of these.
const MUTABLE: [&str; 16] = [
    "display_name",
    "settings",
    "broadcast_allowed",
    "quotas",
    "identity_provider",
    "settings.default_number_pool",
    "settings.sending_hours",
    "settings.retention_days",
    "quotas.texts_per_day",
    "quotas.segments_per_second",
    "quotas.api_calls_per_second",
    "quotas.contact_lists_max",
    "quotas.contacts_per_list_max",
    "quotas.import_rows_max",
    "quotas.members_max",
    "quotas.api_keys_max",
];
/// The default pool's path in the request.
pub(super) const DEFAULT_POOL: &str = "tenant.settings.default_number_pool";
/// The hours' path in the request.
pub(super) const HOURS: &str = "tenant.settings.sending_hours";
/// The shortest hours, in minutes: an area code's people can live in several time zones, whose hours must have some in
/// common.
const HOURS_MIN: i16 = 4 * 60;
/// The retention's path in the request.
pub(super) const RETENTION: &str = "tenant.settings.retention_days";
/// The longest retention, in days: a hundred years.
const RETENTION_DAYS_MAX: i32 = 36_500;
/// The largest number of a quota: far above any use, and far below where sums could overflow.
const QUOTA_MAX: i64 = 1_000_000_000_000;
/// The longest issuer or audience, in bytes.
const ISSUER_BYTES_MAX: usize = 500;

/// The fields to change.
pub(super) fn paths(mask: Option<FieldMask>, wanted: &Wanted) -> Result<Vec<&'static str>> {
    let set = [
        !wanted.display_name.is_empty(),
        wanted.settings.is_some(),
        wanted.broadcast_allowed,
        wanted.quotas.is_some(),
        wanted.identity_provider.is_some(),
    ];
    masked(mask, &MUTABLE, &set)
}

/// Changes these fields of `tenant` to what is wanted.
pub(super) fn apply(tenant: &mut Tenant, wanted: &Wanted, paths: &[&str]) -> Result<()> {
    if tenant.state == TenantState::Purged {
        return Err(Error::precondition("TENANT_STATE", "the tenant is purged"));
    }
    for path in paths {
        match path.split_once('.').unwrap_or((path, "")) {
            ("display_name", _) => {
                tenant.display_name = display_name(&wanted.display_name, "tenant.display_name")?;
            }
            ("broadcast_allowed", _) => tenant.broadcast_allowed = wanted.broadcast_allowed,
            ("identity_provider", _) => {
                tenant.identity_provider = identity_provider(wanted.identity_provider.as_ref())?;
            }
            ("quotas", only) => quotas(&mut tenant.quotas, wanted.quotas.unwrap_or_default(), only)?,
            ("settings", only) => settings(tenant, wanted.settings.as_ref(), only)?,
            (other, _) => return Err(Error::invalid("update_mask", format!("{other} cannot be changed"))),
        }
    }
    Ok(())
}

/// Changes all settings, or `only` the one of this name.
fn settings(tenant: &mut Tenant, wanted: Option<&TenantSettings>, only: &str) -> Result<()> {
    let changes = |setting| only.is_empty() || only == setting;
    if changes("default_number_pool") {
        let pool = wanted.map_or("", |settings| &settings.default_number_pool);
        let pool = (!pool.is_empty()).then(|| reference(tenant.id, POOL, pool, DEFAULT_POOL));
        tenant.default_pool = pool.transpose()?;
    }
    if changes("sending_hours") {
        let wanted = wanted.and_then(|settings| settings.sending_hours.as_ref());
        tenant.hours = wanted.map_or(Ok(Window::ALL_DAY), hours)?;
    }
    if changes("retention_days") {
        tenant.retention_days = retention_days(wanted.map_or(0, |settings| settings.retention_days))?;
    }
    Ok(())
}

fn retention_days(days: i32) -> Result<i32> {
    if days == 0 || (RETENTION_DAYS_MIN..=RETENTION_DAYS_MAX).contains(&days) {
        return Ok(days);
    }
    let bounds = format!("must be {RETENTION_DAYS_MIN} to {RETENTION_DAYS_MAX}, or 0 for the platform's");
    Err(Error::invalid(RETENTION, bounds))
}

fn hours(wanted: &SendingHours) -> Result<Window> {
    let read = |text: &str, end: &str| {
        let time = minute(text);
        time.ok_or_else(|| Error::invalid(format!("{HOURS}.{end}"), "must be a time of day such as 09:00"))
    };
    let window = Window { open: read(&wanted.open, "open")?, close: read(&wanted.close, "close")? };
    if window.close - window.open < HOURS_MIN {
        return Err(Error::invalid(HOURS, format!("must be at least {} hours long", HOURS_MIN / 60)));
    }
    Ok(window)
}

/// Refuses to let anybody but an operator change what is the operator's.
pub(super) fn allowed(caller: Caller, before: &Tenant, after: &Tenant) -> Result<()> {
    let operators = [
        ("broadcast_allowed", before.broadcast_allowed != after.broadcast_allowed),
        ("quotas", before.quotas != after.quotas),
        ("identity_provider", before.identity_provider != after.identity_provider),
    ];
    match operators.into_iter().find(|(_, changed)| *changed) {
        Some((field, _)) if caller != Caller::Operator => {
            Err(Error::forbidden(format!("tenant.{field}: only an operator may change this")))
        }
        Some(_) | None => Ok(()),
    }
}

/// Changes all quotas, or `only` the one of this name.
fn quotas(quotas: &mut Quotas, wanted: TenantQuotas, only: &str) -> Result<()> {
    for quota in Quota::ALL.into_iter().filter(|quota| only.is_empty() || only == quota.name()) {
        let number = match quota {
            Quota::TextsPerDay => wanted.texts_per_day,
            Quota::SegmentsPerSecond => wanted.segments_per_second,
            Quota::ApiCallsPerSecond => wanted.api_calls_per_second,
            Quota::ContactLists => wanted.contact_lists_max,
            Quota::ContactsPerList => wanted.contacts_per_list_max,
            Quota::ImportRows => wanted.import_rows_max,
            Quota::Members => wanted.members_max,
            Quota::ApiKeys => wanted.api_keys_max,
        };
        if !(0..=QUOTA_MAX).contains(&number) {
            let field = format!("tenant.quotas.{}", quota.name());
            return Err(Error::invalid(field, format!("must be 0 to {QUOTA_MAX}")));
        }
        quotas.set(quota, number);
    }
    Ok(())
}

fn identity_provider(wanted: Option<&IdentityProvider>) -> Result<Option<tenants::IdentityProvider>> {
    let Some(IdentityProvider { issuer, audience }) = wanted else { return Ok(None) };
    if issuer.is_empty() && audience.is_empty() {
        return Ok(None);
    }
    let printable = |text: &str| {
        (1..=ISSUER_BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
    };
    let url = issuer.starts_with("https://") || issuer.starts_with("http://");
    let wrong = |field: &str, message: &str| {
        Err(Error::invalid(format!("tenant.identity_provider.{field}"), message))
    };
    if !url || !printable(issuer) {
        return wrong("issuer", "must be an https URL of at most 500 visible ASCII characters");
    }
    if !printable(audience) {
        return wrong("audience", "must have 1 to 500 visible ASCII characters");
    }
    Ok(Some(tenants::IdentityProvider { issuer: issuer.clone(), audience: audience.clone() }))
}
