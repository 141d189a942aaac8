//! Provider accounts.

use muster_domain::id::TenantId;
use muster_domain::provider::Provider;
use muster_proto::v1::provider_account_service_server::ProviderAccountService;
use muster_proto::v1::{
    CreateProviderAccountRequest, GetProviderAccountRequest, ListProviderAccountsRequest,
    ListProviderAccountsResponse, Provider as WireProvider, ProviderAccount, UpdateProviderAccountRequest,
};
use muster_runtime::access::Caller;
use muster_runtime::key::random_secret;
use muster_runtime::{Error, Result, clock, name};
use tonic::{Request, Response, Status};

use crate::audit::Act;
use crate::db::{Micros, TenantTx};
use crate::rpc::{Api, caller, display_name, page, required, resource, tenant_of_parent};
use crate::store::accounts::{Account, account_get, account_insert, account_update, accounts_list};

const PATTERN: &str = "tenants/*/providerAccounts/*";
/// The longest credential, in characters.
const CREDENTIAL_CHARS_MAX: usize = 500;
/// What an update may change.
const MUTABLE: [&str; 5] = ["display_name", "account_sid", "api_secret", "webhook_key", "base_url"];

impl Api {
    fn encode_account(&self, account: &Account) -> ProviderAccount {
        let base = self.config.public_base_url.trim_end_matches('/');
        ProviderAccount {
            name: name::format(PATTERN, &[account.tenant, account.id]),
            display_name: account.display_name.clone(),
            provider: i32::from(account.provider),
            account_sid: account.account_sid.clone(),
            api_secret: String::new(),
            webhook_key: String::new(),
            base_url: account.base_url.clone().unwrap_or_default(),
            inbound_webhook_url: format!("{base}/webhooks/{}/inbound", account.webhook_token),
            create_time: Some(account.create_time.timestamp()),
        }
    }
}

fn field(name: &str) -> String {
    format!("provider_account.{name}")
}

/// Refuses an account that could not send or be believed.
fn check(account: &Account) -> Result<()> {
    let bounded = [
        ("account_sid", &account.account_sid),
        ("api_secret", &account.api_secret),
        ("webhook_key", &account.webhook_key),
    ];
    for (name, value) in bounded {
        if value.len() > CREDENTIAL_CHARS_MAX || !value.bytes().all(|byte| byte.is_ascii_graphic()) {
            let message = format!("must have at most {CREDENTIAL_CHARS_MAX} visible ASCII characters");
            return Err(Error::invalid(field(name), message));
        }
    }
    if account.api_secret.is_empty() {
        return Err(Error::invalid(field("api_secret"), "is required"));
    }
    match Provider::from_code(account.provider) {
        Some(Provider::Twilio) if account.account_sid.is_empty() => {
            Err(Error::invalid(field("account_sid"), "is required for Twilio"))
        }
        Some(Provider::Telnyx) if account.webhook_key.is_empty() => {
            Err(Error::invalid(field("webhook_key"), "is required for Telnyx: its public key in base64"))
        }
        Some(Provider::Twilio | Provider::Telnyx) => Ok(()),
        None => Err(Error::invalid(field("provider"), "must be PROVIDER_TWILIO or PROVIDER_TELNYX")),
    }
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

fn created(caller: Caller, tenant: TenantId, wanted: ProviderAccount) -> Result<Account> {
    let account = Account {
        id: clock::new_id(),
        tenant: tenant.0,
        display_name: display_name(&wanted.display_name, &field("display_name"))?,
        provider: i16::try_from(wanted.provider).unwrap_or(0),
        // Twilio signs webhooks with the token that authenticates our calls.
        webhook_key: if wanted.provider() == WireProvider::Twilio {
            wanted.api_secret.clone()
        } else {
            wanted.webhook_key
        },
        account_sid: wanted.account_sid,
        api_secret: wanted.api_secret,
        base_url: base_url(caller, &wanted.base_url)?,
        webhook_token: random_secret()?,
        create_time: Micros::now(),
    };
    check(&account)?;
    Ok(account)
}

/// The names of the fields to change: those in the mask or, without one, those that are not empty.
fn update_mask(wanted: &ProviderAccount, mask: Option<prost_types::FieldMask>) -> Result<Vec<String>> {
    let Some(mask) = mask else {
        let values = [
            &wanted.display_name,
            &wanted.account_sid,
            &wanted.api_secret,
            &wanted.webhook_key,
            &wanted.base_url,
        ];
        let set = MUTABLE.iter().zip(values).filter(|(_, value)| !value.is_empty());
        return Ok(set.map(|(name, _)| (*name).to_owned()).collect());
    };
    if mask.paths == ["*"] {
        return Ok(MUTABLE.map(str::to_owned).to_vec());
    }
    match mask.paths.iter().find(|path| !MUTABLE.contains(&path.as_str())) {
        Some(path) => Err(Error::invalid("update_mask", format!("{path} cannot be changed"))),
        None => Ok(mask.paths),
    }
}

fn change(caller: Caller, account: &mut Account, wanted: &ProviderAccount, paths: &[String]) -> Result<()> {
    for path in paths {
        match path.as_str() {
            "display_name" => account.display_name = display_name(&wanted.display_name, &field(path))?,
            "account_sid" => account.account_sid.clone_from(&wanted.account_sid),
            "api_secret" => {
                account.api_secret.clone_from(&wanted.api_secret);
                if account.provider == Provider::Twilio.code() {
                    account.webhook_key.clone_from(&wanted.api_secret);
                }
            }
            "webhook_key" if account.provider == Provider::Twilio.code() => {}
            "webhook_key" => account.webhook_key.clone_from(&wanted.webhook_key),
            "base_url" => {
                if wanted.base_url.is_empty() && account.base_url.is_some() {
                    caller.operator_only()?;
                }
                account.base_url = base_url(caller, &wanted.base_url)?;
            }
            other => return Err(Error::invalid("update_mask", format!("{other} cannot be changed"))),
        }
    }
    check(account)
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
        let account = created(caller, tenant, required(request.provider_account, "provider_account")?)?;
        let mut client = self.db.app().await?;
        let tx = TenantTx::begin(&mut client, tenant).await?;
        account_insert(&tx, &account).await.map_err(|error| absent_tenant(error, &request.parent))?;
        let account = self.encode_account(&account);
        tx.commit(act.created(&account)?).await?;
        Ok(Response::new(account))
    }

    async fn get_provider_account(
        &self,
        request: Request<GetProviderAccountRequest>,
    ) -> Result<Response<ProviderAccount>, Status> {
        let caller = caller(&request)?;
        let name = request.into_inner().name;
        let (tenant, id) = resource(caller, PATTERN, &name, "name")?;
        let mut client = self.db.app().await?;
        let tx = TenantTx::begin(&mut client, tenant).await?;
        let account = account_get(&tx, id).await?.ok_or_else(|| Error::not_found(&name))?;
        Ok(Response::new(self.encode_account(&account)))
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
        let mut client = self.db.app().await?;
        let tx = TenantTx::begin(&mut client, tenant).await?;
        let mut accounts = accounts_list(&tx, &page).await?;
        let next_page_token = ask.finish(&mut accounts, &page, |account| account.id);
        let provider_accounts = accounts.iter().map(|account| self.encode_account(account)).collect();
        Ok(Response::new(ListProviderAccountsResponse { provider_accounts, next_page_token }))
    }

    async fn update_provider_account(
        &self,
        request: Request<UpdateProviderAccountRequest>,
    ) -> Result<Response<ProviderAccount>, Status> {
        let (caller, act) = Act::of(&request)?;
        let request = request.into_inner();
        let wanted = required(request.provider_account, "provider_account")?;
        let (tenant, id) = resource(caller, PATTERN, &wanted.name, "provider_account.name")?;
        let paths = update_mask(&wanted, request.update_mask)?;
        let mut client = self.db.app().await?;
        let tx = TenantTx::begin(&mut client, tenant).await?;
        let account = account_get(&tx, id).await?;
        let mut account = account.ok_or_else(|| Error::not_found(&wanted.name))?;
        let before = self.encode_account(&account);
        change(caller, &mut account, &wanted, &paths)?;
        account_update(&tx, &account).await?;
        let account = self.encode_account(&account);
        tx.commit(act.changed(&before, &account)?).await?;
        Ok(Response::new(account))
    }
}

/// An operator can name a tenant that is not there; the foreign key notices.
pub(super) fn absent_tenant(error: crate::db::Error, parent: &str) -> Error {
    if error.is_foreign_key_violation() { Error::not_found(parent) } else { error.into() }
}
