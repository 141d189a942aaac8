//! One event stream, from its first response to its end.
//!
//! Nothing is done for a watcher but what its connection asks for: it has a place and no queue. So one that has stopped reading
//! holds nothing, and is told when it reads again that what it waits for is not held any longer.

use std::sync::{Arc, Weak};
use std::time::Duration;

use futures::stream::{self, Stream};
use muster_domain::id::TenantId;
use muster_proto::v1::WatchEventsResponse;
use muster_runtime::{Error, Result, clock};
use tokio::sync::watch::Receiver;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::filter::Filter;
use super::frame::Frame;
use super::hub::Tail;
use super::past::{Page, Past};
use super::places::Place;
use super::position::Position;
use super::reader::Heard;
use super::response::{Events, Response};
use super::ring::Next;
use crate::metrics;

/// How long a watcher hears nothing at most.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// Who watches, and what.
pub(super) struct Watcher {
    pub(super) tenant: TenantId,
    pub(super) filter: Filter,
    /// Held as long as they watch.
    pub(super) _place: Place,
}

/// A stream that somebody watches.
pub(super) struct Watch {
    watcher: Watcher,
    position: Position,
    /// All before this has been sent, in microseconds since the Unix epoch; 0 where that is not known.
    progress_us: i64,
    tail: Arc<Tail>,
    heard: Receiver<Heard>,
    past: Past,
    page: Weak<Page>,
    at: At,
    stop: CancellationToken,
}

/// How far a watch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// Nothing has been sent.
    Beginning,
    /// It catches up.
    Past,
    /// It has come to what the ring holds, and has to keep up from now on.
    Ring,
}

impl Watch {
    pub(super) fn new(
        watcher: Watcher,
        position: Position,
        tail: Arc<Tail>,
        past: Past,
        stop: CancellationToken,
    ) -> Self {
        let heard = tail.heard();
        Self {
            watcher,
            position,
            progress_us: 0,
            tail,
            heard,
            past,
            page: Weak::new(),
            at: At::Beginning,
            stop,
        }
    }

    /// The responses, until something ends them; the last says what.
    pub(super) fn responses(self) -> impl Stream<Item = Result<Response, Status>> + Send {
        stream::unfold(Some(self), async |watch| {
            let mut watch = watch?;
            match watch.next().await {
                Ok(response) => Some((Ok(response), Some(watch))),
                Err(error) => Some((Err(error.into()), None)),
            }
        })
    }

    async fn next(&mut self) -> Result<Response> {
        if self.at == At::Beginning {
            self.at = At::Past;
            return Ok(self.response(None));
        }
        let beat: Instant = (clock::instant() + HEARTBEAT).into();
        loop {
            // Before the look into the ring, so that nothing that comes after it is missed.
            let heard = self.heard()?;
            let next = match self.tail.after(self.position) {
                Next::Before if self.at == At::Ring => return Err(self.lost()),
                Next::Before => match timeout_at(beat, self.page()).await {
                    Ok(page) => page?.after(self.position.sequence),
                    Err(_elapsed) => return Ok(self.response(None)),
                },
                next @ (Next::Frame(_) | Next::Nothing(_)) => {
                    self.at = At::Ring;
                    next
                }
            };
            match next {
                Next::Frame(frame) => {
                    if let Some(response) = self.take(&frame) {
                        return Ok(response);
                    }
                    // However much is not for this watcher, others have their turn.
                    tokio::task::consume_budget().await;
                }
                Next::Nothing(end) if self.at == At::Ring => {
                    self.pass(end);
                    self.progress_us = self.progress_us.max(heard);
                    if clock::instant() >= beat.into_std() {
                        return Ok(self.response(None));
                    }
                    tokio::select! {
                        // First, because a reader ends with the gateway.
                        biased;
                        () = self.stop.cancelled() => {}
                        changed = self.heard.changed() => changed.map_err(Error::unavailable)?,
                        () = sleep_until(beat) => {}
                    }
                }
                Next::Nothing(end) if end > self.position.sequence => self.pass(end),
                Next::Nothing(_) => return Err(Error::unavailable("the stream of events went back")),
                Next::Before => return Err(self.lost()),
            }
        }
    }

    /// The time of which the reader says that all before has come.
    fn heard(&mut self) -> Result<i64> {
        if self.stop.is_cancelled() {
            return Err(Error::going_away());
        }
        let heard = self.heard.borrow_and_update();
        heard.ended.clone().map_or(Ok(heard.progress_us), Err)
    }

    /// What the frame has for this watcher, as much as one response holds.
    fn take(&mut self, frame: &Arc<Frame>) -> Option<Response> {
        let part = frame.part(&self.watcher.filter, self.position.offset);
        match part.offset {
            Some(offset) => self.position.offset = offset,
            None => {
                self.pass(frame.sequence);
                self.progress_us = self.progress_us.max(frame.time_us);
            }
        }
        if part.picked.is_empty() {
            return None;
        }
        metrics::watched(part.picked.len(), frame.time_us);
        Some(self.response(Some((frame.clone(), part.picked))))
    }

    fn pass(&mut self, sequence: u64) {
        if sequence > self.position.sequence {
            self.position = Position { sequence, offset: 0, ..self.position };
        }
    }

    /// A page of the past that goes on from here.
    async fn page(&mut self) -> Result<Arc<Page>> {
        if let Some(page) = self.page.upgrade()
            && page.goes_on_after(self.position.sequence)
        {
            return Ok(page);
        }
        // Boxed, so that only those who catch up have room for it.
        let page = Box::pin(self.past.page(self.watcher.tenant, self.position)).await?;
        self.page = Arc::downgrade(&page);
        Ok(page)
    }

    /// Why there is nothing to go on with.
    fn lost(&self) -> Error {
        let ended = self.heard.borrow().ended.clone();
        ended.unwrap_or_else(|| {
            metrics::watcher_lost();
            Error::watcher_too_slow(self.position.token())
        })
    }

    fn response(&self, events: Option<Events>) -> Response {
        let known = self.progress_us > 0;
        let rest = WatchEventsResponse {
            events: Vec::new(),
            resume_token: self.position.token(),
            progress_time: known.then(|| clock::timestamp(self.progress_us)),
        };
        Response { events, rest }
    }
}
