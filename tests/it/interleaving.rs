//! Tenants share the connections of a pool, and nothing else.

use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, ensure};
use futures::StreamExt as _;
use muster_domain::permission::Permission;
use muster_proto::v1::{
    ContactList, GetContactListRequest, ListContactListsRequest, ListRolesRequest, Provider,
};
use muster_tests::stack::{Organization, OrganizationOptions};
use muster_tests::{Stack, StackOptions};

use crate::access::people::own_role;
use crate::scene;

/// Calls of both tenants together.
const CALLS: usize = 1_000;
/// Calls at once.
const AT_ONCE: usize = 50;
/// Connections that they share.
const CONNECTIONS: usize = 4;

/// A tenant that knows what is its own.
struct Own {
    organization: Organization,
    /// A list that is there from the start.
    first: String,
    lists: AtomicUsize,
    roles: AtomicUsize,
}

impl Own {
    async fn create(stack: &Stack, provider: Provider) -> Result<Self> {
        let organization = stack.organization(OrganizationOptions::of(provider)).await?;
        let first = organization.client.create_list(&organization.tenant, &organization.tenant).await?;
        Ok(Self { organization, first, lists: AtomicUsize::new(1), roles: AtomicUsize::new(0) })
    }

    /// Fails for a name or a display name of somebody else.
    fn own(&self, name: &str, display_name: &str) -> Result<()> {
        let tenant = &self.organization.tenant;
        ensure!(name.starts_with(tenant.as_str()), "{name} was shown to {tenant}");
        ensure!(display_name == tenant, "what belongs to {display_name} was shown to {tenant}");
        Ok(())
    }

    async fn lists(&self) -> Result<Vec<ContactList>> {
        let parent = self.organization.tenant.clone();
        let request = ListContactListsRequest { parent, page_size: 1_000, ..Default::default() };
        let lists = self.organization.client.contact_lists().list_contact_lists(request).await?.into_inner();
        lists.contact_lists.iter().try_for_each(|list| self.own(&list.name, &list.display_name))?;
        Ok(lists.contact_lists)
    }

    /// How many roles of its own the tenant is shown.
    async fn roles(&self) -> Result<usize> {
        let parent = self.organization.tenant.clone();
        let request = ListRolesRequest { parent, page_size: 1_000, ..Default::default() };
        let roles = self.organization.client.roles().list_roles(request).await?.into_inner().roles;
        let own: Vec<_> = roles.iter().filter(|role| role.create_time.is_some()).collect();
        own.iter().try_for_each(|role| self.own(&role.name, &self.organization.tenant))?;
        Ok(own.len())
    }

    /// One of a few calls: some write, most read, and each answer holds only what is this tenant's.
    async fn call(&self, number: usize) -> Result<()> {
        let Organization { tenant, client, account, .. } = &self.organization;
        match number % 7 {
            0 | 1 => {
                let name = client.create_list(tenant, tenant).await?;
                self.own(&name, tenant)?;
                self.lists.fetch_add(1, Ordering::Relaxed);
            }
            2 => {
                let role = own_role(client, tenant, &[Permission::TenantRead]).await?;
                self.own(&role, tenant)?;
                self.roles.fetch_add(1, Ordering::Relaxed);
            }
            3 => {
                let before = self.lists.load(Ordering::Relaxed);
                let shown = self.lists().await?.len();
                ensure!(shown >= before, "{shown} of {before} lists of {tenant} were shown");
            }
            4 => {
                let request = GetContactListRequest { name: self.first.clone() };
                let list = client.contact_lists().get_contact_list(request).await?.into_inner();
                self.own(&list.name, &list.display_name)?;
            }
            5 => {
                self.roles().await?;
            }
            _ => {
                let request = muster_proto::v1::GetProviderAccountRequest { name: account.clone() };
                let account = client.provider_accounts().get_provider_account(request).await?.into_inner();
                self.own(&account.name, tenant)?;
            }
        }
        Ok(())
    }
}

#[tokio::test]
async fn no_row_crosses_between_tenants_that_share_connections() -> Result<()> {
    let options =
        StackOptions { pool_size: CONNECTIONS, behaviour: scene::quick(), ..StackOptions::default() };
    let stack = Stack::start(options).await?;
    let tenants =
        [Own::create(&stack, Provider::Twilio).await?, Own::create(&stack, Provider::Telnyx).await?];
    let calls = (0..CALLS).map(|number| {
        let tenant = &tenants[number % 2];
        async move { tenant.call(number / 2).await.with_context(|| format!("call {number}")) }
    });
    let answers: Vec<Result<()>> = futures::stream::iter(calls).buffer_unordered(AT_ONCE).collect().await;
    let wrong: Vec<String> =
        answers.iter().filter_map(|answer| answer.as_ref().err()).map(|error| format!("{error:#}")).collect();
    ensure!(wrong.is_empty(), "{} of {CALLS} calls went wrong: {:?}", wrong.len(), wrong.first());
    for tenant in &tenants {
        let made = (tenant.lists.load(Ordering::Relaxed), tenant.roles.load(Ordering::Relaxed));
        let shown = (tenant.lists().await?.len(), tenant.roles().await?);
        ensure!(shown == made && made.0 > CALLS / 8, "{shown:?} are shown, {made:?} were made");
    }
    Ok(())
}
