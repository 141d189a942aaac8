//! API keys: those of programs, for who may manage them, and those of members, each for the member alone.
//!
//! What a key makes does not outlive it, and no key can do more than its maker: for that of a member it is looked up at
//! each use what the member may do.

mod owner;

use std::ops::RangeInclusive;

use muster_domain::id::TenantId;
use muster_domain::permission::{Permission, Permissions};
use muster_proto::v1::api_key_service_server::ApiKeyService;
use muster_proto::v1::{
    ApiKey, CreateApiKeyRequest, CreateApiKeyResponse, DeleteApiKeyRequest, DeleteApiKeyResponse,
    GetApiKeyRequest, ListApiKeysRequest, ListApiKeysResponse, RotateApiKeyRequest, RotateApiKeyResponse,
};
use muster_runtime::access::Caller;
use muster_runtime::key::{KeyHash, new_api_key};
use muster_runtime::{Error, Result, clock, name};
use secrecy::{ExposeSecret as _, SecretString};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use self::owner::{Owner, end};
use crate::audit::Act;
use crate::db::{Micros, TenantTx};
use crate::rpc::members::MEMBER;
use crate::rpc::roles::{permissions, permissions_of, role_name};
use crate::rpc::{Api, caller, counted, display_name, page, required, resource, tenant_of_parent};
use crate::store::keys::{self, key_delete, key_get, key_insert, key_rotate, keys_list};
use crate::store::members::member_get;

const KEY: &str = "tenants/*/apiKeys/*";
/// How far away a key's end may be: a year.
const LIFE_MAX_S: i64 = 366 * 24 * 3_600;
/// How long the secret before may go on after a rotation: up to a week.
const OVERLAP_S: RangeInclusive<i64> = 0..=7 * 24 * 3_600;
/// Characters of a secret that are shown to tell keys apart.
const HINT_CHARS: usize = 4;

/// A new secret, with its end as it is shown later.
pub(super) fn new_secret() -> Result<(SecretString, String)> {
    let secret = new_api_key()?;
    let text = secret.expose_secret();
    let hint = text.get(text.len() - HINT_CHARS..).unwrap_or_default().to_owned();
    Ok((secret, hint))
}

fn encode(tenant: TenantId, key: keys::ApiKey) -> ApiKey {
    ApiKey {
        name: name::format(KEY, &[tenant.0, key.id]),
        display_name: key.display_name,
        role: key.role.map_or_else(String::new, |role| role_name(tenant, role)),
        scopes: key.scopes,
        member: key.member.map_or_else(String::new, |member| name::format(MEMBER, &[tenant.0, member])),
        hint: key.hint,
        expire_time: key.expire_time.map(Micros::timestamp),
        last_use_time: key.last_use_time.map(Micros::timestamp),
        create_time: Some(key.create_time.timestamp()),
    }
}

fn draft(caller: Caller, owner: Owner, wanted: &ApiKey, hint: String) -> Result<keys::ApiKey> {
    let (member, role) = match owner {
        Owner::Program(role) => (None, Some(role)),
        Owner::Member(member) => (Some(member.0), None),
    };
    let now = Micros::now();
    Ok(keys::ApiKey {
        id: clock::new_id(),
        display_name: display_name(&wanted.display_name, "api_key.display_name")?,
        member,
        role,
        scopes: permissions(&wanted.scopes, "api_key.scopes")?.names(),
        hint,
        expire_time: end(caller, wanted.expire_time, now)?,
        last_use_time: None,
        create_time: now,
    })
}

/// Whether `key` is a personal key of the member who calls.
fn is_own(caller: Caller, key: &keys::ApiKey) -> bool {
    key.member.is_some() && caller.member().map(|member| member.0) == key.member
}

/// A key that `caller` may know of: with `permission` any, and otherwise their own. Another is to them as if it were not
/// there.
async fn key_in_sight(
    tx: &TenantTx<'_>,
    caller: Caller,
    permission: Permission,
    (id, name): (Uuid, &str),
) -> Result<keys::ApiKey> {
    let key = key_get(tx, id).await?.filter(|key| caller.may(permission) || is_own(caller, key));
    key.ok_or_else(|| Error::not_found(name))
}

/// A key that `caller` may rotate or delete: one that can do no more than they can.
async fn key_within_reach(
    tx: &TenantTx<'_>,
    caller: Caller,
    tenant: TenantId,
    named: (Uuid, &str),
) -> Result<keys::ApiKey> {
    let key = key_in_sight(tx, caller, Permission::ApiKeysWrite, named).await?;
    let role = match (key.role, key.member) {
        (Some(role), _) => permissions_of(tx, tenant, role, "name").await?,
        (None, Some(member)) => {
            member_get(tx, member).await?.map(|member| member.permissions).unwrap_or_default()
        }
        (None, None) => Permissions::NONE,
    };
    let scopes = permissions(&key.scopes, "name")?;
    caller.may_grant(if key.scopes.is_empty() { role } else { role.and(scopes) })?;
    Ok(key)
}

/// Refuses a new secret of `key` to whoever would get more by it than they have: the name of another member, or more time.
fn may_have_secret(caller: Caller, key: &keys::ApiKey) -> Result<()> {
    if key.member.is_some() && !is_own(caller, key) {
        return Err(Error::forbidden(
            "only the member whose personal key it is gets a new secret of it; others can delete it",
        ));
    }
    let outlives = |last| key.expire_time.is_none_or(|end| end > Micros(last));
    if caller.end_us().is_some_and(outlives) {
        return Err(Error::forbidden(
            "this key outlives the one that you call with, or what is left of its secret",
        ));
    }
    Ok(())
}

#[tonic::async_trait]
impl ApiKeyService for Api {
    async fn create_api_key(
        &self,
        request: Request<CreateApiKeyRequest>,
    ) -> Result<Response<CreateApiKeyResponse>, Status> {
        let (caller, act) = Act::of(&request)?;
        let request = request.into_inner();
        let tenant = tenant_of_parent(caller, &request.parent)?;
        let wanted = required(request.api_key, "api_key")?;
        let owner = Owner::of(caller, tenant, &wanted)?;
        let (secret, hint) = new_secret()?;
        let key = draft(caller, owner, &wanted, hint)?;
        let mut client = self.db.app().await?;
        let tx = TenantTx::begin(&mut client, tenant).await?;
        let quotas = counted(&tx, tenant, &request.parent).await?;
        let role = owner.permissions(&tx, tenant).await?;
        let scopes = permissions(&wanted.scopes, "api_key.scopes")?;
        if !role.has_all(scopes) {
            let beyond = scopes.without(role).names().join(", ");
            return Err(
                Error::invalid("api_key.scopes", format!("{beyond} is not permitted by its role")).into()
            );
        }
        caller.may_grant(owner.granted(role, scopes))?;
        owner.has_room(&tx, tenant, quotas).await?;
        key_insert(&tx, tenant.0, &key, KeyHash::of(secret.expose_secret())).await?;
        let key = encode(tenant, key);
        tx.commit(act.created(&key)?).await?;
        let secret = secret.expose_secret().to_owned();
        Ok(Response::new(CreateApiKeyResponse { api_key: Some(key), secret }))
    }

    async fn get_api_key(&self, request: Request<GetApiKeyRequest>) -> Result<Response<ApiKey>, Status> {
        let caller = caller(&request)?;
        let name = request.into_inner().name;
        let (tenant, id) = resource(caller, KEY, &name, "name")?;
        let mut client = self.db.app().await?;
        let tx = TenantTx::begin(&mut client, tenant).await?;
        let key = key_in_sight(&tx, caller, Permission::ApiKeysRead, (id, &name)).await?;
        Ok(Response::new(encode(tenant, key)))
    }

    async fn list_api_keys(
        &self,
        request: Request<ListApiKeysRequest>,
    ) -> Result<Response<ListApiKeysResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let tenant = tenant_of_parent(caller, &request.parent)?;
        let scope = format!("keys {}", request.parent);
        let ask = page::Request { size: request.page_size, token: &request.page_token, scope };
        let page = ask.page()?;
        let mut client = self.db.app().await?;
        let tx = TenantTx::begin(&mut client, tenant).await?;
        let own = if caller.may(Permission::ApiKeysRead) {
            None
        } else {
            Some(caller.member().ok_or_else(|| Error::not_found(&request.parent))?.0)
        };
        let mut rows = keys_list(&tx, own, &page).await?;
        let next_page_token = ask.finish(&mut rows, &page, |key| key.id);
        let api_keys = rows.into_iter().map(|key| encode(tenant, key)).collect();
        Ok(Response::new(ListApiKeysResponse { api_keys, next_page_token }))
    }

    async fn rotate_api_key(
        &self,
        request: Request<RotateApiKeyRequest>,
    ) -> Result<Response<RotateApiKeyResponse>, Status> {
        let (caller, act) = Act::of(&request)?;
        let RotateApiKeyRequest { name, overlap_seconds } = request.into_inner();
        let (tenant, id) = resource(caller, KEY, &name, "name")?;
        if !OVERLAP_S.contains(&overlap_seconds) {
            let message = format!("must be {} to {}", OVERLAP_S.start(), OVERLAP_S.end());
            return Err(Error::invalid("overlap_seconds", message).into());
        }
        let mut client = self.db.app().await?;
        let tx = TenantTx::begin(&mut client, tenant).await?;
        let mut key = key_within_reach(&tx, caller, tenant, (id, &name)).await?;
        may_have_secret(caller, &key)?;
        let before = encode(tenant, key.clone());
        let (secret, hint) = new_secret()?;
        key.hint = hint;
        let now = Micros::now();
        let old_until = Micros(now.0 + overlap_seconds * 1_000_000);
        key_rotate(&tx, tenant.0, &key, KeyHash::of(secret.expose_secret()), (old_until, now)).await?;
        let key = encode(tenant, key);
        tx.commit(act.changed(&before, &key)?).await?;
        let secret = secret.expose_secret().to_owned();
        Ok(Response::new(RotateApiKeyResponse { api_key: Some(key), secret }))
    }

    async fn delete_api_key(
        &self,
        request: Request<DeleteApiKeyRequest>,
    ) -> Result<Response<DeleteApiKeyResponse>, Status> {
        let (caller, act) = Act::of(&request)?;
        let name = request.into_inner().name;
        let (tenant, id) = resource(caller, KEY, &name, "name")?;
        let mut client = self.db.app().await?;
        let tx = TenantTx::begin(&mut client, tenant).await?;
        let key = key_within_reach(&tx, caller, tenant, (id, &name)).await?;
        key_delete(&tx, id).await?;
        tx.commit(act.deleted(&encode(tenant, key))?).await?;
        Ok(Response::new(DeleteApiKeyResponse {}))
    }
}
