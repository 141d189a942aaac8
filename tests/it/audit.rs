//! The audit log: who did what, and that nobody can make it say otherwise unnoticed.

mod calls;
mod tampering;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use muster_proto::v1::{
    AuditEntry, ImportContactsRequest, ImportContactsResponse, ImportStart, ListAuditEntriesRequest,
    PauseCampaignRequest, Provider, Role, import_contacts_request::Part,
};
use muster_proto::v1::{CampaignMode, CreateRoleRequest, DeleteRoleRequest};
use muster_runtime::access::table::TABLE;
use muster_tests::stack::{Organization, OrganizationOptions};
use muster_tests::{Client, Stack, contacts, wait};
use serde_json::{Value, json};
use tokio::sync::mpsc::Sender;
use tokio::task::JoinHandle;
use tonic::{Code, Request, Response, Status};

use crate::scene::{self, TEMPLATE, WITHIN, refused};

/// How often to look for an entry that comes by itself.
const PAUSE: Duration = Duration::from_millis(50);

/// The messages of an import, and its answer.
type Parts = Sender<ImportContactsRequest>;
type Imported = Result<Response<ImportContactsResponse>, Status>;

/// Whether all that `wanted` says is in the JSON `text`; nothing is wanted of what is not there.
fn says(text: &str, wanted: &Value) -> Result<bool> {
    if wanted.is_null() {
        return Ok(text.is_empty());
    }
    Ok(holds(&serde_json::from_str(text).with_context(|| format!("{text:?} is no JSON"))?, wanted))
}

fn holds(told: &Value, wanted: &Value) -> bool {
    match (told, wanted) {
        (Value::Object(told), Value::Object(wanted)) => {
            wanted.iter().all(|(key, value)| told.get(key).is_some_and(|told| holds(told, value)))
        }
        (Value::Array(told), Value::Array(wanted)) => {
            told.len() == wanted.len() && told.iter().zip(wanted).all(|(told, wanted)| holds(told, wanted))
        }
        (told, wanted) => told == wanted,
    }
}

/// The entries of a tenant after the first `before`, once there are some.
async fn entries_after(client: &Client, tenant: &str, before: usize) -> Result<Vec<AuditEntry>> {
    let some = async || {
        let entries = client.audit_log(tenant).await?.split_off(before);
        Ok((!entries.is_empty()).then_some(entries))
    };
    wait::until_every(PAUSE, "an entry in the audit log", WITHIN, some).await
}

/// The one entry of a tenant after the first `before`.
async fn one_after(client: &Client, tenant: &str, before: usize) -> Result<AuditEntry> {
    let entries = entries_after(client, tenant, before).await?;
    ensure!(entries.len() == 1, "{entries:?}");
    entries.into_iter().next().context("there is one")
}

async fn valid(client: &Client, tenant: &str, entries: usize) -> Result<()> {
    let verified = client.verify_audit_log(tenant, None).await?;
    ensure!(verified.valid && verified.entry_count == i64::try_from(entries)?, "{verified:?}");
    Ok(())
}

#[tokio::test]
async fn every_rpc_that_changes_something_leaves_exactly_one_entry() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let world = calls::World::new(&stack).await?;
    let (client, tenant) = (&world.organization.client, &world.organization.tenant);
    let mut before = client.audit_log(tenant).await?.len();
    for rule in TABLE.iter().filter(|rule| rule.changes) {
        let method = format!("{}/{}", rule.service, rule.method);
        let told = world.call(&method).await.with_context(|| method.clone())?;
        let elsewhere = told.tenant != *tenant;
        let known = if elsewhere { 0 } else { before };
        let mut entries = entries_after(&stack.operator, &told.tenant, known).await?;
        before += if elsewhere { 0 } else { entries.len() };
        let entry = entries.pop().context("there is one")?;
        // An import is told when it begins, too.
        let begun = entries.first().is_none_or(|begun| {
            rule.method == "ImportContacts" && begun.method == method && begun.resource == told.resource
        });
        ensure!(begun && entries.len() == usize::from(rule.method == "ImportContacts"), "{entries:?}");
        ensure!(entry.method == method && entry.caller == told.caller, "{method}: {entry:?}");
        ensure!(entry.resource == told.resource, "{method}: {entry:?}, not {}", told.resource);
        ensure!(entry.result == "OK" && entry.address == "127.0.0.1", "{method}: {entry:?}");
        ensure!(
            says(&entry.before, &told.before)?,
            "{method} was {} before, not {}",
            entry.before,
            told.before
        );
        ensure!(says(&entry.after, &told.after)?, "{method} is {} after, not {}", entry.after, told.after);
    }
    valid(client, tenant, before).await?;

    let sql = stack.sql().await?;
    let rows = sql.query("SELECT audit_entries::text FROM audit_entries", &[]).await?;
    ensure!(rows.len() > before);
    for canary in world.canaries() {
        ensure!(canary.len() > 5, "{canary:?} is too short to look for");
        let found = rows.iter().map(|row| row.get::<_, &str>(0)).find(|entry| entry.contains(&canary));
        ensure!(found.is_none(), "{canary} is in {found:?}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_refused_is_kept_with_its_result() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let (organization, list) = scene::organization(&stack, Provider::Twilio, 3).await?;
    let (client, tenant) = (&organization.client, &organization.tenant);
    let campaign = organization.draft(CampaignMode::Click, &list, TEMPLATE).await?;
    let viewer = client.with_key(&client.create_key(tenant, "roles/viewer").await?)?;
    let mut before = client.audit_log(tenant).await?.len();
    let mut kept = async |result: &str, resource: &str| -> Result<AuditEntry> {
        let entry = one_after(client, tenant, before).await?;
        before += 1;
        ensure!(entry.result == result && entry.resource == resource, "{entry:?}, not {result} {resource}");
        ensure!(entry.before.is_empty() && entry.after.is_empty(), "{entry:?}");
        Ok(entry)
    };

    refused(viewer.pause(&campaign).await, Code::PermissionDenied)?;
    // The table refuses before anything is read, and the log tells all the same what it was about.
    let entry = kept("PERMISSION_DENIED", &campaign).await?;
    ensure!(
        entry.method == "CampaignService/PauseCampaign" && entry.caller.contains("/apiKeys/"),
        "{entry:?}"
    );
    refused(client.pause(&campaign).await, Code::FailedPrecondition)?;
    kept("FAILED_PRECONDITION", &campaign).await?;
    refused(client.create_list(tenant, "").await, Code::InvalidArgument)?;
    kept("INVALID_ARGUMENT", tenant).await?;
    let nobodys = format!("{tenant}/campaigns/00000000-0000-0000-0000-000000000007");
    refused(client.cancel(&nobodys).await, Code::NotFound)?;
    kept("NOT_FOUND", &nobodys).await?;
    refused(stack.operator.pause(&campaign).await, Code::FailedPrecondition)?;
    ensure!(kept("FAILED_PRECONDITION", &campaign).await?.caller == "operator");

    // What cannot be a name is not kept as one, and what headers say is not believed.
    let mut request = Request::new(PauseCampaignRequest { name: format!("{tenant}\0{}", "x".repeat(300)) });
    request.metadata_mut().insert("x-forwarded-for", "203.0.113.9".parse()?);
    let answer = client.campaigns().pause_campaign(request).await.map_err(anyhow::Error::from);
    refused(answer, Code::InvalidArgument)?;
    ensure!(kept("INVALID_ARGUMENT", "").await?.address == "127.0.0.1");

    // A call that only reads, and one of nobody, leave nothing; the next entry is that of the next call.
    refused(viewer.audit_log(tenant).await, Code::PermissionDenied)?;
    refused(client.without_key().pause(&campaign).await, Code::Unauthenticated)?;
    client.start(&campaign).await?;
    before += 1;
    // A call that finds its work done changes nothing.
    client.start(&campaign).await?;
    let entry = one_after(client, tenant, before).await?;
    ensure!(entry.result == "OK" && entry.resource == campaign, "{entry:?}");
    ensure!(entry.before.is_empty() && entry.after.is_empty(), "{entry:?}");
    valid(client, tenant, before + 1).await
}

#[tokio::test]
async fn what_was_rolled_back_leaves_no_change_behind() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let organization = stack.organization(OrganizationOptions::of(Provider::Twilio)).await?;
    let (client, tenant) = (&organization.client, &organization.tenant);
    let role = Role {
        display_name: "Reader".to_owned(),
        permissions: vec!["campaigns.read".to_owned()],
        ..Role::default()
    };
    let request = CreateRoleRequest { parent: tenant.clone(), role: Some(role) };
    let role = client.roles().create_role(request).await?.into_inner().name;
    client.create_key(tenant, &role).await?;
    let before = client.audit_log(tenant).await?.len();
    // The row is deleted, the foreign key objects, and all of it is rolled back.
    let request = DeleteRoleRequest { name: role.clone() };
    let answer = client.roles().delete_role(request).await.map_err(anyhow::Error::from);
    refused(answer, Code::FailedPrecondition)?;
    let entry = one_after(client, tenant, before).await?;
    ensure!(entry.result == "FAILED_PRECONDITION" && entry.resource == role, "{entry:?}");
    ensure!(entry.before.is_empty(), "{entry:?}");

    // An entry that PostgreSQL refuses takes the change with it.
    let sql = stack.sql().await?;
    let refuse = "ALTER TABLE audit_entries ADD CONSTRAINT refused_by_the_story CHECK (resource NOT LIKE '%contactLists%') NOT VALID";
    sql.batch_execute(refuse).await?;
    refused(client.create_list(tenant, "Voters").await, Code::Internal)?;
    let lists: i64 = sql.query_one("SELECT count(*) FROM contact_lists", &[]).await?.get(0);
    ensure!(lists == 0, "a list was created without its entry");
    Ok(())
}

#[tokio::test]
async fn many_writers_of_one_tenant_leave_a_chain_without_gaps() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let (first, second) = (tenant(&stack).await?, tenant(&stack).await?);
    let before = first.client.audit_log(&first.tenant).await?.len();
    let writers = (0..20).map(async |writer| -> Result<()> {
        for number in 0..5 {
            first.client.create_list(&first.tenant, &format!("List {writer}-{number}")).await?;
            // What is refused goes into the same chain by another way.
            refused(first.client.create_list(&first.tenant, "").await, Code::InvalidArgument)?;
        }
        Ok(())
    });
    try_join_all(writers).await?;
    let all = async || Ok((first.client.audit_log(&first.tenant).await?.len() == before + 200).then_some(()));
    wait::until_every(PAUSE, "200 entries", WITHIN, all).await?;
    let entries = first.client.audit_log(&first.tenant).await?;
    for (at, entry) in entries.iter().enumerate() {
        ensure!(entry.name == format!("{}/auditEntries/{}", first.tenant, at + 1), "{at}: {entry:?}");
    }
    valid(&first.client, &first.tenant, entries.len()).await?;

    // The other tenant's log knows nothing of it, and neither can read the other's.
    let others = second.client.audit_log(&second.tenant).await?;
    ensure!(others.iter().all(|entry| entry.name.starts_with(&second.tenant)), "{others:?}");
    ensure!(others.len() == before, "{others:?}");
    refused(second.client.audit_log(&first.tenant).await, Code::NotFound)?;
    refused(second.client.export_audit_log(&first.tenant, 0).await, Code::NotFound)?;
    refused(second.client.verify_audit_log(&first.tenant, None).await, Code::NotFound)
}

async fn tenant(stack: &Stack) -> Result<Organization> {
    stack.organization(OrganizationOptions::of(Provider::Twilio)).await
}

#[tokio::test]
async fn entries_are_found_by_time_caller_and_method() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let organization = tenant(&stack).await?;
    let (client, tenant) = (&organization.client, &organization.tenant);
    for number in 0..7 {
        client.create_list(tenant, &format!("List {number}")).await?;
    }
    let all = client.audit_log(tenant).await?;
    let wanted = ListAuditEntriesRequest { parent: tenant.clone(), page_size: 2, ..Default::default() };
    ensure!(client.list_audit_entries(wanted.clone()).await? == all, "pages of two are not the same");
    let method = "ContactListService/CreateContactList".to_owned();
    let found = client.list_audit_entries(ListAuditEntriesRequest { method, ..wanted.clone() }).await?;
    ensure!(found.len() == 7 && found == all[all.len() - 7..], "{found:?}");
    let caller = "operator".to_owned();
    let found = client.list_audit_entries(ListAuditEntriesRequest { caller, ..wanted.clone() }).await?;
    ensure!(!found.is_empty() && found.iter().all(|entry| entry.caller == "operator"), "{found:?}");
    let (start_time, end_time) = (all[2].time, all[5].time);
    let found = client.list_audit_entries(ListAuditEntriesRequest { start_time, end_time, ..wanted }).await?;
    ensure!(found == all[2..5], "{found:?}");
    Ok(())
}

#[tokio::test]
async fn an_import_whose_caller_goes_away_is_told() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let organization = tenant(&stack).await?;
    let (client, tenant) = (&organization.client, &organization.tenant);
    let list = client.create_list(tenant, "Voters").await?;
    let before = client.audit_log(tenant).await?.len();
    let (_sender, call) = half_an_import(client, &list).await?;
    let begun = one_after(client, tenant, before).await?;
    ensure!(begun.method == "ContactListService/ImportContacts" && begun.resource == list, "{begun:?}");
    ensure!(begun.result == "OK" && says(&begun.after, &json!({"contactList": list}))?, "{begun:?}");
    call.abort();
    let ended = one_after(client, tenant, before + 1).await?;
    ensure!(ended.method == begun.method && ended.resource == list, "{ended:?}");
    ensure!(ended.result == "CANCELLED" && ended.after.contains("rowCount"), "{ended:?}");
    Ok(())
}

#[tokio::test]
async fn no_row_of_an_import_is_without_an_entry_when_the_control_plane_is_killed() -> Result<()> {
    let mut stack = scene::stack(scene::quick()).await?;
    let organization = tenant(&stack).await?;
    let (client, tenant) = (organization.client.clone(), &organization.tenant);
    let list = client.create_list(tenant, "Voters").await?;
    let before = client.audit_log(tenant).await?.len();
    let (sender, call) = half_an_import(&client, &list).await?;
    stack.control_plane.kill9().await?;
    ensure!(call.await?.is_err(), "the import has an answer");
    drop(sender);
    stack.control_plane.start_again().await?;
    stack.serving().await?;
    ensure!(!client.list_contacts(&list).await?.is_empty());
    let begun = one_after(&client, tenant, before).await?;
    ensure!(begun.method == "ContactListService/ImportContacts" && begun.resource == list, "{begun:?}");
    valid(&client, tenant, before + 1).await
}

/// An import that has begun, and goes on for as long as what is given back is kept.
async fn half_an_import(client: &Client, list: &str) -> Result<(Parts, JoinHandle<Imported>)> {
    let start = ImportStart { contact_list: list.to_owned(), phone_number_column: String::new() };
    let parts = [Part::Start(start), Part::Chunk(contacts::tidy(1, 5_000).bytes)];
    let (sender, stream) = tokio::sync::mpsc::channel(parts.len());
    for part in parts {
        sender.send(ImportContactsRequest { part: Some(part) }).await?;
    }
    let importing = client.clone();
    let stream = tokio_stream::wrappers::ReceiverStream::new(stream);
    let call = tokio::spawn(async move { importing.contact_lists().import_contacts(stream).await });
    let some = async || Ok((!client.list_contacts(list).await?.is_empty()).then_some(()));
    wait::until_every(PAUSE, "the first contacts", WITHIN, some).await?;
    Ok((sender, call))
}
