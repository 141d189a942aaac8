//! Campaigns, their messages, and what a texter does.

use anyhow::{Context, Result};
use muster_proto::v1::{
    Campaign, CampaignMode, CampaignReport, CancelCampaignRequest, ClaimContactsRequest,
    CreateCampaignRequest, GetCampaignReportRequest, GetCampaignRequest, GetMessageRequest,
    ListMessagesRequest, Message, MessageStatus, PauseCampaignRequest, ResumeCampaignRequest,
    SendMessageRequest, StartCampaignRequest,
};

use super::{Client, PAGE_SIZE, all_pages};
use crate::canaries::plant_text;

/// A campaign to create.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The tenant.
    pub tenant: String,
    /// The contact list.
    pub list: String,
    /// The number pool.
    pub pool: String,
    /// Click or broadcast.
    pub mode: CampaignMode,
    /// The text.
    pub template: String,
    /// Media, for an MMS.
    pub media_urls: Vec<String>,
}

impl Client {
    /// Creates a campaign in draft.
    pub async fn create_campaign(&self, draft: Draft) -> Result<Campaign> {
        plant_text(&draft.template);
        let campaign = Campaign {
            display_name: "Campaign".to_owned(),
            mode: draft.mode.into(),
            contact_list: draft.list,
            number_pool: draft.pool,
            template: draft.template,
            media_urls: draft.media_urls,
            ..Campaign::default()
        };
        let request = CreateCampaignRequest { parent: draft.tenant, campaign: Some(campaign) };
        Ok(self.campaigns().create_campaign(request).await.context("create a campaign")?.into_inner())
    }

    /// Gets a campaign.
    pub async fn campaign(&self, name: &str) -> Result<Campaign> {
        let request = GetCampaignRequest { name: name.to_owned() };
        Ok(self.campaigns().get_campaign(request).await.context("get the campaign")?.into_inner())
    }

    /// Starts a draft.
    pub async fn start(&self, campaign: &str) -> Result<Campaign> {
        let request = StartCampaignRequest { name: campaign.to_owned() };
        Ok(self.campaigns().start_campaign(request).await.context("start the campaign")?.into_inner())
    }

    /// Pauses a running campaign.
    pub async fn pause(&self, campaign: &str) -> Result<Campaign> {
        let request = PauseCampaignRequest { name: campaign.to_owned() };
        Ok(self.campaigns().pause_campaign(request).await.context("pause the campaign")?.into_inner())
    }

    /// Resumes a paused campaign.
    pub async fn resume(&self, campaign: &str) -> Result<Campaign> {
        let request = ResumeCampaignRequest { name: campaign.to_owned() };
        Ok(self.campaigns().resume_campaign(request).await.context("resume the campaign")?.into_inner())
    }

    /// Cancels a campaign.
    pub async fn cancel(&self, campaign: &str) -> Result<Campaign> {
        let request = CancelCampaignRequest { name: campaign.to_owned() };
        Ok(self.campaigns().cancel_campaign(request).await.context("cancel the campaign")?.into_inner())
    }

    /// The exact counts of a campaign.
    pub async fn report(&self, campaign: &str) -> Result<CampaignReport> {
        let request = GetCampaignReportRequest { name: campaign.to_owned() };
        Ok(self.campaigns().get_campaign_report(request).await.context("get the report")?.into_inner())
    }

    /// A message with its history.
    pub async fn message(&self, name: &str) -> Result<Message> {
        let request = GetMessageRequest { name: name.to_owned() };
        Ok(self.messages().get_message(request).await.context("get the message")?.into_inner())
    }

    /// All messages of a campaign, without their histories.
    pub async fn list_messages(&self, tenant: &str, campaign: &str) -> Result<Vec<Message>> {
        all_pages(async |page_token| {
            let (parent, campaign) = (tenant.to_owned(), campaign.to_owned());
            let request = ListMessagesRequest {
                parent,
                campaign,
                page_size: PAGE_SIZE,
                page_token,
                ..ListMessagesRequest::default()
            };
            let page = self.messages().list_messages(request).await.context("list messages")?.into_inner();
            Ok((page.messages, page.next_page_token))
        })
        .await
    }

    /// Takes the next contacts of a click campaign for a texter.
    pub async fn claim_contacts(&self, campaign: &str, texter: &str, count: i32) -> Result<Vec<Message>> {
        let request =
            ClaimContactsRequest { campaign: campaign.to_owned(), texter: texter.to_owned(), count };
        let answer = self.texting().claim_contacts(request).await.context("claim contacts")?;
        Ok(answer.into_inner().messages)
    }

    /// One click: sends one message.
    pub async fn send(&self, message: &str, texter: &str, session: &str) -> Result<Message> {
        let request = SendMessageRequest {
            name: message.to_owned(),
            texter: texter.to_owned(),
            session: session.to_owned(),
        };
        Ok(self.texting().send_message(request).await.context("send the message")?.into_inner())
    }
}

/// How many messages of a report are on their way to the provider: asked for, and not yet settled.
pub fn open_count(report: &CampaignReport) -> i64 {
    let open = [MessageStatus::Queued, MessageStatus::Ordered, MessageStatus::Claimed];
    let counts = report.status_counts.iter();
    counts.filter(|count| open.contains(&count.status())).map(|count| count.count).sum()
}
