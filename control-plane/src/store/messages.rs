//! Messages as people look at them, and the texter's part in their life.

use tokio_postgres::Row;
use uuid::Uuid;

use crate::db::{Micros, Result, TenantTx};
use crate::store::{Page, execute, query, query_opt};

/// A message with all that the API shows of it.
pub(crate) struct Message {
    pub(crate) id: Uuid,
    pub(crate) campaign: Uuid,
    pub(crate) list: Uuid,
    pub(crate) contact: Uuid,
    pub(crate) to: String,
    pub(crate) from: String,
    pub(crate) body: String,
    pub(crate) media_urls: Vec<String>,
    pub(crate) segments: i16,
    pub(crate) status: i16,
    pub(crate) attempt: i16,
    pub(crate) error_class: i16,
    pub(crate) error_code: String,
    pub(crate) create_time: Micros,
    pub(crate) update_time: Micros,
    /// When to whom it went and what it said were erased.
    pub(crate) erase_time: Option<Micros>,
}

impl From<Row> for Message {
    fn from(row: Row) -> Self {
        Self {
            id: row.get("id"),
            campaign: row.get("campaign_id"),
            list: row.get("list_id"),
            contact: row.get("contact_id"),
            to: row.get("phone_to"),
            from: row.get("phone_from"),
            body: row.get("body"),
            media_urls: row.get("media_urls"),
            segments: row.get("segments"),
            status: row.get("status"),
            attempt: row.get("attempt"),
            error_class: row.get("error_class"),
            error_code: row.get("error_code"),
            create_time: row.get("create_time"),
            update_time: row.get("update_time"),
            erase_time: row.get("erase_time"),
        }
    }
}

/// One step of a message's history.
pub(crate) struct HistoryRow {
    pub(crate) time: Micros,
    pub(crate) status: i16,
    pub(crate) attempt: i16,
    pub(crate) error_class: i16,
    pub(crate) error_code: String,
    pub(crate) cause: String,
    pub(crate) provider_message_id: String,
}

pub(crate) async fn message_get(tx: &TenantTx<'_>, id: Uuid) -> Result<Option<Message>> {
    Ok(query_opt(tx, include_str!("messages/message_get.sql"), &[&id]).await?.map(Message::from))
}

/// Messages by id, in the order of their ids.
pub(crate) async fn messages_get(tx: &TenantTx<'_>, ids: &[Uuid]) -> Result<Vec<Message>> {
    let sql = include_str!("messages/messages_get.sql");
    Ok(query(tx, sql, &[&ids]).await?.into_iter().map(Message::from).collect())
}

/// The messages of a campaign, by contact: the order they were planned in.
pub(crate) async fn messages_list(
    tx: &TenantTx<'_>,
    campaign: Uuid,
    page: &Page<Uuid>,
) -> Result<Vec<Message>> {
    let sql = include_str!("messages/messages_list.sql");
    Ok(query(tx, sql, &[&campaign, &page.after, &page.limit]).await?.into_iter().map(Message::from).collect())
}

/// Messages that are looked at for one page of those of some statuses. No index holds a status, which changes too often.
const STRETCH: i64 = 20_000;

/// The same, of those of some statuses: among the next [`STRETCH`]. Also says where these end, if the page is not full and
/// the campaign goes on.
pub(crate) async fn messages_list_by_status(
    tx: &TenantTx<'_>,
    campaign: Uuid,
    statuses: &[i16],
    page: &Page<Uuid>,
) -> Result<(Vec<Message>, Option<Uuid>)> {
    let sql = include_str!("messages/messages_list_by_status.sql");
    let rows = query(tx, sql, &[&campaign, &page.after, &page.limit, &STRETCH, &statuses]).await?;
    let full = i64::try_from(rows.len()).is_ok_and(|len| len >= page.limit);
    let end = match full {
        true => None,
        false => {
            let sql = include_str!("messages/messages_stretch_end.sql");
            query_opt(tx, sql, &[&campaign, &page.after, &STRETCH]).await?.map(|row| row.get(0))
        }
    };
    Ok((rows.into_iter().map(Message::from).collect(), end))
}

/// A message's history, oldest first; its planning apart, which the message itself tells.
pub(crate) async fn message_history(tx: &TenantTx<'_>, id: Uuid) -> Result<Vec<HistoryRow>> {
    let rows = query(tx, include_str!("messages/message_history.sql"), &[&id]).await?;
    let history = rows.into_iter().map(|row| HistoryRow {
        time: row.get("time"),
        status: row.get("status"),
        attempt: row.get("attempt"),
        error_class: row.get("error_class"),
        error_code: row.get("error_code"),
        cause: row.get("cause"),
        provider_message_id: row.get("provider_message_id"),
    });
    Ok(history.collect())
}

/// How long a texter may keep messages without sending them, in microseconds: 2 hours. Then others may take them.
const ASSIGNED_US: i64 = 2 * 3_600 * 1_000_000;

/// Assigns messages of a campaign to a texter, and returns their ids: those that the texter has and has not sent, then
/// free ones, then those that another texter left behind.
pub(crate) async fn assignments_claim(
    tx: &TenantTx<'_>,
    campaign: Uuid,
    texter: &str,
    count: i64,
) -> Result<Vec<Uuid>> {
    let now = Micros::now();
    let sql = include_str!("messages/assignments_claim.sql");
    let rows = query(tx, sql, &[&campaign, &texter, &now, &count, &Micros(now.0 - ASSIGNED_US)]).await?;
    Ok(rows.into_iter().map(|row| row.get(0)).collect())
}

/// Ends a message's assignment because its texter sends it. False where it is not assigned to them.
pub(crate) async fn assignment_end(
    tx: &TenantTx<'_>,
    campaign: Uuid,
    message: Uuid,
    texter: &str,
) -> Result<bool> {
    let sql = include_str!("messages/assignment_end.sql");
    Ok(execute(tx, sql, &[&campaign, &message, &texter]).await? == 1)
}

/// Says until when a message that is being queued is valid.
pub(crate) async fn message_expire_time_set(tx: &TenantTx<'_>, id: Uuid, expire_time: Micros) -> Result<()> {
    execute(tx, include_str!("messages/message_expire_time_set.sql"), &[&id, &expire_time]).await?;
    Ok(())
}
