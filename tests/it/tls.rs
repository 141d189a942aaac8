//! TLS on every way, and who may call what by their certificate.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use muster_proto::internal::v1::claim_service_client::ClaimServiceClient;
use muster_proto::internal::v1::directory_service_client::DirectoryServiceClient;
use muster_proto::internal::v1::{
    AuthenticateRequest, ClaimMessagesRequest, GetAccountRequest, GetWebhookAccountRequest,
    authenticate_request,
};
use muster_proto::v1::{MessageStatus, Provider};
use muster_tests::stack::{Servers, Service};
use muster_tests::tls::{self, Authority, Dial, LOOPBACK, Pair, shown};
use muster_tests::{Process, RunDir, Stack, StackOptions, wait};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::scene::{self, WITHIN};

/// What a process logs when it takes up new files.
const CHANGED: &str = "new connections use the new ones";
/// What it logs when it cannot.
const KEPT: &str = "cannot be used; the last good ones stay";

/// A stack with TLS everywhere.
async fn stack(servers: Servers) -> Result<Stack> {
    let options = StackOptions { servers, tls: true, behaviour: scene::quick(), ..StackOptions::default() };
    Stack::start(options).await
}

/// How often a process has logged this.
fn times(process: &Process, text: &str) -> Result<usize> {
    Ok(fs::read_to_string(process.log())?.matches(text).count())
}

/// Waits until a process has logged this more often than before.
async fn logged(process: &Process, text: &str, before: usize) -> Result<()> {
    let more = async || Ok((times(process, text)? > before).then_some(()));
    let waited = wait::until(&format!("`{text}` in the log of {}", process.name()), WITHIN, more).await;
    waited.with_context(|| process.log_tail())
}

fn address(url: &str) -> &str {
    url.split_once("://").map_or(url, |(_, address)| address)
}

#[tokio::test]
async fn a_text_goes_over_tls_all_the_way() -> Result<()> {
    let stack = stack(Servers::Own).await?;
    for url in [&stack.endpoints.api_url, &stack.endpoints.status_url] {
        ensure!(url.starts_with("https://"), "{url}");
    }
    ensure!(stack.endpoints.nats_url.starts_with("tls://"), "{}", stack.endpoints.nats_url);
    let plaintext = async_nats::connect(format!("nats://{}", address(&stack.endpoints.nats_url))).await;
    ensure!(plaintext.is_err(), "NATS takes clients that trust nobody");

    let (organization, list) = scene::organization(&stack, Provider::Telnyx, 20).await?;
    let watch = organization.client.watch(&organization.tenant, "", |_| ()).await?;
    scene::broadcast(&stack, &organization, &list).await?;
    watch.until("20 delivered", WITHIN, |seen| seen.count(MessageStatus::Delivered) == 20).await?;
    let verdict = stack.judge().await?;
    verdict.demand()?;
    ensure!(verdict.delivered == 20, "{verdict:?}");
    stack.stop().await
}

/// What a connection to the listener comes to.
async fn health(channel: Channel) -> Result<(), Status> {
    HealthClient::new(channel).check(HealthCheckRequest::default()).await.map(|_| ())
}

#[tokio::test]
async fn nobody_calls_our_own_processes_without_a_certificate_of_ours() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let (url, dial) = (stack.endpoints.internal_url.clone(), stack.dial());
    let others = Authority::create(&stack.run.path().join("others"))?;
    let theirs = others.issue("sender-node", &tls::SENDER_NODE)?;
    let ours = stack.authority.pair("sender-node");
    let channel = |dial: &Dial| dial.channel(&url, |endpoint| endpoint);

    health(channel(&dial.showing(&ours))?).await.context("with a certificate of ours")?;
    for (who, dial) in [("nobody", dial.clone()), ("a stranger", dial.showing(&theirs))] {
        ensure!(health(channel(&dial)?).await.is_err(), "{who} got in");
    }
    let plaintext = Endpoint::from_shared(url.replace("https", "http"))?.connect_lazy();
    ensure!(health(plaintext).await.is_err(), "it speaks plaintext");
    health(channel(&dial.showing(&ours))?).await.context("after the others")?;
    ensure!(stack.control_plane.is_running(), "{}", stack.control_plane.log_tail());
    Ok(())
}

/// What the rpcs of the internal listener answer to whoever shows this certificate.
async fn answers(stack: &Stack, pair: &Pair) -> Result<[Code; 4]> {
    let channel = stack.dial().showing(pair).channel(&stack.endpoints.internal_url, |endpoint| endpoint)?;
    let mut claims = ClaimServiceClient::new(channel.clone());
    let mut directory = DirectoryServiceClient::new(channel.clone());
    health(channel).await.context("health is open to all of ours")?;
    fn code<T>(answer: Result<T, Status>) -> Code {
        answer.err().map_or(Code::Ok, |status| status.code())
    }
    let nobody_s = authenticate_request::Credential::KeyHash(vec![7; 32].into());
    Ok([
        code(claims.claim_messages(ClaimMessagesRequest::default()).await),
        code(directory.get_account(GetAccountRequest { account_id: vec![7; 16].into() }).await),
        code(directory.get_webhook_account(GetWebhookAccountRequest::default()).await),
        code(directory.authenticate(AuthenticateRequest { credential: Some(nobody_s) }).await),
    ])
}

#[tokio::test]
async fn each_of_our_own_processes_may_call_what_is_its_own() -> Result<()> {
    const DENIED: Code = Code::PermissionDenied;
    let stack = scene::stack(scene::quick()).await?;
    let node = answers(&stack, &stack.authority.pair("sender-node")).await?;
    ensure!(node == [Code::InvalidArgument, Code::NotFound, DENIED, DENIED], "a sender node: {node:?}");
    let gateway = answers(&stack, &stack.authority.pair("gateway")).await?;
    ensure!(gateway == [DENIED, DENIED, Code::NotFound, Code::Unauthenticated], "a gateway: {gateway:?}");
    for names in [&["control-plane.muster.internal"], &["*.muster.internal"]] {
        let other = answers(&stack, &stack.authority.issue("other", names)?).await?;
        ensure!(other == [DENIED; 4], "{names:?}: {other:?}");
    }
    Ok(())
}

/// The certificate that a new connection is shown.
async fn certificate(stack: &Stack, url: &str) -> Result<Vec<u8>> {
    Ok(shown(&stack.dial().connect(address(url), &["h2"]).await?)?.to_vec())
}

#[tokio::test]
async fn certificates_are_replaced_while_a_client_watches() -> Result<()> {
    let stack = stack(Servers::Shared).await?;
    let (organization, list) = scene::organization(&stack, Provider::Twilio, 10).await?;
    let watch = organization.client.watch(&organization.tenant, "", |_| ()).await?;
    let listeners = [
        ("api", stack.endpoints.api_url.clone(), &stack.control_plane),
        ("status", stack.endpoints.status_url.clone(), &stack.gateway),
    ];
    for (name, url, process) in &listeners {
        let before = certificate(&stack, url).await?;
        let pair = stack.authority.issue(name, &LOOPBACK)?;
        let other = async || {
            let now = certificate(&stack, url).await?;
            Ok((now != before).then_some(now))
        };
        let new = wait::until("the new certificate", WITHIN, other).await?;

        let kept = times(process, KEPT)?;
        let good = fs::read(&pair.key)?;
        fs::copy(stack.authority.pair("internal").key, &pair.key)?;
        logged(process, KEPT, kept).await?;
        ensure!(certificate(&stack, url).await? == new, "{name}: a broken pair took the place of a good one");
        let changed = times(process, CHANGED)?;
        fs::write(&pair.key, good)?;
        logged(process, CHANGED, changed).await?;
        ensure!(certificate(&stack, url).await? == new);
        ensure!(times(process, "PRIVATE KEY")? == 0);
    }
    scene::broadcast(&stack, &organization, &list).await?;
    watch.until("10 delivered", WITHIN, |seen| seen.count(MessageStatus::Delivered) == 10).await?;
    ensure!(watch.look(|seen| seen.reconnections) == 0, "the open stream was broken off");
    Ok(())
}

#[tokio::test]
async fn our_own_processes_take_up_another_authority_without_a_restart() -> Result<()> {
    let mut stack = scene::stack(scene::quick()).await?;
    let (organization, list) = scene::organization(&stack, Provider::Twilio, 5).await?;
    scene::broadcast(&stack, &organization, &list).await?;
    stack.authority = Authority::create(&stack.run.path().join("tls"))?;
    stack.authority.issue("internal", &LOOPBACK)?;
    let node = stack.authority.issue("sender-node", &tls::SENDER_NODE)?;
    stack.authority.issue("gateway", &tls::GATEWAY)?;
    for process in [&stack.control_plane, &stack.sender_nodes[0], &stack.gateway] {
        // Whoever looks in between finds files that do not go together, and looks again.
        logged(process, CHANGED, 0).await?;
    }
    let channel = stack.dial().showing(&node).channel(&stack.endpoints.internal_url, |endpoint| endpoint)?;
    let welcome = async || Ok(health(channel.clone()).await.ok());
    wait::until("a certificate of the new authority to be welcome", WITHIN, welcome).await?;

    // What was open went on; now everybody connects anew, to one that knows nothing of the old authority.
    stack.control_plane.restart(WITHIN).await?;
    stack.serving().await?;
    let campaign = scene::broadcast(&stack, &organization, &list).await?;
    ensure!(scene::count(&organization, &campaign, MessageStatus::Delivered).await? == 5);
    Ok(())
}

#[tokio::test]
async fn webhooks_are_taken_over_tls() -> Result<()> {
    let run = RunDir::create()?;
    let authority = Authority::create(run.path())?;
    let Pair { certificate, key } = authority.issue("webhooks", &LOOPBACK)?;
    let setting = |name: &str, path: std::path::PathBuf| {
        (Service::Gateway, format!("MUSTER_WEBHOOKS__TLS__{name}"), path.display().to_string())
    };
    let env = vec![setting("CERTIFICATE", certificate), setting("KEY", key)];
    let stack = Stack::start(StackOptions { env, ..StackOptions::default() }).await?;
    let address = address(&stack.endpoints.webhook_url);
    let request = "POST /webhooks/nobody/status HTTP/1.1\r\nhost: gw\r\ncontent-length: 0\r\n\
                   connection: close\r\n\r\n";

    let mut plaintext = TcpStream::connect(address).await?;
    plaintext.write_all(request.as_bytes()).await?;
    let mut said = Vec::new();
    let _ = plaintext.read_to_end(&mut said).await;
    ensure!(!said.starts_with(b"HTTP"), "{said:?}");

    let mut connection = Dial::trusting(&authority).connect(address, &["http/1.1"]).await?;
    ensure!(connection.get_ref().1.alpn_protocol() == Some(b"http/1.1".as_slice()));
    connection.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    let _ = tokio::time::timeout(Duration::from_secs(20), connection.read_to_string(&mut answer)).await?;
    ensure!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    Ok(())
}
