//! What the rings do not hold any more, page by page, for watchers that catch up.
//!
//! A page is read with a consumer of its own, a few at once, and is kept for a moment: whoever comes back after a restart comes
//! back to the same places. A watcher holds no page, so that one that has stopped reading in the middle costs nothing.

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use muster_domain::id::TenantId;
use muster_runtime::bus::Bus;
use muster_runtime::{Error, Result};
use tokio::sync::Semaphore;

use super::extent::Extent;
use super::frame::Frame;
use super::position::Position;
use super::ring::Next;
use super::source::{self, Reading};

/// Frames of a page.
const PAGE_FRAMES: usize = 64;
/// Pages that are read at once; others wait.
const READS_MAX: usize = 8;
/// How long a read may take.
const READ_WITHIN: Duration = Duration::from_secs(5);
/// Memory for pages, in bytes.
const BYTES_MAX: u64 = 32 * 1024 * 1024;
/// How long a page is kept that nobody wants.
const IDLE_MAX: Duration = Duration::from_secs(10);

/// Pages of the past.
#[derive(Clone)]
pub(super) struct Past {
    bus: Bus,
    reads: Arc<Semaphore>,
    pages: Cache<(TenantId, u64, u64), Arc<Page>>,
}

/// A tenant's frames between two places.
#[derive(Debug)]
pub(super) struct Page {
    frames: Vec<Arc<Frame>>,
    /// It holds all up to this sequence.
    end: u64,
}

impl Past {
    pub(super) fn new(bus: Bus) -> Self {
        let weight = |_: &_, page: &Arc<Page>| {
            let bytes: usize = page.frames.iter().map(|frame| frame.bytes()).sum();
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        let pages = Cache::builder().max_capacity(BYTES_MAX).weigher(weight).time_to_idle(IDLE_MAX).build();
        Self { bus, reads: Arc::new(Semaphore::new(READS_MAX)), pages }
    }

    /// The page after a place; read once, however many want it.
    ///
    /// # Errors
    /// OUT_OF_RANGE where frames after it may be gone; UNAVAILABLE where JetStream does not answer.
    pub(super) async fn page(&self, tenant: TenantId, position: Position) -> Result<Arc<Page>> {
        let key = (tenant, position.stream, position.sequence);
        let read = async {
            let _turn = self.reads.acquire().await.map_err(Error::internal)?;
            let read = tokio::time::timeout(READ_WITHIN, self.read(tenant, position));
            Ok(Arc::new(read.await.map_err(Error::unavailable)??))
        };
        self.pages.try_get_with(key, read).await.map_err(|error: Arc<Error>| (*error).clone())
    }

    async fn read(&self, tenant: TenantId, position: Position) -> Result<Page> {
        let extent = Extent::of(&self.bus).await?;
        extent.reaches(position)?;
        let messages = source::read(&self.bus, tenant, position.sequence, PAGE_FRAMES).await;
        let messages = messages.map_err(Error::unavailable)?;
        let mut reading = Reading::new(tenant, position.stream);
        let frames: anyhow::Result<Vec<_>> = messages.iter().map(|message| reading.frame(message)).collect();
        let frames = frames.map_err(Error::unavailable)?;
        let last = frames.last().map_or(position.sequence, |frame| frame.sequence);
        // Where it is not full there was nothing more when it was looked how far the stream reaches.
        let end = if frames.len() < PAGE_FRAMES { last.max(extent.last) } else { last };
        Ok(Page { frames, end })
    }
}

impl Page {
    /// Whether it says what comes after `sequence`, which is not before the page.
    pub(super) fn goes_on_after(&self, sequence: u64) -> bool {
        sequence < self.end
    }

    /// What comes after `sequence`.
    pub(super) fn after(&self, sequence: u64) -> Next {
        let place = self.frames.partition_point(|frame| frame.sequence <= sequence);
        self.frames.get(place).map_or(Next::Nothing(self.end), |frame| Next::Frame(frame.clone()))
    }
}
