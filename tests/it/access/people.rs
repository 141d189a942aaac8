//! Everybody who may knock: each with what the access layer must make of them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use futures::future::try_join_all;
use muster_domain::id::{ApiKeyId, MemberId, TenantId};
use muster_domain::permission::{BuiltInRole, Permission, Permissions};
use muster_proto::v1::{
    ApiKey, CreateApiKeyRequest, CreateRoleRequest, DeleteApiKeyRequest, Role, RotateApiKeyRequest,
};
use muster_runtime::access::{Actor, Caller, Principal};
use muster_tests::{Client, Stack};
use uuid::Uuid;

/// What the scoped key may still do of all that its role may.
const SCOPES: [Permission; 2] = [Permission::CampaignsRead, Permission::TextingSend];
/// How soon the expiring key expires.
const EXPIRES_IN: Duration = Duration::from_secs(2);

/// Somebody who calls.
#[derive(Clone)]
pub(super) struct Person {
    /// What messages call them.
    pub(super) label: String,
    pub(super) secret: Option<String>,
    /// Who they are to the access layer; nobody, where their credential is good for nothing.
    pub(super) caller: Option<Caller>,
    /// Who they are as a member, with a personal key beside the one that they call with.
    pub(super) own: Option<Own>,
}

/// A member, and what is theirs.
#[derive(Clone)]
pub(super) struct Own {
    pub(super) member: String,
    pub(super) key: String,
}

impl Person {
    fn nobody(label: &str, secret: Option<String>) -> Self {
        Self { label: label.to_owned(), secret, caller: None, own: None }
    }

    /// Whether they may call what this permission is needed for about what is their own, and about nothing else.
    pub(super) fn own_without(&self, permission: Permission) -> Option<&Own> {
        self.own.as_ref().filter(|_| self.caller.is_some_and(|caller| !caller.may(permission)))
    }
}

/// The id at the end of a resource name.
fn id(name: &str) -> Result<Uuid> {
    Ok(name.rsplit('/').next().context("an id")?.parse()?)
}

fn principal(tenant: &str, actor: Actor, permissions: Permissions) -> Result<Option<Caller>> {
    Ok(Some(Caller::Tenant(Principal { tenant: TenantId(id(tenant)?), actor, permissions, end_us: None })))
}

/// Creates a role of the tenant's own.
pub(crate) async fn own_role(client: &Client, tenant: &str, permissions: &[Permission]) -> Result<String> {
    let permissions: Vec<String> =
        permissions.iter().map(|permission| permission.name().to_owned()).collect();
    let role = Role { display_name: permissions.join(" "), permissions, ..Role::default() };
    let request = CreateRoleRequest { parent: tenant.to_owned(), role: Some(role) };
    Ok(client.roles().create_role(request).await.context("create a role")?.into_inner().name)
}

/// Creates a key. Returns its name and its secret.
pub(crate) async fn key(client: &Client, tenant: &str, draft: ApiKey) -> Result<(String, String)> {
    let api_key = Some(ApiKey { display_name: "Key".to_owned(), ..draft });
    let request = CreateApiKeyRequest { parent: tenant.to_owned(), api_key };
    let created = client.api_keys().create_api_key(request).await.context("create a key")?.into_inner();
    Ok((created.api_key.context("a key")?.name, created.secret))
}

/// A member with a built-in role, by their personal key.
async fn member(stack: &Stack, tenant: &str, role: BuiltInRole) -> Result<Person> {
    let email = format!("{}@example.org", role.id());
    let (member, secret) = stack.operator.join(tenant, &email, &format!("roles/{}", role.id())).await?;
    let actor = Actor::Member(MemberId(id(&member.name)?));
    let caller = principal(tenant, actor, role.permissions())?;
    let personal = ApiKey { member: member.name.clone(), ..ApiKey::default() };
    let (key, _) = key(&stack.operator.with_key(&secret)?, tenant, personal).await?;
    let own = Some(Own { member: member.name, key });
    Ok(Person { label: role.id().to_owned(), secret: Some(secret), caller, own })
}

/// A program by a key.
async fn program(
    stack: &Stack,
    tenant: &str,
    (label, permissions): (String, Permissions),
    draft: ApiKey,
) -> Result<Person> {
    let (name, secret) = key(&stack.operator, tenant, draft).await?;
    let caller = principal(tenant, Actor::ApiKey(ApiKeyId(id(&name)?)), permissions)?;
    Ok(Person { label, secret: Some(secret), caller, own: None })
}

/// A program whose role is of the tenant's own and has one permission.
async fn with_one(stack: &Stack, tenant: &str, permission: Permission) -> Result<Person> {
    let role = own_role(&stack.operator, tenant, &[permission]).await?;
    let what = (format!("a role with {permission} alone"), Permissions::of(&[permission]));
    program(stack, tenant, what, ApiKey { role, ..ApiKey::default() }).await
}

/// Everybody of a tenant with a credential that is good, the weakest first; and the operator.
pub(super) async fn known(stack: &Stack, tenant: &str) -> Result<Vec<Person>> {
    let ones = Permission::ALL.iter().map(|permission| with_one(stack, tenant, *permission));
    let members = BuiltInRole::ALL.into_iter().rev().map(|role| member(stack, tenant, role));
    let scopes = SCOPES.map(|permission| permission.name().to_owned()).to_vec();
    let draft = ApiKey { role: "roles/owner".to_owned(), scopes, ..ApiKey::default() };
    let what = ("a scoped key of an owner".to_owned(), Permissions::of(&SCOPES));
    let mut people = vec![program(stack, tenant, what, draft).await?];
    people.extend(try_join_all(ones).await?);
    people.extend(try_join_all(members).await?);
    let secret = Some(stack.endpoints.operator_key.clone());
    people.push(Person { label: "operator".to_owned(), secret, caller: Some(Caller::Operator), own: None });
    Ok(people)
}

/// Everybody whose credential is good for nothing: any more, or ever. Those that were good have been used.
pub(super) async fn strangers(stack: &Stack, tenant: &str) -> Result<Vec<Person>> {
    let operator = &stack.operator;
    let owner = || ApiKey { role: "roles/owner".to_owned(), ..ApiKey::default() };
    let (_, good) = key(operator, tenant, owner()).await?;
    let (revoked_name, revoked) = key(operator, tenant, owner()).await?;
    let (rotated_name, rotated) = key(operator, tenant, owner()).await?;
    let end = SystemTime::now().duration_since(UNIX_EPOCH)? + EXPIRES_IN;
    let expire_time = prost_types::Timestamp { seconds: i64::try_from(end.as_secs())?, nanos: 0 };
    let (_, expired) = key(operator, tenant, ApiKey { expire_time: Some(expire_time), ..owner() }).await?;
    for secret in [&revoked, &rotated, &expired] {
        operator.with_key(secret)?.list_campaigns(tenant).await.context("a key that is still good")?;
    }
    operator.api_keys().delete_api_key(DeleteApiKeyRequest { name: revoked_name }).await?;
    let rotate = RotateApiKeyRequest { name: rotated_name, overlap_seconds: 0 };
    operator.api_keys().rotate_api_key(rotate).await?;
    let mut mistyped = good.into_bytes();
    mistyped.swap(10, 11);
    if let [.., a, _] = &mut mistyped[..] {
        *a = if *a == b'x' { b'y' } else { b'x' };
    }
    Ok(vec![
        Person::nobody("no credential", None),
        Person::nobody("a mistyped key", Some(String::from_utf8(mistyped)?)),
        Person::nobody("a key that never was", Some("no-such-key".to_owned())),
        Person::nobody("a revoked key", Some(revoked)),
        Person::nobody("the key before after a rotation", Some(rotated)),
        Person::nobody("an expired key", Some(expired)),
    ])
}
