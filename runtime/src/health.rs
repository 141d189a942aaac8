//! Whether a service serves, as gRPC health says: not before it is ready, and not any more once it is asked to stop.
//! In between nothing changes it: a part that is away is for all replicas away, and taking them out would not help.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tonic_health::ServingStatus;
pub use tonic_health::pb::health_server::{Health as HealthService, HealthServer};
use tonic_health::server::{HealthReporter, health_reporter};

use crate::supervise::Tasks;

/// How long a service that is asked to stop still takes calls, and says that it is going: so that whoever chooses
/// among replicas turns to others before calls are refused.
const NOTICE: Duration = Duration::from_millis(500);
/// The name of the whole server (gRPC health checking protocol).
const WHOLE: &str = "";

/// What a service says of its health.
#[derive(Clone, Debug)]
pub struct Health {
    reporter: HealthReporter,
    stop: CancellationToken,
}

impl Health {
    /// Health that says NOT_SERVING until [`Self::serving`], and again when `tasks` are told to stop.
    pub async fn new(tasks: &Tasks) -> (Self, HealthServer<impl HealthService + use<>>) {
        let (reporter, service) = health_reporter();
        reporter.set_service_status(WHOLE, ServingStatus::NotServing).await;
        let health = Self { reporter, stop: tasks.stop() };
        let mut ending = health.clone();
        tasks.spawn(async move {
            ending.stop.cancelled().await;
            ending.reporter.set_service_status(WHOLE, ServingStatus::NotServing).await;
            tokio::time::sleep(NOTICE).await;
            // Ends the streams of those who watch it: the server waits for them.
            ending.reporter.clear_service_status(WHOLE).await;
        });
        (health, service)
    }

    /// The service is ready.
    pub async fn serving(&self) {
        if !self.stop.is_cancelled() {
            self.reporter.set_service_status(WHOLE, ServingStatus::Serving).await;
        }
    }
}

/// Returns when a listener is to close: a moment after `stop`, in which it says so.
pub async fn closing(stop: CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(NOTICE).await;
}
