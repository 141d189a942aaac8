//! Replies and opt-outs.

use std::collections::{HashMap, HashSet};

use muster_domain::status::Status;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::db::{Micros, Result, SystemTx, TenantTx};
use crate::store::messages::Message;
use crate::store::{Page, execute, query, query_one, query_opt};

/// Among how many of a tenant's latest campaigns the text is looked for that a reply answers.
const CAMPAIGNS_ANSWERED: i64 = 200;

/// What a reply asks for, numbered as in the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i16)]
pub(crate) enum ReplyKeyword {
    None = 0,
    Stop = 1,
    Start = 2,
    Help = 3,
}

/// A reply that one of our numbers received.
pub(crate) struct Reply {
    pub(crate) id: Uuid,
    pub(crate) tenant: Uuid,
    pub(crate) account: Uuid,
    pub(crate) provider_message_id: String,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) body: String,
    pub(crate) media_urls: Vec<String>,
    pub(crate) keyword: i16,
    pub(crate) receive_time: Micros,
    /// When who sent it and what it said were erased.
    pub(crate) erase_time: Option<Micros>,
}

impl From<Row> for Reply {
    fn from(row: Row) -> Self {
        Self {
            id: row.get("id"),
            tenant: row.get("tenant_id"),
            account: row.get("account_id"),
            provider_message_id: row.get("provider_message_id"),
            from: row.get("phone_from"),
            to: row.get("phone_to"),
            body: row.get("body"),
            media_urls: row.get("media_urls"),
            keyword: row.get("keyword"),
            receive_time: row.get("receive_time"),
            erase_time: row.get("erase_time"),
        }
    }
}

/// Keeps a reply. False where the provider delivers it again: then it must not act a second time.
pub(crate) async fn reply_insert(tx: &SystemTx<'_>, reply: &Reply) -> Result<bool> {
    let sql = include_str!("conversations/reply_insert.sql");
    let inserted = execute(
        tx,
        sql,
        &[
            &reply.id,
            &reply.tenant,
            &reply.account,
            &reply.provider_message_id,
            &reply.from,
            &reply.to,
            &reply.body,
            &reply.media_urls,
            &reply.keyword,
            &reply.receive_time,
        ],
    )
    .await?;
    Ok(inserted == 1)
}

/// Where a reply belongs.
#[derive(Default)]
pub(crate) struct ReplyRoute {
    /// Our number; `None` where it is not one of the tenant's.
    pub(crate) number: Option<Uuid>,
    /// The text that it answers: the last that went to this person from this number. `None` where there was none.
    pub(crate) message: Option<Uuid>,
    /// That text's campaign.
    pub(crate) campaign: Option<Uuid>,
}

/// Where a reply belongs.
pub(crate) async fn reply_route(tx: &SystemTx<'_>, reply: &Reply) -> Result<ReplyRoute> {
    let sql = include_str!("conversations/reply_route.sql");
    let claimed = Status::Claimed.code();
    let row =
        query_opt(tx, sql, &[&reply.tenant, &reply.from, &reply.to, &claimed, &CAMPAIGNS_ANSWERED]).await?;
    Ok(row.map_or_else(ReplyRoute::default, |row| ReplyRoute {
        number: row.get("number_id"),
        message: row.get("message_id"),
        campaign: row.get("campaign_id"),
    }))
}

/// Opts a phone number out. False where it was already.
pub(crate) async fn opt_out_insert(
    tx: &SystemTx<'_>,
    tenant: Uuid,
    phone: &str,
    time: Micros,
) -> Result<bool> {
    let sql = include_str!("conversations/opt_out_insert.sql");
    Ok(execute(tx, sql, &[&tenant, &phone, &time]).await? == 1)
}

/// Opts a phone number in again. False where it had not opted out.
pub(crate) async fn opt_out_delete(tx: &SystemTx<'_>, tenant: Uuid, phone: &str) -> Result<bool> {
    Ok(execute(tx, include_str!("conversations/opt_out_delete.sql"), &[&tenant, &phone]).await? == 1)
}

/// Opts out the recipients of messages that a provider refused because they had opted out there. Returns those who had not
/// opted out here, with their tenants.
pub(crate) async fn opt_outs_of_messages(
    tx: &SystemTx<'_>,
    messages: &HashSet<Uuid>,
    time: Micros,
) -> Result<Vec<(Uuid, String)>> {
    let ids: Vec<Uuid> = messages.iter().copied().collect();
    let rows = query(tx, include_str!("conversations/opt_outs_of_messages.sql"), &[&ids, &time]).await?;
    Ok(rows.into_iter().map(|row| (row.get("tenant_id"), row.get("phone"))).collect())
}

/// Notes that `texter` is the last who sent to this message's recipient from its number: whoever replies, replies to them.
pub(crate) async fn conversation_assign(
    tx: &TenantTx<'_>,
    message: &Message,
    texter: &str,
    now: Micros,
) -> Result<()> {
    let sql = include_str!("conversations/conversation_assign.sql");
    execute(tx, sql, &[&message.to, &message.from, &texter, &now, &message.id]).await?;
    Ok(())
}

/// Notes that somebody replied: they have a conversation with the number, whoever sent to them.
pub(crate) async fn conversation_reply(tx: &SystemTx<'_>, reply: &Reply) -> Result<()> {
    let sql = include_str!("conversations/conversation_reply.sql");
    execute(tx, sql, &[&reply.tenant, &reply.from, &reply.to, &reply.receive_time]).await?;
    Ok(())
}

/// Which of `numbers` each of these people has talked with last, by their phone numbers; those without a conversation are
/// missing.
pub(crate) async fn numbers_talked_with(
    tx: &SystemTx<'_>,
    tenant: Uuid,
    phones: &[&str],
    numbers: &[&str],
) -> Result<HashMap<String, String>> {
    let sql = include_str!("conversations/numbers_talked_with.sql");
    let rows = query(tx, sql, &[&tenant, &phones, &numbers]).await?;
    Ok(rows.into_iter().map(|row| (row.get("phone"), row.get("number_phone"))).collect())
}

/// Whether `texter` is the last who sent to this message's recipient from its number.
pub(crate) async fn conversation_is_of(tx: &TenantTx<'_>, message: &Message, texter: &str) -> Result<bool> {
    let sql = include_str!("conversations/conversation_is_of.sql");
    Ok(query_one(tx, sql, &[&message.to, &message.from, &texter]).await?.get(0))
}

/// The tenant's replies; only those to `texter`, where there is one.
pub(crate) async fn replies_list(
    tx: &TenantTx<'_>,
    texter: Option<&str>,
    page: &Page<Uuid>,
) -> Result<Vec<Reply>> {
    let sql = include_str!("conversations/replies_list.sql");
    Ok(query(tx, sql, &[&page.after, &page.limit, &texter]).await?.into_iter().map(Reply::from).collect())
}

/// A phone number that has opted out.
pub(crate) struct OptOut {
    pub(crate) phone: String,
    pub(crate) create_time: Micros,
}

pub(crate) async fn opt_outs_list(tx: &TenantTx<'_>, page: &Page<String>) -> Result<Vec<OptOut>> {
    let sql = include_str!("conversations/opt_outs_list.sql");
    let rows = query(tx, sql, &[&page.after, &page.limit]).await?;
    Ok(rows
        .into_iter()
        .map(|row| OptOut { phone: row.get("phone"), create_time: row.get("create_time") })
        .collect())
}
