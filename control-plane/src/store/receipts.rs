//! Receipts that are missing: campaigns that are looked through for them, and how far.

use muster_domain::status::Status;
use uuid::Uuid;

use crate::db::{Micros, Result, SystemTx};
use crate::store::{execute, query_one, query_opt};

/// Asked as late as for the third time: receipts come late more often than a call ends in silence.
const ASKED: i16 = 2;

/// A campaign that is being looked through.
pub(crate) struct LookedThrough {
    pub(crate) campaign: Uuid,
    /// The last contact whose message was looked at.
    pub(crate) to: Uuid,
    pub(crate) end_time: Option<Micros>,
    /// Whether any of its messages is SENT.
    pub(crate) sent: bool,
}

/// Takes the campaign that was to be looked through first, before `now`, for this transaction.
pub(crate) async fn campaign_take(tx: &SystemTx<'_>, now: Micros) -> Result<Option<LookedThrough>> {
    let row =
        query_opt(tx, include_str!("receipts/campaign_take.sql"), &[&now, &Status::Sent.code()]).await?;
    Ok(row.map(|row| LookedThrough {
        campaign: row.get("id"),
        to: row.get("receipts_to"),
        end_time: row.get("end_time"),
        sent: row.get("sent"),
    }))
}

/// Which messages have no receipt that should have one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Overdue {
    /// SENT later than this: of those sent before nobody expects one any more.
    pub(crate) after: Micros,
    /// And not later than this.
    pub(crate) before: Micros,
    /// When their providers are asked.
    pub(crate) due: Micros,
}

/// What was looked at.
pub(crate) struct Looked {
    pub(crate) messages: i64,
    /// Those of them whose providers are asked from now on.
    pub(crate) missing: i64,
    /// The last of their contacts.
    pub(crate) last: Option<Uuid>,
}

/// Has the providers asked about those of the next messages of a campaign that are overdue.
pub(crate) async fn messages_find(
    tx: &SystemTx<'_>,
    campaign: &LookedThrough,
    overdue: Overdue,
    limit: i64,
) -> Result<Looked> {
    let sql = include_str!("receipts/messages_find.sql");
    let Overdue { after, before, due } = overdue;
    let status = Status::Sent.code();
    let row = query_one(
        tx,
        sql,
        &[&campaign.campaign, &campaign.to, &limit, &after, &before, &due, &status, &ASKED],
    )
    .await?;
    Ok(Looked { messages: row.get("messages"), missing: row.get("missing"), last: row.get("last") })
}

/// When a campaign is looked through again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Again {
    /// At once, after this contact.
    From(Uuid),
    /// From its beginning, at this time.
    At(Micros),
    /// Never: nothing of it can be missing any more.
    Never,
}

pub(crate) async fn campaign_looked(tx: &SystemTx<'_>, campaign: Uuid, again: Again) -> Result<()> {
    let (to, time, never) = match again {
        Again::From(to) => (to, None, false),
        Again::At(time) => (Uuid::nil(), Some(time), false),
        Again::Never => (Uuid::nil(), None, true),
    };
    execute(tx, include_str!("receipts/campaign_looked.sql"), &[&campaign, &to, &time, &never]).await?;
    Ok(())
}
