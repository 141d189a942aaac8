//! Where a stream begins: now, after a token, at a time; and where it cannot any more.

use anyhow::{Context, Result, ensure};
use muster_proto::v1::watch_events_request::Start;
use muster_proto::v1::{Provider, WatchEventsRequest};
use muster_tests::stack::{Organization, Service};
use muster_tests::teller::{Teller, delivered};
use muster_tests::{Stack, StackOptions};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::watcher::{Watcher, everything, open};
use crate::fields::field;
use crate::scene::{self, refusal};

/// Tells frames of one event each; returns their events' ids.
async fn tell(teller: &Teller, frames: u128) -> Result<Vec<String>> {
    let mut ids = Vec::new();
    for message in 0..frames {
        let frame = delivered(message, 1, 7);
        teller.tell(&frame).await?;
        let id: String = frame.frame_id.iter().map(|byte| format!("{byte:02x}")).collect();
        ids.push(format!("{id}-0"));
    }
    Ok(ids)
}

async fn scene() -> Result<(Stack, Organization, Teller)> {
    scene_that_holds("10000000").await
}

/// A gateway that holds so many bytes of the newest events, an organization, and who tells its events.
async fn scene_that_holds(bytes: &str) -> Result<(Stack, Organization, Teller)> {
    let env = vec![(Service::Gateway, "MUSTER_GRPC__HELD_BYTES_MAX".to_owned(), bytes.to_owned())];
    let stack = Stack::start(StackOptions { env, ..StackOptions::default() }).await?;
    let (organization, _) = scene::organization(&stack, Provider::Twilio, 1).await?;
    let teller = Teller::of(&stack, &organization.tenant).await?;
    Ok((stack, organization, teller))
}

fn at(time: prost_types::Timestamp) -> Option<Start> {
    Some(Start::StartTime(time))
}

/// What the error's details call it.
fn reason(status: &Status) -> Option<String> {
    status.get_details_error_info().map(|info| info.reason)
}

#[tokio::test]
async fn a_stream_begins_now_after_a_token_or_at_a_time() -> Result<()> {
    let (_stack, organization, teller) = scene().await?;
    let (client, all) = (&organization.client, everything(&organization));
    let mut watcher = Watcher::begin(client, all.clone()).await?;
    let start = watcher.token.clone();
    let ids = tell(&teller, 5).await?;
    let mut tokens = Vec::new();
    let mut third = None;
    for id in &ids {
        let response = watcher.next().await?;
        ensure!(response.events.len() == 1 && response.events[0].id == *id, "{response:?}, not {id}");
        third = third.or((tokens.len() == 2).then_some(response.progress_time).flatten());
        tokens.push(response.resume_token);
    }
    // While somebody watches, and when nobody has for a while.
    for alone in [false, true] {
        if alone {
            drop(std::mem::replace(&mut watcher, Watcher::begin(client, all.clone()).await?));
            watcher.nothing_comes().await?;
        }
        ensure!(Watcher::resume(client, all.clone(), &start).await?.ids(5).await? == ids);
        ensure!(Watcher::resume(client, all.clone(), &tokens[1]).await?.ids(3).await? == ids[2..]);
        Watcher::resume(client, all.clone(), &tokens[4]).await?.nothing_comes().await?;
        let since = WatchEventsRequest { start: at(third.context("a time")?), ..all.clone() };
        ensure!(Watcher::begin(client, since).await?.ids(3).await? == ids[2..]);
        let ever = WatchEventsRequest { start: at(prost_types::Timestamp::default()), ..all.clone() };
        ensure!(Watcher::begin(client, ever).await?.ids(5).await? == ids);
    }
    // Every one of them goes on with what comes.
    let mut resumed = Watcher::resume(client, all.clone(), &tokens[4]).await?;
    let more = tell(&teller, 1).await?;
    ensure!(resumed.ids(1).await? == more && watcher.ids(1).await? == more);
    Ok(())
}

#[tokio::test]
async fn a_large_frame_comes_in_parts_and_goes_on_after_each() -> Result<()> {
    let (_stack, organization, teller) = scene().await?;
    let (client, all) = (&organization.client, everything(&organization));
    let mut watcher = Watcher::begin(client, all.clone()).await?;
    teller.tell(&delivered(1, 5_500, 7)).await?;
    let after = tell(&teller, 1).await?;
    let (mut ids, mut tokens) = (Vec::new(), Vec::new());
    while ids.len() < 5_500 {
        let response = watcher.next().await?;
        ids.extend(response.events.into_iter().map(|event| event.id));
        tokens.push((ids.len(), response.resume_token));
    }
    ensure!(ids.len() == 5_500 && tokens.len() > 3, "{} events in {} responses", ids.len(), tokens.len());
    ensure!(watcher.ids(1).await? == after);
    for (seen, token) in &tokens {
        let mut resumed = Watcher::resume(client, all.clone(), token).await?;
        ensure!(resumed.ids(5_501 - seen).await? == [&ids[*seen..], &after[..]].concat(), "after {seen}");
    }
    Ok(())
}

#[tokio::test]
async fn whoever_is_far_behind_catches_up_while_more_comes() -> Result<()> {
    // So little is held that nobody meets anything but the last frames.
    let (_stack, organization, teller) = scene_that_holds("20000").await?;
    let (client, all) = (&organization.client, everything(&organization));
    let start = Watcher::begin(client, all.clone()).await?.token;
    let mut told = tell(&teller, 300).await?;
    let mut late = Vec::new();
    for _ in 0..3 {
        late.push(Watcher::resume(client, all.clone(), &start).await?);
    }
    told.extend(tell(&teller, 200).await?);
    let seen = late.iter_mut().map(|watcher| watcher.ids(500));
    for seen in futures::future::try_join_all(seen).await? {
        ensure!(seen == told, "some are missing, or came twice");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_not_kept_any_longer_is_out_of_range() -> Result<()> {
    let (_stack, organization, teller) = scene_that_holds("5000").await?;
    let (client, all) = (&organization.client, everything(&organization));
    let mut watcher = Watcher::begin(client, all.clone()).await?;
    let start = watcher.token.clone();
    tell(&teller, 1).await?;
    let first = watcher.next().await?;
    for _ in 0..20 {
        tell(&teller, 1).await?;
        watcher.ids(1).await?;
    }
    teller.forget_before(teller.tell(&delivered(1, 1, 7)).await?).await?;
    let too_old = [
        ("RESUME_TOKEN_TOO_OLD", Start::ResumeToken(start)),
        ("START_TIME_TOO_OLD", Start::StartTime(first.progress_time.context("a time")?)),
    ];
    for (wanted, start) in too_old {
        let refused = open(client, WatchEventsRequest { start: Some(start), ..all.clone() }).await;
        let status = refusal(refused)?;
        ensure!(
            status.code() == Code::OutOfRange && reason(&status).as_deref() == Some(wanted),
            "{status:?}"
        );
        ensure!(status.message().contains("list the resources"), "{status:?}");
    }
    // What is kept is told as ever.
    ensure!(Watcher::resume(client, all, &watcher.token).await?.ids(1).await?.len() == 1);
    Ok(())
}

#[tokio::test]
async fn a_time_that_is_none_or_to_come_is_refused_by_name() -> Result<()> {
    let (_stack, organization, _) = scene().await?;
    for seconds in [4_102_444_800, i64::MAX] {
        let time = prost_types::Timestamp { seconds, nanos: 0 };
        let request = WatchEventsRequest { start: at(time), ..everything(&organization) };
        let status = refusal(open(&organization.client, request).await)?;
        ensure!(field(&status)? == "start_time", "{status:?}");
    }
    Ok(())
}
