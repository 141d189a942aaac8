//! A campaign as it goes: bars on a terminal, a line a change elsewhere, an object a change as JSON.
//!
//! It asks for the exact counts once a second: a stream would say the same, and could not be asked when somebody joins late.

mod pace;
mod view;

use std::time::Duration;

use clap::Args;
use muster_proto::v1::{Campaign, CampaignReport, GetCampaignReportRequest, GetCampaignRequest};

use self::pace::Pace;
use self::view::View;
use crate::api;
use crate::failure::Result;
use crate::flags;
use crate::resource::CAMPAIGN;
use crate::session::Session;
use crate::show::Output;

#[derive(Args)]
pub(crate) struct Watch {
    /// The campaign: its id, its resource name, or what people call it
    campaign: String,
    /// How often to ask
    #[arg(long, value_name = "SPAN", default_value = "1s", value_parser = flags::seconds)]
    every: i64,
}

/// Shows a campaign until it is over.
///
/// # Errors
/// What the API answers.
pub(crate) async fn watch(session: &Session, output: &Output, flags: Watch) -> Result<()> {
    let name = CAMPAIGN.resolve(session, &flags.campaign).await?;
    let every = Duration::from_secs(u64::try_from(flags.every).unwrap_or_default().max(1));
    let (mut pace, mut view, mut before) = (Pace::default(), View::new(output.is_live()), None);
    loop {
        // The campaign first: where it is over, no count that comes later can move but by receipts.
        let campaign: Campaign = session.get(&GetCampaignRequest { name: name.clone() }).await?;
        let answer = session.call(&GetCampaignReportRequest { name: name.clone() }).await?;
        let report: CampaignReport = api::typed(&answer)?;
        pace.note(&report);
        let now = (campaign.state, report.message_count, report.status_counts.clone());
        if output.is_live() {
            view.draw(&campaign, &report, &pace);
        } else if before.as_ref() != Some(&now) {
            match output.is_json() {
                true => output.line(&answer)?,
                false => output.text(&view::line(&campaign, &report, &pace))?,
            }
            before = Some(now);
        }
        if campaign.end_time.is_some() {
            break;
        }
        tokio::time::sleep(every).await;
    }
    view.finish();
    output.note("the campaign is over; receipts may still come: `muster report` has the exact counts");
    Ok(())
}
