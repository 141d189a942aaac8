//! Whether a service serves, as gRPC health says: not before it is ready, and not any more once it is asked to stop.
//! In between nothing changes it: a part that is away is for all replicas away, and taking them out would not help. That
//! is told apart, as `muster.dependencies`, and by metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tonic_health::ServingStatus;
pub use tonic_health::pb::health_server::{Health as HealthService, HealthServer};
use tonic_health::server::{HealthReporter, health_reporter};

use crate::supervise::Tasks;
use crate::telemetry::metrics;

/// How long a service that is asked to stop still takes calls, and says that it is going: so that whoever chooses
/// among replicas turns to others before calls are refused.
const NOTICE: Duration = Duration::from_millis(500);
/// The names that say whether calls may come: that of the whole server (gRPC health checking protocol), and that for
/// probes.
const READY: [&str; 2] = ["", "readiness"];
/// The name that says whether the process runs at all.
const LIVE: &str = "liveness";
/// The name that says whether all that the process depends on answers.
const DEPENDENCIES: &str = "muster.dependencies";

/// What a service says of its health.
#[derive(Clone, Debug)]
pub struct Health {
    reporter: HealthReporter,
    ready: Arc<AtomicBool>,
    stop: CancellationToken,
}

impl Health {
    /// Health that says NOT_SERVING until [`Self::serving`], and again when `tasks` are told to stop.
    pub async fn new(tasks: &Tasks) -> (Self, HealthServer<impl HealthService + use<>>) {
        let (reporter, service) = health_reporter();
        let health = Self { reporter, ready: Arc::default(), stop: tasks.stop() };
        health.say(&READY, ServingStatus::NotServing).await;
        health.say(&[LIVE], ServingStatus::Serving).await;
        let ready = health.clone();
        metrics::ready(move || ready.is_ready());
        let mut ending = health.clone();
        tasks.spawn(async move {
            ending.stop.cancelled().await;
            ending.say(&READY, ServingStatus::NotServing).await;
            tokio::time::sleep(NOTICE).await;
            // Ends the streams of those who watch it: the server waits for them.
            for name in READY.into_iter().chain([LIVE, DEPENDENCIES]) {
                ending.reporter.clear_service_status(name).await;
            }
        });
        (health, service)
    }

    /// The service is ready.
    pub async fn serving(&self) {
        self.ready.store(true, Ordering::Relaxed);
        if !self.stop.is_cancelled() {
            self.say(&READY, ServingStatus::Serving).await;
        }
    }

    /// Whether it is ready, and not asked to stop.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed) && !self.stop.is_cancelled()
    }

    /// Whether all that it depends on answers.
    pub(crate) async fn dependencies(&self, up: bool) {
        let status = if up { ServingStatus::Serving } else { ServingStatus::NotServing };
        if !self.stop.is_cancelled() {
            self.say(&[DEPENDENCIES], status).await;
        }
    }

    async fn say(&self, names: &[&str], status: ServingStatus) {
        for name in names {
            self.reporter.set_service_status(name, status).await;
        }
    }
}

/// Returns when a listener is to close: a moment after `stop`, in which it says so.
pub async fn closing(stop: CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(NOTICE).await;
}
