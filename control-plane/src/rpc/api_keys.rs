//! API keys.

use std::ops::RangeInclusive;

use muster_domain::id::{MemberId, TenantId};
use muster_proto::v1::api_key_service_server::ApiKeyService;
use muster_proto::v1::{
    ApiKey, CreateApiKeyRequest, CreateApiKeyResponse, DeleteApiKeyRequest, DeleteApiKeyResponse,
    GetApiKeyRequest, ListApiKeysRequest, ListApiKeysResponse, RotateApiKeyRequest, RotateApiKeyResponse,
};
use muster_runtime::access::{Actor, Caller, Principal};
use muster_runtime::key::{KeyHash, new_api_key};
use muster_runtime::{Error, Result, clock, name};
use secrecy::{ExposeSecret as _, SecretString};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::audit::Act;
use crate::db::{Micros, TenantTx};
use crate::quota::Quota;
use crate::rpc::members::MEMBER;
use crate::rpc::provider_accounts::absent_tenant;
use crate::rpc::roles::{permissions, permissions_of, role_name, role_ref};
use crate::rpc::{Api, caller, counted, display_name, later, page, required, resource, tenant_of_parent};
use crate::store::keys::{self, key_delete, key_get, key_insert, key_rotate, keys_count, keys_list};
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

fn draft(tenant: TenantId, wanted: &ApiKey, hint: String) -> Result<keys::ApiKey> {
    let now = Micros::now();
    let expire_time = wanted.expire_time.map(|time| later(time, now, LIFE_MAX_S, "api_key.expire_time"));
    Ok(keys::ApiKey {
        id: clock::new_id(),
        display_name: display_name(&wanted.display_name, "api_key.display_name")?,
        member: None,
        role: Some(role_ref(tenant, &wanted.role, "api_key.role")?),
        scopes: permissions(&wanted.scopes, "api_key.scopes")?.names(),
        hint,
        expire_time: expire_time.transpose()?,
        last_use_time: None,
        create_time: now,
    })
}

/// A key that `caller` may rotate or delete: one that can do no more than they can.
async fn key_within_reach(
    tx: &TenantTx<'_>,
    caller: Caller,
    tenant: TenantId,
    id: Uuid,
    name: &str,
) -> Result<keys::ApiKey> {
    let key = key_get(tx, id).await?.ok_or_else(|| Error::not_found(name))?;
    let role = match (key.role, key.member) {
        (Some(role), _) => permissions_of(tx, tenant, role, "name").await?,
        (None, Some(member)) => {
            member_get(tx, member).await?.map(|member| member.permissions).unwrap_or_default()
        }
        (None, None) => Default::default(),
    };
    let scopes = permissions(&key.scopes, "name")?;
    caller.may_grant(if key.scopes.is_empty() { role } else { role.and(scopes) })?;
    Ok(key)
}

/// Refuses the secret of a personal key to everybody but its member: whoever had it would act in the member's name.
fn key_is_not_anothers(caller: Caller, key: &keys::ApiKey) -> Result<()> {
    let own = |member| matches!(caller, Caller::Tenant(Principal { actor: Actor::Member(MemberId(own)), .. }) if own == member);
    if key.member.is_none_or(own) {
        return Ok(());
    }
    Err(Error::forbidden(
        "only the member whose personal key it is gets a new secret of it; others can delete it",
    ))
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
        let (secret, hint) = new_secret()?;
        let key = draft(tenant, &wanted, hint)?;
        let mut client = self.db.app().await?;
        let tx = TenantTx::begin(&mut client, tenant).await?;
        let role = role_ref(tenant, &wanted.role, "api_key.role")?;
        let role = permissions_of(&tx, tenant, role, "api_key.role").await?;
        let scopes = permissions(&wanted.scopes, "api_key.scopes")?;
        if !role.has_all(scopes) {
            let beyond = scopes.without(role).names().join(", ");
            return Err(
                Error::invalid("api_key.scopes", format!("{beyond} is not permitted by its role")).into()
            );
        }
        caller.may_grant(if key.scopes.is_empty() { role } else { scopes })?;
        let quotas = counted(&tx, tenant, &request.parent).await?;
        quotas.one_more(Quota::ApiKeys, tenant, keys_count(&tx, tenant.0).await?)?;
        key_insert(&tx, tenant.0, &key, KeyHash::of(secret.expose_secret()))
            .await
            .map_err(|error| absent_tenant(error, &request.parent))?;
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
        let key = key_get(&tx, id).await?.ok_or_else(|| Error::not_found(&name))?;
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
        let mut rows = keys_list(&tx, &page).await?;
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
        let mut key = key_within_reach(&tx, caller, tenant, id, &name).await?;
        key_is_not_anothers(caller, &key)?;
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
        let key = key_within_reach(&tx, caller, tenant, id, &name).await?;
        key_delete(&tx, id).await?;
        tx.commit(act.deleted(&encode(tenant, key))?).await?;
        Ok(Response::new(DeleteApiKeyResponse {}))
    }
}
