//! Roles of a tenant's own.

use muster_domain::permission::{BuiltInRole, Permissions};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::db::{Micros, Result, TenantTx};
use crate::store::{Page, execute, query, query_one, query_opt};

/// Which role somebody has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RoleRef {
    /// One that every tenant has.
    BuiltIn(BuiltInRole),
    /// One of the tenant's own.
    Own(Uuid),
}

impl RoleRef {
    /// As two columns keep it, of which one is null.
    pub(crate) fn columns(self) -> (Option<i16>, Option<Uuid>) {
        match self {
            Self::BuiltIn(role) => (Some(role.code()), None),
            Self::Own(id) => (None, Some(id)),
        }
    }

    /// From its two columns; none where both are null, as for the personal key of a member.
    pub(crate) fn from_columns(row: &Row) -> Option<Self> {
        let own = row.get::<_, Option<Uuid>>("role_id").map(Self::Own);
        own.or_else(|| BuiltInRole::from_code(row.get::<_, Option<i16>>("built_in_role")?).map(Self::BuiltIn))
    }
}

/// Permissions by their names. One that this build does not know permits nothing.
pub(crate) fn permissions_from(names: &[String]) -> Permissions {
    let known = names.iter().filter_map(|name| Permissions::from_names([name.as_str()]).ok());
    known.fold(Permissions::NONE, Permissions::or)
}

/// What a row's role may do, where it has the columns `built_in_role` and, of the tenant's own role, `permissions`.
pub(crate) fn role_permissions(row: &Row) -> Permissions {
    let built_in = row.get::<_, Option<i16>>("built_in_role").and_then(BuiltInRole::from_code);
    let own = row.get::<_, Option<Vec<String>>>("permissions");
    match (built_in, own) {
        (Some(role), _) => role.permissions(),
        (None, Some(names)) => permissions_from(&names),
        (None, None) => Permissions::NONE,
    }
}

/// A role of a tenant's own.
#[derive(Clone)]
pub(crate) struct Role {
    pub(crate) id: Uuid,
    pub(crate) display_name: String,
    pub(crate) permissions: Permissions,
    pub(crate) create_time: Micros,
}

impl From<Row> for Role {
    fn from(row: Row) -> Self {
        Self {
            id: row.get("id"),
            display_name: row.get("display_name"),
            permissions: permissions_from(&row.get::<_, Vec<String>>("permissions")),
            create_time: row.get("create_time"),
        }
    }
}

pub(crate) async fn role_insert(tx: &TenantTx<'_>, tenant: Uuid, role: &Role) -> Result<()> {
    let sql = include_str!("roles/role_insert.sql");
    let names = role.permissions.names();
    execute(tx, sql, &[&role.id, &tenant, &role.display_name, &names, &role.create_time]).await?;
    Ok(())
}

pub(crate) async fn role_get(tx: &TenantTx<'_>, id: Uuid) -> Result<Option<Role>> {
    Ok(query_opt(tx, include_str!("roles/role_get.sql"), &[&id]).await?.map(Role::from))
}

pub(crate) async fn roles_list(tx: &TenantTx<'_>, page: &Page<Uuid>) -> Result<Vec<Role>> {
    let sql = include_str!("roles/roles_list.sql");
    Ok(query(tx, sql, &[&page.after, &page.limit]).await?.into_iter().map(Role::from).collect())
}

pub(crate) async fn role_update(tx: &TenantTx<'_>, role: &Role) -> Result<()> {
    let sql = include_str!("roles/role_update.sql");
    execute(tx, sql, &[&role.id, &role.display_name, &role.permissions.names()]).await?;
    Ok(())
}

/// Deletes a role; a foreign key violation where somebody has it.
pub(crate) async fn role_delete(tx: &TenantTx<'_>, id: Uuid) -> Result<()> {
    execute(tx, include_str!("roles/role_delete.sql"), &[&id]).await?;
    Ok(())
}

/// How many roles of its own the tenant has.
pub(crate) async fn roles_count(tx: &TenantTx<'_>, tenant: Uuid) -> Result<i64> {
    Ok(query_one(tx, include_str!("roles/roles_count.sql"), &[&tenant]).await?.get(0))
}
