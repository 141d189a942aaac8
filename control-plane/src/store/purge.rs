//! Purging: deleting all rows of a tenant that was deleted, in batches, each found by a key. What the audit log says of a
//! tenant is not among them.

use uuid::Uuid;

use crate::db::{Micros, Result, SystemTx};
use crate::store::tenants::TenantState;
use crate::store::{execute, query, query_opt};

/// How a batch of each table's rows is deleted, once messages and campaigns are gone: in an order in which nothing is
/// referred to any more. Secrets go with their keys; frames of status changes go when they are relayed.
const STEPS: [&str; 19] = [
    include_str!("purge/tenant_texts.sql"),
    include_str!("purge/inquiries.sql"),
    include_str!("purge/contacts.sql"),
    include_str!("purge/rejected_rows.sql"),
    include_str!("purge/contact_lists.sql"),
    include_str!("purge/phone_numbers.sql"),
    include_str!("purge/number_pools.sql"),
    include_str!("purge/routes.sql"),
    include_str!("purge/provider_accounts.sql"),
    include_str!("purge/reply_media.sql"),
    include_str!("purge/replies.sql"),
    include_str!("purge/conversations.sql"),
    include_str!("purge/opt_outs.sql"),
    include_str!("purge/unmatched_receipts.sql"),
    include_str!("purge/rejected_events.sql"),
    include_str!("purge/api_keys.sql"),
    include_str!("purge/invitations.sql"),
    include_str!("purge/members.sql"),
    include_str!("purge/roles.sql"),
];

/// Makes tombstones of the tenants whose time has come: from here on they cannot be undeleted.
pub(crate) async fn purge_begin(tx: &SystemTx<'_>, now: Micros) -> Result<u64> {
    let sql = include_str!("purge/purge_begin.sql");
    execute(tx, sql, &[&TenantState::Deleted.code(), &now, &TenantState::Purged.code()]).await
}

/// Tenants whose rows are to be looked for.
pub(crate) async fn purge_due(tx: &SystemTx<'_>, now: Micros, limit: i64) -> Result<Vec<Uuid>> {
    let sql = include_str!("purge/purge_due.sql");
    let rows = query(tx, sql, &[&TenantState::Purged.code(), &now, &limit]).await?;
    Ok(rows.into_iter().map(|row| row.get(0)).collect())
}

/// Takes a tenant that is purged, for this transaction. False where somebody else has it.
pub(crate) async fn purge_lock(tx: &SystemTx<'_>, tenant: Uuid) -> Result<bool> {
    let sql = include_str!("purge/purge_lock.sql");
    Ok(query_opt(tx, sql, &[&tenant, &TenantState::Purged.code()]).await?.is_some())
}

/// Sets when a tenant's rows are looked for again.
pub(crate) async fn purge_look_again(tx: &SystemTx<'_>, tenant: Uuid, time: Micros) -> Result<()> {
    execute(tx, include_str!("purge/purge_look_again.sql"), &[&tenant, &time]).await?;
    Ok(())
}

/// Deletes a batch of the tenant's rows, of the first table that has any. Returns how many; 0 when none is left.
pub(crate) async fn purge_batch(tx: &SystemTx<'_>, tenant: Uuid, limit: i64) -> Result<u64> {
    // An order or an assignment may wait for its message; the counters count until the last one is gone.
    let of_campaigns = [include_str!("purge/queue.sql"), include_str!("purge/assignments.sql")];
    let counters = [include_str!("purge/campaign_counters.sql")];
    let mut deleted = step(tx, &of_campaigns, tenant, limit).await?;
    if deleted == 0 {
        deleted = purge_messages(tx, tenant, limit).await?;
    }
    if deleted == 0 {
        deleted = step(tx, &counters, tenant, limit).await?;
    }
    if deleted == 0 {
        deleted = purge_campaigns(tx, tenant, limit).await?;
    }
    if deleted == 0 {
        deleted = step(tx, &STEPS, tenant, limit).await?;
    }
    Ok(deleted)
}

/// The first of `steps` that deletes anything.
async fn step(tx: &SystemTx<'_>, steps: &[&str], tenant: Uuid, limit: i64) -> Result<u64> {
    for sql in steps {
        let deleted = execute(tx, sql, &[&tenant, &limit]).await?;
        if deleted > 0 {
            return Ok(deleted);
        }
    }
    Ok(0)
}

/// Deletes messages with all that hangs on them. Their states go first: whoever moves one just now has it locked, and what
/// they write of it is there when the statement after runs.
async fn purge_messages(tx: &SystemTx<'_>, tenant: Uuid, limit: i64) -> Result<u64> {
    let found = query(tx, include_str!("purge/messages_find.sql"), &[&tenant, &limit]).await?;
    let mut ids: Vec<Uuid> = found.into_iter().map(|row| row.get(0)).collect();
    ids.sort_unstable();
    execute(tx, include_str!("purge/message_states.sql"), &[&ids]).await?;
    execute(tx, include_str!("purge/message_events.sql"), &[&ids]).await?;
    execute(tx, include_str!("purge/messages.sql"), &[&ids]).await
}

/// Deletes campaigns of which nothing is left. They are locked first, as the planner locks them: what it has written is
/// there when the statement after runs.
async fn purge_campaigns(tx: &SystemTx<'_>, tenant: Uuid, limit: i64) -> Result<u64> {
    let found = query(tx, include_str!("purge/campaigns_lock.sql"), &[&tenant, &limit]).await?;
    let ids: Vec<Uuid> = found.into_iter().map(|row| row.get(0)).collect();
    execute(tx, include_str!("purge/campaigns.sql"), &[&ids]).await
}
