//! People sign in with tokens of the identity provider that their tenant is pinned to, at both doors, and nobody else does.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use muster_proto::v1::{
    ApiKey, CreateApiKeyRequest, DeleteMemberRequest, GetCallerRequest, IdentityProvider, Provider, Tenant,
};
use muster_tests::issuer::{Algorithm, Issuer, KEYS};
use muster_tests::stack::{Organization, Service};
use muster_tests::{Client, Stack, StackOptions, wait};
use serde_json::{Value, json};
use tonic::Code;

use crate::scene::{self, WITHIN};

const AUDIENCE: &str = "muster-of-precinct-7";
const EMAIL: &str = "amina@example.org";

/// A stack that takes issuers over plaintext, an issuer, and an organization that is pinned to it.
async fn scene() -> Result<(Stack, Issuer, Organization)> {
    let env = vec![(Service::ControlPlane, "MUSTER_OIDC__INSECURE_ISSUERS".to_owned(), "true".to_owned())];
    let options = StackOptions { behaviour: scene::quick(), env, ..StackOptions::default() };
    let (stack, issuer) = (Stack::start(options).await?, Issuer::start().await?);
    let (organization, _) = scene::organization(&stack, Provider::Twilio, 1).await?;
    pin(&stack.operator, &organization.tenant, issuer.url(), AUDIENCE).await?;
    Ok((stack, issuer, organization))
}

async fn pin(caller: &Client, tenant: &str, issuer: &str, audience: &str) -> Result<Tenant> {
    let provider = IdentityProvider { issuer: issuer.to_owned(), audience: audience.to_owned() };
    let tenant = Tenant { name: tenant.to_owned(), identity_provider: Some(provider), ..Tenant::default() };
    caller.update_tenant(tenant, &["identity_provider"]).await
}

/// Somebody who shows this token.
fn with_token(client: &Client, issuer: &Issuer, claims: &Value) -> Result<Client> {
    client.with_key(&issuer.mint(Algorithm::Es256, claims))
}

/// A token's claims about `subject`, with this e-mail address.
fn claims(issuer: &Issuer, subject: &str, email: &str) -> Value {
    let mut claims = issuer.claims(AUDIENCE, subject);
    claims["email"] = json!(email);
    claims["email_verified"] = json!(true);
    claims
}

async fn name(client: &Client) -> Result<String> {
    Ok(client.access().get_caller(GetCallerRequest {}).await?.into_inner().caller)
}

#[tokio::test]
async fn a_member_signs_in_and_is_out_when_they_are_removed() -> Result<()> {
    let (_stack, issuer, organization) = scene().await?;
    let (client, tenant) = (&organization.client, &organization.tenant);
    let (member, _) = client.join(tenant, EMAIL, "roles/viewer").await?;
    let amina = with_token(client, &issuer, &claims(&issuer, "subject-1", "Amina@Example.org"))?;
    ensure!(name(&amina).await? == member.name);
    amina.list_campaigns(tenant).await?;
    drop(amina.watch(tenant, "", |_| ()).await?);
    scene::refused(amina.create_list(tenant, "Mine").await, Code::PermissionDenied)?;

    // From now on the subject is theirs: another with the same address is not them, and they need none.
    let other = with_token(client, &issuer, &claims(&issuer, "subject-2", EMAIL))?;
    scene::refused(name(&other).await, Code::Unauthenticated)?;
    let amina = with_token(client, &issuer, &issuer.claims(AUDIENCE, "subject-1"))?;
    ensure!(name(&amina).await? == member.name);

    // Who has signed in is bound by no key's end, and makes keys of their own without any permission for it.
    let api_key =
        ApiKey { display_name: "Phone".to_owned(), member: member.name.clone(), ..ApiKey::default() };
    let request = CreateApiKeyRequest { parent: tenant.clone(), api_key: Some(api_key) };
    let made = amina.api_keys().create_api_key(request).await?.into_inner();
    ensure!(made.api_key.context("a key")?.expire_time.is_none());
    ensure!(name(&client.with_key(&made.secret)?).await? == member.name);

    client.members().delete_member(DeleteMemberRequest { name: member.name }).await?;
    let out = async || match amina.list_campaigns(tenant).await {
        Ok(_) => Ok(None),
        error => scene::refused(error, Code::Unauthenticated).map(Some),
    };
    wait::until("who was removed to be out", WITHIN, out).await
}

#[tokio::test]
async fn a_token_that_is_not_for_the_tenant_opens_nothing() -> Result<()> {
    let (stack, issuer, organization) = scene().await?;
    let (client, tenant) = (&organization.client, &organization.tenant);
    client.join(tenant, EMAIL, "roles/viewer").await?;
    let good = claims(&issuer, "subject-1", EMAIL);
    let wrong = |field: &str, value: Value| {
        let mut claims = good.clone();
        claims[field] = value;
        claims
    };
    for claims in [
        wrong("aud", json!("another-audience")),
        wrong("iss", json!("https://issuer.example.org")),
        wrong("exp", json!(1_700_000_000)),
        wrong("email_verified", json!(false)),
        wrong("email", json!("nobody@example.org")),
    ] {
        let stranger = with_token(client, &issuer, &claims)?;
        scene::refused(name(&stranger).await, Code::Unauthenticated).with_context(|| claims.to_string())?;
        scene::refused(stranger.watch(tenant, "", |_| ()).await, Code::Unauthenticated)?;
    }
    let forger = Issuer::start().await?;
    scene::refused(name(&with_token(client, &forger, &good)?).await, Code::Unauthenticated)?;

    // Only an operator says whose tokens a tenant believes, and no two tenants share a pin.
    scene::refused(pin(client, tenant, forger.url(), AUDIENCE).await, Code::PermissionDenied)?;
    let (second, _) = scene::organization(&stack, Provider::Twilio, 1).await?;
    let shared = pin(&stack.operator, &second.tenant, issuer.url(), AUDIENCE).await;
    scene::refused(shared, Code::AlreadyExists)?;
    let no_url = pin(&stack.operator, &second.tenant, "ftp://issuer.example.org", AUDIENCE).await;
    scene::refused(no_url, Code::InvalidArgument)
}

#[tokio::test]
async fn another_identity_provider_knows_nobody_by_the_names_of_the_one_before() -> Result<()> {
    let (stack, issuer, organization) = scene().await?;
    let (client, tenant) = (&organization.client, &organization.tenant);
    let (member, _) = client.join(tenant, EMAIL, "roles/viewer").await?;
    let amina = with_token(client, &issuer, &claims(&issuer, "1", EMAIL))?;
    ensure!(name(&amina).await? == member.name);

    let next = Issuer::start().await?;
    pin(&stack.operator, tenant, next.url(), AUDIENCE).await?;
    let stranger = with_token(client, &next, &claims(&next, "1", "stranger@example.org"))?;
    scene::refused(name(&stranger).await, Code::Unauthenticated)?;
    let amina = with_token(client, &next, &claims(&next, "77", EMAIL))?;
    ensure!(name(&amina).await? == member.name);
    Ok(())
}

#[tokio::test]
async fn a_provider_that_was_left_while_it_answered_signs_nobody_in() -> Result<()> {
    let (stack, issuer, organization) = scene().await?;
    let (client, tenant) = (&organization.client, &organization.tenant);
    let (member, _) = client.join(tenant, EMAIL, "roles/viewer").await?;
    let next = Issuer::start().await?;

    let held = issuer.hold(KEYS);
    let amina = with_token(client, &issuer, &claims(&issuer, "1", EMAIL))?;
    let signing_in = tokio::spawn(async move { name(&amina).await });
    let asked = async || Ok((issuer.asked(KEYS) > 0).then_some(()));
    wait::until_every(Duration::from_millis(10), "the issuer to be asked", WITHIN, asked).await?;
    pin(&stack.operator, tenant, next.url(), AUDIENCE).await?;
    ensure!(!signing_in.is_finished());
    drop(held);
    scene::refused(signing_in.await?, Code::Unauthenticated)?;

    // And it has given nobody a name: the one who has it at the next provider is who they are.
    let rows = stack.sql().await?.query("SELECT subject FROM members WHERE subject IS NOT NULL", &[]).await?;
    ensure!(rows.is_empty(), "the provider before has named a member");
    let amina = with_token(client, &next, &claims(&next, "2", EMAIL))?;
    ensure!(name(&amina).await? == member.name);
    Ok(())
}
