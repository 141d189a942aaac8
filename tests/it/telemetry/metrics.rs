//! The tables of docs/telemetry.md are what a running system exposes, in both directions; and a collector that is gone
//! changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use http::Method;
use muster_proto::v1::{CampaignMode, MessageStatus, Provider};
use muster_provider_sim::control::InboundSpec;
use muster_tests::client::Seen;
use muster_tests::operators::{Exposed, request};
use muster_tests::stack::Service;
use muster_tests::{Collector, Stack, StackOptions, wait};

use crate::scene::{self, TEMPLATE, WITHIN};

const PAGE: &str = include_str!("../../../docs/telemetry.md");
/// What labels may be called: none of these has more than a few dozen values. `service_...` and the like are the
/// resource's, once a process.
const LABELS: [&str; 31] = [
    "version",
    "dependency",
    "loop",
    "signal",
    "cpu_mode",
    "rpc_system_name",
    "rpc_method",
    "rpc_response_status_code",
    "messaging_system",
    "messaging_destination_name",
    "messaging_operation_name",
    "status",
    "error_class",
    "mode",
    "outbox",
    "result",
    "event",
    "db_system_name",
    "db_client_connection_pool_name",
    "db_client_connection_state",
    "provider",
    "outcome",
    "http_request_method",
    "http_route",
    "http_response_status_code",
    "url_scheme",
    "webhook",
    "service_name",
    "service_namespace",
    "service_version",
    "service_instance_id",
];

/// A row of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    kind: String,
    labels: BTreeSet<String>,
    /// It appears only once it happens.
    seldom: bool,
}

/// The metrics in the section of the page that is called so.
fn rows(section: &str) -> BTreeMap<String, Row> {
    let head = format!("### {section}");
    let lines = PAGE.lines().skip_while(|line| *line != head).skip(1);
    let lines = lines.take_while(|line| !line.starts_with("##")).filter(|line| line.starts_with("| `"));
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let labels = cells[3].split(',').filter_map(|label| label.split('`').nth(1)).map(str::to_owned);
        let kind = cells[2].trim_end_matches('†').trim().to_owned();
        let row = Row { kind, labels: labels.collect(), seldom: cells[2].contains('†') };
        (cells[1].trim_matches('`').to_owned(), row)
    };
    lines.map(row).collect()
}

/// Holds what a process exposes against the page.
fn compare(section: &str, exposed: &Exposed) -> Result<()> {
    let mut rows = rows(section);
    ensure!(rows.len() > 5, "{section} has no table");
    rows.extend(self::rows("Every process"));
    for (name, (kind, labels)) in &exposed.metrics {
        let row = rows.get(name).with_context(|| format!("{section}: the page does not have {name}"))?;
        ensure!(row.kind == *kind, "{section}: {name} is a {kind}, not a {}", row.kind);
        ensure!(exposed.described.contains(name), "{section}: {name} does not say what it is");
        for label in labels {
            ensure!(LABELS.contains(&label.as_str()), "{section}: {name} has the label {label}");
        }
        let resource = name == "target_info";
        ensure!(resource || row.labels == *labels, "{section}: {name} has {labels:?}, not {:?}", row.labels);
    }
    let missing: Vec<&String> = rows
        .iter()
        .filter(|(name, row)| !row.seldom && !exposed.metrics.contains_key(*name))
        .map(|(name, _)| name)
        .collect();
    ensure!(missing.is_empty(), "{section}: only on the page: {missing:?}");
    Ok(())
}

/// A stack that pushes to a collector at `url`.
async fn pushing_to(url: &str) -> Result<Stack> {
    let mut options = StackOptions { behaviour: scene::quick(), ..StackOptions::default() };
    for service in [Service::ControlPlane, Service::SenderNode, Service::Gateway] {
        let settings = [("OTLP", url), ("PUSH_INTERVAL_S", "1"), ("SAMPLING_RATIO", "1")];
        options.env.extend(
            settings.map(|(name, value)| (service, format!("MUSTER_TELEMETRY__{name}"), value.to_owned())),
        );
    }
    Stack::start(options).await
}

/// Broadcasts to 50 people, of whom one then says STOP.
async fn broadcast_and_stop(stack: &Stack) -> Result<()> {
    let (organization, list) = scene::organization(stack, Provider::Twilio, 50).await?;
    let watch = organization.client.watch(&organization.tenant, "", |_| ()).await?;
    let campaign = scene::broadcast(stack, &organization, &list).await?;
    let all = |seen: &Seen| seen.count(MessageStatus::Delivered) == 50;
    watch.until("all to be delivered", WITHIN, all).await?;
    let messages = organization.client.list_messages(&organization.tenant, &campaign).await?;
    let message = messages.first().context("a message")?;
    let (from, to) = (message.to.clone(), message.from.clone());
    let stop = InboundSpec { from, to, body: "STOP".to_owned(), times: 1, ..InboundSpec::default() };
    stack.simulator.inbound(&stop).await?;
    stack.settled(WITHIN).await?;
    // Somebody else's webhook, and one for nobody.
    let url = format!("{}/webhooks/nobody/status", stack.endpoints.webhook_url);
    request(Method::POST, &url, "").await?;
    stack.judge().await?.demand()
}

#[tokio::test]
async fn the_page_has_what_is_exposed_and_a_dead_collector_changes_nothing() -> Result<()> {
    let stack = pushing_to("http://127.0.0.1:1").await?;
    broadcast_and_stop(&stack).await?;
    let endpoints = &stack.endpoints;
    let node = endpoints.sender_node_admin_urls.first().context("a node")?;
    let by = async |url: &str| {
        // The collector is tried every second, and what the database knows is measured every five.
        let told = async || {
            let exposed = Exposed::by(url).await?;
            let failed = |signal| exposed.sum("muster_telemetry_failures_total", &[signal]) > 0.0;
            let measured = !url.contains(&endpoints.control_plane_admin_url)
                || exposed.sum("muster_projection_lag_seconds", &[]) > 0.0;
            Ok((failed("traces") && failed("metrics") && measured).then_some(exposed))
        };
        wait::until("failed pushes", WITHIN, told).await
    };
    let control_plane = by(&endpoints.control_plane_admin_url).await?;
    let sender_node = by(node).await?;
    let gateway = by(&endpoints.gateway_admin_url).await?;
    compare("Control-plane", &control_plane)?;
    compare("Sender node", &sender_node)?;
    compare("Gateway", &gateway)?;

    let is = |exposed: &Exposed, metric: &str, labels: &[&str], value: f64| {
        let sum = exposed.sum(metric, labels);
        ensure!((sum - value).abs() < 1e-9, "{metric} {labels:?} is {sum}, not {value}");
        Ok(())
    };
    is(&control_plane, "muster_texts_total", &["status=\"delivered\"", "error_class=\"none\""], 50.0)?;
    is(&control_plane, "muster_claims_total", &["granted"], 50.0)?;
    is(&control_plane, "muster_stop_latency_seconds_count", &[], 1.0)?;
    is(&control_plane, "muster_dispatcher_active", &[], 1.0)?;
    is(&control_plane, "muster_delivery_duration_seconds_count", &["delivered"], 50.0)?;
    is(&sender_node, "muster_outcomes_total", &["twilio", "accepted"], 50.0)?;
    is(&sender_node, "muster_calls_open", &["twilio"], 0.0)?;
    is(&sender_node, "muster_shards", &[], 32.0)?;
    is(&gateway, "muster_receipts_total", &["twilio", "delivered"], 50.0)?;
    is(&gateway, "muster_replies_total", &["twilio"], 1.0)?;
    is(&gateway, "muster_webhooks_total", &["unknown", "provider=\"none\""], 1.0)?;
    for exposed in [&control_plane, &sender_node, &gateway] {
        is(exposed, "muster_ready", &[], 1.0)?;
        is(exposed, "muster_dependency_up", &["nats"], 1.0)?;
        let build = format!("version=\"{}\"", env!("CARGO_PKG_VERSION"));
        is(exposed, "muster_build_info", &[&build], 1.0)?;
    }
    stack.stop().await
}

#[tokio::test]
async fn what_is_pushed_is_what_is_exposed() -> Result<()> {
    let collector = Collector::start().await?;
    let stack = pushing_to(&collector.url()).await?;
    let (organization, list) = scene::organization(&stack, Provider::Telnyx, 5).await?;
    let campaign = organization.draft(CampaignMode::Broadcast, &list, TEMPLATE).await?;
    organization.client.start(&campaign).await?;
    stack.settled(WITHIN).await?;
    let wanted = [
        ("control-plane", "muster.texts"),
        ("sender-node", "muster.call.duration"),
        ("gateway", "muster.receipts"),
    ];
    let told = async || {
        let pushed = collector.metrics();
        let all = wanted
            .iter()
            .all(|(service, metric)| pushed.contains(&((*service).to_owned(), (*metric).to_owned())));
        Ok(all.then_some(()))
    };
    wait::until("metrics of all services", WITHIN, told).await
}
