//! Tenants: their state, settings and quotas.

use deadpool_postgres::Transaction;
use muster_domain::id::TenantId;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::db::{Micros, Result, SystemTx, TenantTx};
use crate::hours::Window;
use crate::quota::{Quota, Quotas};
use crate::store::{Page, query, query_one, query_opt};

/// Whether a tenant may work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TenantState {
    /// It may.
    Active,
    /// It may not, until it is resumed: nobody signs in, and nothing is sent.
    Suspended,
    /// It may not, and will be purged.
    Deleted,
    /// Its rows are gone, or are just going.
    Purged,
}

impl TenantState {
    /// How the database and the API number it.
    pub(crate) fn code(self) -> i16 {
        match self {
            Self::Active => 1,
            Self::Suspended => 2,
            Self::Deleted => 3,
            Self::Purged => 4,
        }
    }

    /// The state with this number; one that is unknown may not work.
    pub(crate) fn from_code(code: i16) -> Self {
        match code {
            1 => Self::Active,
            2 => Self::Suspended,
            3 => Self::Deleted,
            _ => Self::Purged,
        }
    }
}

/// A tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tenant {
    pub(crate) id: TenantId,
    pub(crate) display_name: String,
    pub(crate) broadcast_allowed: bool,
    pub(crate) create_time: Micros,
    pub(crate) state: TenantState,
    /// Grows with every change.
    pub(crate) revision: i64,
    pub(crate) suspend_reason: String,
    /// Stays over a deletion, so that undeleting does not resume.
    pub(crate) suspend_time: Option<Micros>,
    pub(crate) delete_time: Option<Micros>,
    pub(crate) purge_time: Option<Micros>,
    /// The pool of campaigns that name none.
    pub(crate) default_pool: Option<Uuid>,
    /// The hours in which its texts may go out, beside the platform's.
    pub(crate) hours: Window,
    /// How many days what is personal in finished work is kept; 0 where the platform's apply.
    pub(crate) retention_days: i32,
    pub(crate) quotas: Quotas,
    pub(crate) identity_provider: Option<IdentityProvider>,
}

/// Whose tokens a tenant's people sign in with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IdentityProvider {
    pub(crate) issuer: String,
    pub(crate) audience: String,
}

impl From<Row> for Tenant {
    fn from(row: Row) -> Self {
        let issuer: Option<String> = row.get("oidc_issuer");
        let audience: Option<String> = row.get("oidc_audience");
        Self {
            id: TenantId(row.get("id")),
            display_name: row.get("display_name"),
            broadcast_allowed: row.get("broadcast_allowed"),
            create_time: row.get("create_time"),
            state: TenantState::from_code(row.get("state")),
            revision: row.get("revision"),
            suspend_reason: row.get("suspend_reason"),
            suspend_time: row.get("suspend_time"),
            delete_time: row.get("delete_time"),
            purge_time: row.get("purge_time"),
            default_pool: row.get("default_pool_id"),
            hours: Window::from(&row),
            retention_days: row.get("retention_days"),
            quotas: Quotas(Quota::ALL.map(|quota| row.get(quota.name()))),
            identity_provider: issuer
                .zip(audience)
                .map(|(issuer, audience)| IdentityProvider { issuer, audience }),
        }
    }
}

pub(crate) async fn tenant_insert(
    tx: &SystemTx<'_>,
    id: TenantId,
    display_name: &str,
    broadcast_allowed: bool,
) -> Result<Tenant> {
    let sql = include_str!("tenants/tenant_insert.sql");
    Ok(query_one(tx, sql, &[&id.0, &display_name, &broadcast_allowed]).await?.into())
}

pub(crate) async fn tenant_get(tx: &Transaction<'_>, id: TenantId) -> Result<Option<Tenant>> {
    let sql = include_str!("tenants/tenant_get.sql");
    Ok(query_opt(tx, sql, &[&id.0]).await?.map(Tenant::from))
}

/// A tenant that is pinned to an issuer and one of some audiences.
pub(crate) struct Pinned {
    pub(crate) tenant: TenantId,
    pub(crate) audience: String,
}

/// The tenants that are pinned to `issuer` and one of `audiences`.
pub(crate) async fn tenants_by_pin(
    tx: &SystemTx<'_>,
    issuer: &str,
    audiences: &[String],
) -> Result<Vec<Pinned>> {
    let rows = query(tx, include_str!("tenants/tenants_by_pin.sql"), &[&issuer, &audiences]).await?;
    let pinned = rows
        .into_iter()
        .map(|row| Pinned { tenant: TenantId(row.get("id")), audience: row.get("oidc_audience") });
    Ok(pinned.collect())
}

/// The hours in which a tenant's texts may go out; none where there is no such tenant.
pub(crate) async fn tenant_window(tx: &Transaction<'_>, id: Uuid) -> Result<Window> {
    let row = query_opt(tx, include_str!("tenants/tenant_window.sql"), &[&id]).await?;
    Ok(row.as_ref().map_or(Window { open: 0, close: 0 }, Window::from))
}

impl From<&Row> for Window {
    fn from(row: &Row) -> Self {
        Self { open: row.get("open_minute"), close: row.get("close_minute") }
    }
}

/// A tenant, which nobody else changes until this transaction ends; and nobody else adds to what its quotas count.
pub(crate) async fn tenant_lock(tx: &TenantTx<'_>, id: TenantId) -> Result<Option<Tenant>> {
    let sql = include_str!("tenants/tenant_lock.sql");
    Ok(query_opt(tx, sql, &[&id.0]).await?.map(Tenant::from))
}

/// Tenants up to the state `last`.
pub(crate) async fn tenants_list(
    tx: &SystemTx<'_>,
    page: &Page<Uuid>,
    last: TenantState,
) -> Result<Vec<Tenant>> {
    let sql = include_str!("tenants/tenants_list.sql");
    let rows = query(tx, sql, &[&page.after, &page.limit, &last.code()]).await?;
    Ok(rows.into_iter().map(Tenant::from).collect())
}

/// Writes all that can change of a tenant, under the lock, and gives it its next revision.
pub(crate) async fn tenant_update(tx: &TenantTx<'_>, tenant: &mut Tenant) -> Result<()> {
    let state = tenant.state.code();
    let issuer = tenant.identity_provider.as_ref().map(|provider| &provider.issuer);
    let audience = tenant.identity_provider.as_ref().map(|provider| &provider.audience);
    let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![
        &tenant.id.0,
        &tenant.display_name,
        &tenant.broadcast_allowed,
        &state,
        &tenant.suspend_reason,
        &tenant.suspend_time,
        &tenant.delete_time,
        &tenant.purge_time,
        &tenant.default_pool,
    ];
    parameters.extend(tenant.quotas.0.iter().map(|own| own as &(dyn ToSql + Sync)));
    parameters.extend([&issuer as &(dyn ToSql + Sync), &audience, &tenant.hours.open, &tenant.hours.close]);
    parameters.push(&tenant.retention_days);
    let sql = include_str!("tenants/tenant_update.sql");
    let revision = query_one(tx, sql, &parameters).await?.get("revision");
    tenant.revision = revision;
    Ok(())
}
