//! Campaigns, their counts, and a live view of them.

use clap::Args;
use muster_proto::v1::{
    Campaign, CancelCampaignRequest, CreateCampaignRequest, GetCampaignReportRequest, GetCampaignRequest,
    ListCampaignsRequest, PauseCampaignRequest, ResumeCampaignRequest, StartCampaignRequest,
};

use crate::api;
use crate::failure::{Failure, Result};
use crate::flags;
use crate::live;
use crate::resource::{CAMPAIGN, LIST, POOL};
use crate::session::Session;
use crate::verb::{Noun, Verb};

pub(crate) fn noun() -> Noun {
    let columns = &["name", "display_name", "mode", "state", "planned_count", "create_time", "end_time"];
    let watched = vec![api::rpc::<GetCampaignRequest>(), api::rpc::<GetCampaignReportRequest>()];
    Noun {
        name: "campaigns",
        about: "Campaigns: one text to every contact of a list",
        verbs: vec![
            Verb::call("create", "Create a campaign in draft", create),
            Verb::named::<GetCampaignRequest>("get", "Show a campaign", CAMPAIGN),
            Verb::list::<ListCampaignsRequest>("list", "List campaigns", columns),
            Verb::named::<StartCampaignRequest>("start", "Start a draft", CAMPAIGN),
            Verb::named::<PauseCampaignRequest>("pause", "Stop sending for now", CAMPAIGN),
            Verb::named::<ResumeCampaignRequest>("resume", "Go on after a pause", CAMPAIGN),
            Verb::named::<CancelCampaignRequest>("cancel", "Stop sending for good", CAMPAIGN).asks(),
            report("report"),
            Verb::special("watch", "Show a campaign live, until it is over", watched, live::watch),
        ],
    }
}

/// The exact counts of a campaign; also a command of its own.
pub(crate) fn report(name: &'static str) -> Verb {
    Verb::named::<GetCampaignReportRequest>(name, "Show the exact counts of a campaign", CAMPAIGN)
}

#[derive(Args)]
struct Create {
    /// What people call it
    display_name: String,
    /// The contact list that it is for
    #[arg(long)]
    list: String,
    /// How its texts are asked for
    #[arg(long, value_parser = flags::choice("CampaignMode"))]
    mode: i32,
    /// The text; `{first_name|friend}` takes the contact's field of that name, or else says friend
    #[arg(long, required_unless_present_any = ["template_file", "media"], conflicts_with = "template_file")]
    template: Option<String>,
    /// A file with the text
    #[arg(long, value_name = "FILE")]
    template_file: Option<std::path::PathBuf>,
    /// The pool that it sends from; the tenant's default otherwise
    #[arg(long)]
    pool: Option<String>,
    /// Media to send along, by https URL; can be repeated
    #[arg(long, value_name = "URL")]
    media: Vec<String>,
    /// How long a text may wait, such as 4h, which it is otherwise
    #[arg(long, value_name = "SPAN", default_value = "0s", value_parser = flags::seconds, hide_default_value = true)]
    validity: i64,
}

async fn create(session: &Session, flags: Create) -> Result<CreateCampaignRequest> {
    let template = match &flags.template_file {
        Some(file) => std::fs::read_to_string(file)
            .map_err(|error| Failure::because(&format!("cannot read {}", file.display()), error))?
            .trim_end()
            .to_owned(),
        None => flags.template.unwrap_or_default(),
    };
    let campaign = Campaign {
        display_name: flags.display_name,
        mode: flags.mode,
        contact_list: LIST.resolve(session, &flags.list).await?,
        number_pool: POOL.resolve_some(session, flags.pool.as_deref()).await?,
        template,
        media_urls: flags.media,
        validity_seconds: flags.validity,
        ..Campaign::default()
    };
    Ok(CreateCampaignRequest { parent: session.tenant().await?, campaign: Some(campaign) })
}
