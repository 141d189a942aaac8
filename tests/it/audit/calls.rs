//! One example call of each rpc that changes something, and what the audit log must tell of it.

mod creation;
mod roles;
mod routes;

use std::cell::RefCell;

use anyhow::{Context, Result, bail};
use muster_proto::v1::{
    AcceptInvitationRequest, ApiKey, BatchCreatePhoneNumbersRequest, CampaignMode, CreateInvitationResponse,
    CreateNumberPoolRequest, CreatePhoneNumberRequest, DeleteApiKeyRequest, DeleteInvitationRequest,
    DeleteMemberRequest, GetCallerRequest, Member, NumberPool, PhoneNumber, Provider, ProviderAccount, Role,
    RotateApiKeyRequest, Route, Tenant, UpdateMemberRequest, UpdateProviderAccountRequest,
};
use muster_tests::stack::{Organization, OrganizationOptions};
use muster_tests::{Client, Stack, contacts, wait};
use serde_json::{Value, json};

use self::creation::{create_key, create_role, inbound_token, invite, join};
use self::routes::{further_account, route};
use crate::scene::{TEMPLATE, WITHIN};

/// What the audit log must tell of a call.
pub(super) struct Told {
    /// In whose log it is.
    pub(super) tenant: String,
    pub(super) caller: String,
    pub(super) resource: String,
    /// What must be among what was there before; null for nothing at all.
    pub(super) before: Value,
    pub(super) after: Value,
}

/// An organization with something for every call, so that each is a single one.
pub(super) struct World {
    pub(super) organization: Organization,
    operator: Client,
    caller: String,
    list: String,
    draft: String,
    running: String,
    paused: String,
    canceled: String,
    message: String,
    key: ApiKey,
    invited: [CreateInvitationResponse; 2],
    members: [Member; 2],
    roles: [Role; 2],
    routes: [Route; 2],
    /// An account without a route.
    account: String,
    secrets: RefCell<Vec<String>>,
}

impl World {
    pub(super) async fn new(stack: &Stack) -> Result<Self> {
        let organization = stack.organization(OrganizationOptions::of(Provider::Twilio)).await?;
        let (client, tenant) = (&organization.client, &organization.tenant);
        let (list, _) = organization.list("Voters", &contacts::tidy(1, 5).bytes).await?;
        let draft = async || organization.draft(CampaignMode::Click, &list, TEMPLATE).await;
        let (running, paused) = (draft().await?, draft().await?);
        client.start(&running).await?;
        client.start(&paused).await?;
        client.pause(&paused).await?;
        let claimed = async || Ok(client.claim_contacts(&running, "", 1).await?.pop());
        let message = wait::until("a message to claim", WITHIN, claimed).await?.name;
        let (chosen, gone) = (join(client, tenant, 1).await?, join(client, tenant, 2).await?);
        let caller = client.access().get_caller(GetCallerRequest {}).await?.into_inner().caller;
        let (key, secret) = create_key(client, tenant).await?;
        let invited = [invite(client, tenant, 3).await?, invite(client, tenant, 4).await?];
        let others = [further_account(client, tenant).await?, further_account(client, tenant).await?];
        let mut secrets = vec![organization.key.clone(), secret, chosen.1, gone.1];
        secrets.extend(invited.iter().map(|invited| invited.token.clone()));
        secrets.extend(inbound_token(client, &organization.account).await?);
        secrets.push(format!("secret-of-{}", organization.account_sid.trim_start_matches("AC")));
        Ok(Self {
            draft: draft().await?,
            canceled: draft().await?,
            routes: [route(client, &organization.account).await?, route(client, &others[0]).await?],
            account: others[1].clone(),
            roles: [create_role(client, tenant).await?, create_role(client, tenant).await?],
            operator: stack.operator.clone(),
            members: [chosen.0, gone.0],
            secrets: RefCell::new(secrets),
            caller,
            list,
            running,
            paused,
            message,
            key,
            invited,
            organization,
        })
    }

    /// What must not be in the log: every secret and token that was shown or given.
    pub(super) fn canaries(&self) -> Vec<String> {
        self.secrets.borrow().clone()
    }

    fn secret(&self, secret: String) {
        self.secrets.borrow_mut().push(secret);
    }

    /// The owner of the organization did something to `resource`.
    fn told(&self, resource: &str, before: Value, after: Value) -> Told {
        let (tenant, caller) = (self.organization.tenant.clone(), self.caller.clone());
        Told { tenant, caller, resource: resource.to_owned(), before, after }
    }

    /// Calls `method` once.
    pub(super) async fn call(&self, method: &str) -> Result<Told> {
        let (service, rpc) = method.split_once('/').context("a method")?;
        match service {
            "ApiKeyService" => self.api_keys(rpc).await,
            "CampaignService" => self.campaigns(rpc).await,
            "ContactListService" => self.contact_lists(rpc).await,
            "MemberService" => self.members(rpc).await,
            "NumberService" => self.numbers(rpc).await,
            "ProviderAccountService" => self.provider_accounts(rpc).await,
            "RoleService" => self.roles(rpc).await,
            "RouteService" => self.routes(rpc).await,
            "TenantService" => self.tenants(rpc).await,
            "TextingService" => self.texting(rpc).await,
            _ => no_example(rpc),
        }
    }

    async fn api_keys(&self, rpc: &str) -> Result<Told> {
        let (client, key) = (&self.organization.client, &self.key);
        match rpc {
            "CreateApiKey" => {
                let (key, secret) = create_key(client, &self.organization.tenant).await?;
                self.secret(secret);
                let after = json!({"name": key.name, "role": "roles/viewer", "hint": key.hint});
                Ok(self.told(&key.name, Value::Null, after))
            }
            "RotateApiKey" => {
                let request = RotateApiKeyRequest { name: key.name.clone(), overlap_seconds: 0 };
                let rotated = client.api_keys().rotate_api_key(request).await?.into_inner();
                self.secret(rotated.secret);
                let hint = rotated.api_key.context("a key")?.hint;
                Ok(self.told(&key.name, json!({"hint": key.hint}), json!({"hint": hint})))
            }
            "DeleteApiKey" => {
                let request = DeleteApiKeyRequest { name: key.name.clone() };
                client.api_keys().delete_api_key(request).await?;
                Ok(self.told(&key.name, json!({"name": key.name}), Value::Null))
            }
            _ => no_example(rpc),
        }
    }

    async fn campaigns(&self, rpc: &str) -> Result<Told> {
        let client = &self.organization.client;
        let state = |state: &str| json!({"state": format!("CAMPAIGN_STATE_{state}")});
        let moved = |name: &str, from, to| Ok(self.told(name, state(from), state(to)));
        match rpc {
            "CreateCampaign" => {
                let name = self.organization.draft(CampaignMode::Click, &self.list, TEMPLATE).await?;
                let after = json!({"name": name, "template": TEMPLATE, "contactList": self.list});
                Ok(self.told(&name, Value::Null, after))
            }
            "StartCampaign" => {
                client.start(&self.draft).await?;
                moved(&self.draft, "DRAFT", "RUNNING")
            }
            "PauseCampaign" => {
                client.pause(&self.draft).await?;
                moved(&self.draft, "RUNNING", "PAUSED")
            }
            "ResumeCampaign" => {
                client.resume(&self.paused).await?;
                moved(&self.paused, "PAUSED", "RUNNING")
            }
            "CancelCampaign" => {
                client.cancel(&self.canceled).await?;
                moved(&self.canceled, "DRAFT", "CANCELED")
            }
            _ => no_example(rpc),
        }
    }

    async fn contact_lists(&self, rpc: &str) -> Result<Told> {
        let client = &self.organization.client;
        match rpc {
            "CreateContactList" => {
                let name = client.create_list(&self.organization.tenant, "Donors").await?;
                Ok(self.told(&name, Value::Null, json!({"name": name, "displayName": "Donors"})))
            }
            "ImportContacts" => {
                client.import(&self.list, b"phone\n2125552368\nnone\n").await?;
                let after = json!({"rowCount": "2", "importedCount": "1", "rejectedCount": "1"});
                Ok(self.told(&self.list, Value::Null, after))
            }
            _ => no_example(rpc),
        }
    }

    async fn members(&self, rpc: &str) -> Result<Told> {
        let (client, [first, second], [chosen, gone]) =
            (&self.organization.client, &self.invited, &self.members);
        let name = |invited: &CreateInvitationResponse| {
            invited.invitation.as_ref().map(|invitation| invitation.name.clone()).context("an invitation")
        };
        match rpc {
            "CreateInvitation" => {
                let invited = invite(client, &self.organization.tenant, 5).await?;
                self.secret(invited.token.clone());
                let name = name(&invited)?;
                Ok(self.told(&name, Value::Null, json!({"name": name, "email": "person5@example.org"})))
            }
            "DeleteInvitation" => {
                let name = name(first)?;
                client.members().delete_invitation(DeleteInvitationRequest { name: name.clone() }).await?;
                Ok(self.told(&name, json!({"name": name}), Value::Null))
            }
            "AcceptInvitation" => {
                let (token, display_name) = (second.token.clone(), "Amina".to_owned());
                let request = AcceptInvitationRequest { token, display_name };
                let nobody = client.without_key();
                let joined = nobody.members().accept_invitation(request).await?.into_inner();
                self.secret(joined.secret);
                let member = joined.member.context("a member")?.name;
                let after = json!({"name": member, "displayName": "Amina"});
                let told = self.told(&member, json!({"name": name(second)?}), after);
                Ok(Told { caller: member, ..told })
            }
            "UpdateMember" => {
                let member =
                    Member { name: chosen.name.clone(), display_name: "Bo".to_owned(), ..Member::default() };
                let request = UpdateMemberRequest { member: Some(member), update_mask: None };
                client.members().update_member(request).await?;
                let before = json!({"displayName": chosen.display_name, "role": chosen.role});
                Ok(self.told(&chosen.name, before, json!({"displayName": "Bo", "role": chosen.role})))
            }
            "DeleteMember" => {
                client.members().delete_member(DeleteMemberRequest { name: gone.name.clone() }).await?;
                Ok(self.told(&gone.name, json!({"email": gone.email}), Value::Null))
            }
            _ => no_example(rpc),
        }
    }

    async fn numbers(&self, rpc: &str) -> Result<Told> {
        let (client, parent) = (&self.organization.client, self.organization.tenant.clone());
        let number = |phone_number: &str| CreatePhoneNumberRequest {
            parent: parent.clone(),
            phone_number: Some(PhoneNumber {
                phone_number: phone_number.to_owned(),
                number_pool: self.organization.pool.clone(),
                provider_account: self.organization.account.clone(),
                ..PhoneNumber::default()
            }),
        };
        match rpc {
            "CreateNumberPool" => {
                let pool = NumberPool { display_name: "Second".to_owned(), ..NumberPool::default() };
                let request = CreateNumberPoolRequest { parent, number_pool: Some(pool) };
                let name = client.numbers().create_number_pool(request).await?.into_inner().name;
                Ok(self.told(&name, Value::Null, json!({"displayName": "Second"})))
            }
            "CreatePhoneNumber" => {
                let answer = client.numbers().create_phone_number(number("+19175550101")).await?;
                let after = json!({"phoneNumber": "+19175550101", "numberPool": self.organization.pool});
                Ok(self.told(&answer.into_inner().name, Value::Null, after))
            }
            "BatchCreatePhoneNumbers" => {
                let requests = vec![number("+19175550102")];
                let request = BatchCreatePhoneNumbersRequest { parent: parent.clone(), requests };
                let answer = client.numbers().batch_create_phone_numbers(request).await?.into_inner();
                let number = json!({
                    "name": answer.phone_numbers.first().context("a number")?.name,
                    "phoneNumber": "+19175550102",
                    "numberPool": self.organization.pool,
                    "providerAccount": self.organization.account,
                    "type": "NUMBER_TYPE_LOCAL",
                    "segmentsPerSecond": 1.0,
                });
                Ok(self.told(&parent, Value::Null, json!({"phoneNumbers": [number]})))
            }
            _ => no_example(rpc),
        }
    }

    async fn provider_accounts(&self, rpc: &str) -> Result<Told> {
        let (client, account) = (&self.organization.client, &self.organization.account);
        let secret = |secret: &str| {
            self.secret(secret.to_owned());
            secret.to_owned()
        };
        match rpc {
            "CreateProviderAccount" => {
                let wanted = ProviderAccount {
                    display_name: "Telnyx".to_owned(),
                    provider: Provider::Telnyx.into(),
                    api_secret: secret("canary-api-secret-1"),
                    webhook_key: secret("canary-webhook-key-1"),
                    ..ProviderAccount::default()
                };
                let name = client.create_account(&self.organization.tenant, wanted).await?.name;
                let token = inbound_token(client, &name).await?;
                self.secrets.borrow_mut().extend(token);
                let after = json!({"name": name, "provider": "PROVIDER_TELNYX", "displayName": "Telnyx"});
                Ok(self.told(&name, Value::Null, after))
            }
            "UpdateProviderAccount" => {
                let wanted = ProviderAccount {
                    name: account.clone(),
                    display_name: "Main".to_owned(),
                    api_secret: secret("canary-api-secret-2"),
                    second_webhook_key: secret("canary-webhook-key-2"),
                    ..ProviderAccount::default()
                };
                let request =
                    UpdateProviderAccountRequest { provider_account: Some(wanted), update_mask: None };
                client.provider_accounts().update_provider_account(request).await?;
                let before = json!({"displayName": "Simulated"});
                Ok(self.told(account, before, json!({"displayName": "Main", "hasSecondKey": true})))
            }
            _ => no_example(rpc),
        }
    }

    async fn tenants(&self, rpc: &str) -> Result<Told> {
        match rpc {
            "CreateTenant" => {
                let tenant = self.operator.create_tenant("Another").await?.name;
                let after = json!({"name": tenant, "displayName": "Another", "broadcastAllowed": true});
                let told = self.told(&tenant, Value::Null, after);
                Ok(Told { caller: "operator".to_owned(), tenant, ..told })
            }
            "UpdateTenant" => {
                let name = self.organization.tenant.clone();
                let renamed =
                    Tenant { name: name.clone(), display_name: "Renamed".to_owned(), ..Tenant::default() };
                self.organization.client.update_tenant(renamed, &["display_name"]).await?;
                Ok(self.told(&name, json!({"name": name}), json!({"displayName": "Renamed"})))
            }
            _ => self.tenants_life(rpc).await,
        }
    }

    /// The operator's verbs, from one to the next and back.
    async fn tenants_life(&self, rpc: &str) -> Result<Told> {
        let (operator, name) = (&self.operator, &self.organization.tenant);
        let (from, to) = match rpc {
            "SuspendTenant" => {
                operator.suspend_tenant(name, "unpaid").await.map(|_| ("ACTIVE", "SUSPENDED"))?
            }
            "ResumeTenant" => operator.resume_tenant(name).await.map(|_| ("SUSPENDED", "ACTIVE"))?,
            "DeleteTenant" => operator.delete_tenant(name, "").await.map(|_| ("ACTIVE", "DELETED"))?,
            "UndeleteTenant" => operator.undelete_tenant(name).await.map(|_| ("DELETED", "ACTIVE"))?,
            _ => return no_example(rpc),
        };
        let state = |state: &str| json!({"state": format!("TENANT_STATE_{state}")});
        Ok(Told { caller: "operator".to_owned(), ..self.told(name, state(from), state(to)) })
    }

    async fn texting(&self, rpc: &str) -> Result<Told> {
        let (client, message) = (&self.organization.client, &self.message);
        match rpc {
            "ClaimContacts" => {
                let mut messages = client.claim_contacts(&self.running, "", 3).await?;
                let names: Vec<Value> = messages
                    .drain(..)
                    .map(|taken| json!({"name": taken.name, "status": "MESSAGE_STATUS_CREATED"}))
                    .collect();
                Ok(self.told(&self.running, Value::Null, json!({"messages": names})))
            }
            "SendMessage" => {
                client.send(message, "", "").await?;
                let status =
                    |status: &str| json!({"name": message, "status": format!("MESSAGE_STATUS_{status}")});
                Ok(self.told(message, status("CREATED"), status("QUEUED")))
            }
            _ => no_example(rpc),
        }
    }
}

fn no_example<T>(rpc: &str) -> Result<T> {
    bail!("{rpc} changes something: give it an example call here")
}
