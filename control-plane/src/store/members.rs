//! Members, and the invitations by which they come in.

use deadpool_postgres::Transaction;
use muster_domain::id::{MemberId, TenantId};
use muster_domain::permission::{BuiltInRole, Permissions};
use muster_runtime::access::{Actor, Principal};
use muster_runtime::key::KeyHash;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::db::{Micros, Result, SystemTx, TenantTx};
use crate::store::keys::Holder;
use crate::store::roles::{RoleRef, role_permissions};
use crate::store::tenants::TenantState;
use crate::store::{Page, execute, query, query_one, query_opt};

/// Somebody of a tenant.
#[derive(Clone)]
pub(crate) struct Member {
    pub(crate) id: Uuid,
    pub(crate) email: String,
    pub(crate) display_name: String,
    pub(crate) role: RoleRef,
    /// What the role permits.
    pub(crate) permissions: Permissions,
    pub(crate) create_time: Micros,
}

/// A member must have a role; where the columns cannot be read, they have the least.
fn role_of(row: &Row) -> RoleRef {
    RoleRef::from_columns(row).unwrap_or(RoleRef::BuiltIn(BuiltInRole::Viewer))
}

impl From<Row> for Member {
    fn from(row: Row) -> Self {
        Self {
            id: row.get("id"),
            email: row.get("email"),
            display_name: row.get("display_name"),
            role: role_of(&row),
            permissions: role_permissions(&row),
            create_time: row.get("create_time"),
        }
    }
}

/// An invitation that was not accepted yet.
#[derive(Clone)]
pub(crate) struct Invitation {
    pub(crate) id: Uuid,
    pub(crate) email: String,
    pub(crate) role: RoleRef,
    pub(crate) expire_time: Micros,
    pub(crate) create_time: Micros,
}

impl From<&Row> for Invitation {
    fn from(row: &Row) -> Self {
        Self {
            id: row.get("id"),
            email: row.get("email"),
            role: role_of(row),
            expire_time: row.get("expire_time"),
            create_time: row.get("create_time"),
        }
    }
}

pub(crate) async fn member_insert(tx: &TenantTx<'_>, tenant: Uuid, member: &Member) -> Result<()> {
    let (built_in, own) = member.role.columns();
    let sql = include_str!("members/member_insert.sql");
    let Member { id, email, display_name, create_time, .. } = member;
    execute(tx, sql, &[id, &tenant, email, display_name, &built_in, &own, create_time]).await?;
    Ok(())
}

pub(crate) async fn member_get(tx: &TenantTx<'_>, id: Uuid) -> Result<Option<Member>> {
    Ok(query_opt(tx, include_str!("members/member_get.sql"), &[&id]).await?.map(Member::from))
}

pub(crate) async fn member_by_email(tx: &TenantTx<'_>, email: &str) -> Result<Option<Member>> {
    Ok(query_opt(tx, include_str!("members/member_by_email.sql"), &[&email]).await?.map(Member::from))
}

pub(crate) async fn members_list(tx: &TenantTx<'_>, page: &Page<Uuid>) -> Result<Vec<Member>> {
    let sql = include_str!("members/members_list.sql");
    Ok(query(tx, sql, &[&page.after, &page.limit]).await?.into_iter().map(Member::from).collect())
}

pub(crate) async fn member_update(tx: &TenantTx<'_>, member: &Member) -> Result<()> {
    let (built_in, own) = member.role.columns();
    let sql = include_str!("members/member_update.sql");
    execute(tx, sql, &[&member.id, &member.display_name, &built_in, &own]).await?;
    Ok(())
}

/// Removes a member with their keys.
pub(crate) async fn member_delete(tx: &TenantTx<'_>, id: Uuid) -> Result<()> {
    execute(tx, include_str!("members/member_delete.sql"), &[&id]).await?;
    Ok(())
}

/// Whom the identity provider that a tenant is pinned to calls `subject`.
pub(crate) struct Identified<'a> {
    pub(crate) tenant: TenantId,
    pub(crate) issuer: &'a str,
    pub(crate) audience: &'a str,
    pub(crate) subject: &'a str,
    pub(crate) email: Option<&'a str>,
}

/// The member who has this subject, or who is there by this e-mail address and signs in for the first time: from then on
/// the subject is theirs. None where there is none, or the tenant is pinned to another provider by now.
pub(crate) async fn member_sign_in(tx: &SystemTx<'_>, who: &Identified<'_>) -> Result<Option<Holder>> {
    let Identified { tenant, issuer, audience, subject, email } = who;
    let sql = include_str!("members/member_by_identity.sql");
    let row = query_opt(tx, sql, &[&tenant.0, subject, email, issuer, audience]).await?;
    let Some(row) = row else { return Ok(None) };
    let id: Uuid = row.get("id");
    if row.get("first_time") {
        let sql = include_str!("members/member_subject_set.sql");
        if execute(tx, sql, &[&id, subject, &tenant.0, issuer, audience]).await? == 0 {
            return Ok(None);
        }
    }
    let actor = Actor::Member(MemberId(id));
    let permissions = role_permissions(&row);
    let principal = Principal { tenant: *tenant, actor, permissions, end_us: None };
    Ok(Some(Holder { principal, tenant_state: TenantState::from_code(row.get("state")) }))
}

/// How many members and open invitations the tenant has.
pub(crate) async fn members_count(tx: &Transaction<'_>, tenant: Uuid, now: Micros) -> Result<i64> {
    Ok(query_one(tx, include_str!("members/members_count.sql"), &[&tenant, &now]).await?.get(0))
}

/// Forgets what the tenant's identity provider calls its members: the same subject at another provider is somebody else.
pub(crate) async fn members_forget_subjects(tx: &TenantTx<'_>, tenant: Uuid) -> Result<()> {
    execute(tx, include_str!("members/members_forget_subjects.sql"), &[&tenant]).await?;
    Ok(())
}

/// How many owners the tenant has.
pub(crate) async fn owners_count(tx: &TenantTx<'_>) -> Result<i64> {
    let sql = include_str!("members/members_with_role.sql");
    Ok(query_one(tx, sql, &[&BuiltInRole::Owner.code()]).await?.get(0))
}

pub(crate) async fn invitation_insert(
    tx: &TenantTx<'_>,
    tenant: Uuid,
    invitation: &Invitation,
    token: KeyHash,
) -> Result<()> {
    let (built_in, own) = invitation.role.columns();
    let Invitation { id, email, expire_time, create_time, .. } = invitation;
    let sql = include_str!("members/invitation_insert.sql");
    let token = &token.0[..];
    execute(tx, sql, &[id, &tenant, email, &built_in, &own, &token, expire_time, create_time]).await?;
    Ok(())
}

pub(crate) async fn invitations_list(tx: &TenantTx<'_>, page: &Page<Uuid>) -> Result<Vec<Invitation>> {
    let rows = query(tx, include_str!("members/invitations_list.sql"), &[&page.after, &page.limit]).await?;
    Ok(rows.iter().map(Invitation::from).collect())
}

pub(crate) async fn invitation_get(tx: &TenantTx<'_>, id: Uuid) -> Result<Option<Invitation>> {
    let row = query_opt(tx, include_str!("members/invitation_get.sql"), &[&id]).await?;
    Ok(row.as_ref().map(Invitation::from))
}

/// Deletes an invitation. False where somebody else has done so, or has accepted it.
pub(crate) async fn invitation_delete(tx: &TenantTx<'_>, id: Uuid) -> Result<bool> {
    Ok(execute(tx, include_str!("members/invitation_delete.sql"), &[&id]).await? == 1)
}

/// Forgets the tenant's invitations that have ended.
pub(crate) async fn invitations_forget(tx: &TenantTx<'_>, tenant: Uuid, now: Micros) -> Result<()> {
    execute(tx, include_str!("members/invitations_forget.sql"), &[&tenant, &now]).await?;
    Ok(())
}

/// The tenant that the invitation with this token is of.
pub(crate) async fn invitation_tenant(tx: &SystemTx<'_>, token: KeyHash) -> Result<Option<TenantId>> {
    let row = query_opt(tx, include_str!("members/invitation_tenant.sql"), &[&&token.0[..]]).await?;
    Ok(row.map(|row| TenantId(row.get(0))))
}

/// Takes the invitation that has this token, if it is still good: for the one who accepts it.
pub(crate) async fn invitation_take(
    tx: &TenantTx<'_>,
    token: KeyHash,
    now: Micros,
) -> Result<Option<Invitation>> {
    let sql = include_str!("members/invitation_take.sql");
    let row = query_opt(tx, sql, &[&&token.0[..], &now, &TenantState::Active.code()]).await?;
    Ok(row.as_ref().map(Invitation::from))
}
