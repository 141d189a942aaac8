//! `muster watch`: events as they happen, and over a gateway that dies.

use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use muster_proto::v1::Provider;
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

    /// Waits until `wanted` messages have been DELIVERED, as far as events say.
    async fn delivered(&mut self, wanted: usize) -> Result<()> {
        let mut seen = std::collections::HashSet::new();
        while seen.len() < wanted {
            let line = timeout(WITHIN, self.events.next_line()).await.context("no event comes")??;
            let event: Value = serde_json::from_str(&line.context("the watch ended")?)?;
            let change = &event["statusChange"];
            if change["status"] == "MESSAGE_STATUS_DELIVERED" {
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
    let mut stack = scene::stack(scene::quick()).await?;
    let (organization, list) = scene::organization(&stack, Provider::Telnyx, 20).await?;
    let person = Person::with_key(&stack, &organization.key).await?;
    let mut watch = Watch::start(&person, &["watch", "--kind", "status", "--json", "--since", "1m"])?;
    scene::broadcast(&stack, &organization, &list).await?;
    watch.delivered(20).await?;
    // What happens while the gateway is away comes when it is back.
    stack.gateway.kill9().await?;
    watch.notes("the stream broke off").await?;
    stack.gateway.start_again().await?;
    scene::broadcast(&stack, &organization, &list).await?;
    watch.delivered(20).await?;
    ensure!(watch.child.try_wait()?.is_none(), "the watch ended by itself");
    Ok(())
}
