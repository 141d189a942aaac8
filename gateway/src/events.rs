//! Event streams: what was committed of a tenant's, as they come over JetStream.
//!
//! A stream begins where it says, misses nothing after that, and may repeat. It ends when its credential is revoked (the
//! access layer sees to that), when its position is gone, and when the gateway stops; whoever watches then connects again
//! with the last `resume_token`.

mod filter;
mod position;
mod record;
mod source;
mod watch;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use muster_domain::id::TenantId;
use muster_proto::v1::event_service_server::EventService;
use muster_proto::v1::watch_events_request::Start;
use muster_proto::v1::{WatchEventsRequest, WatchEventsResponse};
use muster_runtime::access::layer::{Call, ReliesOn};
use muster_runtime::bus::Bus;
use muster_runtime::supervise::Tasks;
use muster_runtime::{Error, Result, name};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use self::filter::Filter;
use self::position::Position;
use self::source::Source;
use self::watch::Watch;

/// Responses that wait for a slow watcher; then JetStream keeps the rest.
const WAITING_MAX: usize = 4;

/// A tenant may have one of so many parts of a gateway's places.
const TENANTS_SHARE: usize = 5;

/// Serves event streams.
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
    filter: Filter,
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

    fn asked(request: Request<WatchEventsRequest>) -> Result<Asked> {
        let caller = Call::of(&request)?.caller;
        let request = request.into_inner();
        let [tenant] = name::parse("tenants/*", &request.parent, "parent")?;
        let tenant = caller.tenant(tenant, &request.parent)?;
        let filter = Filter::of(caller, tenant, &request)?;
        let from = match request.start {
            None => None,
            Some(Start::ResumeToken(token)) => Some(Position::from_token(&token)?),
            Some(Start::StartTime(_)) => return Err(Error::invalid("start_time", "is not served yet")),
        };
        Ok(Asked { tenant, filter, from })
    }

    async fn watch(&self, request: Request<WatchEventsRequest>) -> Result<Response<Responses>> {
        let asked = Self::asked(request)?;
        let place = self.place(asked.tenant)?;
        let relies_on = ReliesOn(asked.filter.needs());
        let source = Source::open(self.bus.clone(), asked.tenant, asked.from).await?;
        let (responses, stream) = mpsc::channel(WAITING_MAX);
        let watch =
            Watch { source, tenant: asked.tenant, filter: asked.filter, responses, stop: self.tasks.stop() };
        self.tasks.spawn(async move {
            watch.run().await;
            drop(place);
        });
        let mut response = Response::new(ReceiverStream::new(stream));
        response.extensions_mut().insert(relies_on);
        Ok(response)
    }
}

/// The responses of one stream.
type Responses = ReceiverStream<std::result::Result<WatchEventsResponse, Status>>;

#[tonic::async_trait]
impl EventService for Watches {
    type WatchEventsStream = Responses;

    async fn watch_events(
        &self,
        request: Request<WatchEventsRequest>,
    ) -> std::result::Result<Response<Responses>, Status> {
        Ok(self.watch(request).await?)
    }
}
