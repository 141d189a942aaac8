//! Who is calling, and whether they may: a credential becomes a [`Caller`], the [table](table) says what each rpc needs,
//! and the [layer](layer) refuses everything else. Without a `Caller` no handler runs.

mod guard;
pub mod layer;
pub mod remembered;
pub mod table;

use muster_domain::id::{ApiKeyId, MemberId, TenantId};
use muster_domain::permission::{Permission, Permissions};
use secrecy::{ExposeSecret as _, SecretString};
use uuid::Uuid;

use crate::key::KeyHash;
use crate::{Error, Result, name};

/// Who is calling, as proven by their credential. The tenant comes from here and from nowhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Someone who runs the platform, for all tenants.
    Operator,
    /// Someone of a client organization, or a program of theirs.
    Tenant(Principal),
}

/// A caller who belongs to a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The tenant.
    pub tenant: TenantId,
    /// Who it is.
    pub actor: Actor,
    /// What they may do.
    pub permissions: Permissions,
    /// When the key that they call with ends, in microseconds since the Unix epoch; none where it does not end by itself,
    /// and for people who have signed in at an identity provider.
    pub end_us: Option<i64>,
}

/// Who of a tenant it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A person, by a key of their own or signed in at the tenant's identity provider.
    Member(MemberId),
    /// A program, by a key with a role.
    ApiKey(ApiKeyId),
}

impl Caller {
    /// The tenant that the call is about: `named` in the request, and allowed to this caller. A tenant that
    /// names another gets the same NOT_FOUND as for one that is not there.
    ///
    /// # Errors
    /// NOT_FOUND, naming `resource`.
    pub fn tenant(self, named: Uuid, resource: &str) -> Result<TenantId> {
        match self {
            Self::Operator => Ok(TenantId(named)),
            Self::Tenant(Principal { tenant, .. }) if tenant.0 == named => Ok(tenant),
            Self::Tenant(_) => Err(Error::not_found(resource)),
        }
    }

    /// What this caller may do.
    pub fn permissions(self) -> Permissions {
        match self {
            Self::Operator => Permissions::all(),
            Self::Tenant(principal) => principal.permissions,
        }
    }

    /// Whether this caller has `permission`.
    pub fn may(self, permission: Permission) -> bool {
        self.permissions().has(permission)
    }

    /// Refuses a caller who has not `permission`.
    ///
    /// # Errors
    /// PERMISSION_DENIED, naming it.
    pub fn needs(self, permission: Permission) -> Result<()> {
        if self.may(permission) {
            return Ok(());
        }
        Err(Error::forbidden(format!("this needs the permission {permission}")))
    }

    /// The member that this is, by a key of their own or signed in.
    pub fn member(self) -> Option<MemberId> {
        match self {
            Self::Tenant(Principal { actor: Actor::Member(member), .. }) => Some(member),
            Self::Tenant(Principal { actor: Actor::ApiKey(_), .. }) | Self::Operator => None,
        }
    }

    /// When the key that this caller calls with ends, in microseconds since the Unix epoch: what they make with it must
    /// not outlive it. None for those who are not bound.
    pub fn end_us(self) -> Option<i64> {
        match self {
            Self::Operator => None,
            Self::Tenant(principal) => principal.end_us,
        }
    }

    /// Refuses a caller who has not all of `permissions`: nobody can grant, change or take away what is more than they
    /// have themselves.
    ///
    /// # Errors
    /// PERMISSION_DENIED, naming those that are missing.
    pub fn may_grant(self, permissions: Permissions) -> Result<()> {
        let missing = permissions.without(self.permissions());
        if missing == Permissions::NONE {
            return Ok(());
        }
        let names = missing.names().join(", ");
        Err(Error::forbidden(format!("this is about permissions that you do not have yourself: {names}")))
    }

    /// Refuses everyone but an operator.
    ///
    /// # Errors
    /// PERMISSION_DENIED.
    pub fn operator_only(self) -> Result<()> {
        match self {
            Self::Operator => Ok(()),
            Self::Tenant(_) => Err(Error::forbidden("only an operator may do this")),
        }
    }

    /// The caller's name: `operator`, a member or an API key. It is what the audit log says of who did something.
    pub fn name(self) -> String {
        match self {
            Self::Operator => "operator".to_owned(),
            Self::Tenant(Principal { tenant, actor: Actor::Member(member), .. }) => {
                name::format("tenants/*/members/*", &[tenant.0, member.0])
            }
            Self::Tenant(Principal { tenant, actor: Actor::ApiKey(key), .. }) => {
                name::format("tenants/*/apiKeys/*", &[tenant.0, key.0])
            }
        }
    }
}

/// What a caller proves themselves with, as it came. It is never logged: it has no `Debug`.
#[derive(Clone)]
pub struct Credential(SecretString);

impl Credential {
    /// The credential in `authorization: Bearer {credential}`.
    ///
    /// # Errors
    /// UNAUTHENTICATED where there is none.
    pub fn of(headers: &http::HeaderMap) -> Result<Self> {
        let value = headers.get(http::header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let bearer = value.and_then(|value| value.strip_prefix("Bearer "));
        let bearer = bearer.filter(|bearer| !bearer.is_empty()).ok_or_else(Error::unauthenticated)?;
        Ok(Self(bearer.into()))
    }

    /// What it says.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Whether it is the token of an identity provider: a JWT, three parts with dots between (RFC 7519).
    pub fn is_token(&self) -> bool {
        self.expose().split('.').count() == 3
    }

    /// Its hash, which what is known about it may be kept under.
    pub fn hash(&self) -> KeyHash {
        KeyHash::of(self.expose())
    }
}
