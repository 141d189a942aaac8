//! One reader for each tenant that is watched, and the newest frames of all, for however many watch.
//!
//! The reader begins with a tenant's first watcher and ends after the last. It puts frames into the tenant's ring and says
//! so; watchers walk the ring, each from its own place.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use muster_domain::id::TenantId;
use muster_runtime::bus::Bus;
use muster_runtime::supervise::Tasks;
use muster_runtime::{Error, Result};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::DropGuard;

use super::past::Past;
use super::position::Position;
use super::reader::{Heard, Reader};
use super::ring::{Next, Rings};

/// How long a watcher waits for the reader to begin.
const BEGIN_WITHIN: Duration = Duration::from_secs(5);

/// What all watchers of a gateway share.
pub(super) struct Hub {
    pub(super) bus: Bus,
    pub(super) past: Past,
    rings: Arc<Mutex<Rings>>,
    tails: Mutex<HashMap<TenantId, Weak<Tail>>>,
    tasks: Tasks,
}

/// The end of a tenant's frames, as it goes on. Dropped by the last who watches, its reader ends.
pub(super) struct Tail {
    rings: Arc<Mutex<Rings>>,
    heard: watch::Receiver<Heard>,
    _reader: DropGuard,
}

/// What `shared` holds. Nothing panics that holds it.
pub(super) fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Hub {
    /// A hub whose rings hold so many bytes.
    pub(super) fn new(bus: Bus, bytes_max: usize, tasks: Tasks) -> Self {
        let rings = Arc::new(Mutex::new(Rings::new(bytes_max)));
        Self { past: Past::new(bus.clone()), bus, rings, tails: Mutex::default(), tasks }
    }

    /// The tail of a tenant's frames.
    pub(super) fn tail(&self, tenant: TenantId) -> Arc<Tail> {
        let mut tails = lock(&self.tails);
        if let Some(tail) = tails.get(&tenant).and_then(Weak::upgrade)
            && tail.heard.borrow().ended.is_none()
        {
            return tail;
        }
        tails.retain(|_, tail| tail.strong_count() > 0);
        let (tell, heard) = watch::channel(Heard::default());
        let stop = self.tasks.stop().child_token();
        let reader = Reader::new(self.bus.clone(), self.rings.clone(), tenant, tell);
        self.tasks.spawn({
            let stop = stop.clone();
            async move {
                let _ = stop.run_until_cancelled(reader.run()).await;
            }
        });
        let tail = Arc::new(Tail { rings: self.rings.clone(), heard, _reader: stop.drop_guard() });
        tails.insert(tenant, Arc::downgrade(&tail));
        tail
    }
}

impl Tail {
    /// Waits until the reader has begun, and says where it is.
    ///
    /// # Errors
    /// UNAVAILABLE where it does not begin.
    pub(super) async fn end(&self) -> Result<Position> {
        let mut heard = self.heard.clone();
        let begun = heard.wait_for(|heard| heard.ring.is_some() || heard.ended.is_some());
        let heard = timeout(BEGIN_WITHIN, begun).await.map_err(Error::unavailable)?;
        let heard = heard.map_err(Error::unavailable)?.clone();
        let (ring, stream) = heard.ring.ok_or_else(|| Error::unavailable("the reader has not begun"))?;
        let sequence =
            lock(&self.rings).end(ring).ok_or_else(|| Error::unavailable("the reader has ended"))?;
        Ok(Position { stream, sequence, offset: 0 })
    }

    /// Told whenever there is something new.
    pub(super) fn heard(&self) -> watch::Receiver<Heard> {
        self.heard.clone()
    }

    /// What comes after a place.
    pub(super) fn after(&self, position: Position) -> Next {
        match self.heard.borrow().ring {
            Some((ring, stream)) if stream == position.stream => {
                lock(&self.rings).after(ring, position.sequence)
            }
            Some(_) | None => Next::Before,
        }
    }

    /// Whether all that comes after a place is held.
    pub(super) fn holds(&self, position: Position) -> bool {
        let ring = self.heard.borrow().ring;
        ring.is_some_and(|(ring, stream)| {
            stream == position.stream && lock(&self.rings).holds(ring, position.sequence)
        })
    }
}
