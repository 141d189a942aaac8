//! Replies.

use muster_domain::status::Status;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::db::{Micros, Result, SystemTx, TenantTx};
use crate::store::media::NewMedium;
use crate::store::{Page, query, query_opt};

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
    /// Our number; `None` where it is not one of the tenant's.
    pub(crate) number: Option<Uuid>,
    pub(crate) answers: Option<Answered>,
}

/// Keeps a reply, with its media to be fetched. `None` where the provider delivers it again: then it must not act a second
/// time.
pub(crate) async fn reply_insert(
    tx: &SystemTx<'_>,
    reply: &Reply,
    media: &[NewMedium],
) -> Result<Option<Kept>> {
    let sql = include_str!("replies/reply_insert.sql");
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
        number: row.get("number_id"),
        answers: row.get::<_, Option<Uuid>>("message_id").map(|message| Answered {
            message,
            campaign: row.get("campaign_id"),
            time: row.get("text_time"),
        }),
    }))
}

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
    let sql = include_str!("replies/replies_list.sql");
    let rows = query(tx, sql, &[&page.after, &page.limit, &texter]).await?;
    Ok(rows.into_iter().map(KnownReply::from).collect())
}

/// Replies by their ids.
pub(crate) async fn replies_get(tx: &TenantTx<'_>, ids: &[Uuid]) -> Result<Vec<KnownReply>> {
    let rows = query(tx, include_str!("replies/replies_get.sql"), &[&ids]).await?;
    Ok(rows.into_iter().map(KnownReply::from).collect())
}
