//! Places for connections: so many in all, and so many for each address, so that one address cannot keep others out.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Of an IPv6 address, what one caller is given all of: a /64.
const V6_PREFIX: u128 = !0 << 64;

/// The places there are.
#[derive(Clone, Debug)]
pub(super) struct Places {
    all: Arc<Semaphore>,
    of_address_max: usize,
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// A connection's place, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    address: IpAddr,
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
    _one_of_all: OwnedSemaphorePermit,
}

impl Places {
    pub(super) fn new(max: usize, of_address_max: usize) -> Self {
        let all = Arc::new(Semaphore::new(max.clamp(1, Semaphore::MAX_PERMITS)));
        Self { all, of_address_max: of_address_max.max(1), taken: Arc::default() }
    }

    /// One of all places, as soon as there is one.
    pub(super) async fn free(&self) -> Option<OwnedSemaphorePermit> {
        self.all.clone().acquire_owned().await.ok()
    }

    /// That place for a connection from `address`; `None` where it has as many as it may.
    pub(super) fn give(&self, place: OwnedSemaphorePermit, address: IpAddr) -> Option<Place> {
        let address = caller(address);
        let mut taken = lock(&self.taken);
        let count = taken.entry(address).or_default();
        if *count >= self.of_address_max {
            return None;
        }
        *count += 1;
        Some(Place { address, taken: self.taken.clone(), _one_of_all: place })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = lock(&self.taken);
        if let Some(count) = taken.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.address);
            }
        }
    }
}

/// Who that is, for all that an address tells.
fn caller(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() & V6_PREFIX).into()),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// A poisoned lock only says that another task panicked; the counts stay whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn place(places: &Places, address: &str) -> Option<Place> {
        places.give(places.free().await?, address.parse().expect("an address"))
    }

    #[tokio::test]
    async fn an_address_has_so_many_and_gets_them_back() {
        let places = Places::new(100, 2);
        let first = place(&places, "192.0.2.1").await;
        let second = place(&places, "::ffff:192.0.2.1").await;
        assert!(first.is_some() && second.is_some());
        assert!(place(&places, "192.0.2.1").await.is_none());
        let _another = place(&places, "192.0.2.2").await.expect("another address");
        drop(first);
        assert!(place(&places, "192.0.2.1").await.is_some());
        drop(second);
        assert_eq!(lock(&places.taken).len(), 1, "what nobody holds is not remembered");
        assert_eq!(places.all.available_permits(), 99);
    }

    #[tokio::test]
    async fn neighbours_in_ipv6_are_one_caller() {
        let places = Places::new(100, 1);
        let _first = place(&places, "2001:db8::1").await.expect("a place");
        assert!(place(&places, "2001:db8::ffff:1").await.is_none());
        assert!(place(&places, "2001:db8:0:1::1").await.is_some());
    }
}
