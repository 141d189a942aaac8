//! The gateway: providers' webhooks in, event streams out.
//!
//! - It answers a webhook with 2xx only when JetStream has what it told.
//! - It believes a webhook only with the provider's proof, checked over the raw bytes and the URL that we gave
//!   the provider.
//! - It shows a tenant's events only to that tenant.
//! - It fetches the media of replies from where strangers say they are, and lets no stranger reach what is inside.
//! - It opens no database and keeps nothing: it may be killed at any instant.

mod account;
pub mod config;
mod count;
mod events;
mod media;
mod metrics;
mod webhook;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use muster_runtime::access::layer::AccessLayer;
use muster_runtime::batch::{Events, Limits};
use muster_runtime::bus::Bus;
use muster_runtime::directory::{Callers, Directory};
use muster_runtime::health::{Health, HealthServer, HealthService, closing};
use muster_runtime::supervise::Tasks;
use muster_runtime::telemetry::rpc::RpcLayer;
use muster_runtime::telemetry::{Telemetry, admin};
use muster_runtime::{access, grpc, service};

use tokio_util::sync::CancellationToken;

use crate::account::Accounts;
use crate::count::Counts;
use crate::events::{EventServer, Watches};
use crate::media::Fetcher;
use crate::webhook::Webhooks;

pub use crate::config::Config;

/// How events are gathered: webhooks wait for this, and one publish then answers all of them.
const EVENTS: Limits =
    Limits { linger: Duration::from_millis(1), frame_events_max: 256, frames_inflight_max: 8 };

/// How long streams may take to end once the gateway stops.
const LAST_WORDS_MAX: Duration = Duration::from_secs(3);

/// A running gateway.
pub struct Gateway {
    tasks: Tasks,
    counts: Arc<Counts>,
    telemetry: Telemetry,
    /// Where webhooks are taken.
    pub webhooks: SocketAddr,
    /// Where event streams are served.
    pub grpc: SocketAddr,
}

impl Gateway {
    /// Connects to NATS and begins to listen.
    ///
    /// # Errors
    /// Where the configuration is wrong, an address is taken, or NATS is not there or not as it must be.
    pub async fn start(config: Config) -> anyhow::Result<Self> {
        let node = service::node_name(&config.node);
        let tasks = Tasks::default();
        let telemetry = Telemetry::start(&config.telemetry, "gateway", &node, &tasks)?;
        let bus = Bus::connect(&config.nats, &node, &tasks).await?;
        let channel = config.control_plane.channel(&tasks)?;
        let media = Arc::new(Fetcher::new(&config.media, channel.clone(), node.clone())?);
        tasks.keep_running("fetch media", move || {
            let media = media.clone();
            async move { media.run().await }
        });
        let directory = Directory::new(channel);
        let counts = Arc::new(Counts::default());
        tasks.keep_running("log counts", {
            let counts = counts.clone();
            move || count::log(counts.clone())
        });
        let webhooks = Webhooks::new(
            Accounts::new(directory.clone()),
            Events::start(bus.clone(), node.clone(), EVENTS, &tasks),
            &config.public_base_url,
            counts.clone(),
        );
        let watches = Watches::new(bus, config.grpc.watches_max, config.grpc.held_bytes_max, tasks.clone());
        let webhooks = webhook::listen(&config.webhooks, webhooks, counts.clone(), &tasks).await?;
        // Last, because it says that the gateway serves.
        let callers = Callers::new(directory);
        let (health, service) = Health::new(&tasks).await;
        admin::serve(&config.admin, &health, service.clone(), &tasks).await?;
        let grpc = serve_grpc(&config.grpc, watches, callers, service, &tasks).await?;
        health.serving().await;
        tracing::info!(node, "the gateway is working");
        Ok(Self { tasks, counts, telemetry, webhooks, grpc })
    }

    /// Stops listening, ends event streams, and answers the webhooks that are open.
    pub async fn drain(self) {
        self.tasks.drain().await;
        self.counts.log();
        self.telemetry.end().await;
    }
}

/// Returns when who watches has had the time to read that the gateway stops. Who does not read never would.
async fn overdue(stop: CancellationToken) {
    closing(stop).await;
    tokio::time::sleep(LAST_WORDS_MAX).await;
}

async fn serve_grpc(
    config: &config::Grpc,
    watches: Watches,
    callers: Callers,
    health: HealthServer<impl HealthService>,
    tasks: &Tasks,
) -> anyhow::Result<SocketAddr> {
    access::table::check()?;
    let (incoming, address) = grpc::bind(&config.listen, config.tls.clone(), "gRPC", tasks).await?;
    let (reflection, reflection_alpha) = grpc::reflection(&["muster.v1.EventService"])?;
    let server = grpc::server()
        .layer(RpcLayer)
        .layer(AccessLayer(callers))
        .add_service(health)
        .add_service(reflection)
        .add_service(reflection_alpha)
        .add_service(EventServer::new(watches));
    let stop = tasks.stop();
    tasks.spawn(async move {
        let serving = server.serve_with_incoming_shutdown(incoming, closing(stop.clone()));
        tokio::select! {
            served = serving => if let Err(error) = served {
                tracing::error!(error = %error, "gRPC is not served any longer");
            },
            () = overdue(stop) => tracing::info!("watchers who do not read are cut off"),
        }
    });
    Ok(address)
}
