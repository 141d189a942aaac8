//! How numbers do, as their tenants' watchers were told last.

use uuid::Uuid;

use crate::db::{Micros, Result, SystemTx};
use crate::store::{execute, query};

/// How a number does, numbered as in the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i16)]
pub(crate) enum Condition {
    Well = 1,
    Poor = 2,
    Refused = 3,
    Unreachable = 4,
}

impl Condition {
    fn from_code(code: i16) -> Self {
        // What a newer version calls a trouble that this one does not know ends like any other.
        [Self::Well, Self::Refused, Self::Unreachable]
            .into_iter()
            .find(|condition| *condition as i16 == code)
            .unwrap_or(Self::Poor)
    }
}

/// A number that is in trouble, or may be.
pub(crate) struct JudgedNumber {
    pub(crate) id: Uuid,
    pub(crate) account: Uuid,
    pub(crate) condition: Condition,
    /// When a sign of its trouble was last seen.
    pub(crate) sign_time: Option<Micros>,
}

/// The numbers that are in trouble, and all numbers of `accounts`.
pub(crate) async fn numbers_to_judge(tx: &SystemTx<'_>, accounts: &[Uuid]) -> Result<Vec<JudgedNumber>> {
    let rows = query(tx, include_str!("conditions/numbers_to_judge.sql"), &[&accounts]).await?;
    let numbers = rows.into_iter().map(|row| JudgedNumber {
        id: row.get("id"),
        account: row.get("account_id"),
        condition: Condition::from_code(row.get("condition")),
        sign_time: row.get("sign_time"),
    });
    Ok(numbers.collect())
}

/// A number's way from one condition to another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    pub(crate) number: Uuid,
    pub(crate) from: Condition,
    pub(crate) to: Condition,
}

/// A number whose condition is another one from now on.
pub(crate) struct Turned {
    pub(crate) number: Uuid,
    pub(crate) tenant: Uuid,
    pub(crate) account: Uuid,
    pub(crate) condition: Condition,
}

/// Makes those of `turns` (sorted by number) whose numbers are still where they turn from. The others were turned by
/// somebody else, who tells of it.
pub(crate) async fn conditions_move(tx: &SystemTx<'_>, turns: &[Turn], now: Micros) -> Result<Vec<Turned>> {
    let numbers: Vec<Uuid> = turns.iter().map(|turn| turn.number).collect();
    let from: Vec<i16> = turns.iter().map(|turn| turn.from as i16).collect();
    let to: Vec<i16> = turns.iter().map(|turn| turn.to as i16).collect();
    let sql = include_str!("conditions/conditions_move.sql");
    let rows = query(tx, sql, &[&numbers, &from, &to, &now]).await?;
    let turned = rows.into_iter().map(|row| Turned {
        number: row.get("id"),
        tenant: row.get("tenant_id"),
        account: row.get("account_id"),
        condition: Condition::from_code(row.get("condition")),
    });
    Ok(turned.collect())
}

/// Notes that signs of these numbers' trouble were seen now.
pub(crate) async fn signs_note(tx: &SystemTx<'_>, numbers: &[Uuid], now: Micros) -> Result<()> {
    execute(tx, include_str!("conditions/signs_note.sql"), &[&numbers, &now]).await?;
    Ok(())
}
