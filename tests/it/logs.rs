//! What logs never hold, whatever goes wrong and however much is logged: phone numbers, texts, keys, passwords.

use anyhow::{Result, ensure};
use muster_proto::v1::{CampaignMode, Provider};
use muster_tests::tls::{self, Authority, Pair};
use muster_tests::{NatsOptions, NatsServer, Process, Ready, RunDir, Spec, Stack, StackOptions};
use muster_tests::{binaries, contacts, wait};

use crate::scene::{self, TEMPLATE, WITHIN};

/// Demands that none of `secrets` is in what a process has logged.
fn keeps(process: &Process, secrets: &[&str]) -> Result<()> {
    let log = std::fs::read_to_string(process.log())?;
    for secret in secrets {
        let line = log.lines().find(|line| line.contains(secret));
        ensure!(line.is_none(), "{} logged `{secret}`: {line:?}", process.name());
    }
    Ok(())
}

#[tokio::test]
async fn no_log_holds_what_a_row_a_text_or_a_key_says() -> Result<()> {
    let options = StackOptions { log_filter: "debug".to_owned(), ..StackOptions::default() };
    let stack = Stack::start(StackOptions { behaviour: scene::quick(), ..options }).await?;
    let (organization, list) = scene::organization(&stack, Provider::Telnyx, 5).await?;
    // PostgreSQL shows the whole row that breaks a constraint.
    let sql = stack.sql().await?;
    let refuse = "ALTER TABLE messages ADD CONSTRAINT refused_by_the_story CHECK (segments > 9) NOT VALID";
    sql.batch_execute(refuse).await?;
    let campaign = organization.draft(CampaignMode::Broadcast, &list, TEMPLATE).await?;
    organization.client.start(&campaign).await?;
    let log = stack.control_plane.log();
    let refused = async || Ok(std::fs::read_to_string(log)?.contains("refused_by_the_story").then_some(()));
    wait::until("the planner to be refused", WITHIN, refused).await?;
    sql.batch_execute("ALTER TABLE messages DROP CONSTRAINT refused_by_the_story").await?;
    stack.settled(WITHIN).await?;

    let people = contacts::tidy(1, 5).expected.contacts;
    let mut secrets: Vec<&str> = people.iter().map(|person| &person.phone_number[1..]).collect();
    let key = organization.key.as_str();
    secrets.extend(["DETAIL", "Failing row", "vote on Tuesday", key, &stack.endpoints.operator_key]);
    for process in stack.sender_nodes.iter().chain([&stack.control_plane, &stack.gateway]) {
        keeps(process, &secrets)?;
    }
    Ok(())
}

#[tokio::test]
async fn who_we_are_to_nats_is_taken_from_its_url_and_not_logged() -> Result<()> {
    let run = RunDir::create()?;
    let extra = "authorization { user: muster, password: \"hunter@2\" }".to_owned();
    let nats = NatsServer::start(&run, NatsOptions { extra, ..NatsOptions::default() }).await?;
    let built = binaries::binaries().await?;
    let authority = Authority::create(run.path())?;
    let Pair { certificate, key } = authority.issue("sender-node", &tls::SENDER_NODE)?;
    let host = nats.url().trim_start_matches("nats://").to_owned();
    let spec = |name: &str, password: &str| -> Result<Spec> {
        let listen = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let spec = Spec::new(name, &built.sender_node)
            .env("MUSTER_NATS__URL", format!("nats://muster:{password}@{host}"))
            .env("MUSTER_CONTROL_PLANE__URL", "https://127.0.0.1:1")
            .env("MUSTER_CONTROL_PLANE__TLS__CA", authority.bundle())
            .env("MUSTER_CONTROL_PLANE__TLS__CERTIFICATE", &certificate)
            .env("MUSTER_CONTROL_PLANE__TLS__KEY", &key)
            .env("MUSTER_PUBLIC_BASE_URL", "http://127.0.0.1:1")
            .env("MUSTER_LOG__FILTER", "debug")
            .env("RUST_BACKTRACE", "0")
            .env("MUSTER_ADMIN__LISTEN", listen.to_string());
        Ok(spec.ready(Ready::Tcp(listen.port())))
    };
    let node = Process::start(&run, spec("welcome", "hunter%402")?).await?;
    keeps(&node, &["hunter@2", "hunter%402"])?;
    let refused = Process::start(&run, spec("stranger", "wr0ng")?).await;
    let error = refused.err().map(|error| format!("{error:#}")).unwrap_or_default();
    ensure!(error.contains("cannot reach NATS") && !error.contains("wr0ng"), "{error}");
    Ok(())
}
