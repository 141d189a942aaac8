//! Tenants.

use muster_domain::id::TenantId;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::db::{Micros, Result, SystemTx};
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

pub(crate) async fn tenants_list(tx: &SystemTx<'_>, page: &Page<Uuid>) -> Result<Vec<Tenant>> {
    let sql = include_str!("tenants/tenants_list.sql");
    Ok(query(tx, sql, &[&page.after, &page.limit]).await?.into_iter().map(Tenant::from).collect())
}
