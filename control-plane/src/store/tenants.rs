//! Tenants.

use deadpool_postgres::Transaction;
use muster_domain::id::TenantId;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::db::{Micros, Result, SystemTx};
use crate::hours::Window;
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
}

impl TenantState {
    /// How the database numbers it.
    pub(crate) fn code(self) -> i16 {
        match self {
            Self::Active => 1,
            Self::Suspended => 2,
            Self::Deleted => 3,
        }
    }

    /// The state with this number; one that is unknown may not work.
    pub(crate) fn from_code(code: i16) -> Self {
        match code {
            1 => Self::Active,
            2 => Self::Suspended,
            _ => Self::Deleted,
        }
    }
}

/// A tenant.
pub(crate) struct Tenant {
    pub(crate) id: TenantId,
    pub(crate) display_name: String,
    pub(crate) broadcast_allowed: bool,
    pub(crate) create_time: Micros,
}

impl From<Row> for Tenant {
    fn from(row: Row) -> Self {
        Self {
            id: TenantId(row.get("id")),
            display_name: row.get("display_name"),
            broadcast_allowed: row.get("broadcast_allowed"),
            create_time: row.get("create_time"),
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

pub(crate) async fn tenant_get(tx: &SystemTx<'_>, id: TenantId) -> Result<Option<Tenant>> {
    let sql = include_str!("tenants/tenant_get.sql");
    Ok(query_opt(tx, sql, &[&id.0]).await?.map(Tenant::from))
}

/// A tenant that is pinned to an issuer and one of some audiences.
pub(crate) struct Pinned {
    pub(crate) tenant: TenantId,
    pub(crate) state: TenantState,
    pub(crate) audience: String,
}

/// The tenants that are pinned to `issuer` and one of `audiences`.
pub(crate) async fn tenants_by_pin(
    tx: &SystemTx<'_>,
    issuer: &str,
    audiences: &[String],
) -> Result<Vec<Pinned>> {
    let rows = query(tx, include_str!("tenants/tenants_by_pin.sql"), &[&issuer, &audiences]).await?;
    let pinned = rows.into_iter().map(|row| Pinned {
        tenant: TenantId(row.get("id")),
        state: TenantState::from_code(row.get("state")),
        audience: row.get("oidc_audience"),
    });
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

pub(crate) async fn tenants_list(tx: &SystemTx<'_>, page: &Page<Uuid>) -> Result<Vec<Tenant>> {
    let sql = include_str!("tenants/tenants_list.sql");
    Ok(query(tx, sql, &[&page.after, &page.limit]).await?.into_iter().map(Tenant::from).collect())
}
