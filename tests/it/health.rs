//! What processes say of their health: not before they are ready, and not any more once they are asked to stop.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use muster_tests::wait;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::scene::{self, WITHIN};

fn health(url: &str) -> Result<HealthClient<Channel>> {
    Ok(HealthClient::new(Endpoint::from_shared(url.to_owned())?.connect_lazy()))
}

/// Waits until the process behind `url` says this.
async fn says(url: &str, wanted: ServingStatus) -> Result<()> {
    let mut health = health(url)?;
    let ask = async || {
        let answer = health.check(HealthCheckRequest::default()).await;
        Ok(answer.is_ok_and(|answer| answer.into_inner().status() == wanted).then_some(()))
    };
    wait::until(&format!("{wanted:?} at {url}"), WITHIN, ask).await
}

#[tokio::test]
async fn a_process_that_is_asked_to_stop_says_so_before_it_ends() -> Result<()> {
    let mut stack = scene::stack(scene::quick()).await?;
    let urls = [stack.endpoints.api_url.clone(), stack.endpoints.status_url.clone()];
    for (process, url) in [&mut stack.control_plane, &mut stack.gateway].into_iter().zip(&urls) {
        let mut watched = health(url)?.watch(HealthCheckRequest::default()).await?.into_inner();
        let first = watched.message().await?.context("a first status")?;
        ensure!(first.status() == ServingStatus::Serving);
        let asked = async {
            let next = watched.message().await?.context("another status")?;
            ensure!(next.status() == ServingStatus::NotServing);
            // A connection that is made while it drains.
            says(url, ServingStatus::NotServing).await?;
            ensure!(watched.message().await?.is_none(), "the watch went on");
            Ok(())
        };
        let (ended, ()) = tokio::try_join!(process.terminate(Duration::from_secs(10)), asked)?;
        ensure!(ended.success(), "{ended}");
    }
    Ok(())
}

#[tokio::test]
async fn a_control_plane_serves_once_the_schema_is_there() -> Result<()> {
    let mut stack = scene::stack(scene::quick()).await?;
    let sql = stack.sql().await?;
    let url = stack.endpoints.api_url.clone();
    let hide = "ALTER TABLE refinery_schema_history RENAME TO hidden";
    let show = "ALTER TABLE hidden RENAME TO refinery_schema_history";

    sql.batch_execute(hide).await?;
    stack.control_plane.restart(Duration::from_secs(10)).await?;
    says(&url, ServingStatus::NotServing).await?;
    let log = stack.control_plane.log();
    let told = async || Ok(std::fs::read_to_string(log)?.contains("waiting for PostgreSQL").then_some(()));
    wait::until("the reason in the log", WITHIN, told).await?;
    says(&url, ServingStatus::NotServing).await?;
    sql.batch_execute(show).await?;
    says(&url, ServingStatus::Serving).await
}
