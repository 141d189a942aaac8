//! What metrics tell of all tenants together: how much waits, and for how long.

use uuid::Uuid;

use crate::db::{Micros, Result, SystemTx};
use crate::store::campaigns::{CampaignState, Mode};
use crate::store::query;
use crate::store::tenants::TenantState;

/// Texts that are open.
pub(crate) struct OpenTexts {
    pub(crate) status: i16,
    pub(crate) mode: Mode,
    pub(crate) texts: i64,
}

/// Texts in one of `statuses`, in campaigns that are not over.
pub(crate) async fn texts_open(tx: &SystemTx<'_>, statuses: &[i16]) -> Result<Vec<OpenTexts>> {
    let rows = query(tx, include_str!("measures/texts_open.sql"), &[&statuses]).await?;
    let open = rows.into_iter().map(|row| OpenTexts {
        status: row.get("status"),
        mode: Mode::from_code(row.get("mode")),
        texts: row.get("texts"),
    });
    Ok(open.collect())
}

/// Since when the oldest text is due that waits in the queue of a running campaign.
pub(crate) async fn queue_oldest(tx: &SystemTx<'_>) -> Result<Vec<(Mode, Micros)>> {
    let sql = include_str!("measures/queue_oldest.sql");
    let (running, active) = (CampaignState::Running as i16, TenantState::Active.code());
    let rows = query(tx, sql, &[&running, &active, &Micros::now()]).await?;
    Ok(rows.into_iter().map(|row| (Mode::from_code(row.get("mode")), row.get("due_time"))).collect())
}

/// Frames that are committed and not published.
pub(crate) struct Outbox {
    pub(crate) name: &'static str,
    pub(crate) frames: i64,
    /// The oldest; its id says when it was made.
    pub(crate) oldest: Option<Uuid>,
}

/// The outboxes: of orders, and of changes of status.
pub(crate) async fn outboxes(tx: &SystemTx<'_>) -> Result<Vec<Outbox>> {
    let rows = query(tx, include_str!("measures/outboxes.sql"), &[]).await?;
    let outboxes = rows.into_iter().zip(["orders", "statuses"]).map(|(row, name)| Outbox {
        name,
        frames: row.get("frames"),
        oldest: row.get("oldest"),
    });
    Ok(outboxes.collect())
}
