//! What most stories begin with: a stack, an organization, and a campaign over a list of contacts.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use muster_proto::v1::{CampaignMode, MessageStatus, Provider};
use muster_provider_sim::behaviour::Behaviour;
use muster_tests::stack::{Organization, OrganizationOptions};
use muster_tests::{Stack, StackOptions, client, contacts};
use tonic::{Code, Status};

/// Far more than anything takes; only a failure waits this long.
pub(crate) const WITHIN: Duration = Duration::from_secs(60);

/// The template of every campaign here.
pub(crate) const TEMPLATE: &str = "Hi {first_name|friend}, vote on Tuesday!";

/// Providers that answer at once, and whose receipts come soon.
pub(crate) fn quick() -> Behaviour {
    Behaviour { receipt_ms: [1, 20], ..Behaviour::default() }
}

/// A stack over providers that behave so.
pub(crate) async fn stack(behaviour: Behaviour) -> Result<Stack> {
    Stack::start(StackOptions { behaviour, ..StackOptions::default() }).await
}

/// An organization with a list of `contacts` contacts. Returns the list's name.
pub(crate) async fn organization(
    stack: &Stack,
    provider: Provider,
    contacts: usize,
) -> Result<(Organization, String)> {
    let organization = stack.organization(OrganizationOptions::of(provider)).await?;
    let (list, imported) = organization.list("Voters", &contacts::tidy(1, contacts).bytes).await?;
    ensure!(usize::try_from(imported.imported_count)? == contacts, "{imported:?}");
    Ok((organization, list))
}

/// Broadcasts to a list, and waits until everything has arrived. Returns the campaign's name.
pub(crate) async fn broadcast(stack: &Stack, organization: &Organization, list: &str) -> Result<String> {
    let campaign = organization.draft(CampaignMode::Broadcast, list, TEMPLATE).await?;
    organization.client.start(&campaign).await?;
    stack.settled(WITHIN).await?;
    Ok(campaign)
}

/// How many messages a campaign's report has in a status.
pub(crate) async fn count(organization: &Organization, campaign: &str, status: MessageStatus) -> Result<i64> {
    let report = organization.client.report(campaign).await?;
    let found = report.status_counts.iter().find(|count| count.status() == status);
    Ok(found.map_or(0, |count| count.count))
}

/// The status that a call was refused with.
pub(crate) fn refusal<T>(answer: Result<T>) -> Result<Status> {
    let error = answer.err().context("the call was not refused")?;
    client::status_of(&error).cloned().with_context(|| format!("no status in {error:?}"))
}

/// Demands that a call was refused with this code.
pub(crate) fn refused<T>(answer: Result<T>, code: Code) -> Result<()> {
    let status = refusal(answer)?;
    ensure!(status.code() == code, "{status:?}, not {code:?}");
    Ok(())
}
