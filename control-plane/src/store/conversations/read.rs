//! Replies and conversations as people look at them.

use std::cmp::Reverse;

use muster_domain::status::Status;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::db::{Micros, Result, TenantTx};
use crate::store::conversations::Reply;
use crate::store::{Page, query, query_opt};

/// A reply as it is known now.
pub(crate) struct KnownReply {
    pub(crate) reply: Reply,
    /// `None` once the conversation is erased.
    pub(crate) conversation: Option<Uuid>,
    /// The text that it answers, and its campaign.
    pub(crate) message: Option<Uuid>,
    pub(crate) campaign: Option<Uuid>,
}

impl From<Row> for KnownReply {
    fn from(row: Row) -> Self {
        Self {
            conversation: row.get("conversation_id"),
            message: row.get("message_id"),
            campaign: row.get("campaign_id"),
            reply: row.into(),
        }
    }
}

/// The tenant's replies; only those to `texter`, where there is one.
pub(crate) async fn replies_list(
    tx: &TenantTx<'_>,
    texter: Option<&str>,
    page: &Page<Uuid>,
) -> Result<Vec<KnownReply>> {
    let sql = include_str!("replies_list.sql");
    let rows = query(tx, sql, &[&page.after, &page.limit, &texter]).await?;
    Ok(rows.into_iter().map(KnownReply::from).collect())
}

/// Replies by their ids.
pub(crate) async fn replies_get(tx: &TenantTx<'_>, ids: &[Uuid]) -> Result<Vec<KnownReply>> {
    let rows = query(tx, include_str!("replies_get.sql"), &[&ids]).await?;
    Ok(rows.into_iter().map(KnownReply::from).collect())
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
    let sql = include_str!("conversation_get.sql");
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
    let sql = include_str!("conversations_list.sql");
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
    let sql = include_str!("conversation_texts.sql");
    let (Conversation { phone, number, .. }, Moment(time, id)) = (conversation, page.after);
    let rows = query(tx, sql, &[phone, number, &time, &id, &page.limit, &Status::Claimed.code()]).await?;
    let said = |row: Row| Said { at: Moment(row.get("time"), row.get("id")), sent: row.get("sent") };
    Ok(rows.into_iter().map(said).collect())
}
