//! Asking a process over gRPC whether it serves.

use std::time::Duration;

use anyhow::{Context, Result};
use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::tls::Dial;
use crate::{Process, wait};

/// How long a process that listens may take until it serves.
const WITHIN: Duration = Duration::from_secs(20);
/// How long one answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// Waits until the process behind `url` says that it serves; an error with the end of its log when it does not.
pub(super) async fn serving(dial: &Dial, url: &str, process: &Process) -> Result<()> {
    let channel = dial.channel(url, |endpoint: Endpoint| endpoint.timeout(ANSWER_WITHIN))?;
    let mut health = HealthClient::new(channel);
    let ask = async || {
        let answer = health.check(HealthCheckRequest::default()).await;
        let serves = answer.is_ok_and(|answer| answer.into_inner().status() == ServingStatus::Serving);
        Ok(serves.then_some(()))
    };
    wait::until(&format!("{} to serve", process.name()), WITHIN, ask)
        .await
        .with_context(|| process.log_tail())
}
