//! One event stream, from its first frame to its end.

use std::time::Duration;

use muster_domain::id::TenantId;
use muster_proto::internal::v1::StatusFrame;
use muster_proto::v1::{Event, WatchEventsResponse};
use muster_runtime::{Error, Result, clock};
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};
use uuid::Uuid;

use super::filter::Filter;
use super::position::Position;
use super::record::events;
use super::source::Source;

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
    pub(super) filter: Filter,
    pub(super) responses: mpsc::Sender<std::result::Result<WatchEventsResponse, Status>>,
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
                Ok(frame) => self.seen(frame),
                Err(error) => {
                    tracing::warn!(error = format!("{error:#}"), "an event stream lost its place; reopening");
                    self.reopen().await?;
                    continue;
                }
            };
            if self.send_all(seen, before).await.is_err() {
                return Ok(());
            }
        }
    }

    fn seen(&self, frame: StatusFrame) -> Vec<Event> {
        let id = Uuid::from_slice(&frame.frame_id).unwrap_or_default();
        let all = events(frame, self.tenant, id, false).into_iter();
        all.filter(|(about, _)| self.filter.admits(about)).map(|(_, event)| event).collect()
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
    async fn send_all(&self, mut seen: Vec<Event>, before: Position) -> std::result::Result<(), Gone> {
        while seen.len() > CHANGES_MAX {
            let rest = seen.split_off(CHANGES_MAX);
            self.send(std::mem::replace(&mut seen, rest), before).await?;
        }
        if seen.is_empty() { Ok(()) } else { self.send(seen, self.source.position()).await }
    }

    async fn send(&self, events: Vec<Event>, position: Position) -> std::result::Result<(), Gone> {
        let response = WatchEventsResponse { events, resume_token: position.token(), progress_time: None };
        self.responses.send(Ok(response)).await.map_err(|_closed| Gone)
    }
}
