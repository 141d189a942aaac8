//! Campaigns and their counts.

use tokio_postgres::Row;
use uuid::Uuid;

use crate::db::{Micros, Result, SystemTx, TenantTx};
use crate::store::routes::Kind;
use crate::store::tenants::TenantState;
use crate::store::{Page, execute, query, query_one, query_opt};

/// How a campaign's texts are asked for, numbered as in the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i16)]
pub(crate) enum Mode {
    Click = 1,
    Broadcast = 2,
}

/// Where a campaign is in its life, numbered as in the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i16)]
pub(crate) enum CampaignState {
    Draft = 1,
    Running = 2,
    Paused = 3,
    Canceled = 4,
}

impl Mode {
    pub(crate) fn from_code(code: i16) -> Self {
        if code == Self::Broadcast as i16 { Self::Broadcast } else { Self::Click }
    }

    /// Its name, as metrics spell it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Click => "click",
            Self::Broadcast => "broadcast",
        }
    }
}

impl CampaignState {
    pub(crate) fn from_code(code: i16) -> Self {
        // An unknown number can only come from a newer version: what it does not know, it does not send.
        [Self::Draft, Self::Running, Self::Canceled]
            .into_iter()
            .find(|state| *state as i16 == code)
            .unwrap_or(Self::Paused)
    }
}

/// A campaign.
#[derive(Clone, Debug)]
pub(crate) struct Campaign {
    pub(crate) id: Uuid,
    pub(crate) tenant: Uuid,
    pub(crate) display_name: String,
    pub(crate) mode: Mode,
    pub(crate) list: Uuid,
    pub(crate) pool: Uuid,
    pub(crate) template: String,
    pub(crate) media_urls: Vec<String>,
    pub(crate) validity_s: i32,
    pub(crate) state: CampaignState,
    pub(crate) planned_after: Uuid,
    pub(crate) planned: bool,
    pub(crate) planned_count: i64,
    pub(crate) unplannable_count: i64,
    pub(crate) create_time: Micros,
    pub(crate) start_time: Option<Micros>,
    /// Since when nothing of it waits and nothing is on its way.
    pub(crate) end_time: Option<Micros>,
    /// When the erasing of its messages began.
    pub(crate) erase_time: Option<Micros>,
}

impl Campaign {
    /// What its messages are.
    pub(crate) fn kind(&self) -> Kind {
        Kind::of(!self.media_urls.is_empty())
    }
}

impl From<Row> for Campaign {
    fn from(row: Row) -> Self {
        Self {
            id: row.get("id"),
            tenant: row.get("tenant_id"),
            display_name: row.get("display_name"),
            mode: Mode::from_code(row.get("mode")),
            list: row.get("list_id"),
            pool: row.get("pool_id"),
            template: row.get("template"),
            media_urls: row.get("media_urls"),
            validity_s: row.get("validity_s"),
            state: CampaignState::from_code(row.get("state")),
            planned_after: row.get("planned_after"),
            planned: row.get("planned"),
            planned_count: row.get("planned_count"),
            unplannable_count: row.get("unplannable_count"),
            create_time: row.get("create_time"),
            start_time: row.get("start_time"),
            end_time: row.get("end_time"),
            erase_time: row.get("erase_time"),
        }
    }
}

pub(crate) async fn campaign_insert(tx: &TenantTx<'_>, campaign: &Campaign) -> Result<()> {
    let sql = include_str!("campaigns/campaign_insert.sql");
    execute(
        tx,
        sql,
        &[
            &campaign.id,
            &campaign.tenant,
            &campaign.display_name,
            &(campaign.mode as i16),
            &campaign.list,
            &campaign.pool,
            &campaign.template,
            &campaign.media_urls,
            &campaign.validity_s,
            &(campaign.state as i16),
            &campaign.create_time,
        ],
    )
    .await?;
    Ok(())
}

pub(crate) async fn campaign_get(tx: &TenantTx<'_>, id: Uuid) -> Result<Option<Campaign>> {
    Ok(query_opt(tx, include_str!("campaigns/campaign_get.sql"), &[&id]).await?.map(Campaign::from))
}

pub(crate) async fn campaigns_list(tx: &TenantTx<'_>, page: &Page<Uuid>) -> Result<Vec<Campaign>> {
    let sql = include_str!("campaigns/campaigns_list.sql");
    Ok(query(tx, sql, &[&page.after, &page.limit]).await?.into_iter().map(Campaign::from).collect())
}

/// Moves a campaign that is in one of `from` to `to`: how it was and how it is now; `None` where it is in none of them.
pub(crate) async fn campaign_move(
    tx: &TenantTx<'_>,
    id: Uuid,
    from: &[CampaignState],
    to: CampaignState,
) -> Result<Option<(Campaign, Campaign)>> {
    let from: Vec<i16> = from.iter().map(|state| *state as i16).collect();
    let started = (to == CampaignState::Running).then(Micros::now);
    let sql = include_str!("campaigns/campaign_move.sql");
    let row = query_opt(tx, sql, &[&id, &from, &(to as i16), &started]).await?;
    Ok(row.map(|row| {
        let (state, start_time) =
            (CampaignState::from_code(row.get("state_before")), row.get("start_time_before"));
        let after = Campaign::from(row);
        (Campaign { state, start_time, ..after.clone() }, after)
    }))
}

/// The campaigns of all active tenants that are not fully planned.
pub(crate) async fn campaigns_to_plan(tx: &SystemTx<'_>) -> Result<Vec<Campaign>> {
    let states = [CampaignState::Running as i16, CampaignState::Paused as i16];
    let sql = include_str!("campaigns/campaigns_to_plan.sql");
    let active = TenantState::Active.code();
    Ok(query(tx, sql, &[&&states[..], &active]).await?.into_iter().map(Campaign::from).collect())
}

/// How far the planner came with one page of contacts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlanStep {
    pub(crate) from: Uuid,
    pub(crate) to: Uuid,
    pub(crate) planned: i64,
    pub(crate) unplannable: i64,
    /// Whether this was the last page.
    pub(crate) done: bool,
}

/// Moves the planner's cursor from where it was. False where it is elsewhere, or the campaign was canceled or the tenant
/// suspended: the step must not be committed then.
pub(crate) async fn campaign_plan_step(tx: &SystemTx<'_>, campaign: Uuid, step: &PlanStep) -> Result<bool> {
    let states = [CampaignState::Running as i16, CampaignState::Paused as i16];
    let sql = include_str!("campaigns/campaign_plan_step.sql");
    let moved = execute(
        tx,
        sql,
        &[
            &campaign,
            &step.from,
            &step.to,
            &step.planned,
            &step.unplannable,
            &step.done,
            &&states[..],
            &TenantState::Active.code(),
        ],
    )
    .await?;
    Ok(moved == 1)
}

/// One row of the counters.
pub(crate) struct Counter {
    pub(crate) status: i16,
    pub(crate) error_class: i16,
    pub(crate) error_code: String,
    pub(crate) count: i64,
}

/// The counters of a campaign, in one snapshot, with the time of it.
pub(crate) async fn campaign_counters(tx: &TenantTx<'_>, id: Uuid) -> Result<Vec<Counter>> {
    let rows = query(tx, include_str!("campaigns/campaign_counters.sql"), &[&id]).await?;
    let counters = rows.into_iter().map(|row| Counter {
        status: row.get("status"),
        error_class: row.get("error_class"),
        error_code: row.get("error_code"),
        count: row.get("count"),
    });
    Ok(counters.collect())
}

/// How many campaigns the tenant has.
pub(crate) async fn campaigns_count(tx: &TenantTx<'_>, tenant: Uuid) -> Result<i64> {
    Ok(query_one(tx, include_str!("campaigns/campaigns_count.sql"), &[&tenant]).await?.get(0))
}
