//! Moving messages that wait from one number to another.

use std::collections::HashMap;

use muster_domain::error::SendError;
use muster_domain::status::Status;
use uuid::Uuid;

use crate::db::{Micros, Result, SystemTx};
use crate::store::transitions::error_from;
use crate::store::{execute, query};

/// A place in a number's line: when a message is due, and which.
pub(crate) type Place = (Micros, Uuid);

/// Before all others.
pub(crate) const FIRST: Place = (Micros(0), Uuid::nil());

/// A number that messages wait for.
pub(crate) struct From<'a> {
    pub(crate) id: Uuid,
    pub(crate) phone: &'a str,
    /// Only those behind this place are looked at.
    pub(crate) after: Place,
}

/// Which of those that wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    All,
    /// Those that wait for another attempt.
    Again,
}

/// A message that waits and is due.
pub(crate) struct Waiting {
    pub(crate) message: Uuid,
    pub(crate) number: Uuid,
    pub(crate) number_phone: String,
    pub(crate) segments: i16,
    pub(crate) attempt: i16,
    pub(crate) due_time: Micros,
    /// Whom it is for.
    pub(crate) phone: String,
    /// They have a conversation with the number.
    pub(crate) stays: bool,
}

/// The next of a campaign's messages that wait for these numbers, the first that were due first; at most `each` of a number.
pub(crate) async fn moves_find(
    tx: &SystemTx<'_>,
    campaign: Uuid,
    numbers: &[From<'_>],
    which: Which,
    each: i64,
) -> Result<Vec<Waiting>> {
    let ids: Vec<Uuid> = numbers.iter().map(|number| number.id).collect();
    let phones: Vec<&str> = numbers.iter().map(|number| number.phone).collect();
    let (due_times, messages): (Vec<Micros>, Vec<Uuid>) = numbers.iter().map(|number| number.after).unzip();
    let sql = match which {
        Which::All => include_str!("moves/moves_find.sql"),
        Which::Again => include_str!("moves/moves_find_again.sql"),
    };
    let rows =
        query(tx, sql, &[&campaign, &ids, &phones, &due_times, &messages, &Micros::now(), &each]).await?;
    let waiting = rows.into_iter().map(|row| Waiting {
        message: row.get("message_id"),
        number: row.get("number_id"),
        number_phone: row.get("number_phone"),
        segments: row.get("segments"),
        attempt: row.get("attempt"),
        due_time: row.get("due_time"),
        phone: row.get("phone"),
        stays: row.get("stays"),
    });
    Ok(waiting.collect())
}

/// A message's way to another number.
pub(crate) struct Move {
    pub(crate) waiting: Waiting,
    pub(crate) to: Uuid,
    pub(crate) to_phone: String,
}

/// Locks the states of those that are QUEUED in the attempt that they wait for, and returns the reason why the attempt
/// before was not accepted, where there was one.
pub(crate) async fn states_lock(
    tx: &SystemTx<'_>,
    moves: &[Move],
) -> Result<HashMap<Uuid, Option<SendError>>> {
    let ids: Vec<Uuid> = moves.iter().map(|one| one.waiting.message).collect();
    let attempts: Vec<i16> = moves.iter().map(|one| one.waiting.attempt).collect();
    let sql = include_str!("moves/states_lock.sql");
    let rows = query(tx, sql, &[&ids, &attempts, &Status::Queued.code()]).await?;
    let errors = rows
        .into_iter()
        .map(|row| (row.get("message_id"), error_from(row.get("error_class"), row.get("error_code"))));
    Ok(errors.collect())
}

/// Gives messages, their places in the queue and the conversations that they begin their new numbers. Returns how many
/// places in the queue there were: fewer than `moves` means that this transaction must not be committed.
pub(crate) async fn renumber(tx: &SystemTx<'_>, tenant: Uuid, campaign: Uuid, moves: &[Move]) -> Result<u64> {
    let ids: Vec<Uuid> = moves.iter().map(|one| one.waiting.message).collect();
    let from: Vec<Uuid> = moves.iter().map(|one| one.waiting.number).collect();
    let to: Vec<Uuid> = moves.iter().map(|one| one.to).collect();
    let due_times: Vec<Micros> = moves.iter().map(|one| one.waiting.due_time).collect();
    let phones: Vec<&str> = moves.iter().map(|one| one.waiting.phone.as_str()).collect();
    let phones_from: Vec<&str> = moves.iter().map(|one| one.waiting.number_phone.as_str()).collect();
    let phones_to: Vec<&str> = moves.iter().map(|one| one.to_phone.as_str()).collect();
    execute(tx, include_str!("moves/messages_renumber.sql"), &[&ids, &to]).await?;
    let sql = include_str!("moves/conversations_renumber.sql");
    execute(tx, sql, &[&tenant, &ids, &phones, &phones_from, &phones_to]).await?;
    let sql = include_str!("moves/queue_renumber.sql");
    execute(tx, sql, &[&campaign, &ids, &from, &to, &due_times]).await
}
