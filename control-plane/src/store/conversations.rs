//! Replies, the conversations that they are part of, and opt-outs.

pub(crate) mod read;

use std::collections::{HashMap, HashSet};

use muster_domain::status::Status;
use muster_runtime::clock;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::db::{Micros, Result, SystemTx, TenantTx};
use crate::store::media::NewMedium;
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

/// The text that a reply answers: the last one that went to this person from this number.
pub(crate) struct Answered {
    pub(crate) message: Uuid,
    pub(crate) campaign: Uuid,
    /// When a sender node took it up.
    pub(crate) time: Micros,
}

/// A reply that was kept.
pub(crate) struct Kept {
    pub(crate) answers: Option<Answered>,
}

/// Keeps a reply, with its media to be fetched. `None` where the provider delivers it again: then it must not act a second
/// time.
pub(crate) async fn reply_insert(
    tx: &SystemTx<'_>,
    reply: &Reply,
    media: &[NewMedium],
) -> Result<Option<Kept>> {
    let sql = include_str!("conversations/reply_insert.sql");
    let media_ids: Vec<Uuid> = media.iter().map(|medium| medium.id).collect();
    let object_keys: Vec<&str> = media.iter().map(|medium| &*medium.object_key).collect();
    let row = query_opt(
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
            &Status::Claimed.code(),
            &CAMPAIGNS_ANSWERED,
            &media_ids,
            &object_keys,
        ],
    )
    .await?;
    Ok(row.map(|row| Kept {
        answers: row.get::<_, Option<Uuid>>("message_id").map(|message| Answered {
            message,
            campaign: row.get("campaign_id"),
            time: row.get("text_time"),
        }),
    }))
}

pub(crate) async fn opt_out_insert(tx: &SystemTx<'_>, tenant: Uuid, phone: &str, time: Micros) -> Result<()> {
    execute(tx, include_str!("conversations/opt_out_insert.sql"), &[&tenant, &phone, &time]).await?;
    Ok(())
}

pub(crate) async fn opt_out_delete(tx: &SystemTx<'_>, tenant: Uuid, phone: &str) -> Result<()> {
    execute(tx, include_str!("conversations/opt_out_delete.sql"), &[&tenant, &phone]).await?;
    Ok(())
}

/// Opts out the recipients of messages that a provider refused because they had opted out there.
pub(crate) async fn opt_outs_of_messages(
    tx: &SystemTx<'_>,
    messages: &HashSet<Uuid>,
    time: Micros,
) -> Result<()> {
    let ids: Vec<Uuid> = messages.iter().copied().collect();
    execute(tx, include_str!("conversations/opt_outs_of_messages.sql"), &[&ids, &time]).await?;
    Ok(())
}

/// Notes that `texter` is the last who sent to this message's recipient from its number: whoever replies, replies to them.
pub(crate) async fn conversation_assign(
    tx: &TenantTx<'_>,
    message: &Message,
    texter: &str,
    now: Micros,
) -> Result<()> {
    let sql = include_str!("conversations/conversation_assign.sql");
    let id = clock::new_id();
    let parameters: [&(dyn ToSql + Sync); 7] =
        [&message.to, &message.from, &texter, &now, &message.id, &id, &message.campaign];
    execute(tx, sql, &parameters).await?;
    Ok(())
}

/// Notes that somebody replied: they have a conversation with the number, whoever sent to them.
pub(crate) async fn conversation_reply(tx: &SystemTx<'_>, reply: &Reply, kept: &Kept) -> Result<()> {
    let sql = include_str!("conversations/conversation_reply.sql");
    let answers = kept.answers.as_ref();
    let (message, campaign) = (answers.map(|text| text.message), answers.map(|text| text.campaign));
    let (id, time) = (clock::new_id(), answers.map(|text| text.time));
    let parameters: [&(dyn ToSql + Sync); 8] =
        [&reply.tenant, &reply.from, &reply.to, &reply.receive_time, &id, &message, &campaign, &time];
    execute(tx, sql, &parameters).await?;
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
