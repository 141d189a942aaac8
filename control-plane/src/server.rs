//! Putting the control-plane together: two listeners, one for callers and one for our own processes, and the
//! background loops beside them.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use muster_proto::internal::v1::claim_service_server::ClaimServiceServer;
use muster_proto::internal::v1::directory_service_server::DirectoryServiceServer;
use muster_proto::internal::v1::inquiry_service_server::InquiryServiceServer;
use muster_proto::internal::v1::media_service_server::MediaServiceServer;
use muster_proto::v1::access_service_server::AccessServiceServer;
use muster_proto::v1::api_key_service_server::ApiKeyServiceServer;
use muster_proto::v1::audit_service_server::AuditServiceServer;
use muster_proto::v1::campaign_service_server::CampaignServiceServer;
use muster_proto::v1::contact_list_service_server::ContactListServiceServer;
use muster_proto::v1::conversation_service_server::ConversationServiceServer;
use muster_proto::v1::member_service_server::MemberServiceServer;
use muster_proto::v1::message_service_server::MessageServiceServer;
use muster_proto::v1::number_service_server::NumberServiceServer;
use muster_proto::v1::provider_account_service_server::ProviderAccountServiceServer;
use muster_proto::v1::role_service_server::RoleServiceServer;
use muster_proto::v1::route_service_server::RouteServiceServer;
use muster_proto::v1::tenant_service_server::TenantServiceServer;
use muster_proto::v1::texting_service_server::TextingServiceServer;
use muster_runtime::access::layer::AccessLayer;
use muster_runtime::access::table;
use muster_runtime::bus::Bus;
use muster_runtime::grpc::{self, MESSAGE_BYTES_MAX};
use muster_runtime::health::{Health, HealthServer, HealthService, closing};
use muster_runtime::objects::Objects;
use muster_runtime::service::stop_requested;
use muster_runtime::supervise::Tasks;

use crate::audit::keeper::Keeper;
use crate::audit::layer::AuditLayer;
use crate::config::Config;
use crate::db::Database;
use crate::nudge::Nudges;
use crate::oidc::Verifier;
use crate::rate::{RateLayer, Rates};
use crate::rpc::Api;
use crate::rpc::access::Access;
use crate::rpc::directory::Directory;
use crate::rpc::internal::InternalLayer;
use crate::secrets::Secrets;
use crate::work;

/// The services of the API, as reflection names them.
const SERVICES: [&str; 14] = [
    "muster.v1.AccessService",
    "muster.v1.ApiKeyService",
    "muster.v1.AuditService",
    "muster.v1.CampaignService",
    "muster.v1.ContactListService",
    "muster.v1.ConversationService",
    "muster.v1.MemberService",
    "muster.v1.MessageService",
    "muster.v1.NumberService",
    "muster.v1.ProviderAccountService",
    "muster.v1.RoleService",
    "muster.v1.RouteService",
    "muster.v1.TenantService",
    "muster.v1.TextingService",
];

/// How long a connection of our own processes lasts: so that each shows its certificate again, and one that has
/// expired meanwhile counts no longer.
const INTERNAL_AGE_MAX: Duration = Duration::from_mins(15);
/// How long its open calls may take then: longer than any is waited for.
const INTERNAL_AGE_GRACE: Duration = Duration::from_secs(60);

/// Runs the control-plane until it is asked to stop, then drains.
///
/// # Errors
/// Where it cannot start: no key to seal secrets under, an operator's key that could be guessed, a listener, PostgreSQL's
/// or NATS's address, a stream that is not as it must be, or a database that does not answer or has no schema for too long.
pub async fn run(config: Config) -> anyhow::Result<()> {
    table::check()?;
    config.check_operator_key()?;
    config.check_retention()?;
    let config = Arc::new(config);
    let secrets = Secrets::new(&config.kek)?;
    let tasks = Tasks::default();
    let db = Database::new(&config.database, &tasks)?;
    let bus = Bus::connect(&config.nats, "control-plane", &tasks).await?;
    let nudges = Arc::new(Nudges::default());
    let hours = config.sending_hours.window()?;
    let verifier = Verifier::new(&config.oidc, tasks.clone())?;
    let objects = Objects::open(&config.media.store, &config.media.store_options)?;
    let api = Api {
        db: db.clone(),
        secrets: secrets.clone(),
        nudges: nudges.clone(),
        config: config.clone(),
        hours,
        tasks: tasks.clone(),
        verifier: verifier.clone(),
        objects: objects.clone(),
    };
    let access = Access::new(db.clone(), &config.operator_key, verifier);
    let (health, service) = Health::new(&tasks).await;
    serve_api(&config, api.clone(), access.clone(), service.clone(), &tasks).await?;
    let directory = Directory { db: db.clone(), secrets: secrets.clone(), access };
    serve_internal(&config, api, directory, service, &tasks).await?;
    let work = work::Context {
        db: db.clone(),
        bus,
        nudges,
        ends: Arc::default(),
        claim_deadline: config.claim_deadline(),
        order_deadline: config.order_deadline(),
        receipt_delay: config.receipt_delay(),
        unconfirmed_alarm_share: config.unconfirmed_alarm_share,
        retention_days_max: config.retention_days_max,
        hours,
        objects,
    };
    let serve = async {
        db.ready().await?;
        if let Err(error) = secrets.report_unopened(&db).await {
            tracing::warn!(error = format!("{error:#}"), "cannot tell whether all accounts can be opened");
        }
        work::start(&work, &tasks);
        health.serving().await;
        std::future::pending::<anyhow::Result<()>>().await
    };
    tokio::select! {
        stopped = stop_requested() => stopped?,
        failed = serve => failed?,
    }
    tasks.drain().await;
    Ok(())
}

async fn serve_api(
    config: &Config,
    api: Api,
    access: Access,
    health: HealthServer<impl HealthService>,
    tasks: &Tasks,
) -> anyhow::Result<()> {
    let (incoming, _) = grpc::bind(&config.api.listen, config.api.tls.clone(), "the API", tasks).await?;
    let (v1, v1alpha) = grpc::reflection(&SERVICES).context("reflection")?;
    let rates = Rates::new(api.db.clone());
    let router = grpc::server()
        .layer(AuditLayer(Keeper::start(api.db.clone(), tasks)))
        .layer(AccessLayer(access))
        // Behind it, because it says whose call it is.
        .layer(RateLayer(rates))
        .add_service(health)
        .add_service(v1)
        .add_service(v1alpha)
        .add_service(AccessServiceServer::new(api.clone()))
        .add_service(ApiKeyServiceServer::new(api.clone()))
        .add_service(AuditServiceServer::new(api.clone()))
        .add_service(CampaignServiceServer::new(api.clone()))
        .add_service(ContactListServiceServer::new(api.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX))
        .add_service(ConversationServiceServer::new(api.clone()))
        .add_service(MemberServiceServer::new(api.clone()))
        .add_service(MessageServiceServer::new(api.clone()))
        .add_service(NumberServiceServer::new(api.clone()))
        .add_service(ProviderAccountServiceServer::new(api.clone()))
        .add_service(RoleServiceServer::new(api.clone()))
        .add_service(RouteServiceServer::new(api.clone()))
        .add_service(TenantServiceServer::new(api.clone()))
        .add_service(TextingServiceServer::new(api));
    let stop = tasks.stop();
    tasks.spawn(async move {
        if let Err(error) = router.serve_with_incoming_shutdown(incoming, closing(stop)).await {
            tracing::error!(%error, "the API ended");
        }
    });
    Ok(())
}

async fn serve_internal(
    config: &Config,
    api: Api,
    directory: Directory,
    health: HealthServer<impl HealthService>,
    tasks: &Tasks,
) -> anyhow::Result<()> {
    let files = config.internal.tls.clone().into();
    let (incoming, _) = grpc::bind(&config.internal.listen, Some(files), "our own processes", tasks).await?;
    let router = grpc::server()
        .max_connection_age(INTERNAL_AGE_MAX)
        .max_connection_age_grace(INTERNAL_AGE_GRACE)
        .layer(InternalLayer)
        .add_service(health)
        .add_service(ClaimServiceServer::new(api.clone()))
        .add_service(InquiryServiceServer::new(api))
        .add_service(MediaServiceServer::new(directory.clone()))
        .add_service(DirectoryServiceServer::new(directory));
    let stop = tasks.stop();
    tasks.spawn(async move {
        if let Err(error) = router.serve_with_incoming_shutdown(incoming, closing(stop)).await {
            tracing::error!(%error, "the internal API ended");
        }
    });
    Ok(())
}
