//! Fail-over: what waits for an account whose provider does not answer moves to other numbers of its pool, where the
//! account's route says so.
//!
//! Only QUEUED messages move. A message is QUEUED when it was never called, or when its last attempt was certainly not
//! accepted; so whatever moves here, nobody is texted twice. What is CLAIMED or UNCONFIRMED stays where it was called.
//! Whoever has a conversation with the number waits for it. No more moves than the other numbers can send at the time, so
//! that a short outage moves little. Nothing is asked of the database while every provider answers.
//!
//! An account that all texts leave would never be tried again. So while a trial is due, texts that were never called stay,
//! and one of them is the trial; a text that was one moves before the next trial, and is no trial twice.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::ensure;
use deadpool_postgres::ClientWrapper;
use muster_domain::status::{State, Status};
use muster_runtime::clock;
use uuid::Uuid;

use crate::db::{Micros, SystemTx};
use crate::store::moves::{FIRST, From, Move, Place, Waiting, Which, moves_find, renumber, states_lock};
use crate::store::numbers::{Number, pool_numbers};
use crate::store::queue::QueuedCampaign;
use crate::store::routes::{Route, WhenDown, routes_of};
use crate::store::transitions::{Owner, Transition, history_add};
use crate::work::numbers::Numbers;
use crate::work::pace::Pace;
use crate::work::room::Rooms;
use crate::work::trials::Trials;

/// How long an account's circuit is open before anything moves: a provider that is away for a moment keeps its texts.
const MOVE_AFTER: Duration = Duration::from_secs(5);
/// How often a campaign is looked through while something moves, and while nothing does.
const MOVING: Duration = Duration::from_millis(250);
const IDLE: Duration = Duration::from_secs(1);
/// Messages in one transaction at most.
const BATCH_MAX: i32 = 2_000;
/// Messages that are looked at in one look, of all numbers together: most of them may have to stay, and the dispatcher's other
/// work waits meanwhile. The next look goes on where this one ended.
const LOOKED_AT_MAX: usize = 4_000;
/// The same, of those that wait for another attempt, of each number: they are few.
const AGAIN_MAX: i64 = 1_000;

/// What was looked at of one number's line.
#[derive(Default)]
struct Line {
    seen: usize,
    /// Of these, those that need not be looked at again soon, up to the first that must.
    passed: usize,
    /// The last of them.
    place: Option<Place>,
}

/// What is known of accounts whose providers do not answer.
#[derive(Default)]
pub(crate) struct Moves {
    /// Since when.
    open: HashMap<Uuid, Instant>,
    /// When each campaign is looked through next.
    next: HashMap<Uuid, Instant>,
    /// How far each campaign's line of each number was looked at, where it was not looked at to its end.
    places: HashMap<(Uuid, Uuid), Place>,
    /// The campaign whose accounts may be tried now.
    looked: Option<Uuid>,
    /// What may move within each pool.
    pace: Pace,
}

impl Moves {
    /// Takes in which accounts' circuits are open.
    pub(crate) fn hear(&mut self, rooms: &Rooms) {
        let before = std::mem::take(&mut self.open);
        self.open = rooms
            .open_accounts()
            .map(|account| (account, before.get(&account).copied().unwrap_or_else(clock::instant)))
            .collect();
        if self.open.is_empty() {
            self.next.clear();
            self.places.clear();
            self.pace = Pace::default();
        }
    }

    /// Whether accounts that do not answer may be tried with a text of this campaign now: what is to move before has moved.
    pub(crate) fn may_try(&self, campaign: Uuid) -> bool {
        self.looked == Some(campaign)
    }

    /// Moves what of a running campaign is to move now. `trials` says when each account was tried last.
    pub(crate) async fn campaign(
        &mut self,
        client: &mut ClientWrapper,
        campaign: &QueuedCampaign,
        trials: &Trials,
    ) -> anyhow::Result<()> {
        self.looked = Some(campaign.id);
        if !self.open.values().any(|since| clock::since(*since) >= MOVE_AFTER) {
            return Ok(());
        }
        let now = clock::instant();
        if self.next.get(&campaign.id).is_some_and(|next| now < *next) {
            self.looked = None;
            return Ok(());
        }
        let tx = SystemTx::begin(client).await?;
        let moved = self.batch(&tx, campaign, trials).await?;
        if moved {
            tx.commit().await?;
        }
        self.next.insert(campaign.id, now + if moved { MOVING } else { IDLE });
        Ok(())
    }

    /// Moves a batch, in `tx`. Returns whether there was any.
    async fn batch(
        &mut self,
        tx: &SystemTx<'_>,
        campaign: &QueuedCampaign,
        trials: &Trials,
    ) -> anyhow::Result<bool> {
        let routes = routes_of(tx, campaign.tenant).await?;
        if !routes.iter().any(|route| self.leaves(route)) {
            return Ok(false);
        }
        let numbers = pool_numbers(tx, campaign.pool).await?;
        let leaves = |number: &&Number| {
            routes.iter().any(|route| route.account == number.account && self.leaves(route))
        };
        let from: Vec<&Number> = numbers.iter().filter(leaves).collect();
        let answering = numbers.iter().filter(|number| !self.open.contains_key(&number.account));
        let to = Numbers::new(answering, &routes, campaign.kind);
        let limit = self.limit(campaign.pool, to.segments_per_second());
        if from.is_empty() || to.is_empty() || limit == 0 {
            return Ok(false);
        }
        let phones: HashMap<Uuid, &str> =
            numbers.iter().map(|number| (number.id, number.phone.as_str())).collect();
        let (tried, due): (Vec<&Number>, Vec<&Number>) =
            from.into_iter().partition(|number| trials.lately(number.account));
        let limit = usize::try_from(limit)?;
        let mut waiting = self.look(tx, campaign.id, &tried, limit).await?;
        let from: Vec<From<'_>> =
            due.iter().map(|Number { id, phone, .. }| From { id: *id, phone, after: FIRST }).collect();
        let again = moves_find(tx, campaign.id, &from, Which::Again, AGAIN_MAX).await?;
        waiting.extend(again.into_iter().filter(|one| !one.stays));
        waiting.truncate(limit);
        let moves = waiting.into_iter().filter_map(|waiting| {
            let to = to.for_contact(&waiting.phone, None)?;
            let to_phone = (*phones.get(&to)?).to_owned();
            Some(Move { waiting, to, to_phone })
        });
        self.write(tx, campaign, moves.collect()).await
    }

    /// The next of a campaign's messages that may move, `limit` at most. Those that stay are passed over, until the line ends
    /// and is looked at from its beginning again.
    async fn look(
        &mut self,
        tx: &SystemTx<'_>,
        campaign: Uuid,
        numbers: &[&Number],
        limit: usize,
    ) -> anyhow::Result<Vec<Waiting>> {
        let place = |id| self.places.get(&(campaign, id)).copied().unwrap_or(FIRST);
        let from: Vec<From<'_>> = numbers
            .iter()
            .map(|Number { id, phone, .. }| From { id: *id, phone, after: place(*id) })
            .collect();
        let each = (LOOKED_AT_MAX / numbers.len().max(1)).max(1);
        let found = moves_find(tx, campaign, &from, Which::All, i64::try_from(each)?).await?;
        let mut lines: HashMap<Uuid, Line> = HashMap::new();
        let mut moving = Vec::new();
        for one in found {
            let line = lines.entry(one.number).or_default();
            let next = line.passed == line.seen;
            line.seen += 1;
            if next && (one.stays || moving.len() < limit) {
                line.passed += 1;
                line.place = Some((one.due_time, one.message));
                if !one.stays {
                    moving.push(one);
                }
            }
        }
        for number in numbers {
            let line = lines.remove(&number.id).unwrap_or_default();
            let key = (campaign, number.id);
            if line.passed == line.seen && line.seen < each {
                self.places.remove(&key);
            } else if let Some(place) = line.place {
                self.places.insert(key, place);
            }
        }
        Ok(moving)
    }

    /// Whether what waits for a route's account is to leave it.
    fn leaves(&self, route: &Route) -> bool {
        let open_long = self.open.get(&route.account).is_some_and(|since| clock::since(*since) >= MOVE_AFTER);
        route.when_down == WhenDown::Move && open_long
    }

    /// How many messages may move within a pool now: what the numbers that they move to send in the meantime.
    fn limit(&mut self, pool: Uuid, segments_per_second: f64) -> i32 {
        let now_us = clock::now_us();
        self.pace.set_rate(pool, segments_per_second, now_us);
        self.pace.budget(pool, now_us).min(BATCH_MAX)
    }

    /// Writes the moves of those that still wait, and what their histories say of it.
    async fn write(
        &mut self,
        tx: &SystemTx<'_>,
        campaign: &QueuedCampaign,
        mut moves: Vec<Move>,
    ) -> anyhow::Result<bool> {
        let errors = states_lock(tx, &moves).await?;
        moves.retain(|one| errors.contains_key(&one.waiting.message));
        if moves.is_empty() {
            return Ok(false);
        }
        let renumbered = renumber(tx, campaign.tenant, campaign.id, &moves).await?;
        ensure!(renumbered == u64::try_from(moves.len())?, "a message that waits has left the queue");
        let now = Micros::now();
        let steps: Vec<Transition> = moves
            .iter()
            .map(|one| {
                let attempt = one.waiting.attempt.unsigned_abs();
                let error = errors.get(&one.waiting.message).cloned().flatten();
                step(campaign, one, State { status: Status::Queued, attempt, error }, now)
            })
            .collect();
        history_add(tx, &steps).await?;
        for one in &moves {
            self.pace.spend(campaign.pool, one.waiting.segments);
        }
        tracing::info!(campaign.id = %campaign.id, messages = moves.len(), "messages moved to numbers of another account");
        Ok(true)
    }
}

/// What a message's history says: it still waits, but for another number.
fn step(campaign: &QueuedCampaign, one: &Move, state: State, time: Micros) -> Transition {
    let (from, to) = (&one.waiting.number_phone, &one.to_phone);
    Transition {
        message: one.waiting.message,
        owner: Owner { tenant: campaign.tenant, campaign: campaign.id },
        number: one.to,
        from: Some(state.clone()),
        since: None,
        to: state,
        time,
        cause: format!("moved from {from} to {to}: the provider of {from} does not answer").into(),
        provider_message_id: String::new(),
    }
}
