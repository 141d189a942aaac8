//! A client organization, ready to send: tenant and key, an account at a simulated provider, and a number pool.

use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, Result};
use muster_proto::v1::{CampaignMode, ImportContactsResponse, Provider, ProviderAccount};
use muster_provider_sim::account::AccountSpec;

use super::Stack;
use crate::client::{Client, Draft};
use crate::contacts::sending_numbers;

/// Segments a second of a number: the most there is, so that numbers are not what a test waits for.
const AMPLE: f64 = 1_000.0;

/// What an organization is to have.
#[derive(Clone, Debug)]
pub struct OrganizationOptions {
    /// What people call it.
    pub display_name: String,
    /// Through whom it sends.
    pub provider: Provider,
    /// The numbers it sends from. No two organizations of a stack may have the same.
    pub numbers: Vec<String>,
    /// How fast each of them may send.
    pub segments_per_second: f64,
}

impl OrganizationOptions {
    /// One with twenty fast numbers of its own.
    pub fn of(provider: Provider) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = usize::try_from(NEXT.fetch_add(1, Ordering::Relaxed)).unwrap_or(0) % 140;
        let numbers = sending_numbers(2_800).split_off(number * 20).into_iter().take(20).collect();
        Self {
            display_name: format!("Neighbors of Precinct {number}"),
            provider,
            numbers,
            segments_per_second: AMPLE,
        }
    }
}

/// A client organization, ready to send.
#[derive(Clone, Debug)]
pub struct Organization {
    /// The tenant's resource name.
    pub tenant: String,
    /// The key of an owner.
    pub key: String,
    /// A client with that key.
    pub client: Client,
    /// Through whom it sends.
    pub provider: Provider,
    /// The resource name of its provider account.
    pub account: String,
    /// What the simulator calls that account.
    pub account_sid: String,
    /// The resource name of its number pool.
    pub pool: String,
}

impl Stack {
    /// An organization that sends through the simulator, set up by the operator.
    pub async fn organization(&self, options: OrganizationOptions) -> Result<Organization> {
        let OrganizationOptions { display_name, provider, numbers, segments_per_second } = options;
        let operator = &self.operator;
        let tenant = operator.create_tenant(&display_name).await?.name;
        let key = operator.create_key(&tenant, "roles/owner").await?;
        let (account, account_sid) = self.account(&tenant, provider, &numbers).await?;
        let client = operator.with_key(&key)?;
        let pool = client.create_pool(&tenant, &account, &numbers, segments_per_second).await?;
        Ok(Organization { tenant, key, client, provider, account, account_sid, pool })
    }

    /// Another account of an organization, with numbers in its pool. Returns its resource name.
    pub async fn further_account(
        &self,
        organization: &Organization,
        options: OrganizationOptions,
    ) -> Result<String> {
        let OrganizationOptions { provider, numbers, segments_per_second, .. } = options;
        let (account, _) = self.account(&organization.tenant, provider, &numbers).await?;
        let pool = &organization.pool;
        organization.client.create_numbers(pool, &account, &numbers, segments_per_second).await?;
        Ok(account)
    }

    /// An account of a tenant at the simulator that owns these numbers: its resource name, and what the simulator calls it.
    async fn account(
        &self,
        tenant: &str,
        provider: Provider,
        numbers: &[String],
    ) -> Result<(String, String)> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let operator = &self.operator;
        let mut spec = account_spec(provider, tenant, NEXT.fetch_add(1, Ordering::Relaxed))?;
        let opened = self.simulator.open_account(&spec).await?;
        let fields = rules_of(provider)?.account_fields();
        let given = |field: Option<&str>, value: String| field.map_or_else(String::new, |_| value);
        let account = ProviderAccount {
            display_name: "Simulated".to_owned(),
            provider: provider.into(),
            account_sid: given(fields.account_sid, opened.account_sid),
            api_user: spec.api_user.clone(),
            application_id: spec.application_id.clone(),
            api_secret: opened.api_secret,
            webhook_key: given(fields.webhook_key, opened.webhook_key),
            base_url: self.simulator.url(),
            ..ProviderAccount::default()
        };
        let account = operator.create_account(tenant, account).await?;
        spec.inbound_url = Some(account.inbound_webhook_url);
        spec.status_url = Some(account.status_webhook_url);
        spec.numbers = Some(numbers.to_vec());
        self.simulator.open_account(&spec).await?;
        Ok((account.name, spec.account_sid))
    }
}

/// The provider as the rules know it.
fn rules_of(provider: Provider) -> Result<muster_domain::provider::Provider> {
    let code = i16::try_from(i32::from(provider))?;
    muster_domain::provider::Provider::from_code(code).context("a provider")
}

/// An account named after a number of its own and the tenant: `AC` and its id, as a Twilio SID looks.
fn account_spec(provider: Provider, tenant: &str, number: u32) -> Result<AccountSpec> {
    let tenant: String = tenant.chars().filter(char::is_ascii_hexdigit).rev().take(24).collect();
    let id = format!("{number:08x}{tenant:0>24}");
    let provider = rules_of(provider)?;
    let fields = provider.account_fields();
    let named = |field: Option<&str>, name: &str| field.map_or_else(String::new, |_| format!("{name}-{id}"));
    Ok(AccountSpec {
        provider: provider.name().to_owned(),
        account_sid: format!("AC{id}"),
        api_user: named(fields.api_user, "user"),
        application_id: named(fields.application_id, "application"),
        api_secret: format!("secret-of-{id}"),
        ..AccountSpec::default()
    })
}

impl Organization {
    /// Makes a list of the contacts in a CSV file. Returns the list's name and what the import did.
    pub async fn list(&self, display_name: &str, file: &[u8]) -> Result<(String, ImportContactsResponse)> {
        let list = self.client.create_list(&self.tenant, display_name).await?;
        let imported = self.client.import(&list, file).await?;
        Ok((list, imported))
    }

    /// A campaign over a list, in draft. Returns its name.
    pub async fn draft(&self, mode: CampaignMode, list: &str, template: &str) -> Result<String> {
        let draft = Draft {
            tenant: self.tenant.clone(),
            list: list.to_owned(),
            pool: self.pool.clone(),
            mode,
            template: template.to_owned(),
            media_urls: Vec::new(),
        };
        Ok(self.client.create_campaign(draft).await?.name)
    }
}
