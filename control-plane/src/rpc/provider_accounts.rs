//! Provider accounts.

use muster_domain::id::TenantId;
use muster_domain::provider::Provider;
use muster_proto::v1::provider_account_service_server::ProviderAccountService;
use muster_proto::v1::{
    CreateProviderAccountRequest, GetProviderAccountRequest, ListProviderAccountsRequest,
    ListProviderAccountsResponse, ProviderAccount, UpdateProviderAccountRequest,
};
use muster_runtime::access::Caller;
use muster_runtime::key::{KeyHash, random_secret};
use muster_runtime::{Error, Result, clock, name};
use secrecy::{ExposeSecret as _, SecretString};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::audit::Act;
use crate::db::{Micros, TenantTx};
use crate::quota::Bound;
use crate::rpc::{Api, caller, counted, display_name, masked, page, required, resource, tenant_of_parent};
use crate::secrets::AccountSecrets;
use crate::store::accounts::{
    Account, PATTERN, account_get, account_insert, account_update, accounts_count, accounts_list,
};

/// The longest credential, in characters.
const CREDENTIAL_CHARS_MAX: usize = 500;
/// How often an update is tried while others change the same account.
const UPDATE_TRIES: usize = 5;
/// What an update may change.
const MUTABLE: [&str; 8] = [
    "display_name",
    "account_sid",
    "api_user",
    "application_id",
    "api_secret",
    "webhook_key",
    "second_webhook_key",
    "base_url",
];

/// What a caller gives to be kept: the secrets apart from the rest, so that they are zeroized whatever comes next.
struct Given {
    account: ProviderAccount,
    api_secret: SecretString,
    webhook_key: SecretString,
    second_webhook_key: SecretString,
}

impl From<ProviderAccount> for Given {
    fn from(mut account: ProviderAccount) -> Self {
        let api_secret = std::mem::take(&mut account.api_secret).into();
        let webhook_key = std::mem::take(&mut account.webhook_key).into();
        let second_webhook_key = std::mem::take(&mut account.second_webhook_key).into();
        Self { account, api_secret, webhook_key, second_webhook_key }
    }
}

impl Api {
    async fn account(&self, tenant: TenantId, id: Uuid) -> Result<Option<Account>> {
        let mut client = self.db.app().await?;
        let tx = TenantTx::begin(&mut client, tenant).await?;
        Ok(account_get(&tx, id).await?)
    }

    /// As its tenant sees it: without secrets but for the webhook path, which the provider must be told.
    async fn encode_account(&self, account: Account) -> Result<ProviderAccount> {
        let secrets = self.secrets.open(&account.name(), &account.sealed).await?;
        let base = self.config.public_base_url.trim_end_matches('/');
        let webhook_url = |kind| format!("{base}/webhooks/{}/{kind}", secrets.webhook_token.expose_secret());
        let fragment = Provider::from_code(account.provider).map_or("", Provider::webhook_fragment);
        let inbound_webhook_url = webhook_url("inbound") + fragment;
        let status_webhook_url = webhook_url("status");
        let has_second_key = !secrets.second_webhook_key.expose_secret().is_empty();
        Ok(ProviderAccount { inbound_webhook_url, status_webhook_url, has_second_key, ..encode(account) })
    }

    /// The same among others, whom it must not hide: where its secrets cannot be opened, it says so.
    async fn encode_one_of(&self, account: Account) -> ProviderAccount {
        match self.encode_account(account.clone()).await {
            Ok(encoded) => encoded,
            Err(error) => {
                tracing::warn!(account = account.name(), %error, "an account is listed without its webhook path");
                ProviderAccount { secrets_locked: true, ..encode(account) }
            }
        }
    }

    /// A new account, and the hash of its webhook token.
    async fn created(&self, caller: Caller, tenant: TenantId, given: Given) -> Result<(Account, KeyHash)> {
        let Given { account: wanted, .. } = &given;
        let provider = provider(wanted.provider)?;
        let mut secrets = AccountSecrets {
            api_secret: given.api_secret.clone(),
            webhook_key: given.webhook_key.clone(),
            second_webhook_key: given.second_webhook_key.clone(),
            webhook_token: random_secret()?.into(),
        };
        let display_name = display_name(&wanted.display_name, &field("display_name"))?;
        let base_url = base_url(caller, &wanted.base_url)?;
        check(provider, [&wanted.account_sid, &wanted.api_user, &wanted.application_id], &secrets)?;
        if provider.account_fields().webhook_key.is_none() {
            // Webhooks are signed with the secret that authenticates our calls.
            secrets.webhook_key.clone_from(&secrets.api_secret);
        }
        let id = clock::new_id();
        let name = name::format(PATTERN, &[tenant.0, id]);
        let account = Account {
            id,
            tenant: tenant.0,
            display_name,
            provider: provider.code(),
            account_sid: wanted.account_sid.clone(),
            api_user: wanted.api_user.clone(),
            application_id: wanted.application_id.clone(),
            base_url,
            create_time: Micros::now(),
            sealed: self.secrets.seal(&name, &secrets).await?,
        };
        Ok((account, KeyHash::of(secrets.webhook_token.expose_secret())))
    }

    /// The account with what `paths` name changed, not written yet.
    async fn changed(
        &self,
        caller: Caller,
        mut account: Account,
        given: &Given,
        paths: &[&str],
    ) -> Result<Account> {
        let name = account.name();
        let mut secrets = AccountSecrets::clone(&*self.secrets.open(&name, &account.sealed).await?);
        change(caller, &mut account, &mut secrets, given, paths)?;
        account.sealed = self.secrets.seal(&name, &secrets).await?;
        Ok(account)
    }
}

/// What can be told of an account without opening its secrets.
fn encode(account: Account) -> ProviderAccount {
    ProviderAccount {
        name: account.name(),
        display_name: account.display_name,
        provider: i32::from(account.provider),
        account_sid: account.account_sid,
        api_user: account.api_user,
        application_id: account.application_id,
        base_url: account.base_url.unwrap_or_default(),
        create_time: Some(account.create_time.timestamp()),
        ..ProviderAccount::default()
    }
}

fn field(name: &str) -> String {
    format!("provider_account.{name}")
}

fn provider(code: i32) -> Result<Provider> {
    let provider = i16::try_from(code).ok().and_then(Provider::from_code);
    provider.ok_or_else(|| Error::invalid(field("provider"), "must be one of the providers"))
}

/// Refuses an account that could not send or be believed: `names` are its account SID, API user and application ID.
fn check(provider: Provider, names: [&str; 3], secrets: &AccountSecrets) -> Result<()> {
    let fields = provider.account_fields();
    let [account_sid, api_user, application_id] = names;
    let wanted = [
        ("account_sid", account_sid, fields.account_sid),
        ("api_user", api_user, fields.api_user),
        ("application_id", application_id, fields.application_id),
        ("api_secret", secrets.api_secret.expose_secret(), Some("what authenticates calls")),
        ("webhook_key", secrets.webhook_key.expose_secret(), fields.webhook_key),
    ];
    credential("second_webhook_key", secrets.second_webhook_key.expose_secret())?;
    for (name, value, meaning) in wanted {
        credential(name, value)?;
        match meaning {
            Some(meaning) if value.is_empty() => {
                return Err(Error::invalid(field(name), format!("is required for {provider}: {meaning}")));
            }
            None if !value.is_empty() => {
                return Err(Error::invalid(field(name), format!("has to be empty: {provider} has none")));
            }
            Some(_) | None => {}
        }
    }
    Ok(())
}

/// Refuses what no provider gives for a credential.
fn credential(name: &str, value: &str) -> Result<()> {
    if value.len() <= CREDENTIAL_CHARS_MAX && value.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    let message = format!("must have at most {CREDENTIAL_CHARS_MAX} visible ASCII characters");
    Err(Error::invalid(field(name), message))
}

/// Another base URL is where credentials and texts are sent: only an operator may choose it.
fn base_url(caller: Caller, url: &str) -> Result<Option<String>> {
    if url.is_empty() {
        return Ok(None);
    }
    caller.operator_only()?;
    let url = url.trim_end_matches('/');
    if url.starts_with("https://") || url.starts_with("http://") {
        Ok(Some(url.to_owned()))
    } else {
        Err(Error::invalid(field("base_url"), "must begin with https:// or http://"))
    }
}

/// The names of the fields to change: those in the mask or, without one, those that are not empty.
fn paths(given: &Given, mask: Option<prost_types::FieldMask>) -> Result<Vec<&'static str>> {
    let wanted = &given.account;
    let values = [
        wanted.display_name.as_str(),
        &wanted.account_sid,
        &wanted.api_user,
        &wanted.application_id,
        given.api_secret.expose_secret(),
        given.webhook_key.expose_secret(),
        given.second_webhook_key.expose_secret(),
        &wanted.base_url,
    ];
    masked(mask, &MUTABLE, &values.map(|value| !value.is_empty()))
}

fn change(
    caller: Caller,
    account: &mut Account,
    secrets: &mut AccountSecrets,
    given: &Given,
    paths: &[&str],
) -> Result<()> {
    let wanted = &given.account;
    let provider = provider(account.provider.into())?;
    let is_of_calls = provider.account_fields().webhook_key.is_none();
    if is_of_calls {
        secrets.webhook_key = SecretString::default();
    }
    for path in paths {
        match *path {
            "display_name" => account.display_name = display_name(&wanted.display_name, &field(path))?,
            "account_sid" => account.account_sid.clone_from(&wanted.account_sid),
            "api_user" => account.api_user.clone_from(&wanted.api_user),
            "application_id" => account.application_id.clone_from(&wanted.application_id),
            "api_secret" => secrets.api_secret.clone_from(&given.api_secret),
            "webhook_key" => secrets.webhook_key.clone_from(&given.webhook_key),
            "second_webhook_key" => secrets.second_webhook_key.clone_from(&given.second_webhook_key),
            "base_url" => {
                if wanted.base_url.is_empty() && account.base_url.is_some() {
                    caller.operator_only()?;
                }
                account.base_url = base_url(caller, &wanted.base_url)?;
            }
            other => return Err(Error::invalid("update_mask", format!("{other} cannot be changed"))),
        }
    }
    check(provider, [&account.account_sid, &account.api_user, &account.application_id], secrets)?;
    if is_of_calls {
        secrets.webhook_key.clone_from(&secrets.api_secret);
    }
    Ok(())
}

#[tonic::async_trait]
impl ProviderAccountService for Api {
    async fn create_provider_account(
        &self,
        request: Request<CreateProviderAccountRequest>,
    ) -> Result<Response<ProviderAccount>, Status> {
        let (caller, act) = Act::of(&request)?;
        let request = request.into_inner();
        let tenant = tenant_of_parent(caller, &request.parent)?;
        let given = Given::from(required(request.provider_account, "provider_account")?);
        let (account, token) = self.created(caller, tenant, given).await?;
        let encoded = self.encode_account(account.clone()).await?;
        let mut client = self.db.app().await?;
        let tx = TenantTx::begin(&mut client, tenant).await?;
        counted(&tx, tenant, &request.parent).await?;
        Bound::ProviderAccounts.room_for(1, &request.parent, accounts_count(&tx, tenant.0).await?)?;
        account_insert(&tx, &account, token).await?;
        tx.commit(act.created(&encoded)?).await?;
        Ok(Response::new(encoded))
    }

    async fn get_provider_account(
        &self,
        request: Request<GetProviderAccountRequest>,
    ) -> Result<Response<ProviderAccount>, Status> {
        let caller = caller(&request)?;
        let name = request.into_inner().name;
        let (tenant, id) = resource(caller, PATTERN, &name, "name")?;
        let account = self.account(tenant, id).await?.ok_or_else(|| Error::not_found(&name))?;
        Ok(Response::new(self.encode_account(account).await?))
    }

    async fn list_provider_accounts(
        &self,
        request: Request<ListProviderAccountsRequest>,
    ) -> Result<Response<ListProviderAccountsResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let tenant = tenant_of_parent(caller, &request.parent)?;
        let scope = format!("accounts {}", request.parent);
        let ask = page::Request { size: request.page_size, token: &request.page_token, scope };
        let page = ask.page()?;
        let mut accounts = {
            let mut client = self.db.app().await?;
            accounts_list(&TenantTx::begin(&mut client, tenant).await?, &page).await?
        };
        let next_page_token = ask.finish(&mut accounts, &page, |account| account.id);
        let encoded = accounts.into_iter().map(|account| self.encode_one_of(account));
        let provider_accounts = futures::future::join_all(encoded).await;
        Ok(Response::new(ListProviderAccountsResponse { provider_accounts, next_page_token }))
    }

    async fn update_provider_account(
        &self,
        request: Request<UpdateProviderAccountRequest>,
    ) -> Result<Response<ProviderAccount>, Status> {
        let (caller, act) = Act::of(&request)?;
        let request = request.into_inner();
        let given = Given::from(required(request.provider_account, "provider_account")?);
        let name = &given.account.name;
        let (tenant, id) = resource(caller, PATTERN, name, "provider_account.name")?;
        let paths = paths(&given, request.update_mask)?;
        for _ in 0..UPDATE_TRIES {
            let read = self.account(tenant, id).await?.ok_or_else(|| Error::not_found(name))?;
            let account = self.changed(caller, read.clone(), &given, &paths).await?;
            let before = self.encode_account(read.clone()).await?;
            let after = self.encode_account(account.clone()).await?;
            let mut client = self.db.app().await?;
            let tx = TenantTx::begin(&mut client, tenant).await?;
            // Not where somebody else has changed the account meanwhile.
            if account_update(&tx, &account, &read.sealed).await? {
                tx.commit(act.changed(&before, &after)?).await?;
                return Ok(Response::new(after));
            }
        }
        Err(Error::unavailable("others went on changing the account").into())
    }
}
