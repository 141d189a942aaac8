//! Status streams: a tenant's committed changes, as they come over JetStream.
//!
//! A stream begins where it says, misses nothing after that, and may repeat. It ends when its credential is revoked (the
//! access layer sees to that), when its position is gone, and when the gateway stops; whoever watches then connects again
//! with the last `resume_token`.

mod change;
mod position;
mod source;
mod watch;

use std::sync::Arc;

use muster_domain::id::TenantId;
use muster_proto::v1::status_service_server::StatusService;
use muster_proto::v1::{WatchStatusRequest, WatchStatusResponse};
use muster_runtime::access::layer::Call;
use muster_runtime::bus::Bus;
use muster_runtime::supervise::Tasks;
use muster_runtime::{Error, Result, name};
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use self::position::Position;
use self::source::Source;
use self::watch::Watch;

/// Responses that wait for a slow watcher; then JetStream keeps the rest.
const WAITING_MAX: usize = 4;

/// Serves status streams.
pub(crate) struct Watches {
    bus: Bus,
    places: Arc<Semaphore>,
    tasks: Tasks,
}

/// What a request asks to watch, and may.
struct Asked {
    tenant: TenantId,
    campaign: Option<Uuid>,
    from: Option<Position>,
}

impl Watches {
    /// At most `watches_max` streams at once.
    pub(crate) fn new(bus: Bus, watches_max: usize, tasks: Tasks) -> Self {
        let places = Arc::new(Semaphore::new(watches_max.min(Semaphore::MAX_PERMITS)));
        Self { bus, places, tasks }
    }

    fn asked(request: Request<WatchStatusRequest>) -> Result<Asked> {
        let caller = Call::of(&request)?.caller;
        let WatchStatusRequest { parent, campaign, resume_token } = request.into_inner();
        let [tenant] = name::parse("tenants/*", &parent, "parent")?;
        let tenant = caller.tenant(tenant, &parent)?;
        let campaign = match campaign.as_str() {
            "" => None,
            campaign => Some(campaign_of(tenant, campaign)?),
        };
        let from = match resume_token.as_str() {
            "" => None,
            token => Some(Position::from_token(token)?),
        };
        Ok(Asked { tenant, campaign, from })
    }

    async fn watch(&self, request: Request<WatchStatusRequest>) -> Result<Responses> {
        let asked = Self::asked(request)?;
        let place = self.places.clone().try_acquire_owned().map_err(|_full| {
            Error::exhausted(
                "TOO_MANY_WATCHES",
                "this gateway has as many watchers as it can; try again later",
            )
        })?;
        let source = Source::open(self.bus.clone(), asked.tenant, asked.from).await?;
        let (responses, stream) = mpsc::channel(WAITING_MAX);
        let watch = Watch {
            source,
            tenant: asked.tenant,
            campaign: asked.campaign,
            responses,
            stop: self.tasks.stop(),
        };
        self.tasks.spawn(async move {
            watch.run().await;
            drop(place);
        });
        Ok(ReceiverStream::new(stream))
    }
}

fn campaign_of(tenant: TenantId, campaign: &str) -> Result<Uuid> {
    let [owner, campaign] = name::parse("tenants/*/campaigns/*", campaign, "campaign")?;
    if owner == tenant.0 { Ok(campaign) } else { Err(Error::invalid("campaign", "must be under `parent`")) }
}

/// The responses of one stream.
type Responses = ReceiverStream<std::result::Result<WatchStatusResponse, Status>>;

#[tonic::async_trait]
impl StatusService for Watches {
    type WatchStatusStream = Responses;

    async fn watch_status(
        &self,
        request: Request<WatchStatusRequest>,
    ) -> std::result::Result<Response<Responses>, Status> {
        Ok(Response::new(self.watch(request).await?))
    }
}
