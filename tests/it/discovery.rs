//! Whoever has nothing but an address can ask what is served there, and whether it serves.

use anyhow::{Context, Result, ensure};
use futures::StreamExt as _;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::{v1, v1alpha};

use crate::scene;

/// What the control-plane serves.
const API: [&str; 14] = [
    "AccessService",
    "ApiKeyService",
    "AuditService",
    "CampaignService",
    "ContactListService",
    "ConversationService",
    "MemberService",
    "MessageService",
    "NumberService",
    "ProviderAccountService",
    "RoleService",
    "RouteService",
    "TenantService",
    "TextingService",
];
/// What the gateway serves.
const EVENTS: [&str; 1] = ["EventService"];

/// The services that reflection v1 lists.
async fn listed(channel: Channel) -> Result<Vec<String>> {
    use v1::server_reflection_request::MessageRequest;
    use v1::server_reflection_response::MessageResponse;
    let message_request = Some(MessageRequest::ListServices(String::new()));
    let request = v1::ServerReflectionRequest { host: String::new(), message_request };
    let mut client = v1::server_reflection_client::ServerReflectionClient::new(channel);
    let mut answers = client.server_reflection_info(tokio_stream::once(request)).await?.into_inner();
    let answer = answers.next().await.context("an answer")??;
    let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else {
        anyhow::bail!("no list: {answer:?}");
    };
    Ok(list.service.into_iter().map(|service| service.name).collect())
}

/// The services that reflection v1alpha lists, which older clients ask for.
async fn listed_alpha(channel: Channel) -> Result<Vec<String>> {
    use v1alpha::server_reflection_request::MessageRequest;
    use v1alpha::server_reflection_response::MessageResponse;
    let message_request = Some(MessageRequest::ListServices(String::new()));
    let request = v1alpha::ServerReflectionRequest { host: String::new(), message_request };
    let mut client = v1alpha::server_reflection_client::ServerReflectionClient::new(channel);
    let mut answers = client.server_reflection_info(tokio_stream::once(request)).await?.into_inner();
    let answer = answers.next().await.context("an answer")??;
    let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else {
        anyhow::bail!("no list: {answer:?}");
    };
    Ok(list.service.into_iter().map(|service| service.name).collect())
}

#[tokio::test]
async fn both_doors_say_what_they_serve_and_that_they_do() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let doors = [(&stack.endpoints.api_url, &API[..]), (&stack.endpoints.status_url, &EVENTS[..])];
    for (url, services) in doors {
        let channel = Endpoint::from_shared(url.clone())?.connect().await?;
        let mut wanted: Vec<_> = services.iter().map(|service| format!("muster.v1.{service}")).collect();
        wanted.push("grpc.health.v1.Health".to_owned());
        for listed in [listed(channel.clone()).await?, listed_alpha(channel.clone()).await?] {
            let ours = |name: &&String| !name.starts_with("grpc.reflection.");
            let mut listed: Vec<_> = listed.iter().filter(ours).cloned().collect();
            listed.sort();
            wanted.sort();
            ensure!(listed == wanted, "{url}: {listed:?}");
        }
        let health = HealthClient::new(channel).check(HealthCheckRequest::default()).await?.into_inner();
        ensure!(health.status() == ServingStatus::Serving, "{health:?}");
    }
    Ok(())
}
