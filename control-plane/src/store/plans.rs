//! Planning: the rows of new messages.

use futures::future::try_join;
use uuid::Uuid;

use crate::db::{Micros, Result, SystemTx};
use crate::store::execute;

/// A message as the planner makes it.
pub(crate) struct Plan {
    pub(crate) message: Uuid,
    pub(crate) contact: Uuid,
    pub(crate) number: Uuid,
    pub(crate) phone: String,
    pub(crate) body: String,
    pub(crate) segments: i16,
    /// When it may go out, where it is queued at once.
    pub(crate) due_time: Micros,
    /// Until when, where it is queued at once.
    pub(crate) expire_time: Option<Micros>,
}

/// Inserts messages and their states.
pub(crate) async fn messages_insert(
    tx: &SystemTx<'_>,
    tenant: Uuid,
    campaign: Uuid,
    plans: &[Plan],
    status: i16,
    now: Micros,
) -> Result<()> {
    let expire_times: Vec<Option<Micros>> = plans.iter().map(|plan| plan.expire_time).collect();
    let ids: Vec<Uuid> = plans.iter().map(|plan| plan.message).collect();
    let contacts: Vec<Uuid> = plans.iter().map(|plan| plan.contact).collect();
    let numbers: Vec<Uuid> = plans.iter().map(|plan| plan.number).collect();
    let phones: Vec<&str> = plans.iter().map(|plan| plan.phone.as_str()).collect();
    let bodies: Vec<&str> = plans.iter().map(|plan| plan.body.as_str()).collect();
    let segments: Vec<i16> = plans.iter().map(|plan| plan.segments).collect();
    let messages: crate::store::Parameters<'_> =
        &[&tenant, &campaign, &now, &ids, &contacts, &numbers, &phones, &bodies, &segments];
    let states: crate::store::Parameters<'_> = &[&tenant, &campaign, &now, &ids, &expire_times, &status];
    try_join(
        execute(tx, include_str!("plans/messages_insert.sql"), messages),
        execute(tx, include_str!("plans/message_states_insert.sql"), states),
    )
    .await?;
    Ok(())
}

/// Puts messages where texters take them from.
pub(crate) async fn assignments_insert(
    tx: &SystemTx<'_>,
    tenant: Uuid,
    campaign: Uuid,
    plans: &[Plan],
) -> Result<()> {
    let ids: Vec<Uuid> = plans.iter().map(|plan| plan.message).collect();
    execute(tx, include_str!("plans/assignments_insert.sql"), &[&tenant, &campaign, &ids]).await?;
    Ok(())
}

/// Puts messages into the queue of their campaign.
pub(crate) async fn queue_insert(
    tx: &SystemTx<'_>,
    tenant: Uuid,
    campaign: Uuid,
    plans: &[Plan],
) -> Result<()> {
    let ids: Vec<Uuid> = plans.iter().map(|plan| plan.message).collect();
    let numbers: Vec<Uuid> = plans.iter().map(|plan| plan.number).collect();
    let segments: Vec<i16> = plans.iter().map(|plan| plan.segments).collect();
    let sql = include_str!("plans/queue_insert.sql");
    let due_times: Vec<Micros> = plans.iter().map(|plan| plan.due_time).collect();
    let expire_times: Vec<Option<Micros>> = plans.iter().map(|plan| plan.expire_time).collect();
    execute(tx, sql, &[&tenant, &campaign, &ids, &numbers, &segments, &due_times, &expire_times]).await?;
    Ok(())
}
