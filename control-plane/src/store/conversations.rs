//! Conversations, and opt-outs.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use muster_domain::status::Status;
use muster_runtime::clock;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::db::{Micros, Result, SystemTx, TenantTx};
use crate::store::messages::Message;
use crate::store::replies::{Kept, Reply};
use crate::store::{Page, execute, query, query_one, query_opt};

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

/// A conversation.
pub(crate) struct Conversation {
    pub(crate) id: Uuid,
    pub(crate) phone: String,
    pub(crate) number: String,
    pub(crate) texter: String,
    /// The last text that a texter sent or a reply answered; its campaign, and when it was sent.
    pub(crate) message: Option<Uuid>,
    pub(crate) campaign: Option<Uuid>,
    pub(crate) text_time: Option<Micros>,
    pub(crate) reply_time: Option<Micros>,
    /// The list and the id of the contact that the text went to.
    pub(crate) contact: Option<(Uuid, Uuid)>,
}

impl From<Row> for Conversation {
    fn from(row: Row) -> Self {
        let (list, contact): (Option<Uuid>, Option<Uuid>) = (row.get("list_id"), row.get("contact_id"));
        Self {
            id: row.get("id"),
            phone: row.get("phone"),
            number: row.get("number_phone"),
            texter: row.get("texter"),
            message: row.get("message_id"),
            campaign: row.get("campaign_id"),
            text_time: row.get("text_time"),
            reply_time: row.get("reply_time"),
            contact: list.zip(contact),
        }
    }
}

/// A conversation; only if it is of `texter`, where there is one.
pub(crate) async fn conversation_get(
    tx: &TenantTx<'_>,
    id: Uuid,
    texter: Option<&str>,
) -> Result<Option<Conversation>> {
    let sql = include_str!("conversations/conversation_get.sql");
    Ok(query_opt(tx, sql, &[&id, &texter]).await?.map(Conversation::from))
}

/// Which conversations are wanted.
pub(crate) struct Wanted<'a> {
    pub(crate) texter: Option<&'a str>,
    pub(crate) campaign: Option<Uuid>,
    pub(crate) unanswered: bool,
}

/// The tenant's conversations in which somebody has replied, the newest replies first.
pub(crate) async fn conversations_list(
    tx: &TenantTx<'_>,
    wanted: &Wanted<'_>,
    page: &Page<Reverse<Moment>>,
) -> Result<Vec<Conversation>> {
    let sql = include_str!("conversations/conversations_list.sql");
    let Reverse(Moment(time, id)) = page.after;
    let parameters: [&(dyn ToSql + Sync); 6] =
        [&time, &id, &page.limit, &wanted.texter, &wanted.campaign, &wanted.unanswered];
    Ok(query(tx, sql, &parameters).await?.into_iter().map(Conversation::from).collect())
}

/// A time, and the id of what happened then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment(pub(crate) Micros, pub(crate) Uuid);

/// Something that was said: a text where it was sent, a reply where it was not.
pub(crate) struct Said {
    pub(crate) at: Moment,
    pub(crate) sent: bool,
}

/// What was said between this person and this number, the oldest first.
pub(crate) async fn conversation_texts(
    tx: &TenantTx<'_>,
    conversation: &Conversation,
    page: &Page<Moment>,
) -> Result<Vec<Said>> {
    let sql = include_str!("conversations/conversation_texts.sql");
    let (Conversation { phone, number, .. }, Moment(time, id)) = (conversation, page.after);
    let rows = query(tx, sql, &[phone, number, &time, &id, &page.limit, &Status::Claimed.code()]).await?;
    let said = |row: Row| Said { at: Moment(row.get("time"), row.get("id")), sent: row.get("sent") };
    Ok(rows.into_iter().map(said).collect())
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
