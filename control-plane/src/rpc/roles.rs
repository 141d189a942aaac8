//! Roles, and the names that they go by.

use muster_domain::id::TenantId;
use muster_domain::permission::{BuiltInRole, Permissions};
use muster_proto::v1::role_service_server::RoleService;
use muster_proto::v1::{
    CreateRoleRequest, DeleteRoleRequest, DeleteRoleResponse, GetRoleRequest, ListRolesRequest,
    ListRolesResponse, Role, UpdateRoleRequest,
};
use muster_runtime::{Error, Result, clock, name};
use tonic::{Request, Response, Status};

use crate::audit::Act;
use crate::db::{Micros, TenantTx};
use crate::quota::Bound;
use crate::rpc::{
    Api, caller, counted, display_name, masked, missing, page, reference, required, resource,
    tenant_of_parent,
};
use crate::store::roles::{
    self, RoleRef, role_delete, role_get, role_insert, role_update, roles_count, roles_list,
};
use crate::store::tenants::tenant_lock;

const ROLE: &str = "tenants/*/roles/*";
const BUILT_IN: &str = "roles/";
/// What an update may change.
const MUTABLE: [&str; 2] = ["display_name", "permissions"];

/// The role that `text` names.
pub(super) fn role_ref(tenant: TenantId, text: &str, field: &str) -> Result<RoleRef> {
    let Some(id) = text.strip_prefix(BUILT_IN) else {
        return Ok(RoleRef::Own(reference(tenant, ROLE, text, field)?));
    };
    let role = BuiltInRole::from_id(id).ok_or_else(|| {
        let ids = BuiltInRole::ALL.map(|role| format!("{BUILT_IN}{}", role.id())).join(", ");
        Error::invalid(field, format!("must be one of {ids}, or a role of the tenant's own"))
    })?;
    Ok(RoleRef::BuiltIn(role))
}

/// The name of a role.
pub(super) fn role_name(tenant: TenantId, role: RoleRef) -> String {
    match role {
        RoleRef::BuiltIn(role) => format!("{BUILT_IN}{}", role.id()),
        RoleRef::Own(id) => name::format(ROLE, &[tenant.0, id]),
    }
}

/// What a role may do; `field` names it in the request.
pub(super) async fn permissions_of(
    tx: &TenantTx<'_>,
    tenant: TenantId,
    role: RoleRef,
    field: &str,
) -> Result<Permissions> {
    match role {
        RoleRef::BuiltIn(role) => Ok(role.permissions()),
        RoleRef::Own(id) => match role_get(tx, id).await? {
            Some(role) => Ok(role.permissions),
            None => Err(missing(field, &role_name(tenant, role))),
        },
    }
}

fn built_in(role: BuiltInRole) -> Role {
    Role {
        name: format!("{BUILT_IN}{}", role.id()),
        display_name: role.display_name().to_owned(),
        permissions: role.permissions().names(),
        create_time: None,
    }
}

fn encode(tenant: TenantId, role: roles::Role) -> Role {
    Role {
        name: name::format(ROLE, &[tenant.0, role.id]),
        display_name: role.display_name,
        permissions: role.permissions.names(),
        create_time: Some(role.create_time.timestamp()),
    }
}

/// The permissions that a request names.
pub(super) fn permissions(names: &[String], field: &str) -> Result<Permissions> {
    Permissions::from_names(names.iter().map(String::as_str)).map_err(|unknown| {
        let known = Permissions::all().names().join(", ");
        Error::invalid(field, format!("{unknown:?} is no permission; there are {known}"))
    })
}

fn some_permissions(names: &[String]) -> Result<Permissions> {
    match permissions(names, "role.permissions")? {
        Permissions::NONE => Err(Error::invalid("role.permissions", "must name at least one")),
        some => Ok(some),
    }
}

#[tonic::async_trait]
impl RoleService for Api {
    async fn create_role(&self, request: Request<CreateRoleRequest>) -> Result<Response<Role>, Status> {
        let (caller, act) = Act::of(&request)?;
        let request = request.into_inner();
        let tenant = tenant_of_parent(caller, &request.parent)?;
        let wanted = required(request.role, "role")?;
        let role = roles::Role {
            id: clock::new_id(),
            display_name: display_name(&wanted.display_name, "role.display_name")?,
            permissions: some_permissions(&wanted.permissions)?,
            create_time: Micros::now(),
        };
        caller.may_grant(role.permissions)?;
        let mut client = self.db.app().await?;
        let tx = TenantTx::begin(&mut client, tenant).await?;
        counted(&tx, tenant, &request.parent).await?;
        Bound::Roles.room_for(1, &request.parent, roles_count(&tx, tenant.0).await?)?;
        role_insert(&tx, tenant.0, &role).await?;
        let role = encode(tenant, role);
        tx.commit(act.created(&role)?).await?;
        Ok(Response::new(role))
    }

    async fn get_role(&self, request: Request<GetRoleRequest>) -> Result<Response<Role>, Status> {
        let caller = caller(&request)?;
        let name = request.into_inner().name;
        let (tenant, id) = resource(caller, ROLE, &name, "name")?;
        let mut client = self.db.app().await?;
        let tx = TenantTx::begin(&mut client, tenant).await?;
        let role = role_get(&tx, id).await?.ok_or_else(|| Error::not_found(&name))?;
        Ok(Response::new(encode(tenant, role)))
    }

    async fn list_roles(
        &self,
        request: Request<ListRolesRequest>,
    ) -> Result<Response<ListRolesResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let tenant = tenant_of_parent(caller, &request.parent)?;
        let scope = format!("roles {}", request.parent);
        let ask = page::Request { size: request.page_size, token: &request.page_token, scope };
        let page = ask.page()?;
        let mut client = self.db.app().await?;
        let tx = TenantTx::begin(&mut client, tenant).await?;
        let mut rows = roles_list(&tx, &page).await?;
        let next_page_token = ask.finish(&mut rows, &page, |role| role.id);
        let first_page = request.page_token.is_empty();
        let built_in = BuiltInRole::ALL.into_iter().filter(|_| first_page).map(built_in);
        let roles = built_in.chain(rows.into_iter().map(|role| encode(tenant, role))).collect();
        Ok(Response::new(ListRolesResponse { roles, next_page_token }))
    }

    async fn update_role(&self, request: Request<UpdateRoleRequest>) -> Result<Response<Role>, Status> {
        let (caller, act) = Act::of(&request)?;
        let request = request.into_inner();
        let wanted = required(request.role, "role")?;
        let (tenant, id) = resource(caller, ROLE, &wanted.name, "role.name")?;
        let set = [!wanted.display_name.is_empty(), !wanted.permissions.is_empty()];
        let paths = masked(request.update_mask, &MUTABLE, &set)?;
        let mut client = self.db.app().await?;
        let tx = TenantTx::begin(&mut client, tenant).await?;
        // Or else a change of the name alone would bring back permissions that were just taken away.
        tenant_lock(&tx, tenant).await?;
        let mut role = role_get(&tx, id).await?.ok_or_else(|| Error::not_found(&wanted.name))?;
        caller.may_grant(role.permissions)?;
        let before = encode(tenant, role.clone());
        if paths.contains(&"display_name") {
            role.display_name = display_name(&wanted.display_name, "role.display_name")?;
        }
        if paths.contains(&"permissions") {
            role.permissions = some_permissions(&wanted.permissions)?;
            caller.may_grant(role.permissions)?;
        }
        role_update(&tx, &role).await?;
        let role = encode(tenant, role);
        tx.commit(act.changed(&before, &role)?).await?;
        Ok(Response::new(role))
    }

    async fn delete_role(
        &self,
        request: Request<DeleteRoleRequest>,
    ) -> Result<Response<DeleteRoleResponse>, Status> {
        let (caller, act) = Act::of(&request)?;
        let name = request.into_inner().name;
        let (tenant, id) = resource(caller, ROLE, &name, "name")?;
        let mut client = self.db.app().await?;
        let tx = TenantTx::begin(&mut client, tenant).await?;
        // Before the role, as everybody does who is about to give it to somebody: so that no two wait for one another.
        tenant_lock(&tx, tenant).await?;
        let role = role_get(&tx, id).await?.ok_or_else(|| Error::not_found(&name))?;
        caller.may_grant(role.permissions)?;
        role_delete(&tx, id).await.map_err(|error| {
            if error.is_foreign_key_violation() {
                Error::precondition("ROLE_IN_USE", "a member, an invitation or an API key has this role")
            } else {
                error.into()
            }
        })?;
        tx.commit(act.deleted(&encode(tenant, role))?).await?;
        Ok(Response::new(DeleteRoleResponse {}))
    }
}
