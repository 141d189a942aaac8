//! Nobody can pass on, change or take away more than they have; a tenant keeps an owner; an invitation is good once.

mod races;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use muster_domain::permission::Permission;
use muster_proto::v1::{
    AcceptInvitationRequest, AcceptInvitationResponse, ApiKey, CreateInvitationRequest,
    CreateInvitationResponse, DeleteApiKeyRequest, DeleteInvitationRequest, DeleteMemberRequest,
    DeleteRoleRequest, GetCallerRequest, GetRoleRequest, Invitation, ListMembersRequest, Member, Role,
    RotateApiKeyRequest, UpdateMemberRequest, UpdateRoleRequest,
};
use muster_tests::{Client, Stack, wait};
use tonic::{Code, Response, Status};
use tonic_types::StatusExt as _;

use crate::access::people::{key, own_role};
use crate::scene::{self, WITHIN, refused};

/// How often two try the same thing at once.
const ROUNDS: usize = 20;

/// A verb's outcome as others of the harness have it.
fn plain<T>(outcome: Result<Response<T>, Status>) -> Result<T> {
    Ok(outcome?.into_inner())
}

/// Who tries to pass on or take away.
struct Grantor<'a> {
    client: Client,
    tenant: &'a str,
}

impl Grantor<'_> {
    async fn invite(&self, email: &str, role: &str) -> Result<CreateInvitationResponse> {
        let invitation =
            Invitation { email: email.to_owned(), role: role.to_owned(), ..Invitation::default() };
        let request =
            CreateInvitationRequest { parent: self.tenant.to_owned(), invitation: Some(invitation) };
        plain(self.client.members().create_invitation(request).await)
    }

    async fn set_role(&self, member: &str, role: &str) -> Result<Member> {
        let member = Some(Member { name: member.to_owned(), role: role.to_owned(), ..Member::default() });
        plain(self.client.members().update_member(UpdateMemberRequest { member, update_mask: None }).await)
    }

    async fn rename(&self, member: &str) -> Result<Member> {
        let member =
            Member { name: member.to_owned(), display_name: "Renamed".to_owned(), ..Member::default() };
        let request = UpdateMemberRequest { member: Some(member), update_mask: None };
        plain(self.client.members().update_member(request).await)
    }

    async fn remove(&self, member: &str) -> Result<()> {
        let request = DeleteMemberRequest { name: member.to_owned() };
        plain(self.client.members().delete_member(request).await).map(drop)
    }

    async fn uninvite(&self, invitation: &str) -> Result<()> {
        let request = DeleteInvitationRequest { name: invitation.to_owned() };
        plain(self.client.members().delete_invitation(request).await).map(drop)
    }

    async fn key(&self, role: &str, scopes: &[Permission]) -> Result<(String, String)> {
        let scopes = scopes.iter().map(|scope| scope.name().to_owned()).collect();
        key(&self.client, self.tenant, ApiKey { role: role.to_owned(), scopes, ..ApiKey::default() }).await
    }

    async fn rotate(&self, key: &str) -> Result<String> {
        let request = RotateApiKeyRequest { name: key.to_owned(), overlap_seconds: 0 };
        Ok(plain(self.client.api_keys().rotate_api_key(request).await)?.secret)
    }

    async fn delete_key(&self, key: &str) -> Result<()> {
        let request = DeleteApiKeyRequest { name: key.to_owned() };
        plain(self.client.api_keys().delete_api_key(request).await).map(drop)
    }

    async fn widen(&self, role: &str, permissions: &[Permission]) -> Result<Role> {
        let permissions = permissions.iter().map(|permission| permission.name().to_owned()).collect();
        let role = Some(Role { name: role.to_owned(), permissions, ..Role::default() });
        plain(self.client.roles().update_role(UpdateRoleRequest { role, update_mask: None }).await)
    }

    /// Fails unless each of these is refused because it is more than the grantor has: a stronger role to give, and a
    /// stronger member, key, invitation and role to change.
    async fn is_kept_from(&self, role: &str, beyond: Permission, stronger: &Stronger) -> Result<()> {
        let denied = Code::PermissionDenied;
        refused(self.invite("new@example.org", role).await, denied).context("invite")?;
        refused(self.set_role(&stronger.weak_member, role).await, denied).context("promote")?;
        refused(self.key(role, &[]).await, denied).context("a key")?;
        refused(self.key(role, &[beyond]).await, denied).context("a key with that scope")?;
        refused(own_role(&self.client, self.tenant, &[beyond]).await, denied).context("a role")?;
        refused(self.widen(&stronger.weak_role, &[beyond]).await, denied).context("widen a role")?;
        refused(self.widen(&stronger.role, &[Permission::MembersWrite]).await, denied)
            .context("narrow one")?;
        let delete = DeleteRoleRequest { name: stronger.role.clone() };
        refused(plain(self.client.roles().delete_role(delete).await), denied).context("delete a role")?;
        refused(self.rename(&stronger.member).await, denied).context("rename")?;
        refused(self.set_role(&stronger.member, &stronger.weak_role).await, denied).context("demote")?;
        refused(self.remove(&stronger.member).await, denied).context("remove")?;
        refused(self.uninvite(&stronger.invitation).await, denied).context("take an invitation back")?;
        for key in [&stronger.key, &stronger.personal_key] {
            refused(self.rotate(key).await, denied).context("rotate a key")?;
            refused(self.delete_key(key).await, denied).context("delete a key")?;
        }
        Ok(())
    }
}

/// What is stronger than a grantor, and what is weak enough to be changed.
struct Stronger {
    member: String,
    personal_key: String,
    key: String,
    invitation: String,
    role: String,
    weak_member: String,
    weak_role: String,
}

/// A tenant's name, and an operator's way to pass on anything there.
async fn tenant(stack: &Stack) -> Result<String> {
    Ok(stack.operator.create_tenant("Grants").await?.name)
}

/// Somebody of the tenant with this role.
async fn member<'a>(
    stack: &Stack,
    tenant: &'a str,
    email: &str,
    role: &str,
) -> Result<(Member, Grantor<'a>)> {
    let (member, secret) = stack.operator.join(tenant, email, role).await?;
    Ok((member, Grantor { client: stack.operator.with_key(&secret)?, tenant }))
}

/// The name of the key that a client calls with.
async fn personal_key(client: &Client, tenant: &str, member: &str) -> Result<String> {
    let request = muster_proto::v1::ListApiKeysRequest { parent: tenant.to_owned(), ..Default::default() };
    let keys = plain(client.api_keys().list_api_keys(request).await)?.api_keys;
    Ok(keys.into_iter().find(|key| key.member == member).context("a personal key")?.name)
}

async fn stronger(stack: &Stack, tenant: &str, role: &str, beyond: Permission) -> Result<Stronger> {
    let operator = Grantor { client: stack.operator.clone(), tenant };
    let weak_role = own_role(&stack.operator, tenant, &[Permission::MembersWrite]).await?;
    let (strong, _) = member(stack, tenant, "strong@example.org", role).await?;
    let (weak, _) = member(stack, tenant, "weak@example.org", &weak_role).await?;
    let invited = operator.invite("invited@example.org", role).await?.invitation;
    Ok(Stronger {
        personal_key: personal_key(&stack.operator, tenant, &strong.name).await?,
        member: strong.name,
        key: operator.key(role, &[]).await?.0,
        invitation: invited.context("an invitation")?.name,
        role: own_role(&stack.operator, tenant, &[beyond]).await?,
        weak_member: weak.name,
        weak_role,
    })
}

#[tokio::test]
async fn an_admin_cannot_make_change_or_remove_an_owner() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let tenant = &tenant(&stack).await?;
    let stronger = stronger(&stack, tenant, "roles/owner", Permission::TenantDelete).await?;
    let (me, admin) = member(&stack, tenant, "admin@example.org", "roles/admin").await?;
    admin.is_kept_from("roles/owner", Permission::TenantDelete, &stronger).await?;
    refused(admin.set_role(&me.name, "roles/owner").await, Code::PermissionDenied)?;
    // All of their own they can pass on and take back.
    let invited =
        admin.invite("other@example.org", "roles/admin").await?.invitation.context("an invitation")?;
    admin.uninvite(&invited.name).await?;
    admin.set_role(&stronger.weak_member, "roles/admin").await?;
    admin.remove(&stronger.weak_member).await?;
    // A key whose role is more, cut down to what an admin has, is no more than that.
    let (name, secret) = admin.key("roles/owner", &[Permission::CampaignsRead]).await?;
    let scoped = admin.client.with_key(&secret)?;
    let may = plain(scoped.access().get_caller(GetCallerRequest {}).await)?.permissions;
    ensure!(may == ["campaigns.read"], "{may:?}");
    admin.rotate(&name).await?;
    admin.delete_key(&name).await
}

#[tokio::test]
async fn who_may_grant_can_grant_no_more_than_they_have() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let tenant = &tenant(&stack).await?;
    let own = [Permission::MembersWrite, Permission::ApiKeysWrite, Permission::RolesWrite];
    let (role, beyond) = ("roles/viewer", Permission::CampaignsRead);
    let stronger = stronger(&stack, tenant, role, beyond).await?;
    let grantors = own_role(&stack.operator, tenant, &own).await?;
    let (_, grantor) = member(&stack, tenant, "grantor@example.org", &grantors).await?;
    grantor.is_kept_from(role, beyond, &stronger).await?;
    // A key of an owner that is cut down to the same three is kept from the same.
    let operator = Grantor { client: stack.operator.clone(), tenant };
    let (_, secret) = operator.key("roles/owner", &own).await?;
    let scoped = Grantor { client: stack.operator.with_key(&secret)?, tenant };
    scoped.is_kept_from(role, beyond, &stronger).await?;
    for grantor in [grantor, scoped] {
        let role = own_role(&grantor.client, tenant, &own).await?;
        grantor.widen(&role, &own[..1]).await?;
        let (name, secret) = grantor.key(&role, &[]).await?;
        // Scopes are of the role's permissions, whoever asks.
        refused(grantor.key(&role, &own[1..]).await, Code::InvalidArgument)?;
        let caller = plain(grantor.client.with_key(&secret)?.access().get_caller(GetCallerRequest {}).await)?;
        ensure!(caller.permissions == ["members.write"], "{caller:?}");
        grantor.delete_key(&name).await?;
        let delete = DeleteRoleRequest { name: role };
        plain(grantor.client.roles().delete_role(delete).await)?;
    }
    Ok(())
}

#[tokio::test]
async fn nobody_gets_the_secret_of_anothers_personal_key() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let tenant = &tenant(&stack).await?;
    let (texter, _) = member(&stack, tenant, "texter@example.org", "roles/texter").await?;
    let (owner, me) = member(&stack, tenant, "owner@example.org", "roles/owner").await?;
    let theirs = personal_key(&me.client, tenant, &texter.name).await?;
    // With it, whoever rotates would text and read in the name of the texter.
    refused(me.rotate(&theirs).await, Code::PermissionDenied)?;
    me.delete_key(&theirs).await?;
    let mine = personal_key(&me.client, tenant, &owner.name).await?;
    let secret = me.rotate(&mine).await?;
    let caller = plain(me.client.with_key(&secret)?.access().get_caller(GetCallerRequest {}).await)?;
    ensure!(caller.caller == owner.name, "{caller:?}");
    Ok(())
}

/// Who of the tenant is an owner.
async fn owners(stack: &Stack, tenant: &str) -> Result<usize> {
    let request = ListMembersRequest { parent: tenant.to_owned(), page_size: 1_000, ..Default::default() };
    let members = plain(stack.operator.members().list_members(request).await)?.members;
    Ok(members.iter().filter(|member| member.role == "roles/owner").count())
}

#[tokio::test]
async fn a_tenant_keeps_an_owner_whoever_leaves_at_the_same_moment() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    for round in 0..ROUNDS {
        let tenant = &tenant(&stack).await?;
        let (one, first) = member(&stack, tenant, "one@example.org", "roles/owner").await?;
        let (two, second) = member(&stack, tenant, "two@example.org", "roles/owner").await?;
        // Each takes the other's place away; or, every other time, their own.
        let (a, b) = if round % 2 == 0 { (&two, &one) } else { (&one, &two) };
        let demote = async |grantor: &Grantor<'_>, member: &Member| match round % 4 {
            0 | 1 => grantor.remove(&member.name).await,
            _ => grantor.set_role(&member.name, "roles/viewer").await.map(drop),
        };
        let (left, right) = tokio::join!(demote(&first, a), demote(&second, b));
        let done = [&left, &right].iter().filter(|outcome| outcome.is_ok()).count();
        ensure!(done == 1 && owners(&stack, tenant).await? == 1, "round {round}: {left:?}, {right:?}");
        // The loser had no owner's place left to take, or no place left to take it from.
        let loser = scene::refusal(if left.is_ok() { right } else { left })?;
        let last = [Code::FailedPrecondition, Code::NotFound, Code::PermissionDenied, Code::Unauthenticated];
        ensure!(last.contains(&loser.code()), "round {round}: {loser:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_role_that_is_narrowed_stays_so_whoever_renames_it_at_the_same_moment() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let tenant = &tenant(&stack).await?;
    let (_, owner) = member(&stack, tenant, "owner@example.org", "roles/owner").await?;
    let both = [Permission::CampaignsRead, Permission::MessagesRead];
    for round in 0..ROUNDS {
        let role = own_role(&owner.client, tenant, &both).await?;
        let renamed = Role { name: role.clone(), display_name: format!("Round {round}"), ..Role::default() };
        let request = UpdateRoleRequest { role: Some(renamed), update_mask: None };
        let rename = async { plain(owner.client.roles().update_role(request).await) };
        let (narrowed, renamed) = tokio::join!(owner.widen(&role, &both[..1]), rename);
        narrowed?;
        renamed?;
        let left = plain(owner.client.roles().get_role(GetRoleRequest { name: role }).await)?;
        ensure!(left.permissions == ["campaigns.read"], "round {round}: {left:?}");
    }
    Ok(())
}

/// Accepts an invitation, with its token alone.
async fn accept(stack: &Stack, token: &str) -> Result<AcceptInvitationResponse> {
    let request = AcceptInvitationRequest { token: token.to_owned(), display_name: "Invited".to_owned() };
    plain(stack.operator.without_key().members().accept_invitation(request).await)
}

#[tokio::test]
async fn an_invitation_is_good_once() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let tenant = &tenant(&stack).await?;
    let operator = Grantor { client: stack.operator.clone(), tenant };
    refused(accept(&stack, "no-such-token").await, Code::Unauthenticated)?;
    refused(accept(&stack, "").await, Code::Unauthenticated)?;

    let twice = operator.invite("Twice@Example.org", "roles/viewer").await?;
    let member = accept(&stack, &twice.token).await?.member.context("a member")?;
    ensure!(member.email == "twice@example.org" && member.role == "roles/viewer", "{member:?}");
    refused(accept(&stack, &twice.token).await, Code::Unauthenticated)?;
    refused(operator.invite("TWICE@example.ORG", "roles/viewer").await, Code::AlreadyExists)?;

    for round in 0..ROUNDS {
        let token = operator.invite(&format!("at-once-{round}@example.org"), "roles/viewer").await?.token;
        let (a, b) = tokio::join!(accept(&stack, &token), accept(&stack, &token));
        ensure!(a.is_ok() != b.is_ok(), "round {round}: {a:?}, {b:?}");
        refused(if a.is_ok() { b } else { a }, Code::Unauthenticated)?;
    }

    let taken_back = operator.invite("back@example.org", "roles/viewer").await?;
    let name = taken_back.invitation.context("an invitation")?.name;
    let (a, b) = tokio::join!(operator.uninvite(&name), operator.uninvite(&name));
    ensure!(a.is_ok() != b.is_ok(), "it was taken back twice: {a:?}, {b:?}");
    refused(if a.is_ok() { b } else { a }, Code::NotFound)?;
    refused(accept(&stack, &taken_back.token).await, Code::Unauthenticated)?;

    // Two invitations of one person make one member.
    let first = operator.invite("one@example.org", "roles/viewer").await?.token;
    let second = operator.invite("ONE@example.org", "roles/admin").await?.token;
    let (a, b) = tokio::join!(accept(&stack, &first), accept(&stack, &second));
    ensure!(a.is_ok() != b.is_ok(), "{a:?}, {b:?}");
    refused(if a.is_ok() { b } else { a }, Code::AlreadyExists)
}

#[tokio::test]
async fn an_invitation_ends_and_holds_its_role_until_then() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let tenant = &tenant(&stack).await?;
    let operator = Grantor { client: stack.operator.clone(), tenant };
    let role = own_role(&stack.operator, tenant, &[Permission::CampaignsRead]).await?;
    let now = jiff::Timestamp::now();
    let draft = |until: jiff::Timestamp| Invitation {
        email: "late@example.org".to_owned(),
        role: role.clone(),
        expire_time: Some(prost_types::Timestamp { seconds: until.as_second(), nanos: 0 }),
        ..Invitation::default()
    };
    let invite = async |until| {
        let request = CreateInvitationRequest { parent: tenant.clone(), invitation: Some(draft(until)) };
        plain(stack.operator.members().create_invitation(request).await)
    };
    refused(invite(now - Duration::from_secs(60)).await, Code::InvalidArgument)?;
    refused(invite(now + Duration::from_secs(31 * 24 * 3_600)).await, Code::InvalidArgument)?;
    let until = now + Duration::from_secs(2);
    let invited = invite(until).await?;
    let delete = DeleteRoleRequest { name: role.clone() };
    let held = scene::refusal(plain(stack.operator.roles().delete_role(delete.clone()).await))?;
    let reason = held.get_details_error_info().context("an ErrorInfo")?.reason;
    ensure!(reason == "ROLE_IN_USE", "{held:?}");

    let over = async || Ok((jiff::Timestamp::now() > until).then_some(()));
    wait::until("the invitation to end", WITHIN, over).await?;
    refused(accept(&stack, &invited.token).await, Code::Unauthenticated)?;
    operator.uninvite(&invited.invitation.context("an invitation")?.name).await?;
    plain(stack.operator.roles().delete_role(delete).await)?;
    Ok(())
}
