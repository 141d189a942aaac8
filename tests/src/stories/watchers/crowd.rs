//! Those who watch: some read, some have stopped.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use futures::{StreamExt as _, TryStreamExt as _};
use muster_proto::v1::event::Kind;
use muster_proto::v1::watch_events_request::Start;
use muster_proto::v1::{WatchEventsRequest, WatchEventsResponse};
use tokio::task::JoinSet;
use tonic::transport::Endpoint;
use tonic::{Code, Streaming};
use tonic_types::StatusExt as _;

use super::WITHIN;
use crate::client::Client;
use crate::stack::{Organization, Stack};
use crate::teller::now_us;
use crate::tls::Dial;

/// Streams that are opened at once.
const OPENING: usize = 64;
/// What a stream and a connection of one that stops reading take before they are full, in bytes.
const STALLED_WINDOWS: [u32; 2] = [16 * 1_024, 512 * 1_024];
/// How many of those that were stalled are followed to the end.
const FOLLOWED: usize = 50;

type Stream = Streaming<WatchEventsResponse>;

/// Opens streams that have begun, by turns of the organizations.
async fn open(
    stack: &Stack,
    dial: &Dial,
    organizations: &[Organization],
    count: usize,
    per_connection: usize,
    adjust: impl Fn(Endpoint) -> Endpoint,
) -> Result<Vec<(usize, Client, Stream)>> {
    let mut clients = Vec::new();
    for connection in 0..count.div_ceil(per_connection.max(1)) {
        let organization = connection % organizations.len();
        let channel = dial.channel(&stack.endpoints.status_url, &adjust)?;
        clients.push((organization, organizations[organization].client.with_gateway(channel)));
    }
    let one = |number: usize| {
        let (organization, client) = &clients[number / per_connection.max(1)];
        let parent = organizations[*organization].tenant.clone();
        async move {
            let request = WatchEventsRequest { parent, ..WatchEventsRequest::default() };
            let mut stream = client.events().watch_events(request).await.context("watch")?.into_inner();
            stream.message().await?.context("the watch ended at once")?;
            anyhow::Ok((*organization, client.clone(), stream))
        }
    };
    futures::stream::iter((0..count).map(one)).buffered(OPENING).try_collect().await
}

/// Those who read.
pub(super) struct Crowd {
    members: Vec<Arc<Member>>,
    delays_us: Arc<Mutex<Vec<i64>>>,
    /// Dropped, nobody reads any more.
    _reading: JoinSet<()>,
}

#[derive(Default)]
struct Member {
    organization: usize,
    seen: AtomicUsize,
    /// Why it does not read any more.
    ended: Mutex<Option<String>>,
}

impl Crowd {
    pub(super) async fn open(
        stack: &Stack,
        dial: &Dial,
        organizations: &[Organization],
        count: usize,
        per_connection: usize,
    ) -> Result<Self> {
        let (mut members, mut reading) = (Vec::new(), JoinSet::new());
        let delays_us = Arc::<Mutex<Vec<i64>>>::default();
        for (organization, _, stream) in
            open(stack, dial, organizations, count, per_connection, |endpoint| endpoint).await?
        {
            let member = Arc::new(Member { organization, ..Member::default() });
            members.push(member.clone());
            reading.spawn(read(stream, member, delays_us.clone()));
        }
        Ok(Self { members, delays_us, _reading: reading })
    }

    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether each has seen as many events as were told of its organization.
    pub(super) fn has_seen(&self, told: &[usize]) -> bool {
        self.members.iter().all(|member| member.seen.load(Ordering::Relaxed) >= told[member.organization])
    }

    pub(super) fn has_faults(&self) -> bool {
        !self.faults().is_empty()
    }

    /// Why some do not read any more.
    pub(super) fn faults(&self) -> Vec<String> {
        let ended =
            |member: &Arc<Member>| member.ended.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.members.iter().filter_map(ended).collect()
    }

    /// How long each response since the last look took from when its events were made, in microseconds.
    pub(super) fn take_delays(&self) -> Vec<i64> {
        std::mem::take(&mut *self.delays_us.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn read(mut stream: Stream, member: Arc<Member>, delays_us: Arc<Mutex<Vec<i64>>>) {
    let ended = loop {
        match stream.message().await {
            Ok(Some(response)) => {
                if let Some(Kind::StatusChange(change)) =
                    response.events.first().and_then(|event| event.kind.as_ref())
                    && let Some(time) = change.time
                {
                    let made_us = time.seconds * 1_000_000 + i64::from(time.nanos) / 1_000;
                    delays_us.lock().unwrap_or_else(PoisonError::into_inner).push(now_us() - made_us);
                }
                member.seen.fetch_add(response.events.len(), Ordering::Relaxed);
            }
            Ok(None) => break "a stream ended without a word".to_owned(),
            Err(status) => break format!("a stream of one who reads ended: {status}"),
        }
    };
    *member.ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(ended);
}

/// Those who have stopped reading.
pub(super) struct Stalled(Vec<(usize, Client, Stream)>);

/// What became of them.
#[derive(Debug, Default)]
pub(super) struct CaughtUp {
    /// Those who were told that they were too slow, with a token.
    pub(super) too_slow: usize,
    /// Those of a sample who then saw everything.
    pub(super) complete: usize,
    pub(super) faults: Vec<String>,
}

impl Stalled {
    pub(super) async fn open(
        stack: &Stack,
        dial: &Dial,
        organizations: &[Organization],
        count: usize,
        per_connection: usize,
    ) -> Result<Self> {
        let [stream, connection] = STALLED_WINDOWS;
        let small = |endpoint: Endpoint| {
            endpoint.initial_stream_window_size(stream).initial_connection_window_size(connection)
        };
        Ok(Self(open(stack, dial, organizations, count, per_connection, small).await?))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// How many of them are followed to the end.
    pub(super) fn followed(&self) -> usize {
        self.len().min(FOLLOWED)
    }

    /// All of them read again, and a sample goes on to the end: to what was told of each organization, since they connected
    /// when `from` had been.
    pub(super) async fn read_again(
        self,
        organizations: &[Organization],
        from: &[usize],
        to: &[usize],
    ) -> Result<CaughtUp> {
        let one = async |(number, (organization, client, stream)): (usize, (usize, Client, Stream))| {
            let wanted = to[organization] - from[organization];
            let follow = (number < FOLLOWED).then_some(wanted);
            let parent = organizations[organization].tenant.clone();
            let caught_up = tokio::time::timeout(WITHIN, catch_up(client, parent, stream, follow)).await;
            caught_up.unwrap_or_else(|_elapsed| Err(anyhow::anyhow!("one that was stalled hears nothing")))
        };
        let all: Vec<_> = futures::stream::iter(self.0.into_iter().enumerate())
            .map(one)
            .buffer_unordered(OPENING)
            .collect()
            .await;
        let mut caught_up = CaughtUp::default();
        for outcome in all {
            match outcome {
                Ok(complete) => {
                    caught_up.too_slow += 1;
                    caught_up.complete += usize::from(complete);
                }
                Err(error) => caught_up.faults.push(format!("{error:#}")),
            }
        }
        Ok(caught_up)
    }
}

/// Reads to the word that it was too slow, and, where it is followed, on from the token until it has seen as many events as
/// are wanted. Whether it has.
async fn catch_up(client: Client, parent: String, mut stream: Stream, follow: Option<usize>) -> Result<bool> {
    let mut seen = 0;
    let status = loop {
        match stream.message().await {
            Ok(Some(response)) => seen += response.events.len(),
            Ok(None) => anyhow::bail!("the stream of one that was stalled ended without a word"),
            Err(status) => break status,
        }
    };
    let info = status.get_details_error_info().filter(|_| status.code() == Code::Aborted);
    let token = info.and_then(|mut info| info.metadata.remove("resume_token"));
    let token = token.with_context(|| format!("one that was stalled was told {status}"))?;
    let Some(wanted) = follow else { return Ok(false) };
    let request = WatchEventsRequest {
        parent,
        start: Some(Start::ResumeToken(token)),
        ..WatchEventsRequest::default()
    };
    let mut stream = client.events().watch_events(request).await?.into_inner();
    while seen < wanted {
        seen += stream.message().await?.context("it ended")?.events.len();
    }
    anyhow::ensure!(seen == wanted, "one that was stalled saw {seen} events, of {wanted}");
    Ok(true)
}
