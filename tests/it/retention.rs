//! What is personal in finished work is erased when it is as old as its tenant wants, and nothing else is.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use muster_proto::v1::{
    AuditEntry, Campaign, CampaignMode, CampaignReport, ContactList, Message, MessageStatus, Provider,
    RejectedRow, Reply, Tenant, TenantSettings, TenantUsage,
};
use muster_provider_sim::behaviour::Behaviour;
use muster_provider_sim::control::{InboundSpec, ReceiptSpec};
use muster_tests::stack::{Organization, OrganizationOptions, Service};
use muster_tests::{Stack, StackOptions, contacts, wait};
use tonic::Code;
use uuid::Uuid;

use crate::fields::field;
use crate::scene::{self, WITHIN, refusal, refused};
use crate::secrets::{hides, rows};

/// The merge field is a canary: it comes into what a text says, and not into what a campaign is.
const TEMPLATE: &str = "Hi {nickname}, vote on Tuesday!";
const PEOPLE: usize = 12;

fn id(name: &str) -> Result<Uuid> {
    Ok(Uuid::parse_str(name.rsplit('/').next().context("a name")?)?)
}

/// Makes everything of a tenant older, as if so many hours had gone by; the retention looks at it again.
pub(crate) async fn age(stack: &Stack, tenant: &str, hours: u32) -> Result<()> {
    let (tenant, age) = (id(tenant)?, format!("interval '{hours} hours'"));
    let mut sql = format!("UPDATE tenants SET erase_look_time = NULL WHERE id = '{tenant}';");
    for (table, times) in [
        ("campaigns", &["start_time", "end_time"][..]),
        ("contact_lists", &["use_time"]),
        ("replies", &["receive_time"]),
        ("conversations", &["update_time"]),
        ("unmatched_receipts", &["receive_time"]),
        ("rejected_events", &["reject_time"]),
    ] {
        for time in times {
            sql += &format!("UPDATE {table} SET {time} = {time} - {age} WHERE tenant_id = '{tenant}';");
        }
    }
    Ok(stack.sql().await?.batch_execute(&sql).await?)
}

/// Waits until nothing of a tenant is left to erase.
pub(crate) async fn looked_at(stack: &Stack, tenant: &str) -> Result<()> {
    let (sql, tenant) = (stack.sql().await?, id(tenant)?);
    let query = "SELECT erase_look_time IS NOT NULL FROM tenants WHERE id = $1";
    let looked = async || Ok(sql.query_one(query, &[&tenant]).await?.get::<_, bool>(0).then_some(()));
    wait::until("the tenant to be looked at", WITHIN, looked).await
}

/// Waits until a campaign is over.
async fn ended(organization: &Organization, campaign: &str) -> Result<()> {
    let over = async || Ok(organization.client.campaign(campaign).await?.end_time.map(drop));
    wait::until("the campaign to be over", WITHIN, over).await
}

pub(crate) async fn keep_for(organization: &Organization, days: i32) -> Result<Tenant> {
    let settings = Some(TenantSettings { retention_days: days, ..TenantSettings::default() });
    let wanted = Tenant { name: organization.tenant.clone(), settings, ..Tenant::default() };
    organization.client.update_tenant(wanted, &["settings.retention_days"]).await
}

/// An organization with all that is personal: texts, replies, a conversation, contacts, rejected rows, and what belonged
/// to nothing.
struct Life {
    organization: Organization,
    list: String,
    /// The broadcast, whose receipts are lost, and the click campaign, canceled after one text.
    campaigns: [String; 2],
    phones: Vec<String>,
    /// What must not be found any more.
    canaries: Vec<String>,
}

async fn live(stack: &Stack, provider: Provider, seed: u64) -> Result<Life> {
    let organization = stack.organization(OrganizationOptions::of(provider)).await?;
    let people = contacts::tidy(seed, PEOPLE).expected.contacts;
    let phones: Vec<String> = people.into_iter().map(|person| person.phone_number).collect();
    let canary = |what: &str| format!("canary-{what}-{seed}");
    let mut file = format!("phone,nickname\nnobody,{}\n", canary("row"));
    for phone in &phones {
        file += &format!("{phone},{}\n", canary("nickname"));
    }
    let (list, _) = organization.list("Voters", file.as_bytes()).await?;
    let (client, tenant) = (&organization.client, &organization.tenant);
    let broadcast = organization.draft(CampaignMode::Broadcast, &list, TEMPLATE).await?;
    client.start(&broadcast).await?;
    stack.settled(WITHIN).await?;
    let click = organization.draft(CampaignMode::Click, &list, TEMPLATE).await?;
    client.start(&click).await?;
    let taken = async || Ok(client.claim_contacts(&click, "Amina", 1).await?.into_iter().next());
    let taken = wait::until("a contact to claim", WITHIN, taken).await?;
    client.send(&taken.name, "Amina", "").await?;
    stack.settled(WITHIN).await?;
    client.cancel(&click).await?;

    say(stack, &taken, &canary("reply")).await?;
    let messages = client.list_messages(tenant, &broadcast).await?;
    say(stack, messages.iter().find(|message| message.to == phones[1]).context("a text")?, "STOP").await?;
    let id = id(tenant)?;
    let plant = format!(
        "INSERT INTO unmatched_receipts VALUES ('{id}', NULL, '{}', 'sent', now()); \
         INSERT INTO rejected_events (stream, sequence, place, node, event, reason, tenant_id) \
         VALUES ('{id}', 1, 0, 'nobody', '{}', 'planted', '{id}')",
        canary("unmatched"),
        canary("event")
    );
    stack.sql().await?.batch_execute(&plant).await?;
    let mut canaries: Vec<String> =
        ["row", "nickname", "reply", "media", "unmatched", "event"].map(canary).to_vec();
    canaries.extend(phones.iter().map(|phone| phone[2..].to_owned()));
    for campaign in [&broadcast, &click] {
        ended(&organization, campaign).await?;
    }
    Ok(Life { campaigns: [broadcast, click], organization, list, phones, canaries })
}

/// The recipient of a text answers it, with a picture.
async fn say(stack: &Stack, text: &Message, body: &str) -> Result<()> {
    let (from, to) = (text.to.clone(), text.from.clone());
    let media = vec![format!("https://example.org/{}.png", body.replace("reply", "media"))];
    let said = InboundSpec { from, to, body: body.to_owned(), media, times: 1, ..InboundSpec::default() };
    stack.simulator.inbound(&said).await?;
    stack.settled(WITHIN).await
}

/// All that stays of a tenant, as its owner sees it: without what is personal, and without the times that [`age`] moves.
async fn what_stays(life: &Life) -> Result<String> {
    let (client, tenant) = (&life.organization.client, &life.organization.tenant);
    let mut seen = format!("{:#?}", client.list_opt_outs(tenant).await?);
    for name in &life.campaigns {
        let campaign = client.campaign(name).await?;
        let campaign = Campaign { start_time: None, end_time: None, erase_time: None, ..campaign };
        let report = CampaignReport { read_time: None, ..client.report(name).await? };
        seen += &format!("{campaign:#?}{report:#?}");
        for message in client.list_messages(tenant, name).await? {
            let message = client.message(&message.name).await?;
            let (to, body, erase_time) = Default::default();
            seen += &format!("{:#?}", Message { to, body, erase_time, ..message });
        }
    }
    for reply in client.list_replies(tenant).await? {
        let (from, body, media_urls, media, conversation) = Default::default();
        let times = Reply { receive_time: None, erase_time: None, ..reply };
        seen += &format!("{:#?}", Reply { from, body, media_urls, media, conversation, ..times });
    }
    let list = client.contact_list(&life.list).await?;
    seen += &format!("{:#?}", ContactList { erase_time: None, ..list });
    for row in client.list_rejected_rows(&life.list).await? {
        seen += &format!("{:#?}", RejectedRow { row: String::new(), erase_time: None, ..row });
    }
    // A list that was erased does not count any more.
    let usage = TenantUsage { contact_lists: 0, ..client.usage(tenant).await? };
    let audit = client.audit_log(tenant).await?;
    Ok(seen + &format!("{usage:#?}{audit:#?}"))
}

/// All that is personal of a tenant, as its owner sees it, and whether it says that it was erased.
async fn what_is_personal(life: &Life) -> Result<Vec<(String, bool)>> {
    let (client, tenant) = (&life.organization.client, &life.organization.tenant);
    let mut seen = Vec::new();
    for campaign in &life.campaigns {
        for message in client.list_messages(tenant, campaign).await? {
            seen.push((message.to + &message.body, message.erase_time.is_some()));
        }
    }
    for reply in client.list_replies(tenant).await? {
        let media: String = reply.media.into_iter().map(|medium| medium.name).collect();
        let said = reply.from + &reply.body + &reply.media_urls.concat() + &media;
        seen.push((said + &reply.conversation, reply.erase_time.is_some()));
    }
    for row in client.list_rejected_rows(&life.list).await? {
        seen.push((row.row, row.erase_time.is_some()));
    }
    for contact in client.list_contacts(&life.list).await? {
        seen.push((contact.phone_number, false));
    }
    Ok(seen)
}

#[tokio::test]
async fn what_is_personal_is_erased_when_it_is_old_and_all_that_counts_stays() -> Result<()> {
    let stack = scene::stack(Behaviour { receipt_loss_share: 1.0, ..scene::quick() }).await?;
    let life = live(&stack, Provider::Twilio, 71).await?;
    let other = live(&stack, Provider::Telnyx, 72).await?;
    let (client, tenant) = (&life.organization.client, &life.organization.tenant);
    keep_for(&life.organization, 7).await?;
    looked_at(&stack, tenant).await?;
    // The other one keeps its content for ever, and half a year has gone by.
    age(&stack, &other.organization.tenant, 180 * 24).await?;
    let (others, stays) = (what_is_personal(&other).await?, what_stays(&life).await?);
    let personal = what_is_personal(&life).await?;
    ensure!(personal.iter().all(|(content, erased)| !content.is_empty() && !erased), "{personal:?}");
    ensure!(personal.len() == 2 * PEOPLE + 2 + 1 + PEOPLE, "{personal:?}");

    age(&stack, tenant, 7 * 24 - 1).await?;
    looked_at(&stack, tenant).await?;
    ensure!(what_is_personal(&life).await? == personal, "something was erased before its time");
    age(&stack, tenant, 2).await?;
    looked_at(&stack, tenant).await?;

    let erased = what_is_personal(&life).await?;
    ensure!(erased.len() == 2 * PEOPLE + 2 + 1, "{erased:?}");
    ensure!(erased.iter().all(|(content, erased)| content.is_empty() && *erased), "{erased:?}");
    let stayed = what_stays(&life).await?;
    ensure!(stayed == stays, "what stays was changed: {stays}\n{stayed}");
    hides("the dump", &rows(&stack.sql().await?, &["opt_outs"]).await?, &life.canaries)?;
    ensure!(hides("the dump", &rows(&stack.sql().await?, &["opt_outs"]).await?, &other.canaries).is_err());
    ensure!(what_is_personal(&other).await? == others, "another tenant was touched");

    // The list is of no more use, and says so; nor does it take the place of another.
    ensure!(client.usage(tenant).await?.contact_lists == 0);
    let status = refusal(client.import(&life.list, b"phone\n2125552368\n").await)?;
    ensure!(status.code() == Code::FailedPrecondition && status.message().contains("erased"), "{status:?}");
    let draft = life.organization.draft(CampaignMode::Broadcast, &life.list, TEMPLATE).await;
    refused(draft, Code::FailedPrecondition)?;
    late(&stack, &life).await
}

/// What comes after everything was erased: a receipt still settles its text, and a STOP is still obeyed.
async fn late(stack: &Stack, life: &Life) -> Result<()> {
    let (client, tenant) = (&life.organization.client, &life.organization.tenant);
    let messages = client.list_messages(tenant, &life.campaigns[0]).await?;
    let sent = messages.iter().find(|message| message.status() == MessageStatus::Sent).context("one sent")?;
    let receipt = ReceiptSpec {
        provider: "twilio".to_owned(),
        account_sid: life.organization.account_sid.clone(),
        state: "undelivered".to_owned(),
        // The provider knows of an opt-out; we do not know any more whose.
        code: Some(21610),
        message_id: Some(id(&sent.name)?),
        times: 1,
        ..ReceiptSpec::default()
    };
    stack.simulator.receipt(&receipt).await?;
    stack.settled(WITHIN).await?;
    let settled = client.message(&sent.name).await?;
    ensure!(settled.status() == MessageStatus::Undelivered && settled.erase_time.is_some(), "{settled:?}");

    let text = Message { to: life.phones[2].clone(), from: sent.from.clone(), ..Message::default() };
    say(stack, &text, "STOP").await?;
    let opted_out: Vec<String> =
        client.list_opt_outs(tenant).await?.into_iter().map(|opt_out| opt_out.phone_number).collect();
    ensure!(opted_out.len() == 2 && life.phones[1..3].iter().all(|phone| opted_out.contains(phone)));
    let file = format!("phone\n{}\n", life.phones.join("\n"));
    let (list, _) = life.organization.list("The same again", file.as_bytes()).await?;
    let campaign = scene::broadcast(stack, &life.organization, &list).await?;
    let count = async |status| scene::count(&life.organization, &campaign, status).await;
    ensure!(count(MessageStatus::Suppressed).await? == 2, "somebody was texted who had said STOP");
    ensure!(count(MessageStatus::Sent).await? == i64::try_from(PEOPLE)? - 2);
    again(stack, life, messages.iter().rfind(|text| text.name != sent.name).context("another")?).await
}

/// A text that was erased is asked for again, as if it were valid: its claim is not granted.
async fn again(stack: &Stack, life: &Life, text: &Message) -> Result<()> {
    let id = id(&text.name)?;
    let plant = format!(
        "UPDATE message_states SET status = 2, expire_time = now() + interval '1 hour' WHERE message_id = '{id}'; \
         INSERT INTO queue (campaign_id, number_id, message_id, tenant_id, segments, attempt, due_time, expire_time) \
         SELECT campaign_id, number_id, id, tenant_id, 1, 1, now(), now() + interval '1 hour' \
         FROM messages WHERE id = '{id}'"
    );
    stack.sql().await?.batch_execute(&plant).await?;
    let client = &life.organization.client;
    let over = async || {
        let message = client.message(&text.name).await?;
        Ok((message.status() == MessageStatus::Expired).then_some(message))
    };
    let expired = wait::until("the text to be turned away", WITHIN, over).await?;
    let times = |status| expired.history.iter().filter(|entry| entry.status() == status).count();
    ensure!(times(MessageStatus::Ordered) == 2 && times(MessageStatus::Claimed) == 1, "{expired:?}");
    Ok(())
}

#[tokio::test]
async fn what_is_not_finished_is_not_touched_and_the_platform_has_the_last_word() -> Result<()> {
    let env = vec![(Service::ControlPlane, "MUSTER_RETENTION_DAYS_MAX".to_owned(), "30".to_owned())];
    let stack =
        Stack::start(StackOptions { env, behaviour: scene::quick(), ..StackOptions::default() }).await?;
    let (organization, list) = scene::organization(&stack, Provider::Twilio, PEOPLE).await?;
    let (client, tenant) = (&organization.client, &organization.tenant);
    for days in [-1, 1, 6, 31, i32::MAX] {
        let named = field(&refusal(keep_for(&organization, days).await)?)?;
        ensure!(named == "tenant.settings.retention_days", "{days} named {named}");
    }
    let changed = keep_for(&organization, 7).await?;
    ensure!(changed.settings.is_some_and(|settings| settings.retention_days == 7));
    let audit = client.audit_log(tenant).await?;
    let told =
        |entry: &AuditEntry| entry.method.ends_with("UpdateTenant") && entry.after.contains("retention");
    ensure!(audit.iter().filter(|entry| told(entry)).count() == 1, "{audit:?}");
    keep_for(&organization, 0).await?;

    let messages = async |campaign: &str| client.list_messages(tenant, campaign).await;
    let erased =
        |messages: &[Message]| messages.iter().filter(|message| message.erase_time.is_some()).count();
    let finished = scene::broadcast(&stack, &organization, &list).await?;
    let open = organization.draft(CampaignMode::Click, &list, scene::TEMPLATE).await?;
    client.start(&open).await?;
    let planned = async || Ok((messages(&open).await?.len() == PEOPLE).then_some(()));
    wait::until("the messages", WITHIN, planned).await?;
    say(&stack, messages(&finished).await?.first().context("a text")?, "See you there").await?;
    ended(&organization, &finished).await?;
    age(&stack, tenant, 29 * 24).await?;
    looked_at(&stack, tenant).await?;
    ensure!(erased(&messages(&finished).await?) == 0, "the platform keeps it for 30 days");
    age(&stack, tenant, 2 * 24).await?;
    looked_at(&stack, tenant).await?;
    ensure!(erased(&messages(&finished).await?) == PEOPLE);
    ensure!(erased(&messages(&open).await?) == 0, "what waits for its texter was erased");
    ensure!(client.contact_list(&list).await?.erase_time.is_none(), "an open campaign needs its list");

    // The reply may be an answer to a campaign that was started before it and is not erased.
    let replies = async || client.list_replies(tenant).await;
    ensure!(replies().await?[0].body.contains("See you"), "its campaign is not erased");
    client.cancel(&open).await?;
    ended(&organization, &open).await?;
    age(&stack, tenant, 1).await?;
    looked_at(&stack, tenant).await?;
    ensure!(erased(&messages(&open).await?) == 0, "it has only just ended");

    // A late outcome asks for another attempt: the campaign has not ended.
    let sql = stack.sql().await?;
    let wait_again = "UPDATE message_states SET status = $2 WHERE message_id = $1";
    let first = id(&messages(&open).await?.first().context("a text")?.name)?;
    let (queued, canceled) = (2_i16, 10_i16);
    sql.execute(wait_again, &[&first, &queued]).await?;
    age(&stack, tenant, 31 * 24).await?;
    looked_at(&stack, tenant).await?;
    ensure!(erased(&messages(&open).await?) == 0, "a text that waits was erased");
    sql.execute(wait_again, &[&first, &canceled]).await?;
    ended(&organization, &open).await?;
    age(&stack, tenant, 31 * 24).await?;
    looked_at(&stack, tenant).await?;
    ensure!(erased(&messages(&open).await?) == PEOPLE);
    ensure!(client.contact_list(&list).await?.erase_time.is_some() && replies().await?[0].body.is_empty());
    Ok(())
}

#[tokio::test]
async fn an_erasure_that_is_killed_goes_on_where_it_was() -> Result<()> {
    const MANY: usize = 9_000;
    let mut stack = scene::stack(scene::quick()).await?;
    let (organization, list) = scene::organization(&stack, Provider::Twilio, MANY).await?;
    let (client, tenant) = (organization.client.clone(), organization.tenant.clone());
    let campaign = organization.draft(CampaignMode::Click, &list, scene::TEMPLATE).await?;
    client.start(&campaign).await?;
    let planned = async || Ok(client.campaign(&campaign).await?.planned.then_some(()));
    wait::until("the plan", WITHIN, planned).await?;
    client.cancel(&campaign).await?;
    ended(&organization, &campaign).await?;
    let report = CampaignReport { read_time: None, ..client.report(&campaign).await? };
    keep_for(&organization, 7).await?;
    looked_at(&stack, &tenant).await?;

    let (sql, id) = (stack.sql().await?, id(&campaign)?);
    // Where each row is that is erased: a row that is written again would be elsewhere.
    let places =
        "SELECT ctid::text FROM messages WHERE campaign_id = $1 AND body IS NULL ORDER BY contact_id";
    let places = async || {
        let rows = sql.query(places, &[&id]).await?;
        anyhow::Ok(rows.iter().map(|row| row.get(0)).collect::<Vec<String>>())
    };
    age(&stack, &tenant, 8 * 24).await?;
    let begun = async || Ok(places().await?.into_iter().next());
    wait::until_every(Duration::from_millis(5), "the first batch", WITHIN, begun).await?;
    stack.control_plane.kill9().await?;
    let before = places().await?;
    ensure!(before.len() < MANY && before.len().is_multiple_of(1_000), "{} were erased", before.len());
    stack.control_plane.start_again().await?;
    stack.serving().await?;
    // Two at once, like every loop.
    let (_second, _) = stack.another_control_plane().await?;
    looked_at(&stack, &tenant).await?;

    let after = places().await?;
    ensure!(after.len() == MANY && after.starts_with(&before), "erased again, or not all: {}", after.len());
    ensure!(client.list_contacts(&list).await?.is_empty());
    ensure!(report == CampaignReport { read_time: None, ..client.report(&campaign).await? });
    Ok(())
}
