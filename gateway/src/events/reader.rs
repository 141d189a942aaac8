//! Reads a tenant's frames into their ring, and says how far it is.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_nats::jetstream::Message;
use muster_domain::id::TenantId;
use muster_runtime::bus::Bus;
use muster_runtime::{Error, Result, clock};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tonic::Code;

use super::extent::Extent;
use super::hub::lock;
use super::position::Position;
use super::ring::{RingId, Rings};
use super::source::{Reading, Source};

/// The pause before a lost source is opened again.
const REOPEN_PAUSE: Duration = Duration::from_millis(500);
/// How long it is tried to open it again; then those who watch are told to connect again.
const REOPEN_WITHIN: Duration = Duration::from_secs(30);
/// How often it is asked whether there is nothing more, while nothing comes.
const PASS_EVERY: Duration = Duration::from_secs(5);

/// What a reader has told.
#[derive(Clone, Debug, Default)]
pub(super) struct Heard {
    /// Where the frames are, and when their stream was made; once it has begun.
    pub(super) ring: Option<(RingId, u64)>,
    /// All that the stream took before this time has come, in microseconds since the Unix epoch; 0 where that is not known.
    pub(super) progress_us: i64,
    /// Why it has ended.
    pub(super) ended: Option<Error>,
}

/// A reader.
pub(super) struct Reader {
    bus: Bus,
    rings: Arc<Mutex<Rings>>,
    tenant: TenantId,
    tell: watch::Sender<Heard>,
    begun: Option<Begun>,
}

/// What there is of a reader once it has begun.
struct Begun {
    ring: RingId,
    /// The last place that is in the ring.
    position: Position,
    reading: Reading,
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Some(begun) = &self.begun {
            lock(&self.rings).close(begun.ring);
        }
    }
}

impl Reader {
    pub(super) fn new(
        bus: Bus,
        rings: Arc<Mutex<Rings>>,
        tenant: TenantId,
        tell: watch::Sender<Heard>,
    ) -> Self {
        Self { bus, rings, tenant, tell, begun: None }
    }

    /// Reads until the place is lost for good, and says why.
    pub(super) async fn run(mut self) {
        let ended = self.follow().await;
        self.tell.send_modify(|heard| heard.ended = Some(ended));
    }

    async fn follow(&mut self) -> Error {
        let mut until = clock::instant() + REOPEN_WITHIN;
        loop {
            match self.open().await {
                Ok(source) => {
                    let Err(error) = self.read(source).await;
                    tracing::warn!(
                        error = format!("{error:#}"),
                        "a reader of events lost its place; reopening"
                    );
                    until = clock::instant() + REOPEN_WITHIN;
                }
                Err(error) if error.code() == Code::Unavailable && clock::instant() < until => {}
                Err(error) => return error,
            }
            sleep(REOPEN_PAUSE).await;
        }
    }

    /// Opens the source where it was, or at the end.
    async fn open(&mut self) -> Result<Source> {
        let extent = Extent::of(&self.bus).await?;
        let position = match &self.begun {
            Some(begun) => {
                extent.reaches(begun.position)?;
                begun.position
            }
            None => extent.end(),
        };
        let source = Source::open(&self.bus, self.tenant, position.sequence).await;
        let source = source.map_err(Error::unavailable)?;
        if self.begun.is_none() {
            let ring = lock(&self.rings).open(position.sequence);
            let reading = Reading::new(self.tenant, position.stream);
            self.begun = Some(Begun { ring, position, reading });
            self.tell.send_modify(|heard| heard.ring = Some((ring, position.stream)));
        }
        Ok(source)
    }

    async fn read(&mut self, mut source: Source) -> anyhow::Result<std::convert::Infallible> {
        let mut pass = interval(PASS_EVERY);
        pass.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut quiet = true;
        loop {
            tokio::select! {
                message = source.next() => {
                    self.push(&message?)?;
                    quiet = false;
                }
                _ = pass.tick() => {
                    if std::mem::replace(&mut quiet, true) {
                        self.pass(&source).await?;
                    }
                }
            }
        }
    }

    fn push(&mut self, message: &Message) -> anyhow::Result<()> {
        let Some(begun) = &mut self.begun else { return Ok(()) };
        let frame = begun.reading.frame(message)?;
        begun.position.sequence = frame.sequence;
        let progress_us = frame.time_us;
        lock(&self.rings).push(begun.ring, frame);
        self.tell.send_modify(|heard| heard.progress_us = heard.progress_us.max(progress_us));
        Ok(())
    }

    /// Notes how far nothing has come.
    async fn pass(&mut self, source: &Source) -> anyhow::Result<()> {
        let Some(begun) = &mut self.begun else { return Ok(()) };
        let now_us = clock::now_us();
        if let Some(sequence) = source.passed().await? {
            begun.position.sequence = begun.position.sequence.max(sequence);
            lock(&self.rings).pass(begun.ring, sequence);
            // Nobody is woken: it is told with the next heartbeat.
            self.tell.send_if_modified(|heard| {
                heard.progress_us = heard.progress_us.max(now_us);
                false
            });
        }
        Ok(())
    }
}
