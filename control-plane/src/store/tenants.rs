//! Tenants and their keys.

use muster_domain::id::TenantId;
use muster_runtime::key::KeyHash;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::db::{Micros, Result, SystemTx};
use crate::store::{Page, execute, query, query_one, query_opt};

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

/// Replaces the tenant's key. Returns whether there is such a tenant.
pub(crate) async fn tenant_key_set(tx: &SystemTx<'_>, id: TenantId, key: KeyHash) -> Result<bool> {
    let sql = include_str!("tenants/tenant_key_set.sql");
    Ok(execute(tx, sql, &[&id.0, &&key.0[..]]).await? == 1)
}

pub(crate) async fn tenant_by_key(tx: &SystemTx<'_>, key: KeyHash) -> Result<Option<TenantId>> {
    let sql = include_str!("tenants/tenant_by_key.sql");
    Ok(query_opt(tx, sql, &[&&key.0[..]]).await?.map(|row| TenantId(row.get(0))))
}
