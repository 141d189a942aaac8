//! Watching changes of status at the gateway, over reconnections: what was seen is kept, and the stream goes on from there.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use muster_proto::v1::event::Kind;
use muster_proto::v1::watch_events_request::Start;
use muster_proto::v1::{EventKind, MessageStatus, StatusChange, WatchEventsRequest, WatchEventsResponse};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tonic::{Code, Status, Streaming};

use super::Client;

/// How long a watcher waits before it connects again.
const RECONNECT_PAUSE: Duration = Duration::from_millis(50);

/// What a watcher has seen.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Where each message is, by its name.
    pub statuses: HashMap<String, MessageStatus>,
    /// Changes, those that came again included.
    pub changes: u64,
    /// Connections beyond the first.
    pub reconnections: u64,
    /// Why the watch ended for good.
    pub ended: Option<Status>,
}

impl Seen {
    /// How many messages have a status.
    pub fn count(&self, status: MessageStatus) -> usize {
        self.statuses.values().filter(|seen| **seen == status).count()
    }
}

/// A watcher that runs beside us until it is dropped.
#[derive(Debug)]
pub struct Watch {
    state: Arc<State>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct State {
    seen: Mutex<Seen>,
    changed: Notify,
}

impl State {
    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Client {
    /// Watches the messages of a tenant or, where `campaign` is not empty, of one campaign. When this returns the
    /// watch has begun: every change committed from now on will be seen. `each` is called with every change.
    pub async fn watch(
        &self,
        tenant: &str,
        campaign: &str,
        mut each: impl FnMut(&StatusChange) + Send + 'static,
    ) -> Result<Watch> {
        let mut request = WatchEventsRequest {
            parent: tenant.to_owned(),
            campaign: campaign.to_owned(),
            kinds: vec![EventKind::Status.into()],
            ..WatchEventsRequest::default()
        };
        let mut stream = self.events().watch_events(request.clone()).await.context("watch")?.into_inner();
        let first = stream.message().await.context("the first frame of a watch")?;
        request.start = Some(Start::ResumeToken(first.context("the watch ended at once")?.resume_token));
        let state = Arc::new(State::default());
        let task = tokio::spawn({
            let (client, state) = (self.clone(), Arc::clone(&state));
            async move {
                let mut take = |frame| take(&state, frame, &mut each);
                let ended = follow(&client, &mut request, stream, &mut take).await;
                state.lock().ended = Some(ended);
                state.changed.notify_waiters();
            }
        });
        Ok(Watch { state, task })
    }
}

/// Follows the stream, and streams that go on from it, until one ends for good.
async fn follow(
    client: &Client,
    request: &mut WatchEventsRequest,
    first: Streaming<WatchEventsResponse>,
    take: &mut impl FnMut(Option<WatchEventsResponse>),
) -> Status {
    let mut stream = Some(first);
    loop {
        let broken = match &mut stream {
            Some(stream) => drain(stream, request, take).await,
            None => match client.events().watch_events(request.clone()).await {
                Ok(answer) => {
                    take(None);
                    stream = Some(answer.into_inner());
                    continue;
                }
                Err(status) => status,
            },
        };
        // A gateway that was killed breaks streams off with any of these.
        if !matches!(broken.code(), Code::Unavailable | Code::Unknown | Code::Cancelled | Code::Internal) {
            return broken;
        }
        stream = None;
        tokio::time::sleep(RECONNECT_PAUSE).await;
    }
}

async fn drain(
    stream: &mut Streaming<WatchEventsResponse>,
    request: &mut WatchEventsRequest,
    take: &mut impl FnMut(Option<WatchEventsResponse>),
) -> Status {
    loop {
        match stream.message().await {
            Ok(Some(frame)) => {
                request.start = Some(Start::ResumeToken(frame.resume_token.clone()));
                take(Some(frame));
            }
            Ok(None) => return Status::unavailable("the gateway ended the stream"),
            Err(status) => return status,
        }
    }
}

/// Notes a frame or, without one, a reconnection.
fn take(state: &State, frame: Option<WatchEventsResponse>, each: &mut impl FnMut(&StatusChange)) {
    let mut seen = state.lock();
    let Some(frame) = frame else {
        seen.reconnections += 1;
        return;
    };
    for event in frame.events {
        let Some(Kind::StatusChange(change)) = event.kind else { continue };
        each(&change);
        let status = change.status();
        seen.changes += 1;
        seen.statuses.insert(change.message, status);
    }
    drop(seen);
    state.changed.notify_waiters();
}

impl Watch {
    /// What was seen so far.
    pub fn seen(&self) -> Seen {
        self.state.lock().clone()
    }

    /// Looks at what was seen so far, without a copy.
    pub fn look<T>(&self, look: impl FnOnce(&Seen) -> T) -> T {
        look(&self.state.lock())
    }

    /// Waits until what was seen satisfies `enough`; an error that names `what` when that takes too long or the
    /// watch ends.
    pub async fn until(&self, what: &str, within: Duration, enough: impl Fn(&Seen) -> bool) -> Result<()> {
        let wait = async {
            loop {
                let changed = self.state.changed.notified();
                {
                    let seen = self.state.lock();
                    if enough(&seen) {
                        return Ok(());
                    }
                    if let Some(status) = &seen.ended {
                        anyhow::bail!("the watch ended before {what}: {status}");
                    }
                }
                changed.await;
            }
        };
        match tokio::time::timeout(within, wait).await {
            Ok(done) => done,
            Err(_elapsed) => {
                let seen = self.state.lock().changes;
                anyhow::bail!("watched {within:?} in vain for {what}; {seen} changes were seen")
            }
        }
    }
}
