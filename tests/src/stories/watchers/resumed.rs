//! One who watches, is killed, and comes back with the last token: again and again.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use muster_proto::v1::WatchEventsRequest;
use muster_proto::v1::watch_events_request::Start;
use tokio::task::JoinHandle;

use super::PAUSE;
use super::flow::Flow;
use crate::client::Client;
use crate::stack::{Organization, Stack};
use crate::tls::Dial;
use crate::wait;

/// One who is killed.
pub(super) struct Resumed {
    seen: Arc<Mutex<Seen>>,
    wanted: usize,
    life: JoinHandle<Result<()>>,
}

#[derive(Debug, Default)]
struct Seen {
    ids: HashSet<String>,
    again: usize,
    resumes: usize,
}

/// What became of it.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) resumes: usize,
    /// Events that it never saw.
    pub(super) missing: usize,
    /// Events that it saw again.
    pub(super) again: usize,
}

impl Resumed {
    /// Begins to watch; it is killed after every few responses until it was as often as `resumes`.
    pub(super) async fn start(
        stack: &Stack,
        dial: &Dial,
        organization: &Organization,
        resumes: usize,
    ) -> Result<Self> {
        let (dial, url) = (dial.clone(), stack.endpoints.status_url.clone());
        let client = organization.client.clone();
        let anew = move || anyhow::Ok(client.with_gateway(dial.channel(&url, |endpoint| endpoint)?));
        let mut request =
            WatchEventsRequest { parent: organization.tenant.clone(), ..WatchEventsRequest::default() };
        let mut stream = anew()?.events().watch_events(request.clone()).await?.into_inner();
        let first = stream.message().await?.context("the watch ended at once")?;
        request.start = Some(Start::ResumeToken(first.resume_token));
        let seen = Arc::<Mutex<Seen>>::default();
        let life = tokio::spawn({
            let seen = seen.clone();
            async move {
                loop {
                    let life = seen.lock().unwrap_or_else(PoisonError::into_inner).resumes;
                    // Lives are short and of different lengths; the last one has no end.
                    let responses = if life < resumes { life % 3 + 1 } else { usize::MAX };
                    live(&anew()?, &mut request, responses, &seen).await?;
                    seen.lock().unwrap_or_else(PoisonError::into_inner).resumes += 1;
                }
            }
        });
        Ok(Self { seen, wanted: resumes, life })
    }

    /// Waits until it has seen all that was told of the organization, and was killed as often as it had to be.
    pub(super) async fn end(self, flow: &Flow, organization: usize, within: Duration) -> Result<Ended> {
        let told = flow.ids(organization);
        let look = || {
            let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let missing = told.iter().filter(|id| !seen.ids.contains(*id)).count();
            Ended { resumes: seen.resumes, missing, again: seen.again }
        };
        let all = async || {
            let ended = look();
            Ok((self.life.is_finished() || ended.missing == 0 && ended.resumes >= self.wanted).then_some(()))
        };
        // What is missing then is told by the report.
        let _ = wait::until_every(PAUSE, "the one that is killed", within, all).await;
        if self.life.is_finished() {
            self.life.await??;
            anyhow::bail!("the one that is killed has ended");
        }
        self.life.abort();
        Ok(look())
    }
}

/// One life, of so many responses with events.
async fn live(
    client: &Client,
    request: &mut WatchEventsRequest,
    responses: usize,
    seen: &Mutex<Seen>,
) -> Result<()> {
    let mut stream = client.events().watch_events(request.clone()).await?.into_inner();
    let mut taken = 0;
    while taken < responses {
        let response = stream.message().await?.context("the stream of the one that is killed ended")?;
        taken += usize::from(!response.events.is_empty());
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        for event in response.events {
            seen.again += usize::from(!seen.ids.insert(event.id));
        }
        // Where a life has several responses it ends before the last token is noted: what came with it comes again.
        if taken < responses || responses == 1 {
            request.start = Some(Start::ResumeToken(response.resume_token));
        }
    }
    Ok(())
}
