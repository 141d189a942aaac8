//! Who reads slowly or hears nothing: lag is an error with a token, silence is broken by heartbeats.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use muster_proto::v1::{EventKind, Provider, WatchEventsRequest};
use muster_tests::stack::Service;
use muster_tests::teller::{Teller, delivered};
use muster_tests::{Stack, StackOptions};
use tonic::Code;
use tonic_types::StatusExt as _;

use super::watcher::{Watcher, everything, next};
use crate::scene::{self, WITHIN};

/// How long a watcher hears nothing at most, with the machine's own time.
const HEARTBEAT_MAX: Duration = Duration::from_secs(20);
/// Messages of a frame.
const MESSAGES: u128 = 100;
/// Frames that are told: more than a connection and the gateway hold together.
const FRAMES: u128 = 200;

#[tokio::test]
async fn whoever_reads_too_slowly_is_told_and_goes_on_from_there() -> Result<()> {
    let env = vec![(Service::Gateway, "MUSTER_GRPC__HELD_BYTES_MAX".to_owned(), "500000".to_owned())];
    let stack = Stack::start(StackOptions { env, ..StackOptions::default() }).await?;
    let (organization, _) = scene::organization(&stack, Provider::Twilio, 1).await?;
    let teller = Teller::of(&stack, &organization.tenant).await?;
    let (client, all) = (&organization.client, everything(&organization));
    let mut slow = Watcher::begin(client, all.clone()).await?;
    let mut healthy = Watcher::begin(client, all.clone()).await?;
    let mut told = 0;
    for frame in 0..FRAMES {
        teller.tell(&delivered(frame * MESSAGES, MESSAGES, 7)).await?;
        told += healthy.next().await?.events.len();
    }
    // It reads again: first what is on the way, then that it was too slow.
    let mut seen = 0;
    let status = loop {
        match slow.next().await {
            Ok(response) => seen += response.events.len(),
            Err(error) => break error.downcast::<tonic::Status>()?,
        }
    };
    ensure!(status.code() == Code::Aborted && seen > 0 && seen < told, "{seen} of {told}, then {status:?}");
    let info = status.get_details_error_info().context("details")?;
    let token = info.metadata.get("resume_token").context("a token")?;
    ensure!(info.reason == "WATCHER_TOO_SLOW" && *token == slow.token, "{info:?}");
    let mut resumed = Watcher::resume(client, all, token).await?;
    ensure!(resumed.ids(told - seen).await?.len() == told - seen);
    Ok(())
}

#[tokio::test]
async fn silence_is_broken_by_how_far_the_stream_is() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let (organization, _) = scene::organization(&stack, Provider::Twilio, 1).await?;
    let teller = Teller::of(&stack, &organization.tenant).await?;
    let filtered = WatchEventsRequest { kinds: vec![EventKind::OptOut.into()], ..everything(&organization) };
    let mut watcher = Watcher::begin(&organization.client, filtered.clone()).await?;
    let begun = Instant::now();
    let first = watcher.token.clone();
    // What the filter does not let through moves it on all the same.
    teller.tell(&delivered(1, 1, 7)).await?;
    let beat = next(&mut watcher.stream).await?;
    ensure!(
        beat.events.is_empty() && begun.elapsed() < HEARTBEAT_MAX,
        "{beat:?} after {:?}",
        begun.elapsed()
    );
    ensure!(beat.resume_token != first);
    let progress = beat.progress_time.context("it is known how far it is")?;
    // And where nothing comes at all, its time goes on.
    let later = tokio::time::timeout(WITHIN, next(&mut watcher.stream)).await??;
    let later_progress = later.progress_time.context("it is known how far it is")?;
    ensure!((later_progress.seconds, later_progress.nanos) > (progress.seconds, progress.nanos));
    Watcher::resume(&organization.client, filtered, &later.resume_token).await?.nothing_comes().await
}
