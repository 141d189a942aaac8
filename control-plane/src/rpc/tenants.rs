//! Tenants: their life, settings and quotas.

mod change;
mod life;

use muster_domain::id::TenantId;
use muster_proto::v1::tenant_service_server::TenantService;
use muster_proto::v1::{
    CreateTenantRequest, DeleteTenantRequest, GetTenantRequest, GetTenantUsageRequest, IdentityProvider,
    ListTenantsRequest, ListTenantsResponse, ResumeTenantRequest, SendingHours, SuspendTenantRequest, Tenant,
    TenantQuotas, TenantSettings, TenantUsage, UndeleteTenantRequest, UpdateTenantRequest,
};
use muster_runtime::access::Caller;
use muster_runtime::{Error, Result, clock, name};
use tonic::{Request, Response, Status};

use crate::audit::Act;
use crate::db::{self, Micros, SystemTx, TenantTx};
use crate::hours::{self, Window};
use crate::quota::Quota;
use crate::rpc::{Api, caller, display_name, missing, page, reference, required};
use crate::store::contacts::contact_lists_count;
use crate::store::keys::keys_count;
use crate::store::members::{members_count, members_forget_subjects};
use crate::store::numbers::pool_get;
use crate::store::tenants::{
    self, TenantState, tenant_get, tenant_insert, tenant_lock, tenant_update, tenants_list,
};
use crate::store::texts::{day, texts_count};

const TENANT: &str = "tenants/*";
const POOL: &str = "tenants/*/numberPools/*";

/// The revision as callers see it (AIP-154).
fn etag(tenant: &tenants::Tenant) -> String {
    format!("\"{}\"", tenant.revision)
}

fn encode(tenant: tenants::Tenant) -> Tenant {
    let id = tenant.id.0;
    let default_number_pool =
        tenant.default_pool.map(|pool| name::format(POOL, &[id, pool])).unwrap_or_default();
    Tenant {
        name: name::format(TENANT, &[id]),
        etag: etag(&tenant),
        display_name: tenant.display_name,
        broadcast_allowed: tenant.broadcast_allowed,
        create_time: Some(tenant.create_time.timestamp()),
        state: tenant.state.code().into(),
        suspend_reason: tenant.suspend_reason,
        suspend_time: tenant.suspend_time.map(Micros::timestamp),
        delete_time: tenant.delete_time.map(Micros::timestamp),
        purge_time: tenant.purge_time.map(Micros::timestamp),
        settings: Some(TenantSettings {
            default_number_pool,
            sending_hours: sending_hours(tenant.hours),
            retention_days: tenant.retention_days,
        }),
        quotas: Some(encode_quotas(|quota| tenant.quotas.own(quota))),
        identity_provider: tenant
            .identity_provider
            .map(|provider| IdentityProvider { issuer: provider.issuer, audience: provider.audience }),
    }
}

fn sending_hours(hours: Window) -> Option<SendingHours> {
    let narrower = hours != Window::ALL_DAY;
    narrower.then(|| SendingHours { open: hours::clock(hours.open), close: hours::clock(hours.close) })
}

fn encode_quotas(number: impl Fn(Quota) -> i64) -> TenantQuotas {
    TenantQuotas {
        texts_per_day: number(Quota::TextsPerDay),
        segments_per_second: number(Quota::SegmentsPerSecond),
        api_calls_per_second: number(Quota::ApiCallsPerSecond),
        contact_lists_max: number(Quota::ContactLists),
        contacts_per_list_max: number(Quota::ContactsPerList),
        import_rows_max: number(Quota::ImportRows),
        members_max: number(Quota::Members),
        api_keys_max: number(Quota::ApiKeys),
    }
}

/// Another tenant has the same issuer and audience; there is nothing else about a tenant that only one may have.
fn taken(error: db::Error) -> Error {
    if error.is_unique_violation() {
        Error::already_exists("there is a tenant with this identity provider and audience")
    } else {
        error.into()
    }
}

/// The tenant, locked and as its caller believes it to be.
async fn as_read(tx: &TenantTx<'_>, id: TenantId, name: &str, wanted: &str) -> Result<tenants::Tenant> {
    let tenant = tenant_lock(tx, id).await?.ok_or_else(|| Error::not_found(name))?;
    if wanted.is_empty() || wanted == etag(&tenant) {
        Ok(tenant)
    } else {
        Err(Error::aborted(format!("{name} was changed meanwhile; read it again")))
    }
}

impl Api {
    /// Moves a tenant on in its life by `step`, which says whether anything changed.
    async fn move_tenant(
        &self,
        (caller, act): (Caller, Act),
        name: &str,
        etag: &str,
        step: impl FnOnce(&mut tenants::Tenant, Micros) -> Result<bool>,
    ) -> Result<Response<Tenant>, Status> {
        let [id] = name::parse(TENANT, name, "name")?;
        let id = caller.tenant(id, name)?;
        let mut client = self.db.system().await?;
        let tx = SystemTx::begin(&mut client).await?.narrow(id).await?;
        let mut tenant = as_read(&tx, id, name, etag).await?;
        let before = encode(tenant.clone());
        if !step(&mut tenant, Micros::now())? {
            return Ok(Response::new(before));
        }
        tenant_update(&tx, &mut tenant).await?;
        let after = encode(tenant);
        tx.commit(act.changed(&before, &after)?).await?;
        self.nudges.plan.notify_one();
        self.nudges.dispatch.notify_one();
        Ok(Response::new(after))
    }

    /// Refuses what only this platform can judge: hours or a retention beyond its own, and an identity provider that it may not ask.
    fn check_pins(&self, before: &tenants::Tenant, after: &tenants::Tenant) -> Result<()> {
        let beyond = after.hours != Window::ALL_DAY && after.hours.and(self.hours) != after.hours;
        if beyond && before.hours != after.hours {
            let (open, close) = (hours::clock(self.hours.open), hours::clock(self.hours.close));
            return Err(Error::invalid(
                change::HOURS,
                format!("must be within the platform's, {open} to {close}"),
            ));
        }
        let longest = self.config.retention_days_max;
        if longest != 0 && after.retention_days > longest && before.retention_days != after.retention_days {
            return Err(Error::invalid(
                change::RETENTION,
                format!("must be at most the platform's, {longest}"),
            ));
        }
        match &after.identity_provider {
            Some(provider) if !self.verifier.may_ask(&provider.issuer) => Err(Error::invalid(
                "tenant.identity_provider.issuer",
                "must be an https URL without a user, a query or a fragment",
            )),
            Some(_) | None => Ok(()),
        }
    }

    /// Refuses a default pool that is not there. It is looked for as the tenant sees it.
    async fn check_pool(&self, tenant: TenantId, wanted: &Tenant) -> Result<()> {
        let text = wanted.settings.as_ref().map_or("", |settings| &settings.default_number_pool);
        if text.is_empty() {
            return Ok(());
        }
        let pool = reference(tenant, POOL, text, change::DEFAULT_POOL)?;
        let mut client = self.db.app().await?;
        let tx = TenantTx::begin(&mut client, tenant).await?;
        pool_get(&tx, pool).await?.map(drop).ok_or_else(|| missing(change::DEFAULT_POOL, text))
    }

    async fn update(&self, (caller, act): (Caller, Act), request: UpdateTenantRequest) -> Result<Tenant> {
        let wanted = required(request.tenant, "tenant")?;
        let [id] = name::parse(TENANT, &wanted.name, "tenant.name")?;
        let id = caller.tenant(id, &wanted.name)?;
        let paths = change::paths(request.update_mask, &wanted)?;
        self.check_pool(id, &wanted).await?;
        let mut client = self.db.system().await?;
        let tx = SystemTx::begin(&mut client).await?.narrow(id).await?;
        let before = as_read(&tx, id, &wanted.name, &wanted.etag).await?;
        let mut tenant = before.clone();
        change::apply(&mut tenant, &wanted, &paths)?;
        change::allowed(caller, &before, &tenant)?;
        if tenant == before {
            return Ok(encode(tenant));
        }
        self.check_pins(&before, &tenant)?;
        if tenant.identity_provider != before.identity_provider {
            members_forget_subjects(&tx, id.0).await?;
        }
        tenant_update(&tx, &mut tenant).await.map_err(taken)?;
        let after = encode(tenant);
        tx.commit(act.changed(&encode(before), &after)?).await?;
        Ok(after)
    }

    async fn usage(&self, id: TenantId, name: String) -> Result<TenantUsage> {
        let mut client = self.db.system().await?;
        let tx = SystemTx::begin(&mut client).await?;
        let quotas = tenant_get(&tx, id).await?.ok_or_else(|| Error::not_found(&name))?.quotas;
        let now = Micros::now();
        let texts = texts_count(&tx, id, &[day(now)]).await?;
        Ok(TenantUsage {
            name,
            texts_today: texts.claimed,
            texts_ordered: texts.ordered,
            contact_lists: contact_lists_count(&tx, id.0).await?,
            members: members_count(&tx, id.0, now).await?,
            api_keys: keys_count(&tx, id.0).await?,
            quotas: Some(encode_quotas(|quota| quotas.limit(quota).unwrap_or(0))),
        })
    }
}

#[tonic::async_trait]
impl TenantService for Api {
    async fn create_tenant(&self, request: Request<CreateTenantRequest>) -> Result<Response<Tenant>, Status> {
        let (_, act) = Act::of(&request)?;
        let wanted = required(request.into_inner().tenant, "tenant")?;
        let title = display_name(&wanted.display_name, "tenant.display_name")?;
        let mut client = self.db.system().await?;
        let tx = SystemTx::begin(&mut client).await?;
        let id = TenantId(clock::new_id());
        let mut tenant = tenant_insert(&tx, id, &title, wanted.broadcast_allowed).await?;
        let tx = tx.narrow(id).await?;
        let inserted = tenant.clone();
        // A pool can only be there once the tenant is.
        let given = ["quotas", "identity_provider", "settings.sending_hours", "settings.retention_days"];
        change::apply(&mut tenant, &wanted, &given)?;
        if tenant != inserted {
            self.check_pins(&inserted, &tenant)?;
            tenant_update(&tx, &mut tenant).await.map_err(taken)?;
        }
        let tenant = encode(tenant);
        tx.commit(act.created(&tenant)?).await?;
        Ok(Response::new(tenant))
    }

    async fn get_tenant(&self, request: Request<GetTenantRequest>) -> Result<Response<Tenant>, Status> {
        let caller = caller(&request)?;
        let name = request.into_inner().name;
        let [id] = name::parse(TENANT, &name, "name")?;
        let id = caller.tenant(id, &name)?;
        let mut client = self.db.system().await?;
        let tx = SystemTx::begin(&mut client).await?;
        let tenant = tenant_get(&tx, id).await?.ok_or_else(|| Error::not_found(&name))?;
        Ok(Response::new(encode(tenant)))
    }

    async fn list_tenants(
        &self,
        request: Request<ListTenantsRequest>,
    ) -> Result<Response<ListTenantsResponse>, Status> {
        let request = request.into_inner();
        let scope = format!("tenants {}", request.show_deleted);
        let ask = page::Request { size: request.page_size, token: &request.page_token, scope };
        let page = ask.page()?;
        let last = if request.show_deleted { TenantState::Purged } else { TenantState::Suspended };
        let mut client = self.db.system().await?;
        let tx = SystemTx::begin(&mut client).await?;
        let mut tenants = tenants_list(&tx, &page, last).await?;
        let next_page_token = ask.finish(&mut tenants, &page, |tenant| tenant.id.0);
        let tenants = tenants.into_iter().map(encode).collect();
        Ok(Response::new(ListTenantsResponse { tenants, next_page_token }))
    }

    async fn update_tenant(&self, request: Request<UpdateTenantRequest>) -> Result<Response<Tenant>, Status> {
        let who = Act::of(&request)?;
        Ok(Response::new(self.update(who, request.into_inner()).await?))
    }

    async fn get_tenant_usage(
        &self,
        request: Request<GetTenantUsageRequest>,
    ) -> Result<Response<TenantUsage>, Status> {
        let caller = caller(&request)?;
        let name = request.into_inner().name;
        let [id] = name::parse(TENANT, &name, "name")?;
        let id = caller.tenant(id, &name)?;
        Ok(Response::new(self.usage(id, name).await?))
    }

    async fn suspend_tenant(
        &self,
        request: Request<SuspendTenantRequest>,
    ) -> Result<Response<Tenant>, Status> {
        let who = Act::of(&request)?;
        let request = request.into_inner();
        let reason = display_name(&request.reason, "reason")?;
        let step = |tenant: &mut tenants::Tenant, now| life::suspend(tenant, reason, now);
        self.move_tenant(who, &request.name, "", step).await
    }

    async fn resume_tenant(&self, request: Request<ResumeTenantRequest>) -> Result<Response<Tenant>, Status> {
        let who = Act::of(&request)?;
        let name = request.into_inner().name;
        self.move_tenant(who, &name, "", |tenant, _| life::resume(tenant)).await
    }

    async fn delete_tenant(&self, request: Request<DeleteTenantRequest>) -> Result<Response<Tenant>, Status> {
        let who = Act::of(&request)?;
        let request = request.into_inner();
        let grace = self.config.tenant_grace();
        let step = |tenant: &mut tenants::Tenant, now| Ok(life::delete(tenant, now, grace));
        self.move_tenant(who, &request.name, &request.etag, step).await
    }

    async fn undelete_tenant(
        &self,
        request: Request<UndeleteTenantRequest>,
    ) -> Result<Response<Tenant>, Status> {
        let who = Act::of(&request)?;
        let name = request.into_inner().name;
        self.move_tenant(who, &name, "", life::undelete).await
    }
}
