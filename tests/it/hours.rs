//! People are texted by their own clocks, whatever the campaign, the queue or a texter says.

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use muster_proto::v1::{CampaignMode, MessageStatus, Provider};
use muster_tests::stack::{Organization, Service};
use muster_tests::{Stack, StackOptions, wait};
use tonic::Code;
use tonic_types::StatusExt as _;
use uuid::Uuid;

use crate::scene::{self, TEMPLATE, WITHIN};

/// Three people in New York and two in Los Angeles, three hours behind.
const FILE: &[u8] =
    b"first_name,phone\nAmina,2125552101\nBen,2125552102\nChloe,2125552103\nDiego,2135552104\n\
                      Eve,2135552105\n";

/// A clock of this minute of the day.
fn clock(minute: i16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

/// A stack on which it is an hour at which New York may be texted and Los Angeles may not, whatever time it is.
async fn stack() -> Result<Stack> {
    let now = Timestamp::now().to_zoned(TimeZone::get("America/New_York")?);
    let minute = i16::from(now.hour()) * 60 + i16::from(now.minute());
    let setting = |name: &str, minute| (Service::ControlPlane, name.to_owned(), clock(minute));
    let env = vec![
        setting("MUSTER_SENDING_HOURS__OPEN", (minute - 90).max(0)),
        setting("MUSTER_SENDING_HOURS__CLOSE", (minute + 90).min(24 * 60)),
    ];
    Stack::start(StackOptions { behaviour: scene::quick(), env, ..StackOptions::default() }).await
}

async fn organization(stack: &Stack) -> Result<(Organization, String)> {
    let (organization, _) = scene::organization(stack, Provider::Twilio, 1).await?;
    let (list, imported) = organization.list("Both coasts", FILE).await?;
    ensure!(imported.imported_count == 5, "{imported:?}");
    Ok((organization, list))
}

/// Waits until this many messages have this status.
async fn until(
    organization: &Organization,
    campaign: &str,
    status: MessageStatus,
    wanted: i64,
) -> Result<()> {
    let there = async || {
        let count = scene::count(organization, campaign, status).await?;
        Ok((count == wanted).then_some(()))
    };
    wait::until(&format!("{wanted} to be {status:?}"), WITHIN, there).await
}

/// Makes everything in a campaign's queue due now, as what was left over of yesterday is; when the first was due before.
async fn make_due(stack: &Stack, campaign: &str) -> Result<Timestamp> {
    let id = Uuid::parse_str(campaign.rsplit('/').next().context("a name")?)?;
    let sql = stack.sql().await?;
    let row = sql.query_one("SELECT min(due_time) FROM queue WHERE campaign_id = $1", &[&id]).await?;
    sql.execute("UPDATE queue SET due_time = now() WHERE campaign_id = $1", &[&id]).await?;
    Ok(row.get(0))
}

#[tokio::test]
async fn a_broadcast_waits_for_each_recipients_morning() -> Result<()> {
    let stack = stack().await?;
    let (organization, list) = organization(&stack).await?;
    let campaign = organization.draft(CampaignMode::Broadcast, &list, TEMPLATE).await?;
    organization.client.start(&campaign).await?;
    until(&organization, &campaign, MessageStatus::Delivered, 3).await?;
    until(&organization, &campaign, MessageStatus::Queued, 2).await?;

    // What the queue has too early is refused where the right to call is given, and goes back until the morning.
    let due = make_due(&stack, &campaign).await?;
    ensure!(due > Timestamp::now(), "they were due at {due}");
    let id = Uuid::parse_str(campaign.rsplit('/').next().context("a name")?)?;
    let sql = stack.sql().await?;
    let back = async || {
        let query = "SELECT count(*) FROM queue WHERE campaign_id = $1 AND due_time = $2";
        let row = sql.query_one(query, &[&id, &due]).await?;
        Ok((row.get::<_, i64>(0) == 2).then_some(()))
    };
    wait::until("both to be back in the queue", WITHIN, back).await?;
    let west =
        stack.simulator.ledger().await?.entries.iter().filter(|entry| entry.to.starts_with("+1213")).count();
    ensure!(west == 0, "{west} people were texted out of hours");
    Ok(())
}

#[tokio::test]
async fn a_click_out_of_hours_is_refused_and_the_contact_stays() -> Result<()> {
    let stack = stack().await?;
    let (organization, list) = organization(&stack).await?;
    let client = &organization.client;
    let campaign = organization.draft(CampaignMode::Click, &list, TEMPLATE).await?;
    client.start(&campaign).await?;
    until(&organization, &campaign, MessageStatus::Created, 5).await?;
    let taken = client.claim_contacts(&campaign, "Amina", 5).await?;
    for message in &taken {
        let clicked = client.send(&message.name, "Amina", "").await;
        if message.to.starts_with("+1212") {
            clicked?;
            continue;
        }
        let refused = scene::refusal(clicked)?;
        let reason = refused.get_details_error_info().context("no ErrorInfo")?.reason;
        ensure!(
            (refused.code(), reason.as_str()) == (Code::FailedPrecondition, "OUTSIDE_SENDING_HOURS"),
            "{refused:?}"
        );
    }
    until(&organization, &campaign, MessageStatus::Delivered, 3).await?;
    let left = client.claim_contacts(&campaign, "Amina", 5).await?;
    ensure!(left.len() == 2, "{} contacts are left to Amina", left.len());
    Ok(())
}
