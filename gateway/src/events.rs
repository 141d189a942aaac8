//! Event streams: what was committed of a tenant's, as it comes over JetStream.
//!
//! A stream begins where it says, misses nothing after that, and may repeat. It ends when its credential is revoked (the
//! access layer sees to that), when its place is gone, when it does not keep up, and when the gateway stops; whoever watches
//! then connects again with the last `resume_token`.

mod extent;
mod filter;
mod frame;
mod hub;
mod past;
mod places;
mod position;
mod reader;
mod record;
mod response;
mod ring;
mod server;
mod source;
mod watch;

use std::pin::Pin;

use futures::Stream;
use muster_domain::id::TenantId;
use muster_proto::v1::WatchEventsRequest;
use muster_proto::v1::watch_events_request::Start;
use muster_runtime::access::layer::{Call, ReliesOn};
use muster_runtime::bus::Bus;
use muster_runtime::supervise::Tasks;
use muster_runtime::{Error, Result, clock, name};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use self::extent::Extent;
use self::filter::Filter;
use self::hub::{Hub, Tail};
use self::places::Places;
use self::position::Position;
use self::watch::{Watch, Watcher};

pub(crate) use self::server::EventServer;

/// How far a caller's clock may be ahead of ours, in microseconds.
const AHEAD_US_MAX: i64 = 10_000_000;

/// The responses of one stream.
type Responses = Pin<Box<dyn Stream<Item = Result<response::Response, Status>> + Send>>;

/// All event streams of a gateway.
pub(crate) struct Watches {
    hub: Hub,
    places: Places,
    stop: CancellationToken,
}

/// What a request asks to watch, and may.
struct Asked {
    tenant: TenantId,
    filter: Filter,
    start: From,
}

/// Where a stream is to begin.
enum From {
    Now,
    Place(Position),
    /// In microseconds since the Unix epoch.
    Time(i64),
}

impl Watches {
    /// At most `watches_max` streams at once, with `held_bytes_max` of the newest events in memory for them.
    pub(crate) fn new(bus: Bus, watches_max: usize, held_bytes_max: usize, tasks: Tasks) -> Self {
        let stop = tasks.stop();
        Self { hub: Hub::new(bus, held_bytes_max, tasks), places: Places::new(watches_max), stop }
    }

    async fn watch(&self, request: Request<WatchEventsRequest>) -> Result<Response<Responses>> {
        let Asked { tenant, filter, start } = asked(request)?;
        let place = self.places.take(tenant)?;
        let tail = self.hub.tail(tenant);
        let position = self.begin(tenant, &tail, start).await?;
        let relies_on = ReliesOn(filter.needs());
        let (past, stop) = (self.hub.past.clone(), self.stop.clone());
        let watch = Watch::new(Watcher { tenant, filter, _place: place }, position, tail, past, stop);
        let responses: Responses = Box::pin(watch.responses());
        let mut response = Response::new(responses);
        response.extensions_mut().insert(relies_on);
        Ok(response)
    }

    /// The place that a stream begins after.
    async fn begin(&self, tenant: TenantId, tail: &Tail, from: From) -> Result<Position> {
        let end = tail.end().await?;
        match from {
            From::Now => Ok(end),
            From::Place(position) => {
                if !tail.holds(position) {
                    Extent::of(&self.hub.bus).await?.reaches(position)?;
                }
                Ok(position)
            }
            From::Time(time_us) => {
                let extent = Extent::of(&self.hub.bus).await?;
                extent.reaches_back_to(time_us)?;
                let before = source::before(&self.hub.bus, tenant, time_us).await;
                let before = before.map_err(Error::unavailable)?;
                Ok(before.map_or(extent.end(), |sequence| Position { sequence, ..extent.end() }))
            }
        }
    }
}

fn asked(request: Request<WatchEventsRequest>) -> Result<Asked> {
    let caller = Call::of(&request)?.caller;
    let request = request.into_inner();
    let [tenant] = name::parse("tenants/*", &request.parent, "parent")?;
    let tenant = caller.tenant(tenant, &request.parent)?;
    let filter = Filter::of(caller, tenant, &request)?;
    let start = match request.start {
        None => From::Now,
        Some(Start::ResumeToken(token)) => From::Place(Position::from_token(&token)?),
        Some(Start::StartTime(time)) => {
            let us = clock::micros(time).ok_or_else(|| Error::invalid("start_time", "is no time"))?;
            if us > clock::now_us() + AHEAD_US_MAX {
                return Err(Error::invalid("start_time", "must not be in the future"));
            }
            From::Time(us)
        }
    };
    Ok(Asked { tenant, filter, start })
}
