//! Members: invitations, roles, and the way out.

use muster_domain::id::TenantId;
use muster_domain::permission::BuiltInRole;
use muster_proto::v1::member_service_server::MemberService;
use muster_proto::v1::{
    AcceptInvitationRequest, AcceptInvitationResponse, CreateInvitationRequest, CreateInvitationResponse,
    DeleteInvitationRequest, DeleteInvitationResponse, DeleteMemberRequest, DeleteMemberResponse,
    GetMemberRequest, Invitation, ListInvitationsRequest, ListInvitationsResponse, ListMembersRequest,
    ListMembersResponse, Member, UpdateMemberRequest,
};
use muster_runtime::access::Caller;
use muster_runtime::key::{KeyHash, random_secret};
use muster_runtime::{Error, Result, clock, name};
use secrecy::ExposeSecret as _;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::audit::Act;
use crate::db::{Micros, SystemTx, TenantTx};
use crate::quota::Quota;
use crate::rpc::api_keys::new_secret;
use crate::rpc::roles::{permissions_of, role_name, role_ref};
use crate::rpc::{
    Api, caller, counted, display_name, later, masked, page, required, resource, tenant_of_parent,
};
use crate::store::keys::{ApiKey, key_insert};
use crate::store::members::{
    self, invitation_delete, invitation_get, invitation_insert, invitation_take, invitation_tenant,
    invitations_forget, invitations_list, member_by_email, member_delete, member_get, member_insert,
    member_update, members_count, members_list, owners_count,
};
use crate::store::roles::RoleRef;
use crate::store::tenants::tenant_lock;

pub(super) const MEMBER: &str = "tenants/*/members/*";
const INVITATION: &str = "tenants/*/invitations/*";
/// The longest e-mail address, in bytes (RFC 5321, 4.5.3.1.3, without its brackets).
const EMAIL_BYTES_MAX: usize = 254;
/// How long an invitation is good where the call does not say: a week.
const INVITED_S: i64 = 7 * 24 * 3_600;
/// How far away the end of an invitation may be: 30 days.
const INVITED_MAX_S: i64 = 30 * 24 * 3_600;
/// What an update may change.
const MUTABLE: [&str; 2] = ["display_name", "role"];

fn encode(tenant: TenantId, member: members::Member) -> Member {
    Member {
        name: name::format(MEMBER, &[tenant.0, member.id]),
        email: member.email,
        display_name: member.display_name,
        role: role_name(tenant, member.role),
        create_time: Some(member.create_time.timestamp()),
    }
}

fn encode_invitation(tenant: TenantId, invitation: members::Invitation) -> Invitation {
    Invitation {
        name: name::format(INVITATION, &[tenant.0, invitation.id]),
        email: invitation.email,
        role: role_name(tenant, invitation.role),
        expire_time: Some(invitation.expire_time.timestamp()),
        create_time: Some(invitation.create_time.timestamp()),
    }
}

/// An e-mail address in lower case. Whether anybody reads what is sent there is for the invitation to find out.
fn email(text: &str) -> Result<String> {
    let text = text.trim().to_lowercase();
    let parts = text.rsplit_once('@').filter(|(local, domain)| !local.is_empty() && domain.contains('.'));
    let plain = !text.contains(|letter: char| letter.is_control() || letter.is_whitespace());
    if parts.is_some() && plain && text.len() <= EMAIL_BYTES_MAX {
        Ok(text)
    } else {
        Err(Error::invalid("invitation.email", "must be an e-mail address, such as amina@example.org"))
    }
}

/// Refuses to leave a tenant without an owner: `member` is about to lose this role, under the lock.
async fn not_the_last_owner(tx: &TenantTx<'_>, member: &members::Member) -> Result<()> {
    if member.role == RoleRef::BuiltIn(BuiltInRole::Owner) && owners_count(tx).await? <= 1 {
        return Err(Error::precondition("LAST_OWNER", "a tenant must keep an owner; make another one first"));
    }
    Ok(())
}

/// A member whom `caller` may change or remove, under the lock.
async fn member_within_reach(
    tx: &TenantTx<'_>,
    caller: Caller,
    (tenant, id): (TenantId, Uuid),
    name: &str,
) -> Result<members::Member> {
    tenant_lock(tx, tenant).await?;
    let member = member_get(tx, id).await?.ok_or_else(|| Error::not_found(name))?;
    caller.may_grant(member.permissions)?;
    Ok(member)
}

impl Api {
    async fn accept(&self, request: Request<AcceptInvitationRequest>) -> Result<AcceptInvitationResponse> {
        let id = clock::new_id();
        let newcomer = |tenant: TenantId| Act::of_newcomer(&request, name::format(MEMBER, &[tenant.0, id]));
        let AcceptInvitationRequest { token, display_name: title } = request.get_ref();
        let title = display_name(title, "display_name")?;
        let (secret, hint) = new_secret()?;
        let now = Micros::now();
        let mut system = self.db.system().await?;
        let taking = SystemTx::begin(&mut system).await?;
        let token = KeyHash::of(token);
        let tenant = invitation_tenant(&taking, token).await?.ok_or_else(Error::unauthenticated)?;
        let tx = taking.narrow(tenant).await?;
        // Before the invitation, as everybody does who changes members and roles: so that no two wait for one another.
        tenant_lock(&tx, tenant).await?;
        let taken = invitation_take(&tx, token, now).await?;
        let invitation = taken.ok_or_else(Error::unauthenticated)?;
        let before = encode_invitation(tenant, invitation.clone());
        let member = members::Member {
            id,
            email: invitation.email,
            display_name: title,
            role: invitation.role,
            permissions: Default::default(),
            create_time: now,
        };
        let key = ApiKey {
            id: clock::new_id(),
            display_name: "Personal".to_owned(),
            member: Some(member.id),
            role: None,
            scopes: Vec::new(),
            hint,
            expire_time: None,
            last_use_time: None,
            create_time: now,
        };
        member_insert(&tx, tenant.0, &member).await.map_err(already_a_member)?;
        key_insert(&tx, tenant.0, &key, KeyHash::of(secret.expose_secret())).await?;
        let member = encode(tenant, member);
        tx.commit(newcomer(tenant)?.created(&member)?.before(&before)?).await?;
        let secret = secret.expose_secret().to_owned();
        Ok(AcceptInvitationResponse { member: Some(member), secret })
    }
}

fn already_a_member(error: crate::db::Error) -> Error {
    if error.is_unique_violation() {
        Error::already_exists("there is a member with this e-mail address")
    } else {
        error.into()
    }
}

#[tonic::async_trait]
impl MemberService for Api {
    async fn create_invitation(
        &self,
        request: Request<CreateInvitationRequest>,
    ) -> Result<Response<CreateInvitationResponse>, Status> {
        let (caller, act) = Act::of(&request)?;
        let request = request.into_inner();
        let tenant = tenant_of_parent(caller, &request.parent)?;
        if caller.end_us().is_some() {
            // Whoever accepts gets a key that does not end.
            return Err(Error::forbidden("a key that ends cannot invite anybody").into());
        }
        let wanted = required(request.invitation, "invitation")?;
        let now = Micros::now();
        let expire_time = match wanted.expire_time {
            Some(time) => later(time, now, INVITED_MAX_S, "invitation.expire_time")?,
            None => Micros(now.0 + INVITED_S * 1_000_000),
        };
        let invitation = members::Invitation {
            id: clock::new_id(),
            email: email(&wanted.email)?,
            role: role_ref(tenant, &wanted.role, "invitation.role")?,
            expire_time,
            create_time: now,
        };
        let token = random_secret()?;
        let mut client = self.db.app().await?;
        let tx = TenantTx::begin(&mut client, tenant).await?;
        let quotas = counted(&tx, tenant, &request.parent).await?;
        invitations_forget(&tx, tenant.0, now).await?;
        caller.may_grant(permissions_of(&tx, tenant, invitation.role, "invitation.role").await?)?;
        if member_by_email(&tx, &invitation.email).await?.is_some() {
            return Err(Error::already_exists("there is a member with this e-mail address").into());
        }
        quotas.one_more(Quota::Members, tenant, members_count(&tx, tenant.0, now).await?)?;
        invitation_insert(&tx, tenant.0, &invitation, KeyHash::of(&token)).await?;
        let invitation = encode_invitation(tenant, invitation);
        tx.commit(act.created(&invitation)?).await?;
        Ok(Response::new(CreateInvitationResponse { invitation: Some(invitation), token }))
    }

    async fn list_invitations(
        &self,
        request: Request<ListInvitationsRequest>,
    ) -> Result<Response<ListInvitationsResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let tenant = tenant_of_parent(caller, &request.parent)?;
        let scope = format!("invitations {}", request.parent);
        let ask = page::Request { size: request.page_size, token: &request.page_token, scope };
        let page = ask.page()?;
        let mut client = self.db.app().await?;
        let tx = TenantTx::begin(&mut client, tenant).await?;
        let mut rows = invitations_list(&tx, &page).await?;
        let next_page_token = ask.finish(&mut rows, &page, |invitation| invitation.id);
        let invitations = rows.into_iter().map(|invitation| encode_invitation(tenant, invitation)).collect();
        Ok(Response::new(ListInvitationsResponse { invitations, next_page_token }))
    }

    async fn delete_invitation(
        &self,
        request: Request<DeleteInvitationRequest>,
    ) -> Result<Response<DeleteInvitationResponse>, Status> {
        let (caller, act) = Act::of(&request)?;
        let name = request.into_inner().name;
        let (tenant, id) = resource(caller, INVITATION, &name, "name")?;
        let mut client = self.db.app().await?;
        let tx = TenantTx::begin(&mut client, tenant).await?;
        let invitation = invitation_get(&tx, id).await?.ok_or_else(|| Error::not_found(&name))?;
        caller.may_grant(permissions_of(&tx, tenant, invitation.role, "name").await?)?;
        if !invitation_delete(&tx, id).await? {
            return Err(Error::not_found(&name).into());
        }
        tx.commit(act.deleted(&encode_invitation(tenant, invitation))?).await?;
        Ok(Response::new(DeleteInvitationResponse {}))
    }

    async fn accept_invitation(
        &self,
        request: Request<AcceptInvitationRequest>,
    ) -> Result<Response<AcceptInvitationResponse>, Status> {
        Ok(Response::new(self.accept(request).await?))
    }

    async fn get_member(&self, request: Request<GetMemberRequest>) -> Result<Response<Member>, Status> {
        let caller = caller(&request)?;
        let name = request.into_inner().name;
        let (tenant, id) = resource(caller, MEMBER, &name, "name")?;
        let mut client = self.db.app().await?;
        let tx = TenantTx::begin(&mut client, tenant).await?;
        let member = member_get(&tx, id).await?.ok_or_else(|| Error::not_found(&name))?;
        Ok(Response::new(encode(tenant, member)))
    }

    async fn list_members(
        &self,
        request: Request<ListMembersRequest>,
    ) -> Result<Response<ListMembersResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let tenant = tenant_of_parent(caller, &request.parent)?;
        let scope = format!("members {}", request.parent);
        let ask = page::Request { size: request.page_size, token: &request.page_token, scope };
        let page = ask.page()?;
        let mut client = self.db.app().await?;
        let tx = TenantTx::begin(&mut client, tenant).await?;
        let mut rows = members_list(&tx, &page).await?;
        let next_page_token = ask.finish(&mut rows, &page, |member| member.id);
        let members = rows.into_iter().map(|member| encode(tenant, member)).collect();
        Ok(Response::new(ListMembersResponse { members, next_page_token }))
    }

    async fn update_member(&self, request: Request<UpdateMemberRequest>) -> Result<Response<Member>, Status> {
        let (caller, act) = Act::of(&request)?;
        let request = request.into_inner();
        let wanted = required(request.member, "member")?;
        let (tenant, id) = resource(caller, MEMBER, &wanted.name, "member.name")?;
        let set = [!wanted.display_name.is_empty(), !wanted.role.is_empty()];
        let paths = masked(request.update_mask, &MUTABLE, &set)?;
        let mut client = self.db.app().await?;
        let tx = TenantTx::begin(&mut client, tenant).await?;
        let mut member = member_within_reach(&tx, caller, (tenant, id), &wanted.name).await?;
        let before = encode(tenant, member.clone());
        if paths.contains(&"display_name") {
            member.display_name = display_name(&wanted.display_name, "member.display_name")?;
        }
        if paths.contains(&"role") {
            let role = role_ref(tenant, &wanted.role, "member.role")?;
            caller.may_grant(permissions_of(&tx, tenant, role, "member.role").await?)?;
            if role != member.role {
                not_the_last_owner(&tx, &member).await?;
            }
            member.role = role;
        }
        member_update(&tx, &member).await?;
        let member = encode(tenant, member);
        tx.commit(act.changed(&before, &member)?).await?;
        Ok(Response::new(member))
    }

    async fn delete_member(
        &self,
        request: Request<DeleteMemberRequest>,
    ) -> Result<Response<DeleteMemberResponse>, Status> {
        let (caller, act) = Act::of(&request)?;
        let name = request.into_inner().name;
        let (tenant, id) = resource(caller, MEMBER, &name, "name")?;
        let mut client = self.db.app().await?;
        let tx = TenantTx::begin(&mut client, tenant).await?;
        let member = member_within_reach(&tx, caller, (tenant, id), &name).await?;
        not_the_last_owner(&tx, &member).await?;
        member_delete(&tx, id).await?;
        tx.commit(act.deleted(&encode(tenant, member))?).await?;
        Ok(Response::new(DeleteMemberResponse {}))
    }
}
