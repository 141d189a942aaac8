//! Everything that is there before a campaign: tenants, keys, accounts, pools and numbers.

use anyhow::{Context, Result};
use muster_proto::v1::{
    AcceptInvitationRequest, AcceptInvitationResponse, ApiKey, BatchCreatePhoneNumbersRequest, Campaign,
    CreateApiKeyRequest, CreateInvitationRequest, CreateNumberPoolRequest, CreatePhoneNumberRequest,
    CreateProviderAccountRequest, CreateRouteRequest, CreateTenantRequest, GetProviderAccountRequest,
    Invitation, ListCampaignsRequest, ListTenantsRequest, Member, NumberPool, PhoneNumber, ProviderAccount,
    Route, Tenant, UpdateProviderAccountRequest,
};

use super::{Client, PAGE_SIZE, all_pages};
use crate::canaries::{plant_numbers, plant_secret};

/// Numbers in one call at most.
const BATCH_MAX: usize = 1_000;

impl Client {
    /// Creates a tenant that may broadcast. Only an operator can.
    pub async fn create_tenant(&self, display_name: &str) -> Result<Tenant> {
        let tenant =
            Tenant { display_name: display_name.to_owned(), broadcast_allowed: true, ..Tenant::default() };
        let request = CreateTenantRequest { tenant: Some(tenant) };
        Ok(self.tenants().create_tenant(request).await.context("create a tenant")?.into_inner())
    }

    /// Creates an API key with a role, such as `roles/owner`. Returns its secret.
    pub async fn create_key(&self, tenant: &str, role: &str) -> Result<String> {
        let key = ApiKey { display_name: "Key".to_owned(), role: role.to_owned(), ..ApiKey::default() };
        let request = CreateApiKeyRequest { parent: tenant.to_owned(), api_key: Some(key) };
        Ok(self.api_keys().create_api_key(request).await.context("create a key")?.into_inner().secret)
    }

    /// Invites somebody and accepts in their place. Returns the member and the secret of their personal key.
    pub async fn join(&self, tenant: &str, email: &str, role: &str) -> Result<(Member, String)> {
        let invitation =
            Invitation { email: email.to_owned(), role: role.to_owned(), ..Invitation::default() };
        let request = CreateInvitationRequest { parent: tenant.to_owned(), invitation: Some(invitation) };
        let invited = self.members().create_invitation(request).await.context("invite")?.into_inner();
        plant_secret(&invited.token);
        let request = AcceptInvitationRequest { token: invited.token, display_name: email.to_owned() };
        let joined = self.without_key().members().accept_invitation(request).await.context("accept")?;
        let AcceptInvitationResponse { member, secret } = joined.into_inner();
        Ok((member.context("no member in the answer")?, secret))
    }

    /// Creates a provider account. Only an operator can give it a base URL.
    pub async fn create_account(&self, tenant: &str, account: ProviderAccount) -> Result<ProviderAccount> {
        plant_secret(&account.api_secret);
        let request =
            CreateProviderAccountRequest { parent: tenant.to_owned(), provider_account: Some(account) };
        let answer = self.provider_accounts().create_provider_account(request).await;
        Ok(answer.context("create a provider account")?.into_inner())
    }

    /// A provider account.
    pub async fn account(&self, name: &str) -> Result<ProviderAccount> {
        let request = GetProviderAccountRequest { name: name.to_owned() };
        let answer = self.provider_accounts().get_provider_account(request).await;
        Ok(answer.context("get a provider account")?.into_inner())
    }

    /// Changes those fields of a provider account that are not empty.
    pub async fn update_account(&self, account: ProviderAccount) -> Result<ProviderAccount> {
        let request = UpdateProviderAccountRequest { provider_account: Some(account), update_mask: None };
        let answer = self.provider_accounts().update_provider_account(request).await;
        Ok(answer.context("update a provider account")?.into_inner())
    }

    /// Creates a pool and puts numbers into it. Returns the pool's name.
    pub async fn create_pool(
        &self,
        tenant: &str,
        account: &str,
        numbers: &[String],
        segments_per_second: f64,
    ) -> Result<String> {
        let pool = NumberPool { display_name: "Pool".to_owned(), ..NumberPool::default() };
        let request = CreateNumberPoolRequest { parent: tenant.to_owned(), number_pool: Some(pool) };
        let pool =
            self.numbers().create_number_pool(request).await.context("create a pool")?.into_inner().name;
        self.create_numbers(&pool, account, numbers, segments_per_second).await?;
        Ok(pool)
    }

    /// Puts numbers of an account into a pool.
    pub async fn create_numbers(
        &self,
        pool: &str,
        account: &str,
        numbers: &[String],
        segments_per_second: f64,
    ) -> Result<()> {
        let tenant = pool.split("/numberPools/").next().unwrap_or_default();
        let number = |phone_number: &String| CreatePhoneNumberRequest {
            parent: String::new(),
            phone_number: Some(PhoneNumber {
                phone_number: phone_number.clone(),
                number_pool: pool.to_owned(),
                provider_account: account.to_owned(),
                segments_per_second,
                ..PhoneNumber::default()
            }),
        };
        plant_numbers(&numbers.join(" "));
        for batch in numbers.chunks(BATCH_MAX) {
            let requests = batch.iter().map(number).collect();
            let request = BatchCreatePhoneNumbersRequest { parent: tenant.to_owned(), requests };
            self.numbers().batch_create_phone_numbers(request).await.context("create numbers")?;
        }
        Ok(())
    }

    /// Creates a route.
    pub async fn create_route(&self, tenant: &str, route: Route) -> Result<Route> {
        let request = CreateRouteRequest { parent: tenant.to_owned(), route: Some(route) };
        Ok(self.routes().create_route(request).await.context("create a route")?.into_inner())
    }

    /// All tenants, deleted ones too. Only an operator can see them.
    pub async fn list_tenants(&self) -> Result<Vec<Tenant>> {
        all_pages(async |page_token| {
            let request = ListTenantsRequest { page_size: PAGE_SIZE, page_token, show_deleted: true };
            let page = self.tenants().list_tenants(request).await.context("list tenants")?.into_inner();
            Ok((page.tenants, page.next_page_token))
        })
        .await
    }

    /// All campaigns of a tenant.
    pub async fn list_campaigns(&self, tenant: &str) -> Result<Vec<Campaign>> {
        all_pages(async |page_token| {
            let request =
                ListCampaignsRequest { parent: tenant.to_owned(), page_size: PAGE_SIZE, page_token };
            let page = self.campaigns().list_campaigns(request).await.context("list campaigns")?.into_inner();
            Ok((page.campaigns, page.next_page_token))
        })
        .await
    }
}
