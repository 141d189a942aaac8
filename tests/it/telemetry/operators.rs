//! The listener for operators: probes, and a log that says more while it is asked to.

use anyhow::{Context, Result, ensure};
use http::{Method, StatusCode};
use muster_tests::operators::request;
use muster_tests::{Process, Stack, wait};
use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::scene::{self, WITHIN};

/// The processes of a stack, with where they answer operators.
fn listeners(stack: &Stack) -> Result<[(&Process, &str); 3]> {
    let (node, urls) = (stack.sender_nodes.first().context("a node")?, &stack.endpoints);
    Ok([
        (&stack.control_plane, &urls.control_plane_admin_url),
        (node, urls.sender_node_admin_urls.first().context("its listener")?),
        (&stack.gateway, &urls.gateway_admin_url),
    ])
}

/// Waits until gRPC health on the same port says this of `service`.
async fn says(url: &str, service: &str, wanted: ServingStatus) -> Result<()> {
    let mut health = HealthClient::new(Endpoint::from_shared(url.to_owned())?.connect_lazy());
    let ask = async || {
        let answer = health.check(HealthCheckRequest { service: service.to_owned() }).await;
        Ok(answer.is_ok_and(|answer| answer.into_inner().status() == wanted).then_some(()))
    };
    wait::until(&format!("{service} to be {wanted:?} at {url}"), WITHIN, ask).await
}

#[tokio::test]
async fn probes_are_answered_by_http_and_by_grpc() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    for (_, url) in listeners(&stack)? {
        for path in ["livez", "readyz"] {
            let (status, body) = request(Method::GET, &format!("{url}/{path}"), "").await?;
            ensure!((status, body.as_str()) == (StatusCode::OK, "ok\n"), "{url}/{path}: {status} {body}");
        }
        for service in ["", "liveness", "readiness", "muster.dependencies"] {
            says(url, service, ServingStatus::Serving).await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_part_that_is_away_is_told_and_takes_nobody_out() -> Result<()> {
    let mut stack = scene::stack(scene::quick()).await?;
    stack.control_plane.kill9().await?;
    let gateway = stack.endpoints.gateway_admin_url.clone();
    // Whoever asks for an account finds the control-plane away.
    let webhook = format!("{}/webhooks/somebody/status", stack.endpoints.webhook_url);
    request(Method::POST, &webhook, "").await?;
    says(&gateway, "muster.dependencies", ServingStatus::NotServing).await?;
    says(&gateway, "readiness", ServingStatus::Serving).await?;
    stack.control_plane.start_again().await?;
    let again = async || {
        request(Method::POST, &webhook, "").await?;
        let (_, metrics) = request(Method::GET, &format!("{gateway}/metrics"), "").await?;
        Ok(metrics.contains("muster_dependency_up{dependency=\"control_plane\"} 1").then_some(()))
    };
    wait::until("the control-plane to be there again", WITHIN, again).await
}

#[tokio::test]
async fn what_is_logged_is_changed_while_a_process_runs() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    for (process, url) in listeners(&stack)? {
        let url = format!("{url}/loglevel");
        let (_, before) = request(Method::GET, &url, "").await?;
        ensure!(before.contains("info") && before.contains("tokio_postgres=warn"), "{before}");
        let (status, after) = request(Method::PUT, &url, "warn,muster_runtime=info").await?;
        ensure!(status == StatusCode::OK && after.contains("muster_runtime=info"), "{status} {after}");
        ensure!(after.contains("tokio_postgres=warn"), "what carries phone numbers is asked: {after}");
        let told = std::fs::read_to_string(process.log())?;
        ensure!(told.contains("what is logged was changed"), "{}", process.log_tail());
        let (status, _) = request(Method::PUT, &url, "info,=").await?;
        ensure!(status == StatusCode::BAD_REQUEST, "{status}");
        let (_, kept) = request(Method::GET, &url, "").await?;
        ensure!(kept == after, "{kept}");
    }
    Ok(())
}
