//! Who plays: two organizations, their contact files, and their campaigns with a watcher on each.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use anyhow::Result;
use muster_proto::v1::{CampaignMode, ImportContactsResponse, MessageStatus, Provider};

use crate::client::{Draft, Watch, open_count};
use crate::contacts::{Expected, messy, sending_numbers};
use crate::stack::{Organization, OrganizationOptions, Stack};

/// The numbers of the organization that broadcasts.
const BROADCAST_NUMBERS: usize = 280;
/// The numbers of the other one.
const CLICK_NUMBERS: usize = 28;
/// Segments a second of each number: fast ones, so that the demo is short.
const SEGMENTS_PER_SECOND: f64 = 20.0;

/// All that watchers have to be able to count.
const STATUSES: [MessageStatus; 12] = [
    MessageStatus::Created,
    MessageStatus::Queued,
    MessageStatus::Ordered,
    MessageStatus::Claimed,
    MessageStatus::Sent,
    MessageStatus::Delivered,
    MessageStatus::Undelivered,
    MessageStatus::Failed,
    MessageStatus::Unconfirmed,
    MessageStatus::Canceled,
    MessageStatus::Suppressed,
    MessageStatus::Expired,
];

/// Both organizations.
pub(super) struct Cast {
    pub(super) broadcast: Part,
    pub(super) click: Part,
}

/// One organization and its campaign.
pub(super) struct Part {
    pub(super) title: &'static str,
    pub(super) organization: Organization,
    pub(super) campaign: String,
    pub(super) imported: ImportContactsResponse,
    expected: Expected,
    watch: Watch,
}

/// What a campaign says, and how.
struct Script {
    title: &'static str,
    provider: Provider,
    mode: CampaignMode,
    template: &'static str,
    media_url: Option<&'static str>,
    numbers: Vec<String>,
}

impl Cast {
    /// Sets everything up, campaigns in draft, for contact files of so many rows.
    pub(super) async fn gather(stack: &Stack, seed: u64, [broadcast, click]: [usize; 2]) -> Result<Self> {
        let mut numbers = sending_numbers(BROADCAST_NUMBERS + CLICK_NUMBERS);
        let click_numbers = numbers.split_off(BROADCAST_NUMBERS);
        let broadcast = Part::gather(
            stack,
            (seed, broadcast),
            Script {
                title: "Broadcast SMS (Twilio)",
                provider: Provider::Twilio,
                mode: CampaignMode::Broadcast,
                template: "Hi {first_name|neighbor}, the levee vote is on Tuesday. Polls in {city|your city} are \
                       open from 7 to 8. Can we count on you? Reply STOP to end.",
                media_url: None,
                numbers,
            },
        );
        let click = Part::gather(
            stack,
            (seed + 1, click),
            Script {
                title: "Click MMS (Telnyx)",
                provider: Provider::Telnyx,
                mode: CampaignMode::Click,
                template: "{first_name|Hello}! It's Sam with Friends of the Library. May we put this sign in your yard?",
                media_url: Some("https://media.example.org/yard-sign.png"),
                numbers: click_numbers,
            },
        );
        let (broadcast, click) = tokio::try_join!(broadcast, click)?;
        Ok(Self { broadcast, click })
    }

    pub(super) fn parts(&self) -> [&Part; 2] {
        [&self.broadcast, &self.click]
    }
}

impl Part {
    async fn gather(stack: &Stack, (seed, rows): (u64, usize), script: Script) -> Result<Self> {
        let options = OrganizationOptions {
            display_name: script.title.to_owned(),
            provider: script.provider,
            numbers: script.numbers,
            segments_per_second: SEGMENTS_PER_SECOND,
        };
        let organization = stack.organization(options).await?;
        let file = messy(seed, rows);
        let (list, imported) = organization.list("Everybody", &file.bytes).await?;
        let draft = Draft {
            tenant: organization.tenant.clone(),
            list,
            pool: organization.pool.clone(),
            mode: script.mode,
            template: script.template.to_owned(),
            media_urls: script.media_url.into_iter().map(str::to_owned).collect(),
        };
        let campaign = organization.client.create_campaign(draft).await?.name;
        let watch = organization.client.watch(&organization.tenant, &campaign, |_| ()).await?;
        let (title, expected) = (script.title, file.expected);
        Ok(Self { title, organization, campaign, imported, expected, watch })
    }

    pub(super) async fn start(&self) -> Result<()> {
        self.organization.client.start(&self.campaign).await?;
        Ok(())
    }

    /// Whether the import did with every row what the file's maker expected.
    pub(super) fn import_is_right(&self) -> bool {
        let reasons: BTreeMap<String, i64> = self.imported.rejected_by_reason.clone().into_iter().collect();
        usize::try_from(self.imported.imported_count) == Ok(self.contacts())
            && reasons == self.expected.rejected_by_reason()
    }

    /// Whether every contact has a message, and none of them waits for anything of ours.
    pub(super) async fn is_finished(&self) -> Result<bool> {
        let client = &self.organization.client;
        let planned = client.campaign(&self.campaign).await?.planned;
        let report = client.report(&self.campaign).await?;
        let mut counts = report.status_counts.iter();
        let created = counts.any(|count| count.status() == MessageStatus::Created && count.count != 0);
        let all = usize::try_from(report.message_count) == Ok(self.contacts());
        Ok(planned && all && !created && open_count(&report) == 0)
    }

    /// How many contacts there should be.
    pub(super) fn contacts(&self) -> usize {
        self.expected.contacts.len()
    }

    /// How many messages the watcher has seen last in each status.
    pub(super) fn counts(&self) -> HashMap<MessageStatus, usize> {
        let mut counts: HashMap<_, _> = STATUSES.into_iter().map(|status| (status, 0)).collect();
        self.watch.look(|seen| {
            for status in seen.statuses.values() {
                *counts.entry(*status).or_default() += 1;
            }
        });
        counts
    }

    /// Waits until the watcher has seen every message where the report counts it.
    pub(super) async fn watched_to_the_end(&self, within: Duration) -> Result<()> {
        let report = self.organization.client.report(&self.campaign).await?;
        let counts = report.status_counts.iter();
        let wanted: Vec<_> = counts.map(|count| (count.status(), count.count.unsigned_abs())).collect();
        let all_seen = |seen: &crate::client::Seen| {
            wanted.iter().all(|(status, count)| seen.count(*status) as u64 == *count)
        };
        self.watch.until(&format!("the report's counts of {}", self.title), within, all_seen).await
    }

    /// How many changes the watcher has seen.
    pub(super) fn changes_seen(&self) -> u64 {
        self.watch.look(|seen| seen.changes)
    }
}
