//! API keys and the hashes of their secrets.

use deadpool_postgres::Transaction;
use muster_domain::id::{ApiKeyId, MemberId, TenantId};
use muster_runtime::access::{Actor, Principal};
use muster_runtime::key::KeyHash;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::db::{Micros, Result, SystemTx, TenantTx};
use crate::store::roles::{RoleRef, permissions_from, role_permissions};
use crate::store::tenants::TenantState;
use crate::store::{Page, execute, query, query_one, query_opt};

/// How often it is noted that a key was used.
const USE_NOTED_US: i64 = 60_000_000;

/// A key, without its secret.
#[derive(Clone)]
pub(crate) struct ApiKey {
    pub(crate) id: Uuid,
    pub(crate) display_name: String,
    /// The member whose personal key it is.
    pub(crate) member: Option<Uuid>,
    /// The role of any other.
    pub(crate) role: Option<RoleRef>,
    /// Names of permissions; none: all of the role's.
    pub(crate) scopes: Vec<String>,
    /// The end of its secret.
    pub(crate) hint: String,
    pub(crate) expire_time: Option<Micros>,
    pub(crate) last_use_time: Option<Micros>,
    pub(crate) create_time: Micros,
}

impl From<Row> for ApiKey {
    fn from(row: Row) -> Self {
        Self {
            role: RoleRef::from_columns(&row),
            id: row.get("id"),
            display_name: row.get("display_name"),
            member: row.get("member_id"),
            scopes: row.get("scopes"),
            hint: row.get("hint"),
            expire_time: row.get("expire_time"),
            last_use_time: row.get("last_use_time"),
            create_time: row.get("create_time"),
        }
    }
}

/// Whom a secret belongs to, or a subject.
pub(crate) struct Holder {
    pub(crate) principal: Principal,
    pub(crate) tenant_state: TenantState,
}

pub(crate) async fn key_insert(tx: &TenantTx<'_>, tenant: Uuid, key: &ApiKey, secret: KeyHash) -> Result<()> {
    let (built_in, own) = key.role.map_or((None, None), RoleRef::columns);
    let ApiKey { id, display_name, member, scopes, hint, expire_time, create_time, .. } = key;
    let sql = include_str!("keys/key_insert.sql");
    execute(
        tx,
        sql,
        &[id, &tenant, display_name, member, &built_in, &own, scopes, hint, expire_time, create_time],
    )
    .await?;
    secret_insert(tx, tenant, *id, secret).await
}

async fn secret_insert(tx: &TenantTx<'_>, tenant: Uuid, key: Uuid, secret: KeyHash) -> Result<()> {
    execute(tx, include_str!("keys/secret_insert.sql"), &[&&secret.0[..], &tenant, &key]).await?;
    Ok(())
}

/// A key, which nobody else changes until this transaction ends.
pub(crate) async fn key_get(tx: &TenantTx<'_>, id: Uuid) -> Result<Option<ApiKey>> {
    Ok(query_opt(tx, include_str!("keys/key_get.sql"), &[&id]).await?.map(ApiKey::from))
}

/// How many personal keys a member has.
pub(crate) async fn keys_of_member_count(tx: &TenantTx<'_>, member: Uuid) -> Result<i64> {
    Ok(query_one(tx, include_str!("keys/keys_of_member_count.sql"), &[&member]).await?.get(0))
}

/// How many keys the tenant has, personal ones apart.
pub(crate) async fn keys_count(tx: &Transaction<'_>, tenant: Uuid) -> Result<i64> {
    Ok(query_one(tx, include_str!("keys/keys_count.sql"), &[&tenant]).await?.get(0))
}

/// A tenant's keys; of one member only, where one is given.
pub(crate) async fn keys_list(
    tx: &TenantTx<'_>,
    member: Option<Uuid>,
    page: &Page<Uuid>,
) -> Result<Vec<ApiKey>> {
    let sql = include_str!("keys/keys_list.sql");
    let rows = query(tx, sql, &[&page.after, &page.limit, &member]).await?;
    Ok(rows.into_iter().map(ApiKey::from).collect())
}

/// Gives a key a new secret. The one before is good until `old_until`, where that is after `now`.
pub(crate) async fn key_rotate(
    tx: &TenantTx<'_>,
    tenant: Uuid,
    key: &ApiKey,
    secret: KeyHash,
    (old_until, now): (Micros, Micros),
) -> Result<()> {
    execute(tx, include_str!("keys/secrets_expire.sql"), &[&key.id, &old_until, &now]).await?;
    secret_insert(tx, tenant, key.id, secret).await?;
    execute(tx, include_str!("keys/key_hint_set.sql"), &[&key.id, &key.hint]).await?;
    Ok(())
}

pub(crate) async fn key_delete(tx: &TenantTx<'_>, id: Uuid) -> Result<()> {
    execute(tx, include_str!("keys/key_delete.sql"), &[&id]).await?;
    Ok(())
}

/// Whom this secret belongs to, if it is still good; and notes that it was used.
pub(crate) async fn key_by_secret(tx: &SystemTx<'_>, secret: KeyHash, now: Micros) -> Result<Option<Holder>> {
    let sql = include_str!("keys/key_by_secret.sql");
    let Some(row) = query_opt(tx, sql, &[&&secret.0[..], &now]).await? else { return Ok(None) };
    let key: Uuid = row.get("id");
    let noted = Micros(now.0 - USE_NOTED_US);
    if row.get::<_, Option<Micros>>("last_use_time").is_none_or(|time| time < noted) {
        execute(tx, include_str!("keys/key_used.sql"), &[&key, &now, &noted]).await?;
    }
    let scopes: Vec<String> = row.get("scopes");
    let role = role_permissions(&row);
    let permissions = if scopes.is_empty() { role } else { role.and(permissions_from(&scopes)) };
    let member = row.get::<_, Option<Uuid>>("member_id");
    let actor = member.map_or(Actor::ApiKey(ApiKeyId(key)), |member| Actor::Member(MemberId(member)));
    let end_us = row.get::<_, Option<Micros>>("end_time").map(|end| end.0);
    let principal = Principal { tenant: TenantId(row.get("tenant_id")), actor, permissions, end_us };
    Ok(Some(Holder { principal, tenant_state: TenantState::from_code(row.get("state")) }))
}
