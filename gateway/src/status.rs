//! Status streams: a tenant's committed changes, as they come over JetStream.
//!
//! A stream begins where it says, misses nothing after that, and may repeat. It ends when its credential is revoked (the
//! access layer sees to that), when its position is gone, and when the gateway stops; whoever watches then connects again
//! with the last `resume_token`.

mod change;
mod position;
mod source;
mod watch;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use muster_domain::id::TenantId;
use muster_proto::v1::status_service_server::StatusService;
use muster_proto::v1::{WatchStatusRequest, WatchStatusResponse};
use muster_runtime::access::layer::Call;
use muster_runtime::bus::Bus;
use muster_runtime::supervise::Tasks;
use muster_runtime::{Error, Result, name};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use self::position::Position;
use self::source::Source;
use self::watch::Watch;
use crate::metrics::Watching;

/// Responses that wait for a slow watcher; then JetStream keeps the rest.
const WAITING_MAX: usize = 4;

/// A tenant may have one of so many parts of a gateway's places.
const TENANTS_SHARE: usize = 5;

/// Serves status streams.
pub(crate) struct Watches {
    bus: Bus,
    places: Arc<Semaphore>,
    /// The places of each tenant that watches, so that none takes those of all.
    own_places: Arc<Mutex<HashMap<TenantId, Arc<Semaphore>>>>,
    own_places_max: usize,
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
        let watches_max = watches_max.min(Semaphore::MAX_PERMITS);
        let places = Arc::new(Semaphore::new(watches_max));
        let own_places_max = (watches_max / TENANTS_SHARE).max(1);
        Self { bus, places, own_places: Arc::default(), own_places_max, tasks }
    }

    /// A place for one more watcher of a tenant's.
    fn place(&self, tenant: TenantId) -> Result<[OwnedSemaphorePermit; 2]> {
        let own = {
            let mut own_places = self.own_places.lock().unwrap_or_else(PoisonError::into_inner);
            own_places.retain(|_, places| places.available_permits() < self.own_places_max);
            own_places.entry(tenant).or_insert_with(|| Arc::new(Semaphore::new(self.own_places_max))).clone()
        };
        let taken = |places: Arc<Semaphore>, whose| {
            places.try_acquire_owned().map_err(|_full| {
                let message = format!("{whose} as many watchers as it can; try again later");
                Error::exhausted("TOO_MANY_WATCHES", message)
            })
        };
        Ok([
            taken(own, "your organization has at this gateway")?,
            taken(self.places.clone(), "this gateway has")?,
        ])
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
        let place = self.place(asked.tenant)?;
        let source = Source::open(self.bus.clone(), asked.tenant, asked.from).await?;
        let (responses, stream) = mpsc::channel(WAITING_MAX);
        let watch = Watch {
            source,
            tenant: asked.tenant,
            campaign: asked.campaign,
            responses,
            stop: self.tasks.stop(),
        };
        let watching = Watching::begin();
        self.tasks.spawn(async move {
            watch.run().await;
            drop((place, watching));
        });
        Ok(ReceiverStream::new(stream))
    }
}

fn campaign_of(tenant: TenantId, campaign: &str) -> Result<Uuid> {
    let [owner, id] = name::parse("tenants/*/campaigns/*", campaign, "campaign")?;
    if owner == tenant.0 {
        Ok(id)
    } else {
        Err(Error::invalid("campaign", format!("{campaign} was not found")))
    }
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
