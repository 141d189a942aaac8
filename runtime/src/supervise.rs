//! Tasks with a name, an owner and a stop signal. A background loop that fails is logged and begun again after
//! a pause: so each must be safe to begin again at any point.

use std::future::Future;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::telemetry::metrics;

/// The pause before a failed loop begins again.
const RESTART_PAUSE: Duration = Duration::from_millis(500);
/// How long tasks may take to end after they are told to.
const DRAIN_MAX: Duration = Duration::from_secs(25);

/// All tasks of a service.
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Tasks {
    /// The signal that the service is stopping.
    pub fn stop(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Runs `task` once.
    pub fn spawn<F>(&self, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.tracker.spawn(task);
    }

    /// Runs the background loop that `start` begins until the service stops, and begins it again where it fails.
    pub fn keep_running<S, F>(&self, name: &'static str, mut start: S)
    where
        S: FnMut() -> F + Send + 'static,
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let stop = self.stop();
        metrics::loop_failed(name, 0);
        self.tracker.spawn(async move {
            while !stop.is_cancelled() {
                let end = tokio::select! {
                    end = start() => end,
                    () = stop.cancelled() => return,
                };
                if let Err(error) = end {
                    metrics::loop_failed(name, 1);
                    tracing::warn!(
                        task = name,
                        error = format!("{error:#}"),
                        "a background loop failed; it begins again"
                    );
                    tokio::select! {
                        () = tokio::time::sleep(RESTART_PAUSE) => {}
                        () = stop.cancelled() => {}
                    }
                }
            }
        });
    }

    /// Tells all tasks to stop, and waits for them as long as draining may take.
    pub async fn drain(self) {
        self.stop.cancel();
        self.tracker.close();
        if tokio::time::timeout(DRAIN_MAX, self.tracker.wait()).await.is_err() {
            tracing::warn!(left = self.tracker.len(), "some tasks did not end in time");
        }
    }
}
