//! Retention: what is personal in finished work, found when it is too old, and erased in batches. Whoever calls has taken
//! the tenant, see [`tenant_take`], and so is alone with what is erased of it.

use muster_domain::status::Status;
use uuid::Uuid;

use crate::db::{Micros, Result, SystemTx};
use crate::store::campaigns::CampaignState;
use crate::store::tenants::TenantState;
use crate::store::transitions::Moved;
use crate::store::{execute, query, query_opt};

/// Statuses in which a text waits, or is on its way to a provider. Its campaign is not over, and it is not erased.
const UNFINISHED: [Status; 4] = [Status::Created, Status::Queued, Status::Ordered, Status::Claimed];
/// Lists of which the erasing begins at once.
const LISTS: i64 = 20;

fn unfinished() -> Vec<i16> {
    UNFINISHED.iter().map(|status| status.code()).collect()
}

/// The next campaigns after `after` that may be over, by their ids.
pub(crate) async fn campaigns_not_ended(tx: &SystemTx<'_>, after: Uuid, limit: i64) -> Result<Vec<Uuid>> {
    let sql = include_str!("retention/campaigns_not_ended.sql");
    let rows = query(tx, sql, &[&after, &(CampaignState::Canceled as i16), &limit]).await?;
    Ok(rows.into_iter().map(|row| row.get(0)).collect())
}

/// Notes of those of `campaigns` that are over that they are, and that their lists were in use until now. Returns which.
pub(crate) async fn campaigns_end(tx: &SystemTx<'_>, campaigns: &[Uuid], now: Micros) -> Result<Moved> {
    let sql = include_str!("retention/campaigns_end.sql");
    let canceled = CampaignState::Canceled as i16;
    let rows = query(tx, sql, &[&campaigns, &canceled, &now, &unfinished()]).await?;
    Ok(Moved(rows.into_iter().map(|row| row.get(0)).collect()))
}

/// Tenants with a retention that are to be looked at, where the platform's is `days_max`.
pub(crate) async fn tenants_to_look_at(
    tx: &SystemTx<'_>,
    days_max: i32,
    now: Micros,
    limit: i64,
) -> Result<Vec<Uuid>> {
    let sql = include_str!("retention/tenants_to_look_at.sql");
    let rows = query(tx, sql, &[&TenantState::Purged.code(), &days_max, &now, &limit]).await?;
    Ok(rows.into_iter().map(|row| row.get(0)).collect())
}

/// Takes a tenant for this transaction, and says how many days its content is kept. `None` where somebody else has it, or
/// it is kept for ever.
pub(crate) async fn tenant_take(tx: &SystemTx<'_>, tenant: Uuid, days_max: i32) -> Result<Option<i32>> {
    let sql = include_str!("retention/tenant_take.sql");
    let row = query_opt(tx, sql, &[&tenant, &TenantState::Purged.code(), &days_max]).await?;
    Ok(row.and_then(|row| row.get("days")))
}

/// Sets when a tenant is looked at again.
pub(crate) async fn tenant_look_again(tx: &SystemTx<'_>, tenant: Uuid, time: Micros) -> Result<()> {
    execute(tx, include_str!("retention/tenant_look_again.sql"), &[&tenant, &time]).await?;
    Ok(())
}

/// What is erased in one transaction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Erasure {
    pub(crate) tenant: Uuid,
    /// What is older than this is erased.
    pub(crate) before: Micros,
    pub(crate) now: Micros,
    /// Rows at most, about.
    pub(crate) limit: i64,
}

/// Erases a batch of the first kind that has anything to erase. Returns whether there was any.
pub(crate) async fn erase_batch(tx: &SystemTx<'_>, erasure: &Erasure) -> Result<bool> {
    if erase_messages(tx, erasure).await? || erase_list(tx, erasure).await? {
        return Ok(true);
    }
    let Erasure { tenant, before, now, limit } = erasure;
    let replies = include_str!("retention/replies_erase.sql");
    if execute(tx, replies, &[tenant, before, limit, now]).await? > 0 {
        return Ok(true);
    }
    let others = [
        include_str!("retention/conversations_erase.sql"),
        include_str!("retention/unmatched_receipts_erase.sql"),
        include_str!("retention/rejected_events_erase.sql"),
    ];
    for sql in others {
        if execute(tx, sql, &[tenant, before, limit]).await? > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Erases the next messages of the campaign that ended first, and moves its cursor with them. A campaign that goes on,
/// because a late outcome asked for another attempt, has not ended.
async fn erase_messages(tx: &SystemTx<'_>, erasure: &Erasure) -> Result<bool> {
    let sql = include_str!("retention/campaign_to_erase.sql");
    let Some(campaign) = query_opt(tx, sql, &[&erasure.tenant, &erasure.before]).await? else {
        return Ok(false);
    };
    let (id, after): (Uuid, Uuid) = (campaign.get("id"), campaign.get("erased_to"));
    let sql = include_str!("retention/messages_to_erase.sql");
    let page = query(tx, sql, &[&id, &after, &erasure.limit, &unfinished()]).await?;
    if page.iter().any(|row| row.get("unfinished")) {
        execute(tx, include_str!("retention/campaign_goes_on.sql"), &[&id]).await?;
        return Ok(true);
    }
    let ids: Vec<Uuid> = page.iter().map(|row| row.get("id")).collect();
    execute(tx, include_str!("retention/messages_erase.sql"), &[&ids]).await?;
    let to = page.last().map_or(after, |row| row.get("contact_id"));
    let done = is_last(page.len(), erasure.limit);
    let sql = include_str!("retention/campaign_erased.sql");
    execute(tx, sql, &[&id, &to, &done, &erasure.now]).await?;
    Ok(true)
}

/// Erases the next contacts, then the next rejected rows, of a list that is being erased; begins with more lists where
/// there is none.
async fn erase_list(tx: &SystemTx<'_>, erasure: &Erasure) -> Result<bool> {
    let Erasure { tenant, before, now, limit } = erasure;
    let Some(list) = query_opt(tx, include_str!("retention/list_being_erased.sql"), &[tenant]).await? else {
        let rows = query(tx, include_str!("retention/lists_to_erase.sql"), &[tenant, before, &LISTS]).await?;
        let lists: Vec<Uuid> = rows.into_iter().map(|row| row.get(0)).collect();
        let sql = include_str!("retention/lists_erase_begin.sql");
        return Ok(execute(tx, sql, &[&lists, before, now]).await? > 0);
    };
    let (id, after): (Uuid, Uuid) = (list.get("id"), list.get("erased_to"));
    if execute(tx, include_str!("retention/contacts_erase.sql"), &[&id, limit]).await? > 0 {
        return Ok(true);
    }
    let sql = include_str!("retention/rejected_rows_erase.sql");
    let rows = query(tx, sql, &[&id, &after, limit]).await?;
    let to = rows.iter().map(|row| row.get("id")).max().unwrap_or(after);
    let done = is_last(rows.len(), *limit);
    execute(tx, include_str!("retention/list_erased.sql"), &[&id, &to, &done]).await?;
    Ok(true)
}

fn is_last(rows: usize, limit: i64) -> bool {
    i64::try_from(rows).is_ok_and(|rows| rows < limit)
}
