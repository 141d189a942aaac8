//! Somebody who watches, and what they see.

use std::time::Duration;

use anyhow::{Context, Result};
use muster_proto::v1::watch_events_request::Start;
use muster_proto::v1::{WatchEventsRequest, WatchEventsResponse};
use muster_tests::Client;
use muster_tests::stack::Organization;
use tonic::Streaming;

use crate::scene::WITHIN;

/// How long something is waited for that must not come.
const QUIET: Duration = Duration::from_millis(500);

/// A request for all that a tenant's own client may see, from now on.
pub(super) fn everything(organization: &Organization) -> WatchEventsRequest {
    WatchEventsRequest { parent: organization.tenant.clone(), ..WatchEventsRequest::default() }
}

/// Watches.
pub(super) async fn open(
    client: &Client,
    request: WatchEventsRequest,
) -> Result<Streaming<WatchEventsResponse>> {
    Ok(client.events().watch_events(request).await?.into_inner())
}

/// The next response, soon.
pub(super) async fn next(stream: &mut Streaming<WatchEventsResponse>) -> Result<WatchEventsResponse> {
    let response = tokio::time::timeout(WITHIN, stream.message()).await.context("no response came")??;
    response.context("the stream ended")
}

/// Somebody who watches, and has begun.
pub(super) struct Watcher {
    pub(super) stream: Streaming<WatchEventsResponse>,
    /// The last token.
    pub(super) token: String,
}

impl Watcher {
    /// Begins to watch: the first response is there, and is empty.
    pub(super) async fn begin(client: &Client, request: WatchEventsRequest) -> Result<Self> {
        let mut stream = open(client, request).await?;
        let first = next(&mut stream).await?;
        anyhow::ensure!(first.events.is_empty(), "the first response has events: {first:?}");
        Ok(Self { stream, token: first.resume_token })
    }

    /// Begins where another one was.
    pub(super) async fn resume(client: &Client, request: WatchEventsRequest, token: &str) -> Result<Self> {
        let start = Some(Start::ResumeToken(token.to_owned()));
        Self::begin(client, WatchEventsRequest { start, ..request }).await
    }

    /// The next response with events.
    pub(super) async fn next(&mut self) -> Result<WatchEventsResponse> {
        loop {
            let response = next(&mut self.stream).await?;
            self.token.clone_from(&response.resume_token);
            if !response.events.is_empty() {
                return Ok(response);
            }
        }
    }

    /// The ids of the next events, as many as are wanted; an error where more come at once.
    pub(super) async fn ids(&mut self, count: usize) -> Result<Vec<String>> {
        let mut ids = Vec::new();
        while ids.len() < count {
            ids.extend(self.next().await?.events.into_iter().map(|event| event.id));
        }
        anyhow::ensure!(ids.len() == count, "{} events came, of {count}", ids.len());
        Ok(ids)
    }

    /// Demands that no events come for a moment.
    pub(super) async fn nothing_comes(&mut self) -> Result<()> {
        let came = tokio::time::timeout(QUIET, self.next()).await;
        anyhow::ensure!(came.is_err(), "there came {came:?}");
        Ok(())
    }
}
