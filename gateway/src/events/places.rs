//! How many may watch at once: a gateway's places, and each tenant's share of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use muster_domain::id::TenantId;
use muster_runtime::{Error, Result};

use crate::metrics::Watching;

/// A tenant may have so many times the places that are still free: four fifths of an idle gateway, less the more others
/// watch. Some are always left for a tenant that comes later.
const TIMES_FREE: usize = 4;

/// The places of a gateway.
#[derive(Clone, Debug)]
pub(super) struct Places {
    max: usize,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_tenant: HashMap<TenantId, usize>,
}

/// One watcher's place. Dropped, it is free again.
#[derive(Debug)]
pub(super) struct Place {
    places: Places,
    tenant: TenantId,
    _told: Watching,
}

impl Places {
    /// So many places.
    pub(super) fn new(max: usize) -> Self {
        Self { max, taken: Arc::default() }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for one more watcher of a tenant's.
    ///
    /// # Errors
    /// RESOURCE_EXHAUSTED where there is none, or the tenant has its share.
    pub(super) fn take(&self, tenant: TenantId) -> Result<Place> {
        let full = |whose| {
            let message = format!("{whose} as many watchers as it can; try again later");
            Error::exhausted("TOO_MANY_WATCHES", message)
        };
        let mut taken = self.taken();
        let free = self.max.saturating_sub(taken.all);
        if free == 0 {
            return Err(full("this gateway has"));
        }
        let own = taken.by_tenant.get(&tenant).copied().unwrap_or(0);
        if own >= TIMES_FREE * free {
            return Err(full("your organization has at this gateway"));
        }
        taken.all += 1;
        taken.by_tenant.insert(tenant, own + 1);
        Ok(Place { places: self.clone(), tenant, _told: Watching::begin() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        taken.all -= 1;
        if let Some(own) = taken.by_tenant.get_mut(&self.tenant) {
            *own -= 1;
            if *own == 0 {
                taken.by_tenant.remove(&self.tenant);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn take(places: &Places, tenant: u128) -> Vec<Place> {
        std::iter::from_fn(|| places.take(TenantId(Uuid::from_u128(tenant))).ok()).collect()
    }

    #[test]
    fn one_tenant_takes_most_of_what_is_free_and_leaves_some_for_others() {
        let places = Places::new(5_000);
        let first = take(&places, 1);
        assert_eq!(first.len(), 4_000);
        let second = take(&places, 2);
        assert_eq!(second.len(), 800);
        let third = take(&places, 3);
        assert_eq!(third.len(), 160);
        drop(first);
        assert!(take(&places, 4).len() > 3_000);
    }

    #[test]
    fn there_are_never_more_than_there_are() {
        let places = Places::new(7);
        let all: Vec<Vec<Place>> = (0..10).map(|tenant| take(&places, tenant)).collect();
        assert_eq!(all.iter().map(Vec::len).sum::<usize>(), 7);
        drop(all);
        let taken = places.taken();
        assert_eq!((taken.all, taken.by_tenant.len()), (0, 0));
    }
}
