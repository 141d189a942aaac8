//! Health: tells watchers when a number begins or ceases to have trouble.
//!
//! What is known: how the number's texts ended, as far as this process projected them ([`Ends`]); whether its account's
//! provider answers, as sender nodes say; and in the number's row how it does, as watchers were told last. A change of the
//! row and the word to watchers are one transaction, so several of these at once, and one that dies, tell each change once.
//! A trouble of which nobody has seen a sign for ten minutes is over: so it is also where the texts of a number have
//! ceased, or whoever had counted them has died.

use std::collections::{BTreeMap, HashMap};
use std::sync::PoisonError;
use std::time::Duration;

use muster_proto::internal::v1::NumberRecord;
use muster_runtime::frame;
use uuid::Uuid;

use crate::db::{Micros, SystemTx};
use crate::store::conditions::{
    Condition, JudgedNumber, Turn, Turned, conditions_move, numbers_to_judge, signs_note,
};
use crate::store::watchers::{Record, tell};
use crate::work::Context;
use crate::work::ends::{Counts, Sign, WINDOW_MIN};
use crate::work::nodes::{Nodes, Room};

/// How often numbers are judged.
const TIMER: Duration = Duration::from_secs(5);
/// A trouble without a sign for this long is over, in microseconds.
const SILENCE_US: i64 = WINDOW_MIN * 60_000_000;

/// Runs the judge of numbers.
pub(crate) async fn run(context: Context) -> anyhow::Result<()> {
    let mut nodes = Nodes::listen(&context.bus).await?;
    let mut before = None;
    loop {
        tokio::time::sleep(TIMER).await;
        nodes.hear();
        let now = nodes.are_heard().then(|| nodes.rooms());
        judge(&context, &Reach { now: now.as_ref(), before: before.as_ref() }).await?;
        before = now;
    }
}

/// Which accounts' providers answer, as nodes said now and at the look before: only what they say twice counts. A node whose
/// calls are not answered says so until they are; so a provider of which no node speaks answers. `None`: no node was heard.
struct Reach<'a> {
    now: Option<&'a HashMap<Uuid, Room>>,
    before: Option<&'a HashMap<Uuid, Room>>,
}

impl Reach<'_> {
    /// Whether an account's provider answers; `None` where nobody can say.
    fn answers(&self, account: Uuid) -> Option<bool> {
        let answers = |rooms: Option<&HashMap<Uuid, Room>>| {
            rooms.map(|rooms| rooms.get(&account) != Some(&Room::CircuitOpen))
        };
        answers(self.now).filter(|now| answers(self.before) == Some(*now))
    }

    /// The accounts whose providers do not answer.
    fn silent(&self) -> Vec<Uuid> {
        let spoken_of = self.now.into_iter().flat_map(HashMap::keys).copied();
        spoken_of.filter(|account| self.answers(*account) == Some(false)).collect()
    }
}

/// Judges all numbers of which there is something to say, and tells of those that turned.
async fn judge(context: &Context, reach: &Reach<'_>) -> anyhow::Result<()> {
    let mut client = context.db.system().await?;
    let tx = SystemTx::begin(&mut client).await?;
    let judged = numbers_to_judge(&tx, &reach.silent()).await?;
    let judged: BTreeMap<Uuid, JudgedNumber> = judged.into_iter().map(|number| (number.id, number)).collect();
    let now = Micros::now();
    let condition_of = |number| judged.get(&number).map_or(Condition::Well, |judged| judged.condition);
    let signs = {
        let mut ends = context.ends.lock().unwrap_or_else(PoisonError::into_inner);
        ends.signs(condition_of, now)
    };
    let signs: BTreeMap<Uuid, Sign> = signs.into_iter().map(|sign| (sign.number, sign)).collect();
    let mut turns = Vec::new();
    let mut seen = Vec::new();
    for number in signs.keys().chain(judged.keys().filter(|number| !signs.contains_key(number))) {
        let (row, sign) = (judged.get(number), signs.get(number));
        let from = condition_of(*number);
        let to = condition(row, sign, reach, now);
        if from != to {
            turns.push(Turn { number: *number, from, to });
        } else if to != Condition::Well && is_seen(to, row, sign, reach) {
            seen.push(*number);
        }
    }
    if turns.is_empty() && seen.is_empty() {
        return Ok(());
    }
    turns.sort_unstable_by_key(|turn| turn.number);
    let turned = conditions_move(&tx, &turns, now).await?;
    signs_note(&tx, &seen, now).await?;
    let told = turned.iter().map(|turned| {
        let counts = signs.get(&turned.number).map(|sign| sign.counts.clone()).unwrap_or_default();
        (turned.tenant, record(turned, &counts, now))
    });
    tell(&tx, told).await?;
    tx.commit().await?;
    context.nudges.statuses.notify_one();
    Ok(())
}

/// How a number does now, from how it did, what its texts say, and whether its provider answers. That it is refused goes
/// before all, because only another number helps then; that its provider does not answer goes before how its texts ended.
fn condition(row: Option<&JudgedNumber>, sign: Option<&Sign>, reach: &Reach<'_>, now: Micros) -> Condition {
    let before = row.map_or(Condition::Well, |row| row.condition);
    let over = row.and_then(|row| row.sign_time).is_none_or(|time| now.0 - time.0 >= SILENCE_US);
    let by_ends = match (sign.and_then(|sign| sign.condition), before) {
        (Some(condition), _) => condition,
        (None, Condition::Poor | Condition::Refused) if !over => before,
        (None, _) => Condition::Well,
    };
    let answers = row.and_then(|row| reach.answers(row.account));
    let unreachable = match answers {
        Some(answers) => !answers,
        None => before == Condition::Unreachable && !over,
    };
    if unreachable && by_ends != Condition::Refused { Condition::Unreachable } else { by_ends }
}

/// Whether there is a new sign that a number is in this trouble still.
fn is_seen(trouble: Condition, row: Option<&JudgedNumber>, sign: Option<&Sign>, reach: &Reach<'_>) -> bool {
    match trouble {
        Condition::Unreachable => row.is_some_and(|row| reach.answers(row.account) == Some(false)),
        Condition::Poor | Condition::Refused => {
            sign.is_some_and(|sign| sign.fresh && sign.condition == Some(trouble))
        }
        Condition::Well => false,
    }
}

fn record(turned: &Turned, counts: &Counts, now: Micros) -> Record {
    let class = counts.error().map_or(0, |class| u32::from(class.code().unsigned_abs()));
    Record::Number(NumberRecord {
        number_id: frame::id_bytes(turned.number),
        account_id: frame::id_bytes(turned.account),
        condition: u32::from((turned.condition as i16).unsigned_abs()),
        delivered: i64::from(counts.delivered),
        undelivered: i64::from(counts.undelivered()),
        error_class: class,
        time_us: now.0,
    })
}

#[cfg(test)]
mod tests;
