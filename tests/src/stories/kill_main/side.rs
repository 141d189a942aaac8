//! One organization with its campaign, and a watcher that keeps every status that it was ever shown.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use muster_proto::v1::{CampaignMode, Message, MessageStatus, Provider, StatusChange};

use crate::client::Watch;
use crate::contacts::{sending_numbers, tidy};
use crate::stack::{Organization, OrganizationOptions, Stack};

/// Numbers of each organization: one in every area code that contacts have, so that all have as much to send.
const NUMBERS: usize = 28;
/// One segment, whoever it is for.
const TEMPLATE: &str = "Hi {first_name|neighbor}, the levee vote is on Tuesday. Can we count on you?";
/// How long the watcher may lag behind the truth.
const WATCHED_WITHIN: Duration = Duration::from_secs(30);
/// How often it is asked how far it is.
const PAUSE: Duration = Duration::from_millis(50);

/// What an organization is to do.
pub(super) struct Role {
    pub(super) provider: Provider,
    /// The first or the second organization.
    pub(super) number: usize,
    pub(super) contacts: usize,
    pub(super) seed: u64,
    pub(super) sending_s: u32,
}

/// An organization with its campaign and its watcher.
pub(super) struct Side {
    pub(super) organization: Organization,
    campaign: String,
    watch: Watch,
    shown: Arc<Shown>,
}

/// Each message by name, with a bit for every status that it was ever shown in.
#[derive(Default)]
struct Shown(Mutex<HashMap<String, u32>>);

impl Shown {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, change: &StatusChange) {
        let bit = bit(change.status());
        let mut shown = self.lock();
        match shown.get_mut(&change.message) {
            Some(bits) => *bits |= bit,
            None => drop(shown.insert(change.message.clone(), bit)),
        }
    }
}

fn bit(status: MessageStatus) -> u32 {
    1 << i32::from(status)
}

impl Side {
    /// Sets everything up, the campaign in draft.
    pub(super) async fn gather(stack: &Stack, role: Role) -> Result<Self> {
        let Role { provider, number, contacts, seed, sending_s } = role;
        let numbers = sending_numbers((number + 1) * NUMBERS).split_off(number * NUMBERS);
        #[expect(clippy::cast_precision_loss, reason = "texts are counted in thousands")]
        let segments_per_second = contacts as f64 / NUMBERS as f64 / f64::from(sending_s.max(1));
        let organization = stack
            .organization(OrganizationOptions {
                numbers,
                segments_per_second,
                ..OrganizationOptions::of(provider)
            })
            .await?;
        let (list, imported) = organization.list("Voters", &tidy(seed, contacts).bytes).await?;
        ensure!(usize::try_from(imported.imported_count)? == contacts, "the import lost rows: {imported:?}");
        let campaign = organization.draft(CampaignMode::Broadcast, &list, TEMPLATE).await?;
        let shown = Arc::new(Shown::default());
        let keep = Arc::clone(&shown);
        let each = move |change: &StatusChange| keep.keep(change);
        let watch = organization.client.watch(&organization.tenant, "", each).await?;
        Ok(Self { organization, campaign, watch, shown })
    }

    pub(super) async fn start(&self) -> Result<()> {
        self.organization.client.start(&self.campaign).await?;
        Ok(())
    }

    /// All messages, as the API shows them.
    pub(super) async fn messages(&self) -> Result<Vec<Message>> {
        self.organization.client.list_messages(&self.organization.tenant, &self.campaign).await
    }

    /// How many of these messages the watcher never saw where they are, after it had time to.
    pub(super) async fn unseen(&self, messages: &[Message]) -> Result<usize> {
        let deadline = Instant::now() + WATCHED_WITHIN;
        loop {
            let unseen = self.unseen_now(messages);
            if unseen == 0 || Instant::now() >= deadline {
                return Ok(unseen);
            }
            if let Some(end) = self.watch.look(|seen| seen.ended.clone()) {
                anyhow::bail!("the watch ended with {unseen} messages unseen: {end}");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn unseen_now(&self, messages: &[Message]) -> usize {
        let shown = self.shown.lock();
        let seen = |message: &&Message| {
            shown.get(&message.name).is_some_and(|bits| bits & bit(message.status()) != 0)
        };
        messages.len() - messages.iter().filter(seen).count()
    }

    /// How often the watcher had to connect again.
    pub(super) fn reconnections(&self) -> u64 {
        self.watch.look(|seen| seen.reconnections)
    }
}
