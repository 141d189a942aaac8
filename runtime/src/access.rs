//! Who is calling: a key in the metadata becomes a [`Caller`], or the call is refused. Without a `Caller` no
//! handler runs.

use muster_domain::id::TenantId;
use tonic::metadata::MetadataMap;
use uuid::Uuid;

use crate::{Error, Result};

/// Who is calling, as proven by their key. The tenant comes from here and from nowhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Someone who runs the platform, for all tenants.
    Operator,
    /// A client organization.
    Tenant(TenantId),
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
            Self::Tenant(own) if own.0 == named => Ok(own),
            Self::Tenant(_) => Err(Error::not_found(resource)),
        }
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
}

/// The key in `authorization: Bearer {key}`.
///
/// # Errors
/// UNAUTHENTICATED where there is none.
pub fn bearer(metadata: &MetadataMap) -> Result<&str> {
    metadata
        .get("authorization")
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "))
        .ok_or_else(Error::unauthenticated)
}
