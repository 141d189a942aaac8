//! A tenant with a resource of each kind that the table knows.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use muster_domain::permission::Permission;
use muster_proto::v1::{
    ApiKey, CampaignMode, CreateInvitationRequest, Invitation, ListPhoneNumbersRequest, MediaState, Provider,
    Reply, ReplyMedia, Route,
};
use muster_provider_sim::control::InboundSpec;
use muster_runtime::access::table::TABLE;
use muster_tests::stack::Organization;
use muster_tests::{Stack, wait};
use uuid::Uuid;

use super::people::{Person, key, known, own_role};
use crate::scene::{self, TEMPLATE, WITHIN};

/// A tenant, everybody in it, and the name of a resource of each form.
pub(super) struct World {
    pub(super) tenant: String,
    pub(super) people: Vec<Person>,
    resources: BTreeMap<&'static str, String>,
}

impl World {
    pub(super) async fn create(stack: &Stack, provider: Provider) -> Result<Self> {
        let (organization, list) = scene::organization(stack, provider, 3).await?;
        let campaign = organization.draft(CampaignMode::Click, &list, TEMPLATE).await?;
        let people = known(stack, &organization.tenant).await?;
        let made = Made { stack, organization: &organization, list, campaign };
        let mut resources = BTreeMap::new();
        for named in TABLE.iter().flat_map(|rule| rule.about.iter().chain(rule.refers_to)) {
            if !resources.contains_key(named.pattern) {
                resources.insert(named.pattern, made.resource(named.pattern).await?);
            }
        }
        Ok(Self { tenant: organization.tenant.clone(), people, resources })
    }

    /// The resource of this form.
    pub(super) fn of(&self, pattern: &str) -> String {
        self.resources.get(pattern).cloned().unwrap_or_default()
    }
}

/// What is there before the rest.
struct Made<'a> {
    stack: &'a Stack,
    organization: &'a Organization,
    list: String,
    campaign: String,
}

impl Made<'_> {
    async fn resource(&self, pattern: &str) -> Result<String> {
        let Organization { tenant, account, pool, client, .. } = self.organization;
        let operator = &self.stack.operator;
        Ok(match pattern {
            "tenants/*" => tenant.clone(),
            "tenants/*/contactLists/*" => self.list.clone(),
            "tenants/*/providerAccounts/*" => account.clone(),
            "tenants/*/routes/*" => {
                let route = Route { provider_account: account.clone(), ..Route::default() };
                client.create_route(tenant, route).await?.name
            }
            "tenants/*/numberPools/*" => pool.clone(),
            "tenants/*/campaigns/*" => self.campaign.clone(),
            "tenants/*/messages/*" => self.message().await?,
            "tenants/*/phoneNumbers/*" => {
                let (parent, number_pool) = (tenant.clone(), pool.clone());
                let request = ListPhoneNumbersRequest { parent, number_pool, ..Default::default() };
                let numbers = client.numbers().list_phone_numbers(request).await?.into_inner();
                numbers.phone_numbers.into_iter().next().context("a number")?.name
            }
            // Each may do no more than what is needed to change it, so that whoever may change it is not kept from it.
            "tenants/*/apiKeys/*" => {
                let role = own_role(operator, tenant, &[Permission::ApiKeysWrite]).await?;
                key(operator, tenant, ApiKey { role, ..ApiKey::default() }).await?.0
            }
            "tenants/*/roles/*" => own_role(operator, tenant, &[Permission::RolesWrite]).await?,
            "tenants/*/members/*" => {
                let role = own_role(operator, tenant, &[Permission::MembersWrite]).await?;
                operator.join(tenant, "somebody@example.org", &role).await?.0.name
            }
            "tenants/*/invitations/*" => {
                let role = own_role(operator, tenant, &[Permission::MembersWrite]).await?;
                let email = "invited@example.org".to_owned();
                let invitation = Some(Invitation { email, role, ..Invitation::default() });
                let request = CreateInvitationRequest { parent: tenant.clone(), invitation };
                let invited = operator.members().create_invitation(request).await?.into_inner();
                invited.invitation.context("an invitation")?.name
            }
            "tenants/*/conversations/*" => self.reply().await?.conversation,
            "tenants/*/replies/*/media/*" => {
                self.reply().await?.media.into_iter().next().context("a medium")?.name
            }
            other => bail!("say in tests/it/access/resources.rs how to make a resource named {other}"),
        })
    }

    /// A reply with a picture, which is stored.
    async fn reply(&self) -> Result<Reply> {
        let Organization { tenant, pool, client, .. } = self.organization;
        let (parent, number_pool) = (tenant.clone(), pool.clone());
        let request = ListPhoneNumbersRequest { parent, number_pool, ..Default::default() };
        let numbers = client.numbers().list_phone_numbers(request).await?.into_inner().phone_numbers;
        let to = numbers.into_iter().next().context("a number")?.phone_number;
        let media = vec!["/picture.png".to_owned()];
        let from = "+12025550123".to_owned();
        let spec = InboundSpec { from, to, media, times: 1, ..InboundSpec::default() };
        self.stack.simulator.inbound(&spec).await?;
        let stored = async || {
            let mut replies = client.list_replies(tenant).await?.into_iter();
            let is_stored = |medium: &ReplyMedia| medium.state() == MediaState::Stored;
            Ok(replies.find(|reply| reply.media.iter().any(is_stored)))
        };
        wait::until("a picture to be stored", WITHIN, stored).await
    }

    /// A message of the campaign, which runs.
    async fn message(&self) -> Result<String> {
        let Organization { tenant, client, .. } = self.organization;
        client.start(&self.campaign).await?;
        let planned = async || {
            let messages = client.list_messages(tenant, &self.campaign).await?;
            Ok(messages.into_iter().next().map(|message| message.name))
        };
        wait::until("a message", WITHIN, planned).await
    }
}

/// A name of this form that nothing has, below `tenant` where it is below a tenant.
pub(super) fn nobodys(pattern: &str, tenant: &str) -> String {
    with_id(pattern, tenant, &Uuid::from_u128(7).to_string())
}

/// The name of this form with the tenant of one name and the id of another.
pub(super) fn with_id(pattern: &str, tenant: &str, id: &str) -> String {
    match pattern.strip_prefix("tenants/*/").and_then(|rest| rest.strip_suffix('*')) {
        Some(kind) => format!("{tenant}/{}{id}", kind.replace('*', id)),
        None => format!("tenants/{id}"),
    }
}
