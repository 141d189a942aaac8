//! What the example calls create, and what there must be before them.

use anyhow::{Context, Result};
use muster_proto::v1::{
    ApiKey, CreateApiKeyRequest, CreateInvitationRequest, CreateInvitationResponse, CreateRoleRequest,
    GetProviderAccountRequest, Invitation, Member, Role,
};
use muster_tests::Client;

pub(super) async fn create_key(client: &Client, tenant: &str) -> Result<(ApiKey, String)> {
    let key = ApiKey { display_name: "Key".to_owned(), role: "roles/viewer".to_owned(), ..ApiKey::default() };
    let request = CreateApiKeyRequest { parent: tenant.to_owned(), api_key: Some(key) };
    let answer = client.api_keys().create_api_key(request).await?.into_inner();
    Ok((answer.api_key.context("a key")?, answer.secret))
}

pub(super) async fn create_role(client: &Client, tenant: &str) -> Result<Role> {
    let permissions = vec!["campaigns.read".to_owned()];
    let role = Role { display_name: "Reader".to_owned(), permissions, ..Role::default() };
    let request = CreateRoleRequest { parent: tenant.to_owned(), role: Some(role) };
    Ok(client.roles().create_role(request).await?.into_inner())
}

pub(super) async fn invite(client: &Client, tenant: &str, number: u32) -> Result<CreateInvitationResponse> {
    let email = format!("person{number}@example.org");
    let invitation = Invitation { email, role: "roles/texter".to_owned(), ..Invitation::default() };
    let request = CreateInvitationRequest { parent: tenant.to_owned(), invitation: Some(invitation) };
    Ok(client.members().create_invitation(request).await?.into_inner())
}

pub(super) async fn join(client: &Client, tenant: &str, number: u32) -> Result<(Member, String)> {
    client.join(tenant, &format!("person{number}@example.org"), "roles/texter").await
}

/// What cannot be guessed of an account's inbound URL.
pub(super) async fn inbound_token(client: &Client, account: &str) -> Result<Option<String>> {
    let request = GetProviderAccountRequest { name: account.to_owned() };
    let account = client.provider_accounts().get_provider_account(request).await?.into_inner();
    Ok(account.inbound_webhook_url.split('/').rev().nth(1).map(str::to_owned))
}
