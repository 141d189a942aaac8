//! One status stream, from its first frame to its end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use muster_domain::id::TenantId;
use muster_proto::v1::{StatusChange, WatchStatusResponse};
use muster_runtime::key::KeyHash;
use muster_runtime::{Error, Result, clock};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};
use uuid::Uuid;

use super::Keys;
use super::change::changes;
use super::position::Position;
use super::source::Source;

/// How often a stream's key is checked again.
const KEY_CHECK: Duration = Duration::from_secs(5);
/// How long a stream goes on while the control-plane does not answer. Without it little is committed that could
/// be shown, and all watchers at once coming back to it would not help.
const UNCHECKED_MAX: Duration = Duration::from_secs(60);
/// Changes in a response at most, so that it stays far below the 4 MiB that clients take.
const CHANGES_MAX: usize = 5_000;
/// The pause before a lost source is opened again.
const REOPEN_PAUSE: Duration = Duration::from_millis(500);
/// How long a lost source is tried to be opened again.
const REOPEN_WITHIN: Duration = Duration::from_secs(30);

/// A stream that somebody watches.
pub(super) struct Watch {
    pub(super) source: Source,
    pub(super) keys: Arc<Keys>,
    pub(super) key: KeyHash,
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
        let mut checks = interval(KEY_CHECK);
        checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut checked = clock::instant();
        loop {
            let before = self.source.position();
            let frame = tokio::select! {
                _ = checks.tick() => {
                    self.check_key(&mut checked).await?;
                    continue;
                }
                frame = self.source.next() => frame,
            };
            let seen = match frame {
                Ok(frame) => changes(frame, self.tenant, self.campaign),
                Err(error) => {
                    tracing::warn!(error = format!("{error:#}"), "a status stream lost its place; reopening");
                    self.reopen().await?;
                    continue;
                }
            };
            if self.send_all(seen, before).await.is_err() {
                return Ok(());
            }
        }
    }

    /// Checks that the key is still good for this tenant.
    async fn check_key(&self, checked: &mut Instant) -> Result<()> {
        let caller = match self.keys.caller(self.key).await {
            Ok(caller) => caller,
            Err(error) if error.code() == Code::Unavailable && clock::since(*checked) < UNCHECKED_MAX => {
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        *checked = clock::instant();
        caller.tenant(self.tenant.0, "the tenant").map(|_tenant| ())
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
