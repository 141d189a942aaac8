//! Client organizations, and what they may have and do.

use clap::Args;
use muster_proto::v1::{
    CreateTenantRequest, DeleteTenantRequest, GetTenantRequest, GetTenantUsageRequest, IdentityProvider,
    ListTenantsRequest, ResumeTenantRequest, SendingHours, SuspendTenantRequest, Tenant, TenantQuotas,
    TenantSettings, UndeleteTenantRequest, UpdateTenantRequest,
};
use prost_reflect::Value;

use crate::api;
use crate::failure::Result;
use crate::flags::Mask;
use crate::resource::{POOL, TENANT};
use crate::session::Session;
use crate::verb::{Noun, Verb};

pub(crate) fn noun() -> Noun {
    Noun {
        name: "tenants",
        about: "Client organizations",
        verbs: vec![
            Verb::call("create", "Create a tenant", create),
            Verb::named::<GetTenantRequest>("get", "Show a tenant", TENANT).or_own(),
            Verb::list_by(
                "list",
                "List tenants",
                &["name", "display_name", "state", "broadcast_allowed", "create_time"],
                list,
            ),
            Verb::call("update", "Change a tenant", update),
            Verb::named::<GetTenantUsageRequest>(
                "usage",
                "Show how much of its quotas a tenant has used",
                TENANT,
            )
            .or_own(),
            Verb::call("suspend", "Stop everything that a tenant does", suspend),
            Verb::named::<ResumeTenantRequest>("resume", "Let a suspended tenant go on", TENANT),
            Verb::named::<DeleteTenantRequest>(
                "delete",
                "Delete a tenant; it can be undeleted until it is purged",
                TENANT,
            )
            .asks(),
            Verb::named::<UndeleteTenantRequest>("undelete", "Take a deletion back", TENANT),
        ],
    }
}

#[derive(Args)]
struct Create {
    /// What people call it
    display_name: String,
    #[command(flatten)]
    values: Values,
}

#[derive(Args)]
struct Update {
    /// The tenant: its id, its resource name, or what people call it
    tenant: String,
    /// What people call it
    #[arg(long, value_name = "NAME")]
    display_name: Option<String>,
    #[command(flatten)]
    values: Values,
    /// The pool of campaigns that name none
    #[arg(long, value_name = "POOL")]
    default_pool: Option<String>,
}

#[derive(Args)]
struct Values {
    /// Whether its campaigns may be broadcast; an operator's to say
    #[arg(long, value_name = "BOOL")]
    broadcast: Option<bool>,
    /// When its people may be texted, by their own clocks, such as 09:00-20:30
    #[arg(long, value_name = "OPEN-CLOSE", value_parser = hours)]
    hours: Option<SendingHours>,
    /// How many days what is personal in finished work is kept
    #[arg(long, value_name = "DAYS")]
    retention_days: Option<i32>,
    /// A quota, such as texts_per_day=100000; 0 means the platform's. Can be repeated; an operator's to say
    #[arg(long = "quota", value_name = "QUOTA=COUNT", value_parser = quota)]
    quotas: Vec<(String, i64)>,
    /// The issuer of the OpenID Connect tokens that its people sign in with; an operator's to say
    #[arg(long, value_name = "URL", requires = "audience")]
    issuer: Option<String>,
    /// What those tokens call Muster
    #[arg(long, requires = "issuer")]
    audience: Option<String>,
}

impl Values {
    fn tenant(self, display_name: String, default_number_pool: String, mask: &mut Mask) -> Result<Tenant> {
        let mut quotas = api::reflect(&TenantQuotas::default())?;
        for (quota, count) in &self.quotas {
            mask.take(&format!("quotas.{quota}"), Some(*count));
            quotas.set_field_by_name(quota, Value::I64(*count));
        }
        let provider = self.issuer.zip(self.audience);
        Ok(Tenant {
            display_name,
            broadcast_allowed: mask.take("broadcast_allowed", self.broadcast),
            settings: Some(TenantSettings {
                default_number_pool,
                sending_hours: mask.take("settings.sending_hours", self.hours.map(Some)),
                retention_days: mask.take("settings.retention_days", self.retention_days),
            }),
            quotas: Some(api::typed(&quotas)?),
            identity_provider: mask.take(
                "identity_provider",
                provider.map(|(issuer, audience)| Some(IdentityProvider { issuer, audience })),
            ),
            ..Tenant::default()
        })
    }
}

async fn create(_session: &Session, flags: Create) -> Result<CreateTenantRequest> {
    let tenant = flags.values.tenant(flags.display_name, String::new(), &mut Mask::default())?;
    Ok(CreateTenantRequest { tenant: Some(tenant) })
}

async fn update(session: &Session, flags: Update) -> Result<UpdateTenantRequest> {
    let mut mask = Mask::default();
    let display_name = mask.take("display_name", flags.display_name);
    let pool = mask.take("settings.default_number_pool", flags.default_pool);
    let pool = POOL.resolve_some(session, Some(&pool)).await?;
    let tenant = flags.values.tenant(display_name, pool, &mut mask)?;
    let name = TENANT.resolve(session, &flags.tenant).await?;
    Ok(UpdateTenantRequest { tenant: Some(Tenant { name, ..tenant }), update_mask: mask.done()? })
}

#[derive(Args)]
struct List {
    /// Deleted and purged tenants, too
    #[arg(long)]
    deleted: bool,
}

async fn list(_session: &Session, flags: List) -> Result<ListTenantsRequest> {
    Ok(ListTenantsRequest { show_deleted: flags.deleted, ..ListTenantsRequest::default() })
}

#[derive(Args)]
struct Suspend {
    /// The tenant: its id, its resource name, or what people call it
    name: String,
    /// Why, for whoever looks later
    #[arg(long)]
    reason: String,
}

async fn suspend(session: &Session, flags: Suspend) -> Result<SuspendTenantRequest> {
    Ok(SuspendTenantRequest { name: TENANT.resolve(session, &flags.name).await?, reason: flags.reason })
}

fn hours(text: &str) -> std::result::Result<SendingHours, String> {
    let (open, close) = text.split_once('-').ok_or("write it like 09:00-20:30")?;
    Ok(SendingHours { open: open.trim().to_owned(), close: close.trim().to_owned() })
}

fn quota(text: &str) -> std::result::Result<(String, i64), String> {
    let (quota, count) = text.split_once('=').ok_or("write it like texts_per_day=100000")?;
    let known = api::fields::<TenantQuotas>();
    if !known.iter().any(|name| name == quota) {
        return Err(format!("there is no quota {quota}; there are {}", known.join(", ")));
    }
    Ok((quota.to_owned(), count.parse().map_err(|_| format!("{count} is no number"))?))
}
