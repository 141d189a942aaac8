//! Campaigns and their reports.

use muster_domain::id::TenantId;
use muster_domain::template::Template;
use muster_domain::text::{self, BODY_CHARS_MAX, Encoding};
use muster_proto::v1::campaign_service_server::CampaignService;
use muster_proto::v1::{
    Campaign, CampaignMode, CampaignReport, CancelCampaignRequest, CreateCampaignRequest, ErrorCount,
    GetCampaignReportRequest, GetCampaignRequest, ListCampaignsRequest, ListCampaignsResponse,
    PauseCampaignRequest, ResumeCampaignRequest, StartCampaignRequest, StatusCount, TemplateCost,
    TextEncoding,
};
use muster_runtime::access::Caller;
use muster_runtime::{Error, Result, clock, name};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::audit::Act;
use crate::db::{Micros, SystemTx, TenantTx};
use crate::quota::Bound;
use crate::rpc::contact_lists::not_erased;
use crate::rpc::{
    Api, caller, counted, display_name, missing, page, reference, required, resource, tenant_of_parent,
};
use crate::store::campaigns::{
    self, CampaignState, Counter, Mode, campaign_counters, campaign_get, campaign_insert, campaign_move,
    campaigns_count, campaigns_list,
};
use crate::store::contacts::contact_list_get;
use crate::store::numbers::pool_get;
use crate::store::routes::pool_carries;
use crate::store::tenants::tenant_get;
use crate::store::transitions::Moved;

pub(super) const CAMPAIGN: &str = "tenants/*/campaigns/*";
const LIST: &str = "tenants/*/contactLists/*";
const POOL: &str = "tenants/*/numberPools/*";
/// Media of one text at most, for every provider.
const MEDIA_MAX: usize = 10;
/// The longest media URL, in bytes.
const MEDIA_URL_BYTES_MAX: usize = 2_000;
/// How long a text waits where the campaign does not say: 4 hours.
const VALIDITY_DEFAULT_S: i64 = 4 * 3_600;
/// The shortest and the longest that a text may wait.
const VALIDITY_S: std::ops::RangeInclusive<i64> = 60..=3 * 24 * 3_600;

fn encode(campaign: campaigns::Campaign) -> Campaign {
    let tenant = campaign.tenant;
    let segments = text::count(&campaign.template);
    let encoding = match segments.encoding {
        Encoding::Gsm7 => TextEncoding::Gsm7,
        Encoding::Ucs2 => TextEncoding::Ucs2,
    };
    Campaign {
        name: name::format(CAMPAIGN, &[tenant, campaign.id]),
        display_name: campaign.display_name,
        mode: campaign.mode as i32,
        contact_list: name::format(LIST, &[tenant, campaign.list]),
        number_pool: name::format(POOL, &[tenant, campaign.pool]),
        template_cost: (!campaign.template.is_empty()).then(|| TemplateCost {
            encoding: encoding.into(),
            units: i32::try_from(segments.units).unwrap_or(i32::MAX),
            segments: i32::from(segments.segments),
        }),
        template: campaign.template,
        media_urls: campaign.media_urls,
        validity_seconds: i64::from(campaign.validity_s),
        state: campaign.state as i32,
        planned_count: campaign.planned_count,
        planned: campaign.planned,
        unplannable_count: campaign.unplannable_count,
        create_time: Some(campaign.create_time.timestamp()),
        start_time: campaign.start_time.map(Micros::timestamp),
        end_time: campaign.end_time.map(Micros::timestamp),
        erase_time: campaign.erase_time.map(Micros::timestamp),
    }
}

fn field(name: &str) -> String {
    format!("campaign.{name}")
}

fn mode(wanted: &Campaign) -> Result<Mode> {
    match wanted.mode() {
        CampaignMode::Click => Ok(Mode::Click),
        CampaignMode::Broadcast => Ok(Mode::Broadcast),
        CampaignMode::Unspecified => {
            Err(Error::invalid(field("mode"), "must be CAMPAIGN_MODE_CLICK or CAMPAIGN_MODE_BROADCAST"))
        }
    }
}

fn template(wanted: &Campaign) -> Result<String> {
    if wanted.template.trim().is_empty() && wanted.media_urls.is_empty() {
        return Err(Error::invalid(field("template"), "is required where there are no media"));
    }
    Template::parse(&wanted.template)
        .map_err(|error| Error::invalid(field("template"), error.to_string()))?;
    if wanted.template.contains('\0') {
        return Err(Error::invalid(field("template"), "must not contain NUL"));
    }
    if wanted.template.chars().count() > BODY_CHARS_MAX {
        return Err(Error::invalid(
            field("template"),
            format!("must have at most {BODY_CHARS_MAX} characters"),
        ));
    }
    Ok(wanted.template.clone())
}

fn media_urls(wanted: &Campaign) -> Result<Vec<String>> {
    if wanted.media_urls.len() > MEDIA_MAX {
        return Err(Error::invalid(field("media_urls"), format!("must be at most {MEDIA_MAX}")));
    }
    for (at, url) in wanted.media_urls.iter().enumerate() {
        let host = url.strip_prefix("https://").and_then(|rest| rest.split('/').next());
        let sound = host.is_some_and(|host| !host.is_empty())
            && url.len() <= MEDIA_URL_BYTES_MAX
            && url.bytes().all(|byte| byte.is_ascii_graphic());
        if !sound {
            let message =
                format!("must be an https URL of at most {MEDIA_URL_BYTES_MAX} visible ASCII characters");
            return Err(Error::invalid(field(&format!("media_urls[{at}]")), message));
        }
    }
    Ok(wanted.media_urls.clone())
}

fn validity_s(wanted: &Campaign) -> Result<i32> {
    let seconds = if wanted.validity_seconds == 0 { VALIDITY_DEFAULT_S } else { wanted.validity_seconds };
    if !VALIDITY_S.contains(&seconds) {
        let message = format!("must be {} to {}", VALIDITY_S.start(), VALIDITY_S.end());
        return Err(Error::invalid(field("validity_seconds"), message));
    }
    Ok(i32::try_from(seconds).unwrap_or(i32::MAX))
}

fn draft(tenant: TenantId, wanted: &Campaign) -> Result<campaigns::Campaign> {
    Ok(campaigns::Campaign {
        id: clock::new_id(),
        tenant: tenant.0,
        display_name: display_name(&wanted.display_name, &field("display_name"))?,
        mode: mode(wanted)?,
        list: reference(tenant, LIST, &wanted.contact_list, &field("contact_list"))?,
        pool: reference(tenant, POOL, &wanted.number_pool, &field("number_pool"))?,
        template: template(wanted)?,
        media_urls: media_urls(wanted)?,
        validity_s: validity_s(wanted)?,
        state: CampaignState::Draft,
        planned_after: Uuid::nil(),
        planned: false,
        planned_count: 0,
        unplannable_count: 0,
        create_time: Micros::now(),
        start_time: None,
        end_time: None,
        erase_time: None,
    })
}

impl Api {
    /// Moves a campaign, or says why it cannot be.
    async fn move_campaign(
        &self,
        (caller, act): (Caller, Act),
        name: &str,
        from: &[CampaignState],
        to: CampaignState,
    ) -> Result<Response<Campaign>, Status> {
        let (tenant, id) = resource(caller, CAMPAIGN, name, "name")?;
        let mut client = self.db.app().await?;
        let tx = TenantTx::begin(&mut client, tenant).await?;
        let Some((before, after)) = campaign_move(&tx, id, from, to).await? else {
            let campaign = campaign_get(&tx, id).await?.ok_or_else(|| Error::not_found(name))?;
            // A call that is repeated because its answer was lost finds its work done.
            if campaign.state == to {
                return Ok(Response::new(encode(campaign)));
            }
            let message = format!("the campaign is {:?}; it must be one of {from:?}", campaign.state);
            return Err(Error::precondition("CAMPAIGN_STATE", message.to_lowercase()).into());
        };
        let campaign = encode(after);
        let _telling = self.nudges.telling(Moved(vec![id]));
        tx.commit(act.changed(&encode(before), &campaign)?).await?;
        self.nudges.plan.notify_one();
        self.nudges.dispatch.notify_one();
        Ok(Response::new(campaign))
    }

    /// Refuses to start a campaign that could not send.
    async fn check_start(&self, caller: Caller, name: &str) -> Result<(), Status> {
        let (tenant, id) = resource(caller, CAMPAIGN, name, "name")?;
        let campaign = {
            let mut client = self.db.app().await?;
            let tx = TenantTx::begin(&mut client, tenant).await?;
            let campaign = campaign_get(&tx, id).await?.ok_or_else(|| Error::not_found(name))?;
            let list = contact_list_get(&tx, campaign.list).await?;
            list.as_ref().map_or(Ok(()), not_erased)?;
            if list.is_none_or(|list| list.contact_count == 0) {
                return Err(
                    Error::precondition("EMPTY_CONTACT_LIST", "the contact list has no contacts").into()
                );
            }
            let pool = pool_get(&tx, campaign.pool).await?;
            if pool.is_none_or(|pool| pool.phone_number_count == 0) {
                return Err(Error::precondition("EMPTY_NUMBER_POOL", "the number pool has no numbers").into());
            }
            if !pool_carries(&tx, campaign.pool, campaign.kind()).await? {
                let message = format!(
                    "no route lets any number of the number pool send {:?}; see RouteService",
                    campaign.kind()
                );
                return Err(Error::precondition("NO_ROUTE", message).into());
            }
            campaign
        };
        self.check_broadcast(tenant, campaign.mode).await?;
        Ok(())
    }

    /// Refuses to send a broadcast of a tenant that may not.
    async fn check_broadcast(&self, tenant: TenantId, mode: Mode) -> Result<()> {
        if mode == Mode::Broadcast && !self.broadcast_allowed(tenant).await? {
            let message = "the tenant may not broadcast; each of its texts needs a texter's click";
            return Err(Error::precondition("BROADCAST_NOT_ALLOWED", message));
        }
        Ok(())
    }

    async fn broadcast_allowed(&self, tenant: TenantId) -> Result<bool> {
        let mut client = self.db.system().await?;
        let tx = SystemTx::begin(&mut client).await?;
        Ok(tenant_get(&tx, tenant).await?.is_some_and(|tenant| tenant.broadcast_allowed))
    }
}

fn report(name: String, counters: &[Counter]) -> CampaignReport {
    let mut report = CampaignReport {
        campaign: name,
        message_count: counters.iter().map(|counter| counter.count).sum(),
        read_time: Some(Micros::now().timestamp()),
        ..CampaignReport::default()
    };
    for counter in counters {
        let status = i32::from(counter.status);
        match report.status_counts.iter_mut().find(|count| count.status == status) {
            Some(count) => count.count += counter.count,
            None => report.status_counts.push(StatusCount { status, count: counter.count }),
        }
        if counter.error_class != 0 {
            report.error_counts.push(ErrorCount {
                status,
                error_class: i32::from(counter.error_class),
                error_code: counter.error_code.clone(),
                count: counter.count,
            });
        }
    }
    report
}

#[tonic::async_trait]
impl CampaignService for Api {
    async fn create_campaign(
        &self,
        request: Request<CreateCampaignRequest>,
    ) -> Result<Response<Campaign>, Status> {
        let (caller, act) = Act::of(&request)?;
        let request = request.into_inner();
        let tenant = tenant_of_parent(caller, &request.parent)?;
        let mut wanted = required(request.campaign, "campaign")?;
        let mut client = self.db.app().await?;
        let tx = TenantTx::begin(&mut client, tenant).await?;
        counted(&tx, tenant, &request.parent).await?;
        if wanted.number_pool.is_empty()
            && let Some(pool) = tenant_get(&tx, tenant).await?.and_then(|tenant| tenant.default_pool)
        {
            wanted.number_pool = name::format(POOL, &[tenant.0, pool]);
        }
        let campaign = draft(tenant, &wanted)?;
        let list = contact_list_get(&tx, campaign.list).await?;
        not_erased(&list.ok_or_else(|| missing(&field("contact_list"), &wanted.contact_list))?)?;
        if pool_get(&tx, campaign.pool).await?.is_none() {
            return Err(missing(&field("number_pool"), &wanted.number_pool).into());
        }
        Bound::Campaigns.room_for(1, &request.parent, campaigns_count(&tx, tenant.0).await?)?;
        campaign_insert(&tx, &campaign).await?;
        let campaign = encode(campaign);
        tx.commit(act.created(&campaign)?).await?;
        Ok(Response::new(campaign))
    }

    async fn get_campaign(&self, request: Request<GetCampaignRequest>) -> Result<Response<Campaign>, Status> {
        let caller = caller(&request)?;
        let name = request.into_inner().name;
        let (tenant, id) = resource(caller, CAMPAIGN, &name, "name")?;
        let mut client = self.db.app().await?;
        let tx = TenantTx::begin(&mut client, tenant).await?;
        let campaign = campaign_get(&tx, id).await?.ok_or_else(|| Error::not_found(&name))?;
        Ok(Response::new(encode(campaign)))
    }

    async fn list_campaigns(
        &self,
        request: Request<ListCampaignsRequest>,
    ) -> Result<Response<ListCampaignsResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let tenant = tenant_of_parent(caller, &request.parent)?;
        let scope = format!("campaigns {}", request.parent);
        let ask = page::Request { size: request.page_size, token: &request.page_token, scope };
        let page = ask.page()?;
        let mut client = self.db.app().await?;
        let tx = TenantTx::begin(&mut client, tenant).await?;
        let mut campaigns = campaigns_list(&tx, &page).await?;
        let next_page_token = ask.finish(&mut campaigns, &page, |campaign| campaign.id);
        let campaigns = campaigns.into_iter().map(encode).collect();
        Ok(Response::new(ListCampaignsResponse { campaigns, next_page_token }))
    }

    async fn start_campaign(
        &self,
        request: Request<StartCampaignRequest>,
    ) -> Result<Response<Campaign>, Status> {
        let (caller, act) = Act::of(&request)?;
        let name = request.into_inner().name;
        self.check_start(caller, &name).await?;
        self.move_campaign((caller, act), &name, &[CampaignState::Draft], CampaignState::Running).await
    }

    async fn pause_campaign(
        &self,
        request: Request<PauseCampaignRequest>,
    ) -> Result<Response<Campaign>, Status> {
        let (caller, act) = Act::of(&request)?;
        let name = request.into_inner().name;
        self.move_campaign((caller, act), &name, &[CampaignState::Running], CampaignState::Paused).await
    }

    async fn resume_campaign(
        &self,
        request: Request<ResumeCampaignRequest>,
    ) -> Result<Response<Campaign>, Status> {
        let (caller, act) = Act::of(&request)?;
        let name = request.into_inner().name;
        let (tenant, id) = resource(caller, CAMPAIGN, &name, "name")?;
        let campaign = {
            let mut client = self.db.app().await?;
            campaign_get(&TenantTx::begin(&mut client, tenant).await?, id).await?
        };
        if let Some(campaign) = campaign {
            self.check_broadcast(tenant, campaign.mode).await?;
        }
        self.move_campaign((caller, act), &name, &[CampaignState::Paused], CampaignState::Running).await
    }

    async fn cancel_campaign(
        &self,
        request: Request<CancelCampaignRequest>,
    ) -> Result<Response<Campaign>, Status> {
        let (caller, act) = Act::of(&request)?;
        let name = request.into_inner().name;
        let from = [CampaignState::Draft, CampaignState::Running, CampaignState::Paused];
        self.move_campaign((caller, act), &name, &from, CampaignState::Canceled).await
    }

    async fn get_campaign_report(
        &self,
        request: Request<GetCampaignReportRequest>,
    ) -> Result<Response<CampaignReport>, Status> {
        let caller = caller(&request)?;
        let name = request.into_inner().name;
        let (tenant, id) = resource(caller, CAMPAIGN, &name, "name")?;
        let mut client = self.db.app().await?;
        let tx = TenantTx::begin(&mut client, tenant).await?;
        campaign_get(&tx, id).await?.ok_or_else(|| Error::not_found(&name))?;
        let counters = campaign_counters(&tx, id).await?;
        Ok(Response::new(report(name, &counters)))
    }
}
