//! One organization with a broadcast campaign in draft: what most stories begin with.

use anyhow::{Result, ensure};
use muster_proto::v1::{CampaignMode, Message, Provider};

use crate::client::open_count;
use crate::contacts::{sending_numbers, tidy};
use crate::stack::{Organization, OrganizationOptions, Stack};

/// Numbers of each organization: one in every area code that contacts have, so that all have as much to send.
pub(super) const NUMBERS: usize = 28;
/// One segment, whoever it is for.
const TEMPLATE: &str = "Hi {first_name|neighbor}, the levee vote is on Tuesday. Can we count on you?";

/// What an organization is to do.
pub(super) struct Role {
    pub(super) provider: Provider,
    /// The first or the second organization.
    pub(super) number: usize,
    pub(super) contacts: usize,
    /// The story's.
    pub(super) seed: u64,
    /// How long the numbers need for all texts if nothing breaks, in seconds.
    pub(super) sending_s: u32,
}

impl Role {
    /// Two organizations that share the texts, one through Twilio and one through Telnyx.
    pub(super) fn both(texts: usize, seed: u64, sending_s: u32) -> [Self; 2] {
        let half = texts / 2;
        let role = |provider, number, contacts| Self { provider, number, contacts, seed, sending_s };
        [role(Provider::Twilio, 0, texts - half), role(Provider::Telnyx, 1, half)]
    }
}

/// An organization with its campaign.
pub(super) struct Broadcast {
    pub(super) organization: Organization,
    pub(super) campaign: String,
    pub(super) contacts: usize,
}

impl Broadcast {
    /// Sets everything up, the campaign in draft.
    pub(super) async fn gather(stack: &Stack, role: Role) -> Result<Self> {
        let Role { provider, number, contacts, seed, sending_s } = role;
        #[expect(clippy::cast_precision_loss, reason = "texts are counted in thousands")]
        let segments_per_second = contacts as f64 / NUMBERS as f64 / f64::from(sending_s.max(1));
        let options = OrganizationOptions {
            numbers: sending_numbers((number + 1) * NUMBERS).split_off(number * NUMBERS),
            segments_per_second,
            ..OrganizationOptions::of(provider)
        };
        let seed = seed.wrapping_mul(2).wrapping_add(number as u64);
        Self::of(stack, options, contacts, seed).await
    }

    /// The same for an organization of any kind.
    pub(super) async fn of(
        stack: &Stack,
        options: OrganizationOptions,
        contacts: usize,
        seed: u64,
    ) -> Result<Self> {
        let organization = stack.organization(options).await?;
        let (list, imported) = organization.list("Voters", &tidy(seed, contacts).bytes).await?;
        ensure!(usize::try_from(imported.imported_count)? == contacts, "the import lost rows: {imported:?}");
        let campaign = organization.draft(CampaignMode::Broadcast, &list, TEMPLATE).await?;
        Ok(Self { organization, campaign, contacts })
    }

    pub(super) async fn start(&self) -> Result<()> {
        self.organization.client.start(&self.campaign).await?;
        Ok(())
    }

    /// All messages, as the API shows them.
    pub(super) async fn messages(&self) -> Result<Vec<Message>> {
        self.organization.client.list_messages(&self.organization.tenant, &self.campaign).await
    }

    /// Messages that are still to be planned or are on their way.
    pub(super) async fn open(&self) -> Result<u64> {
        let report = self.organization.client.report(&self.campaign).await?;
        let unplanned = i64::try_from(self.contacts)? - report.message_count;
        Ok(u64::try_from(unplanned + open_count(&report)).unwrap_or(0))
    }
}

/// Messages of all that are still to be planned or are on their way.
pub(super) async fn open(broadcasts: &[Broadcast]) -> Result<u64> {
    let counts = futures::future::try_join_all(broadcasts.iter().map(Broadcast::open)).await?;
    Ok(counts.iter().sum())
}

/// Sets up two organizations and starts both campaigns.
pub(super) async fn start_both(stack: &Stack, [one, other]: [Role; 2]) -> Result<[Broadcast; 2]> {
    let (one, other) = tokio::try_join!(Broadcast::gather(stack, one), Broadcast::gather(stack, other))?;
    tokio::try_join!(one.start(), other.start())?;
    Ok([one, other])
}
