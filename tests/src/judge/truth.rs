//! What Muster shows: every message of every campaign, the reports, the replies and the opt-outs.

use std::collections::{HashMap, HashSet};

use anyhow::{Context, Result};
use futures::TryStreamExt;
use muster_proto::v1::{
    Campaign, CampaignMode, CampaignReport, CampaignState, ErrorClass, MessageStatus, Reply, TenantState,
};
use uuid::Uuid;

use crate::client::Client;

/// One message, as Muster shows it.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its id.
    pub id: Uuid,
    /// The id of its campaign.
    pub campaign: Uuid,
    /// Who it goes to.
    pub to: Box<str>,
    /// Where it is.
    pub status: MessageStatus,
    /// Why, where that needs a reason.
    pub error_class: ErrorClass,
    /// The provider's own code for that.
    pub error_code: Box<str>,
}

/// All that Muster shows.
#[derive(Debug, Default)]
pub struct Truth {
    /// Every message.
    pub rows: Vec<Row>,
    /// Every campaign with its report, but for drafts.
    pub campaigns: Vec<(Campaign, CampaignReport)>,
    /// Every reply.
    pub replies: Vec<Reply>,
    /// Tenants, and the numbers that have opted out of their texts.
    pub opt_outs: Vec<(String, String)>,
    /// Tenants that are not active: their campaigns wait.
    pub stopped: HashSet<String>,
}

/// The messages with their states.
const ROWS: &str = "
SELECT id, messages.campaign_id, phone, status, error_class, error_code
FROM messages JOIN message_states ON message_id = id";

impl Truth {
    /// Reads everything through the API, as an operator.
    pub async fn from_api(operator: &Client) -> Result<Self> {
        let mut truth = Self::without_rows(operator).await?;
        for (campaign, _) in &truth.campaigns {
            let tenant = tenant_of(&campaign.name);
            for message in operator.list_messages(tenant, &campaign.name).await? {
                truth.rows.push(Row {
                    id: id_of(&message.name)?,
                    campaign: id_of(&message.campaign)?,
                    status: message.status(),
                    error_class: message.error_class(),
                    to: message.to.into(),
                    error_code: message.error_code.into(),
                });
            }
        }
        Ok(truth)
    }

    /// Reads the messages from the database, and all else through the API.
    pub async fn from_sql(database: &tokio_postgres::Client, operator: &Client) -> Result<Self> {
        let mut truth = Self::without_rows(operator).await?;
        let rows = database.query_raw(ROWS, std::iter::empty::<&str>()).await?;
        let mut rows = std::pin::pin!(rows);
        while let Some(row) = rows.try_next().await? {
            truth.rows.push(Row {
                id: row.get("id"),
                campaign: row.get("campaign_id"),
                to: row.get("phone"),
                status: MessageStatus::try_from(i32::from(row.get::<_, i16>("status")))?,
                error_class: ErrorClass::try_from(i32::from(row.get::<_, i16>("error_class")))?,
                error_code: row.get("error_code"),
            });
        }
        Ok(truth)
    }

    /// Every campaign with its report, by its id.
    pub(super) fn campaigns_by_id(&self) -> HashMap<Uuid, &(Campaign, CampaignReport)> {
        self.campaigns.iter().filter_map(|both| Some((id_of(&both.0.name).ok()?, both))).collect()
    }

    /// Which tenant each campaign belongs to, by its id.
    pub(super) fn tenants_by_campaign(&self) -> HashMap<Uuid, &str> {
        self.campaigns_by_id()
            .into_iter()
            .map(|(id, (campaign, _))| (id, tenant_of(&campaign.name)))
            .collect()
    }

    async fn without_rows(operator: &Client) -> Result<Self> {
        let mut truth = Self::default();
        for tenant in operator.list_tenants().await? {
            if tenant.state() != TenantState::Active {
                truth.stopped.insert(tenant.name.clone());
            }
            for campaign in operator.list_campaigns(&tenant.name).await? {
                let report = operator.report(&campaign.name).await?;
                truth.campaigns.push((campaign, report));
            }
            truth.replies.extend(operator.list_replies(&tenant.name).await?);
            let opt_outs = operator.list_opt_outs(&tenant.name).await?;
            let named = opt_outs.into_iter().map(|opt_out| (tenant.name.clone(), opt_out.phone_number));
            truth.opt_outs.extend(named);
        }
        Ok(truth)
    }
}

/// Whether a message of this campaign may rest in `status`, because somebody has yet to do something: click, or
/// resume the campaign or the tenant.
pub(super) fn may_rest(truth: &Truth, campaign: Option<&Campaign>, status: MessageStatus) -> bool {
    let Some(campaign) = campaign else { return false };
    let paused =
        campaign.state() == CampaignState::Paused || truth.stopped.contains(tenant_of(&campaign.name));
    let clicked = campaign.mode() == CampaignMode::Click && campaign.state() == CampaignState::Running;
    match status {
        MessageStatus::Created => clicked || paused,
        MessageStatus::Queued => paused,
        MessageStatus::Unspecified
        | MessageStatus::Ordered
        | MessageStatus::Claimed
        | MessageStatus::Sent
        | MessageStatus::Delivered
        | MessageStatus::Undelivered
        | MessageStatus::Failed
        | MessageStatus::Unconfirmed
        | MessageStatus::Canceled
        | MessageStatus::Suppressed
        | MessageStatus::Expired => false,
    }
}

/// The name of the tenant that owns a resource.
pub(super) fn tenant_of(name: &str) -> &str {
    name.match_indices('/').nth(1).map_or(name, |(end, _)| &name[..end])
}

/// The id at the end of a resource's name.
pub(super) fn id_of(name: &str) -> Result<Uuid> {
    let id = name.rsplit('/').next().and_then(|id| Uuid::parse_str(id).ok());
    id.with_context(|| format!("the name {name:?} does not end in an id"))
}
