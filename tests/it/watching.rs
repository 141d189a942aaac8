//! An event stream goes on where it broke off: nothing is missing, whatever the watcher missed.

mod kinds;
mod lag;
mod starts;
mod watcher;

use std::collections::HashMap;

use anyhow::{Context, Result, ensure};
use muster_proto::v1::event::Kind;
use muster_proto::v1::watch_events_request::Start;
use muster_proto::v1::{
    Event, MessageStatus, Provider, StatusChange, WatchEventsRequest, WatchEventsResponse,
};
use muster_tests::stack::{Organization, Service};
use muster_tests::{Stack, StackOptions, wait};
use tonic::{Code, Streaming};

use self::watcher::{everything, next, open};
use crate::fields::field;
use crate::scene::{self, WITHIN};

/// Contacts of the list.
const CONTACTS: usize = 80;

/// Watches all of a tenant's, from a token on.
async fn watch(organization: &Organization, token: &str) -> Result<Streaming<WatchEventsResponse>> {
    let start = (!token.is_empty()).then(|| Start::ResumeToken(token.to_owned()));
    let request = WatchEventsRequest { start, ..everything(organization) };
    open(&organization.client, request).await
}

/// The change of status that an event is.
fn change(event: Event) -> Option<StatusChange> {
    match event.kind {
        Some(Kind::StatusChange(change)) => Some(change),
        _ => None,
    }
}

/// How many changes say that a text was delivered.
fn delivered(changes: &[StatusChange]) -> usize {
    changes.iter().filter(|change| change.status() == MessageStatus::Delivered).count()
}

/// Demands that each message's changes follow on one another, from when it was planned to the last.
fn without_gap(changes: &[StatusChange]) -> Result<()> {
    let mut at: HashMap<&str, MessageStatus> = HashMap::new();
    for change in changes {
        let before = at.insert(&change.message, change.status()).unwrap_or(MessageStatus::Created);
        ensure!(before == change.previous_status(), "after {before:?} came {change:?}");
    }
    ensure!(at.len() == CONTACTS && at.values().all(|status| *status == MessageStatus::Delivered), "{at:?}");
    Ok(())
}

#[tokio::test]
async fn a_watch_goes_on_from_every_token_without_a_gap() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let (organization, list) = scene::organization(&stack, Provider::Twilio, CONTACTS).await?;
    let mut token = next(&mut watch(&organization, "").await?).await?.resume_token;
    scene::broadcast(&stack, &organization, &list).await?;

    // The watcher is cut off after every frame, and comes back with its token.
    let (mut changes, mut connections) = (Vec::new(), 0);
    while delivered(&changes) < CONTACTS {
        let mut stream = watch(&organization, &token).await?;
        let first = next(&mut stream).await?;
        ensure!(first.events.is_empty() && first.resume_token == token, "it did not begin there: {first:?}");
        let frame = next(&mut stream).await?;
        token = frame.resume_token;
        changes.extend(frame.events.into_iter().filter_map(change));
        connections += 1;
    }
    ensure!(connections > 3, "{connections} connections show little");
    without_gap(&changes)
}

#[tokio::test]
async fn a_token_that_is_none_is_refused_by_name() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let (organization, _) = scene::organization(&stack, Provider::Telnyx, 1).await?;
    for token in ["x", "no token of ours", "AAAAAAAAAAAAAAAAAAAAA"] {
        let error = watch(&organization, token).await.err().context("it was not refused")?;
        let status = error.downcast::<tonic::Status>()?;
        ensure!(status.code() == Code::InvalidArgument && field(&status)? == "resume_token", "{status:?}");
    }
    Ok(())
}

#[tokio::test]
async fn no_tenant_takes_the_places_of_all_watchers() -> Result<()> {
    let env = vec![(Service::Gateway, "MUSTER_GRPC__WATCHES_MAX".to_owned(), "5".to_owned())];
    let stack = Stack::start(StackOptions { env, ..StackOptions::default() }).await?;
    let (first, _) = scene::organization(&stack, Provider::Twilio, 1).await?;
    let (second, _) = scene::organization(&stack, Provider::Telnyx, 1).await?;
    let mut open = Vec::new();
    for _ in 0..4 {
        open.push(watch(&first, "").await?);
    }
    scene::refused(watch(&first, "").await, Code::ResourceExhausted)?;
    let last = watch(&second, "").await?;
    scene::refused(watch(&second, "").await, Code::ResourceExhausted)?;
    drop((open, last));
    let again = async || Ok(watch(&first, "").await.ok());
    drop(wait::until("the places to be free again", WITHIN, again).await?);
    Ok(())
}
