//! `muster watch`: events as they happen, and over a gateway that dies.

use std::collections::HashSet;
use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};
use muster_proto::v1::{CampaignMode, MessageStatus, Provider};
use muster_provider_sim::behaviour::Behaviour;
use muster_tests::stack::Organization;
use muster_tests::wait;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdout};
use tokio::time::timeout;

use super::person::Person;
use crate::scene::{self, WITHIN};

/// A watch that runs.
struct Watch {
    child: Child,
    events: Lines<BufReader<ChildStdout>>,
    notes: Lines<BufReader<ChildStderr>>,
}

impl Watch {
    fn start(person: &Person, words: &[&str]) -> Result<Self> {
        let mut child = person.command(words).stdin(Stdio::null()).spawn()?;
        let events = BufReader::new(child.stdout.take().context("standard output")?).lines();
        let notes = BufReader::new(child.stderr.take().context("standard error")?).lines();
        Ok(Self { child, events, notes })
    }

    /// Waits until it has shown that so many messages of a campaign moved to a status. It shows none of another.
    async fn shows(&mut self, campaign: &str, status: &str, wanted: usize) -> Result<()> {
        let mut seen = HashSet::new();
        while seen.len() < wanted {
            let line = timeout(WITHIN, self.events.next_line()).await.context("no event comes")??;
            let Some(line) = line else { bail!("the watch ended: {:?}", self.notes.next_line().await) };
            let event: Value = serde_json::from_str(&line)?;
            let change = &event["statusChange"];
            ensure!(change["campaign"] == campaign, "{event}, and {campaign} was awaited");
            if change["status"] == status {
                seen.insert(change["message"].as_str().context("a message")?.to_owned());
            }
        }
        Ok(())
    }

    /// Waits for a note on standard error.
    async fn notes(&mut self, wanted: &str) -> Result<()> {
        loop {
            let line = timeout(WITHIN, self.notes.next_line()).await.context("no note comes")??;
            if line.context("the watch ended")?.contains(wanted) {
                return Ok(());
            }
        }
    }
}

#[tokio::test]
async fn a_watch_goes_on_where_its_stream_broke_off() -> Result<()> {
    let mut stack = scene::stack(Behaviour { receipt_ms: [600_000, 600_000], ..scene::quick() }).await?;
    let (organization, list) = scene::organization(&stack, Provider::Telnyx, 20).await?;
    let person = Person::with_key(&stack, &organization.key).await?;
    let mut watch = Watch::start(&person, &["watch", "--kind", "status", "--json"])?;
    watch.notes("watching").await?;
    let first = sent(&organization, &list).await?;
    watch.shows(&first, "MESSAGE_STATUS_SENT", 20).await?;
    // What happens while the gateway is away comes when it is back, and nothing of what was shown comes again.
    stack.gateway.kill9().await?;
    watch.notes("the stream broke off").await?;
    let second = sent(&organization, &list).await?;
    stack.gateway.start_again().await?;
    watch.shows(&second, "MESSAGE_STATUS_SENT", 20).await?;
    ensure!(watch.child.try_wait()?.is_none(), "the watch ended by itself");
    Ok(())
}

/// Broadcasts to a list, and waits until all of it is SENT. Returns the campaign's name.
async fn sent(organization: &Organization, list: &str) -> Result<String> {
    let campaign = organization.draft(CampaignMode::Broadcast, list, scene::TEMPLATE).await?;
    organization.client.start(&campaign).await?;
    let all = async || {
        let sent = scene::count(organization, &campaign, MessageStatus::Sent).await?;
        Ok((sent == 20).then_some(()))
    };
    wait::until("all to be sent", WITHIN, all).await?;
    Ok(campaign)
}
