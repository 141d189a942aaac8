//! Whose key a new one is to be: what it may do, how many of its kind there may be, and when it ends.

use muster_domain::id::{MemberId, TenantId};
use muster_domain::permission::{Permission, Permissions};
use muster_proto::v1::ApiKey;
use muster_runtime::access::Caller;
use muster_runtime::{Error, Result, name};
use prost_types::Timestamp;

use super::LIFE_MAX_S;
use crate::db::{Micros, TenantTx};
use crate::quota::{Bound, Quota, Quotas};
use crate::rpc::later;
use crate::rpc::members::MEMBER;
use crate::rpc::roles::{permissions_of, role_ref};
use crate::store::keys::{keys_count, keys_of_member_count};
use crate::store::members::member_get;
use crate::store::roles::RoleRef;

/// Whose key is wanted.
#[derive(Clone, Copy)]
pub(super) enum Owner {
    /// A program's, with a role.
    Program(RoleRef),
    /// The personal key of the member who calls.
    Member(MemberId),
}

impl Owner {
    /// As the request says it, before anything is looked up.
    pub(super) fn of(caller: Caller, tenant: TenantId, wanted: &ApiKey) -> Result<Self> {
        if wanted.member.is_empty() {
            caller.needs(Permission::ApiKeysWrite)?;
            return Ok(Self::Program(role_ref(tenant, &wanted.role, "api_key.role")?));
        }
        let own =
            caller.member().filter(|member| name::format(MEMBER, &[tenant.0, member.0]) == wanted.member);
        // The same for every other member, there or not.
        let member = own.ok_or_else(|| {
            Error::invalid("api_key.member", "must be the member who calls: nobody makes the key of another")
        })?;
        if wanted.role.is_empty() {
            Ok(Self::Member(member))
        } else {
            Err(Error::invalid("api_key.role", "must be empty: a personal key may do what its member may"))
        }
    }

    /// What its role permits now.
    pub(super) async fn permissions(self, tx: &TenantTx<'_>, tenant: TenantId) -> Result<Permissions> {
        match self {
            Self::Program(role) => permissions_of(tx, tenant, role, "api_key.role").await,
            // Whoever has been removed a moment ago has no key to make.
            Self::Member(member) => match member_get(tx, member.0).await? {
                Some(member) => Ok(member.permissions),
                None => Err(Error::unauthenticated()),
            },
        }
    }

    /// What must be its maker's to give. With a key of scopes a member makes no other of their own: it would be what is left
    /// when that one is revoked.
    pub(super) fn granted(self, role: Permissions, scopes: Permissions) -> Permissions {
        match self {
            Self::Program(_) if scopes != Permissions::NONE => scopes,
            Self::Program(_) | Self::Member(_) => role,
        }
    }

    /// Refuses one more key than there may be, under the lock.
    pub(super) async fn has_room(self, tx: &TenantTx<'_>, tenant: TenantId, quotas: Quotas) -> Result<()> {
        match self {
            Self::Program(_) => quotas.one_more(Quota::ApiKeys, tenant, keys_count(tx, tenant.0).await?),
            Self::Member(member) => {
                let owner = name::format(MEMBER, &[tenant.0, member.0]);
                Bound::PersonalKeys.room_for(1, &owner, keys_of_member_count(tx, member.0).await?)
            }
        }
    }
}

/// When a new key ends: not after the key that makes it.
pub(super) fn end(caller: Caller, wanted: Option<Timestamp>, now: Micros) -> Result<Option<Micros>> {
    let wanted = wanted.map(|time| later(time, now, LIFE_MAX_S, "api_key.expire_time")).transpose()?;
    let Some(last) = caller.end_us().map(Micros) else { return Ok(wanted) };
    match wanted {
        Some(end) if end > last => {
            let message =
                "must not be after the end of the key that you call with; where absent, it is that end";
            Err(Error::invalid("api_key.expire_time", message))
        }
        Some(end) => Ok(Some(end)),
        None => Ok(Some(last)),
    }
}
