//! A tenant's life: suspended, resumed, deleted, undeleted and purged; and what of it is whose to change.

use anyhow::{Context, Result, ensure};
use muster_proto::v1::{
    CampaignMode, IdentityProvider, MessageStatus, Provider, Tenant, TenantQuotas, TenantSettings,
    TenantState,
};
use muster_provider_sim::behaviour::Behaviour;
use muster_provider_sim::control::InboundSpec;
use muster_tests::client::Draft;
use muster_tests::stack::{Organization, Service};
use muster_tests::{Client, Stack, StackOptions, wait};
use tonic::Code;

use crate::control::{CONTACTS, under_way};
use crate::media::{kept, stored};
use crate::scene::{self, TEMPLATE, WITHIN, refusal, refused};

/// Waits until a key of the tenant is good, or not good any more.
async fn signs_in(client: &Client, tenant: &str, good: bool) -> Result<()> {
    let tried = async || match client.list_campaigns(tenant).await {
        Ok(_) => Ok(good.then_some(())),
        Err(error) => {
            let status = refusal(Err::<(), _>(error))?;
            ensure!(status.code() == Code::PermissionDenied, "{status:?}");
            Ok((!good).then_some(()))
        }
    };
    wait::until("the key to be judged anew", WITHIN, tried).await
}

fn is(tenant: &Tenant, state: TenantState) -> Result<()> {
    ensure!(tenant.state() == state, "{tenant:?}, not {state:?}");
    Ok(())
}

#[tokio::test]
async fn a_tenant_is_suspended_and_goes_on() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let operator = &stack.operator;
    let tenant = operator.create_tenant("Neighbors").await?.name;
    let owner = operator.with_key(&operator.create_key(&tenant, "roles/owner").await?)?;
    signs_in(&owner, &tenant, true).await?;

    refused(owner.suspend_tenant(&tenant, "I can").await, Code::PermissionDenied)?;
    refused(operator.suspend_tenant(&tenant, " ").await, Code::InvalidArgument)?;
    let suspended = operator.suspend_tenant(&tenant, "unpaid").await?;
    is(&suspended, TenantState::Suspended)?;
    ensure!(suspended.suspend_reason == "unpaid" && suspended.suspend_time.is_some(), "{suspended:?}");
    // Who asks again, because the answer was lost, gets the same one.
    ensure!(operator.suspend_tenant(&tenant, "again").await? == suspended);
    signs_in(&owner, &tenant, false).await?;
    operator.create_list(&tenant, "An operator can still act for it").await?;

    let resumed = operator.resume_tenant(&tenant).await?;
    is(&resumed, TenantState::Active)?;
    ensure!(resumed.suspend_reason.is_empty() && resumed.suspend_time.is_none(), "{resumed:?}");
    ensure!(operator.resume_tenant(&tenant).await? == resumed);
    signs_in(&owner, &tenant, true).await
}

#[tokio::test]
async fn a_deleted_tenant_can_be_undeleted_as_it_was() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let operator = &stack.operator;
    let tenant = operator.create_tenant("Neighbors").await?;
    let (name, etag) = (tenant.name, tenant.etag);
    let owner = operator.with_key(&operator.create_key(&name, "roles/owner").await?)?;
    let admin = operator.with_key(&operator.create_key(&name, "roles/admin").await?)?;

    refused(admin.delete_tenant(&name, "").await, Code::PermissionDenied)?;
    refused(owner.delete_tenant(&name, "\"0\"").await, Code::Aborted)?;
    let deleted = owner.delete_tenant(&name, &etag).await?;
    is(&deleted, TenantState::Deleted)?;
    let grace = deleted.purge_time.map(|time| time.seconds).unwrap_or_default()
        - deleted.delete_time.map(|time| time.seconds).unwrap_or_default();
    ensure!(grace == 30 * 24 * 3_600, "{deleted:?}");
    ensure!(operator.delete_tenant(&name, "").await? == deleted);
    signs_in(&owner, &name, false).await?;
    refused(operator.suspend_tenant(&name, "late").await, Code::FailedPrecondition)?;
    refused(operator.resume_tenant(&name).await, Code::FailedPrecondition)?;
    let listed = async |show_deleted| {
        let request = muster_proto::v1::ListTenantsRequest { show_deleted, ..Default::default() };
        let page = operator.tenants().list_tenants(request).await?.into_inner();
        anyhow::Ok(page.tenants.iter().any(|tenant| tenant.name == name))
    };
    ensure!(!listed(false).await? && listed(true).await?);

    is(&operator.undelete_tenant(&name).await?, TenantState::Active)?;
    is(&operator.undelete_tenant(&name).await?, TenantState::Active)?;
    signs_in(&owner, &name, true).await?;
    // To delete and undelete is no way around a suspension.
    operator.suspend_tenant(&name, "unpaid").await?;
    operator.delete_tenant(&name, "").await?;
    let back = operator.undelete_tenant(&name).await?;
    is(&back, TenantState::Suspended)?;
    ensure!(back.suspend_reason == "unpaid" && back.purge_time.is_none(), "{back:?}");
    Ok(())
}

#[tokio::test]
async fn a_tenant_changes_what_is_its_own_and_an_operator_the_rest() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let (organization, list) = scene::organization(&stack, Provider::Twilio, 1).await?;
    let (other, _) = scene::organization(&stack, Provider::Telnyx, 1).await?;
    let (client, operator, name) = (&organization.client, &stack.operator, &organization.tenant);
    let read = client.tenant(name).await?;

    let titled = Tenant { display_name: "Better Neighbors".to_owned(), ..read.clone() };
    let changed = client.update_tenant(titled.clone(), &["display_name"]).await?;
    ensure!(changed.display_name == "Better Neighbors" && changed.etag != read.etag, "{changed:?}");
    refused(client.update_tenant(titled, &["display_name"]).await, Code::Aborted)?;
    // What changes nothing leaves the etag as it is, and may name what is the operator's.
    ensure!(client.update_tenant(changed.clone(), &["*"]).await? == changed);
    refused(client.update_tenant(changed.clone(), &["state"]).await, Code::InvalidArgument)?;

    let bare = Tenant { name: name.clone(), ..Tenant::default() };
    let provider = |audience: &str| {
        Some(IdentityProvider { issuer: "https://id.example.org".to_owned(), audience: audience.to_owned() })
    };
    let quotas = Some(TenantQuotas { members_max: 7, ..TenantQuotas::default() });
    let operators = [
        ("broadcast_allowed", bare.clone()),
        ("quotas", Tenant { quotas, ..bare.clone() }),
        ("identity_provider", Tenant { identity_provider: provider("muster"), ..bare.clone() }),
    ];
    for (field, wanted) in operators {
        let status = refusal(client.update_tenant(wanted.clone(), &[field]).await)?;
        ensure!(status.code() == Code::PermissionDenied && status.message().contains(field), "{status:?}");
        operator.update_tenant(wanted, &[field]).await?;
    }
    let now = client.tenant(name).await?;
    ensure!(now.quotas == quotas && now.identity_provider == provider("muster") && !now.broadcast_allowed);
    let more = Some(TenantQuotas { api_keys_max: 9, members_max: 1, ..TenantQuotas::default() });
    let now =
        operator.update_tenant(Tenant { quotas: more, ..bare.clone() }, &["quotas.api_keys_max"]).await?;
    ensure!(now.quotas.is_some_and(|quotas| (quotas.api_keys_max, quotas.members_max) == (9, 7)), "{now:?}");
    let same = Tenant { name: other.tenant.clone(), identity_provider: provider("muster"), ..bare.clone() };
    refused(operator.update_tenant(same.clone(), &["identity_provider"]).await, Code::AlreadyExists)?;
    let another = Tenant { identity_provider: provider("muster-2"), ..same };
    operator.update_tenant(another, &["identity_provider"]).await?;
    default_pool(&organization, &other, list).await
}

/// Sets the pool of campaigns that name none.
async fn default_pool(organization: &Organization, other: &Organization, list: String) -> Result<()> {
    let client = &organization.client;
    let wanted = |pool: &str| Tenant {
        name: organization.tenant.clone(),
        settings: Some(TenantSettings { default_number_pool: pool.to_owned(), ..TenantSettings::default() }),
        ..Tenant::default()
    };
    let draft = Draft {
        tenant: organization.tenant.clone(),
        list,
        pool: String::new(),
        mode: CampaignMode::Click,
        template: TEMPLATE.to_owned(),
        media_urls: Vec::new(),
    };
    refused(client.create_campaign(draft.clone()).await, Code::InvalidArgument)?;
    refused(client.update_tenant(wanted(&other.pool), &[]).await, Code::InvalidArgument)?;
    // The id of another tenant's pool under one's own name is no way in, either.
    let disguised = other.pool.replace(&other.tenant, &organization.tenant);
    refused(client.update_tenant(wanted(&disguised), &[]).await, Code::InvalidArgument)?;
    client.update_tenant(wanted(&organization.pool), &[]).await?;
    ensure!(client.create_campaign(draft).await?.number_pool == organization.pool);
    Ok(())
}

#[tokio::test]
async fn nothing_is_sent_for_a_suspended_tenant_and_nothing_is_lost() -> Result<()> {
    let stack = scene::stack(Behaviour { receipt_ms: [700, 1_500], ..Behaviour::default() }).await?;
    let (organization, campaign) = under_way(&stack).await?;
    let (operator, tenant) = (&stack.operator, &organization.tenant);
    operator.suspend_tenant(tenant, "unpaid").await?;
    // Nothing is on its way any more, and the receipts of what was out have come.
    stack.settled(WITHIN).await?;
    let verdict = stack.judge().await?;
    verdict.demand()?;
    let (out, all) = (verdict.accepted, CONTACTS as u64);
    ensure!(out < all && verdict.delivered == out, "{verdict:?}");
    ensure!(verdict.by_status.get("QUEUED") == Some(&(all - out)), "{verdict:?}");

    let messages = operator.list_messages(tenant, &campaign).await?;
    let waits = messages.iter().find(|message| message.status() == MessageStatus::Queued);
    let waits = waits.context("a text waits")?;
    let (from, to) = (waits.to.clone(), waits.from.clone());
    let stop = InboundSpec { from, to, body: "STOP".to_owned(), times: 1, ..InboundSpec::default() };
    stack.simulator.inbound(&stop).await?;
    stack.settled(WITHIN).await?;
    ensure!(operator.list_opt_outs(tenant).await?.len() == 1, "the STOP was not taken");

    operator.resume_tenant(tenant).await?;
    stack.settled(WITHIN).await?;
    let verdict = stack.judge().await?;
    verdict.demand()?;
    ensure!((verdict.accepted, verdict.delivered) == (all - 1, all - 1), "{verdict:?}");
    ensure!(verdict.by_status.get("SUPPRESSED") == Some(&1), "{verdict:?}");
    Ok(())
}

#[tokio::test]
async fn what_was_ordered_before_a_suspension_is_not_granted_and_what_is_started_is_not_planned() -> Result<()>
{
    let mut stack = scene::stack(scene::quick()).await?;
    let (organization, list) = scene::organization(&stack, Provider::Telnyx, 20).await?;
    let (other, other_list) = scene::organization(&stack, Provider::Twilio, 20).await?;
    stack.sender_nodes[0].kill9().await?;
    for (side, list) in [(&organization, &list), (&other, &other_list)] {
        let campaign = side.draft(CampaignMode::Broadcast, list, TEMPLATE).await?;
        side.client.start(&campaign).await?;
        let ordered =
            async || Ok((scene::count(side, &campaign, MessageStatus::Ordered).await? == 20).then_some(()));
        wait::until("all texts to be ordered", WITHIN, ordered).await?;
    }
    let operator = stack.operator.clone();
    operator.suspend_tenant(&organization.tenant, "unpaid").await?;
    let late = operator.create_list(&organization.tenant, "Late").await?;
    operator.import(&late, b"phone\n2125552368\n").await?;
    let draft = Draft {
        tenant: organization.tenant.clone(),
        list: late,
        pool: organization.pool.clone(),
        mode: CampaignMode::Broadcast,
        template: "Hi".to_owned(),
        media_urls: Vec::new(),
    };
    let late = operator.create_campaign(draft).await?.name;
    operator.start(&late).await?;
    stack.sender_nodes[0].start_again().await?;
    stack.settled(WITHIN).await?;
    // The planner has been at work meanwhile.
    scene::broadcast(&stack, &other, &other_list).await?;
    let verdict = stack.judge().await?;
    verdict.demand()?;
    ensure!((verdict.accepted, verdict.by_status.get("QUEUED")) == (40, Some(&20)), "{verdict:?}");
    ensure!(operator.campaign(&late).await?.planned_count == 0, "a suspended tenant's campaign was planned");

    operator.resume_tenant(&organization.tenant).await?;
    stack.settled(WITHIN).await?;
    let verdict = stack.judge().await?;
    verdict.demand()?;
    ensure!((verdict.accepted, verdict.delivered) == (61, 61), "{verdict:?}");
    Ok(())
}

/// Tables in which a tenant has rows, the audit log's and the tenants' own apart.
async fn tables_with_rows(stack: &Stack, tenant: &str) -> Result<Vec<String>> {
    let client = stack.sql().await?;
    let tables = "SELECT table_name::text FROM information_schema.columns \
                  WHERE table_schema = 'public' AND column_name = 'tenant_id' AND table_name NOT LIKE 'audit%'";
    let id = tenant.rsplit('/').next().unwrap_or_default();
    let mut found = Vec::new();
    for row in client.query(tables, &[]).await? {
        let table: String = row.get(0);
        let rows = format!("SELECT FROM {table} WHERE tenant_id = '{id}' LIMIT 1");
        if !client.query(&rows, &[]).await.with_context(|| table.clone())?.is_empty() {
            found.push(table);
        }
    }
    Ok(found)
}

/// Fills every table that holds rows of tenants.
async fn live(stack: &Stack, provider: Provider) -> Result<Organization> {
    let (organization, list) = scene::organization(stack, provider, 60).await?;
    let (client, tenant) = (&organization.client, &organization.tenant);
    client.import(&list, b"phone\nnobody\n").await?;
    client.join(tenant, "amina@example.org", "roles/texter").await?;
    let provider_account = organization.account.clone();
    let route = muster_proto::v1::Route { provider_account, ..Default::default() };
    client.create_route(tenant, route).await?;
    let role = muster_proto::v1::Role {
        display_name: "Reader".to_owned(),
        permissions: vec!["campaigns.read".to_owned()],
        ..Default::default()
    };
    let request = muster_proto::v1::CreateRoleRequest { parent: tenant.clone(), role: Some(role) };
    client.roles().create_role(request).await?;
    let invitation = muster_proto::v1::Invitation {
        email: "bo@example.org".to_owned(),
        role: "roles/viewer".to_owned(),
        ..Default::default()
    };
    let invitation = Some(invitation);
    let request = muster_proto::v1::CreateInvitationRequest { parent: tenant.clone(), invitation };
    client.members().create_invitation(request).await?;
    scene::broadcast(stack, &organization, &list).await?;
    let click = organization.draft(CampaignMode::Click, &list, TEMPLATE).await?;
    client.start(&click).await?;
    let taken = async || {
        let taken = client.claim_contacts(&click, "Amina", 5).await?;
        Ok(taken.into_iter().next())
    };
    let first = wait::until("contacts to claim", WITHIN, taken).await?;
    client.send(&first.name, "Amina", "").await?;
    stack.settled(WITHIN).await?;
    let media = vec!["/picture.png".to_owned()];
    let said = InboundSpec { from: first.to, to: first.from, media, times: 1, ..InboundSpec::default() };
    stack.simulator.inbound(&said).await?;
    stored(&organization, 1).await?;
    // One is left in the queue of a paused campaign, and one receipt belongs to nothing.
    client.pause(&click).await?;
    let sql = stack.sql().await?;
    let id = tenant.rsplit('/').next().unwrap_or_default();
    let plant = format!(
        "INSERT INTO queue (campaign_id, number_id, message_id, tenant_id, segments, attempt, due_time, expire_time) \
         SELECT c.id, number_id, m.id, m.tenant_id, 1, 1, now(), now() \
         FROM messages m JOIN campaigns c ON c.id = m.campaign_id WHERE m.tenant_id = '{id}' AND c.state = 3 LIMIT 1; \
         INSERT INTO unmatched_receipts VALUES ('{id}', NULL, 'nobody', 'sent', now()); \
         INSERT INTO rejected_events (stream, sequence, place, node, event, reason, tenant_id) \
         VALUES ('{id}', 1, 0, 'nobody', '', 'planted', '{id}'); \
         INSERT INTO inquiries (message_id, tenant_id, since, due_time) \
         SELECT id, tenant_id, now(), now() + interval '1 hour' FROM messages WHERE tenant_id = '{id}' LIMIT 1; \
         INSERT INTO opt_outs VALUES ('{id}', '+12125552368', now())"
    );
    sql.batch_execute(&plant).await?;
    Ok(organization)
}

#[tokio::test]
async fn nothing_is_left_of_a_purged_tenant() -> Result<()> {
    let env = vec![(Service::ControlPlane, "MUSTER_TENANT_GRACE_DAYS".to_owned(), "0".to_owned())];
    let behaviour = Behaviour { reply_share: 0.3, reply_ms: [1, 20], ..scene::quick() };
    let stack = Stack::start(StackOptions { env, behaviour, ..StackOptions::default() }).await?;
    // Two purges at once, like every loop.
    let (_second, _) = stack.another_control_plane().await?;
    let gone = live(&stack, Provider::Twilio).await?;
    let stays = live(&stack, Provider::Telnyx).await?;
    let (before, there) =
        (tables_with_rows(&stack, &gone.tenant).await?, tables_with_rows(&stack, &stays.tenant).await?);
    let relayed = |tables: &[String]| tables.iter().filter(|table| *table != "status_frames").count();
    let query = "SELECT count(*) FROM information_schema.columns \
                 WHERE table_schema = 'public' AND column_name = 'tenant_id' AND table_name NOT LIKE 'audit%'";
    let tables: i64 = stack.sql().await?.query_one(query, &[]).await?.get(0);
    // All but the outbox of status changes, which is empty again.
    ensure!(relayed(&before) == usize::try_from(tables)? - 1, "only {before:?} have rows of {tables}");

    let deleted = gone.client.delete_tenant(&gone.tenant, "").await?;
    ensure!(deleted.purge_time == deleted.delete_time, "{deleted:?}");
    refused(stack.operator.undelete_tenant(&gone.tenant).await, Code::FailedPrecondition)?;
    let purged = async || Ok(tables_with_rows(&stack, &gone.tenant).await?.is_empty().then_some(()));
    if let Err(error) = wait::until("the purge", WITHIN, purged).await {
        let left = tables_with_rows(&stack, &gone.tenant).await?;
        return Err(error.context(format!("left in {left:?}\n{}", stack.control_plane.log_tail())));
    }
    let tombstone = stack.operator.tenant(&gone.tenant).await?;
    is(&tombstone, TenantState::Purged)?;
    ensure!(tombstone.display_name.is_empty() && tombstone.delete_time.is_some(), "{tombstone:?}");
    refused(stack.operator.undelete_tenant(&gone.tenant).await, Code::FailedPrecondition)?;
    refused(stack.operator.create_list(&gone.tenant, "New").await, Code::NotFound)?;
    // Who called a moment ago may be remembered for that long.
    let forgotten = async || {
        let answer = gone.client.list_campaigns(&gone.tenant).await;
        Ok(refused(answer, Code::Unauthenticated).is_ok().then_some(()))
    };
    wait::until("its keys to be forgotten", WITHIN, forgotten).await?;

    let objects = async || Ok((kept(&stack, &gone.tenant)? == 0).then_some(()));
    wait::until("its media to be erased", WITHIN, objects).await?;
    ensure!(kept(&stack, &stays.tenant)? > 0);
    ensure!(relayed(&tables_with_rows(&stack, &stays.tenant).await?) == relayed(&there));
    let (list, _) = stays.list("More", &muster_tests::contacts::tidy(9, 20).bytes).await?;
    scene::broadcast(&stack, &stays, &list).await?;
    Ok(())
}
