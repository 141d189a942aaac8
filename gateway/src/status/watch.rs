//! One status stream, from its first frame to its end.

use std::time::Duration;

use muster_domain::id::TenantId;
use muster_proto::v1::{StatusChange, WatchStatusResponse};
use muster_runtime::{Error, Result, clock};
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};
use uuid::Uuid;

use super::change::changes;
use super::position::Position;
use super::source::Source;
use crate::metrics;

/// Changes in a response at most, so that it stays far below the 4 MiB that clients take.
const CHANGES_MAX: usize = 5_000;
/// The pause before a lost source is opened again.
const REOPEN_PAUSE: Duration = Duration::from_millis(500);
/// How long a lost source is tried to be opened again.
const REOPEN_WITHIN: Duration = Duration::from_secs(30);

/// A stream that somebody watches.
pub(super) struct Watch {
    pub(super) source: Source,
    pub(super) tenant: TenantId,
    pub(super) campaign: Option<Uuid>,
    pub(super) responses: mpsc::Sender<std::result::Result<WatchStatusResponse, Status>>,
    pub(super) stop: CancellationToken,
}

/// The watcher has gone: there is nobody to tell.
struct Gone;

impl Watch {
    /// Streams until something ends it, and tells the watcher what.
    pub(super) async fn run(mut self) {
        let (gone, stop) = (self.responses.clone(), self.stop.clone());
        let end = tokio::select! {
            end = self.stream() => end,
            () = gone.closed() => return,
            () = stop.cancelled() => Err(Error::going_away()),
        };
        if let Err(error) = end {
            // Where the watcher is so slow that this finds no place, the stream just ends.
            let _ = self.responses.try_send(Err(error.into()));
        }
    }

    async fn stream(&mut self) -> Result<()> {
        if self.send(Vec::new(), self.source.position()).await.is_err() {
            return Ok(());
        }
        loop {
            let before = self.source.position();
            let seen = match self.source.next().await {
                Ok(frame) => changes(frame, self.tenant, self.campaign),
                Err(error) => {
                    tracing::warn!(error = format!("{error:#}"), "a status stream lost its place; reopening");
                    self.reopen().await?;
                    continue;
                }
            };
            let (count, oldest_us) = (seen.len(), seen.first().and_then(time_us));
            if self.send_all(seen, before).await.is_err() {
                return Ok(());
            }
            metrics::watched(count, oldest_us);
        }
    }

    async fn reopen(&mut self) -> Result<()> {
        let until = clock::instant() + REOPEN_WITHIN;
        loop {
            sleep(REOPEN_PAUSE).await;
            match self.source.reopen().await {
                Err(error) if error.code() == Code::Unavailable && clock::instant() < until => {}
                end => return end,
            }
        }
    }

    /// Sends the changes of one frame. Only the last response moves the watcher on: if it goes in between, the
    /// whole frame comes again.
    async fn send_all(&self, mut seen: Vec<StatusChange>, before: Position) -> std::result::Result<(), Gone> {
        while seen.len() > CHANGES_MAX {
            let rest = seen.split_off(CHANGES_MAX);
            self.send(std::mem::replace(&mut seen, rest), before).await?;
        }
        if seen.is_empty() { Ok(()) } else { self.send(seen, self.source.position()).await }
    }

    async fn send(&self, changes: Vec<StatusChange>, position: Position) -> std::result::Result<(), Gone> {
        let response = WatchStatusResponse { changes, resume_token: position.token() };
        self.responses.send(Ok(response)).await.map_err(|_closed| Gone)
    }
}

/// When a change was, in microseconds since the epoch.
fn time_us(change: &StatusChange) -> Option<i64> {
    change.time.as_ref().map(|time| time.seconds * 1_000_000 + i64::from(time.nanos / 1_000))
}
