//! A tenant's life: what each verb makes of a tenant. Pure. A verb that finds its work done changes nothing, so that a
//! call can be repeated whose answer was lost.

use std::time::Duration;

use muster_runtime::{Error, Result};

use crate::db::Micros;
use crate::store::tenants::{Tenant, TenantState};

fn refused(message: &str) -> Error {
    Error::precondition("TENANT_STATE", message)
}

/// Suspends. The first reason stays.
pub(super) fn suspend(tenant: &mut Tenant, reason: String, now: Micros) -> Result<bool> {
    match tenant.state {
        TenantState::Active => {
            tenant.state = TenantState::Suspended;
            tenant.suspend_reason = reason;
            tenant.suspend_time = Some(now);
            Ok(true)
        }
        TenantState::Suspended => Ok(false),
        TenantState::Deleted | TenantState::Purged => Err(refused("the tenant is deleted")),
    }
}

/// Lets a suspended tenant go on.
pub(super) fn resume(tenant: &mut Tenant) -> Result<bool> {
    match tenant.state {
        TenantState::Active => Ok(false),
        TenantState::Suspended => {
            tenant.state = TenantState::Active;
            tenant.suspend_reason.clear();
            tenant.suspend_time = None;
            Ok(true)
        }
        TenantState::Deleted | TenantState::Purged => {
            Err(refused("the tenant is deleted; it can only be undeleted"))
        }
    }
}

/// Deletes, to be purged after `grace`.
pub(super) fn delete(tenant: &mut Tenant, now: Micros, grace: Duration) -> bool {
    match tenant.state {
        TenantState::Active | TenantState::Suspended => {
            let grace_us = i64::try_from(grace.as_micros()).unwrap_or(i64::MAX);
            tenant.state = TenantState::Deleted;
            tenant.delete_time = Some(now);
            tenant.purge_time = Some(Micros(now.0.saturating_add(grace_us)));
            true
        }
        TenantState::Deleted | TenantState::Purged => false,
    }
}

/// Takes a deletion back, while there is time. Who was suspended before is suspended again.
pub(super) fn undelete(tenant: &mut Tenant, now: Micros) -> Result<bool> {
    match tenant.state {
        TenantState::Active | TenantState::Suspended => Ok(false),
        TenantState::Deleted if tenant.purge_time.is_some_and(|time| time > now) => {
            let suspended = tenant.suspend_time.is_some();
            tenant.state = if suspended { TenantState::Suspended } else { TenantState::Active };
            tenant.delete_time = None;
            tenant.purge_time = None;
            Ok(true)
        }
        TenantState::Deleted | TenantState::Purged => {
            Err(refused("the tenant's purge time is over; nothing of it can be brought back"))
        }
    }
}

#[cfg(test)]
mod tests {
    use muster_domain::id::TenantId;
    use uuid::Uuid;

    use super::*;
    use crate::quota::Quotas;

    const NOW: Micros = Micros(1_000_000_000_000);
    const DAY: Duration = Duration::from_secs(24 * 3_600);

    fn tenant() -> Tenant {
        Tenant {
            id: TenantId(Uuid::nil()),
            display_name: "Neighbors".to_owned(),
            broadcast_allowed: true,
            create_time: NOW,
            state: TenantState::Active,
            revision: 1,
            suspend_reason: String::new(),
            suspend_time: None,
            delete_time: None,
            purge_time: None,
            default_pool: None,
            hours: crate::hours::Window::ALL_DAY,
            retention_days: 0,
            quotas: Quotas::default(),
            identity_provider: None,
        }
    }

    #[test]
    fn suspending_and_resuming_lead_back_and_may_be_repeated() {
        let mut tenant = tenant();
        let before = tenant.clone();
        assert!(suspend(&mut tenant, "unpaid".to_owned(), NOW).expect("suspended"));
        let suspended = tenant.clone();
        assert!(!suspend(&mut tenant, "again".to_owned(), NOW).expect("is suspended"));
        assert_eq!(tenant, suspended);
        assert!(resume(&mut tenant).expect("resumed"));
        assert_eq!(tenant, before);
        assert!(!resume(&mut tenant).expect("is active"));
    }

    #[test]
    fn undeleting_leads_back_to_what_was_before() {
        let mut tenant = tenant();
        suspend(&mut tenant, "unpaid".to_owned(), NOW).expect("suspended");
        let before = tenant.clone();
        assert!(delete(&mut tenant, NOW, DAY) && !delete(&mut tenant, Micros(NOW.0 + 5), DAY));
        assert_eq!(tenant.delete_time, Some(NOW));
        assert!(suspend(&mut tenant, "late".to_owned(), NOW).is_err() && resume(&mut tenant).is_err());
        assert!(undelete(&mut tenant, Micros(NOW.0 + 1)).expect("undeleted"));
        assert_eq!(tenant, before);
        assert!(!undelete(&mut tenant, NOW).expect("is not deleted"));
    }

    #[test]
    fn nothing_comes_back_after_the_grace() {
        let mut tenant = tenant();
        delete(&mut tenant, NOW, DAY);
        let purge_time = tenant.purge_time.expect("a time");
        assert!(undelete(&mut tenant, purge_time).is_err());
        tenant.state = TenantState::Purged;
        assert!(undelete(&mut tenant, NOW).is_err() && resume(&mut tenant).is_err());
        assert!(!delete(&mut tenant, NOW, DAY));
    }
}
