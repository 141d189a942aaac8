//! The dispatcher: turns queued messages of running campaigns into orders, no faster than their numbers may send,
//! fairly between tenants, and only as many as sender nodes can take in the next seconds. So pause and cancel act
//! at once, and the backlog stays in PostgreSQL.
//!
//! A round moves QUEUED -> ORDERED and writes the outbox in one transaction. Two dispatchers at once would order
//! nothing twice (rows are locked and leave the queue), but would pace numbers twice; so a lock lets one work.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use deadpool_postgres::ClientWrapper;
use muster_domain::status::{Decision, Status};
use muster_runtime::clock;
use uuid::Uuid;

use crate::db::{Micros, SystemTx};
use crate::nudge::nudged;
use crate::store::numbers::{Number, pool_numbers};
use crate::store::outbox::order_frame_insert;
use crate::store::queue::{
    QueuedCampaign, Taken, assignments_take_canceled, canceled_with_assignments, queue_lock_try, queue_take,
    queue_take_canceled, queue_take_expired, queued_campaigns, way_out,
};
use crate::store::transitions::{Attempt, decide, record};
use crate::work::Context;
use crate::work::daily::Daily;
use crate::work::moves::Moves;
use crate::work::nodes::{Nodes, Room};
use crate::work::order::{self, Sender};
use crate::work::pace::Pace;
use crate::work::room::Rooms;
use crate::work::trials::Trials;

/// How often the dispatcher works when nobody nudges it, which also is how finely numbers are paced.
const TIMER: Duration = Duration::from_millis(50);
/// Messages in one transaction at most.
const ROUND_MAX: i32 = 6_400;
/// How much of a number's rate is ordered: a little less than all, so that what piled up in a sender node, which keeps
/// to the rate exactly, melts away.
const ORDERED_SHARE: f64 = 0.98;
/// How long a pool's numbers and their rates are remembered.
const NUMBERS_FRESH: Duration = Duration::from_secs(2);
/// Messages of canceled campaigns that are cleared in one transaction.
const CLEAR_MAX: i64 = 5_000;
/// How often a campaign's queue is looked through for messages whose validity is over.
const EXPIRY_TIMER: Duration = Duration::from_secs(2);
/// How often unsent messages of canceled campaigns are taken away from texters.
const ASSIGNMENTS_TIMER: Duration = Duration::from_secs(1);

/// Runs the dispatcher while this process holds the lock, and waits for it otherwise.
pub(crate) async fn run(context: Context) -> anyhow::Result<()> {
    // Not returned to the pool: the lock must end with this loop, and it ends with its connection.
    let mut client = deadpool_postgres::Object::take(context.db.system().await?);
    while !queue_lock_try(&client).await? {
        tokio::time::sleep(ASSIGNMENTS_TIMER).await;
    }
    context.bus.ensure_shards().await?;
    let nodes = Nodes::listen(&context.bus).await?;
    let mut dispatcher = Dispatcher {
        context,
        nodes,
        pace: Pace::default(),
        daily: Daily::default(),
        pools: HashMap::new(),
        assignments_cleared: None,
        trials: Trials::default(),
        moves: Moves::default(),
        expiry_looked: HashMap::new(),
        first: 0,
    };
    loop {
        if !dispatcher.round(&mut client).await? {
            let nudges = dispatcher.context.nudges.clone();
            nudged(&nudges.dispatch, TIMER).await;
        }
    }
}

struct Dispatcher {
    context: Context,
    nodes: Nodes,
    pace: Pace,
    daily: Daily,
    /// The numbers of each pool, when they were read.
    pools: HashMap<Uuid, (Instant, HashMap<Uuid, Sender>)>,
    assignments_cleared: Option<Instant>,
    trials: Trials,
    moves: Moves,
    /// When each campaign was last looked through for messages whose validity is over: that reads all of its queue.
    expiry_looked: HashMap<Uuid, Instant>,
    /// Which tenant goes first in the next round.
    first: usize,
}

/// What may be ordered of a pool now.
#[derive(Default)]
struct Budgets {
    numbers: Vec<Uuid>,
    /// What each of these may send, in the same order.
    segments: Vec<i32>,
    /// The numbers that could send, were it not for their provider, by account.
    closed: BTreeMap<Uuid, Vec<Uuid>>,
}

impl Dispatcher {
    /// One round over all campaigns. Returns whether there is more to do at once.
    async fn round(&mut self, client: &mut ClientWrapper) -> anyhow::Result<bool> {
        let campaigns = {
            let tx = SystemTx::begin(client).await?;
            queued_campaigns(&tx).await?
        };
        self.clear_assignments(client).await?;
        self.pace_retain(&campaigns);
        let turns = self.in_turn(&campaigns);
        let mut cleared = false;
        for campaign in &turns {
            cleared |= self.clear(client, campaign).await?;
        }
        // Only ordering needs JetStream: what is to be cleared does not wait for it.
        let running = turns.iter().filter(|campaign| way_out(campaign.state) == Some(Decision::Order));
        let running: Vec<QueuedCampaign> = running.copied().collect();
        self.nodes.hear();
        let mut ordered = 0;
        if !running.is_empty() {
            let rooms = Rooms::look(&self.context.bus, &self.nodes).await?;
            self.moves.hear(&rooms);
            for campaign in &running {
                self.moves.campaign(client, campaign, &self.trials).await?;
                ordered += self.order(client, campaign, &rooms, ROUND_MAX - ordered).await?;
            }
        }
        if ordered > 0 || cleared {
            self.context.nudges.orders.notify_one();
            self.context.nudges.statuses.notify_one();
        }
        Ok(cleared || ordered >= ROUND_MAX)
    }

    /// Takes out of the queue what will not be sent. Returns whether there was anything.
    async fn clear(&mut self, client: &mut ClientWrapper, campaign: &QueuedCampaign) -> anyhow::Result<bool> {
        match way_out(campaign.state) {
            Some(Decision::Cancel) => self.clear_canceled(client, campaign).await,
            Some(_) => self.clear_expired(client, campaign).await,
            None => Ok(false),
        }
    }

    /// Campaigns, one of each tenant in turn; another tenant goes first each round.
    fn in_turn(&mut self, campaigns: &[QueuedCampaign]) -> Vec<QueuedCampaign> {
        let mut tenants: BTreeMap<Uuid, Vec<QueuedCampaign>> = BTreeMap::new();
        for campaign in campaigns {
            tenants.entry(campaign.tenant).or_default().push(*campaign);
        }
        let mut tenants: Vec<_> = tenants.into_values().map(Vec::into_iter).collect();
        if !tenants.is_empty() {
            let first = self.first % tenants.len();
            tenants.rotate_left(first);
            self.first = first + 1;
        }
        let mut turns = Vec::with_capacity(campaigns.len());
        while turns.len() < campaigns.len() {
            turns.extend(tenants.iter_mut().filter_map(Iterator::next));
        }
        turns
    }

    async fn order(
        &mut self,
        client: &mut ClientWrapper,
        campaign: &QueuedCampaign,
        rooms: &Rooms,
        share: i32,
    ) -> anyhow::Result<i32> {
        let tx = SystemTx::begin(client).await?;
        let share = self.quota(&tx, campaign, share).await?;
        if share <= 0 {
            return Ok(0);
        }
        let Budgets { numbers, segments, closed } = self.budgets(&tx, campaign.pool, rooms, share).await?;
        let mut taken = Vec::new();
        if !numbers.is_empty() {
            taken = queue_take(&tx, campaign.id, &numbers, &segments, share).await?;
        }
        for (account, numbers) in closed {
            taken.extend(self.trial(&tx, campaign, account, &numbers).await?);
        }
        if taken.is_empty() {
            return Ok(0);
        }
        let attempts: Vec<Attempt> = taken.iter().map(Taken::attempt).collect();
        let moved = decide(&tx, Decision::Order, Status::Queued, &attempts, &cause()).await?;
        let (_, senders) = self.pools.get(&campaign.pool).context("the numbers were read for the budgets")?;
        for frame in order::frames(&taken, &moved, senders) {
            order_frame_insert(&tx, &frame).await?;
        }
        let _telling = self.context.nudges.telling(record(&tx, &moved).await?);
        tx.commit().await?;
        for message in &taken {
            self.pace.spend(message.number, message.segments);
            self.pace.spend(campaign.tenant, message.segments);
        }
        Ok(i32::try_from(moved.len())?)
    }

    /// What the tenant's own quotas leave of `share`: segments of the moment, and texts of the day.
    async fn quota(
        &mut self,
        tx: &SystemTx<'_>,
        campaign: &QueuedCampaign,
        share: i32,
    ) -> anyhow::Result<i32> {
        let mut left = share;
        if campaign.segments_per_second > 0 {
            let (rate, now_us) = (rate(campaign.segments_per_second), clock::now_us());
            self.pace.set_rate(campaign.tenant, rate, now_us);
            left = left.min(self.pace.budget(campaign.tenant, now_us));
        }
        if left > 0 && campaign.texts_per_day > 0 {
            let texts = self.daily.left(tx, campaign.tenant, campaign.texts_per_day).await?;
            // A text has a segment at least.
            left = left.min(i32::try_from(texts).unwrap_or(i32::MAX));
        }
        Ok(left)
    }

    /// What each number of the pool may send now, where `share` is what all of them may.
    async fn budgets(
        &mut self,
        tx: &SystemTx<'_>,
        pool: Uuid,
        rooms: &Rooms,
        share: i32,
    ) -> anyhow::Result<Budgets> {
        let now_us = clock::now_us();
        self.read_pool(tx, pool, now_us).await?;
        let Some((_, senders)) = self.pools.get(&pool) else { return Ok(Budgets::default()) };
        // Enough to spread the share over all numbers, and no more than that to look through.
        let each = (share / i32::try_from(senders.len().max(1))?).max(1);
        let mut budgets = Budgets::default();
        for (number, sender) in senders {
            let segments = self.pace.budget(*number, now_us).min(each);
            match rooms.of(*number, sender) {
                Room::Free if segments > 0 => {
                    budgets.numbers.push(*number);
                    budgets.segments.push(segments);
                }
                Room::CircuitOpen if segments > 0 => {
                    budgets.closed.entry(sender.account).or_default().push(*number);
                }
                Room::Free | Room::CircuitOpen | Room::Full => {}
            }
        }
        Ok(budgets)
    }

    /// One message of an account whose provider does not answer, now and then: to see whether it does again.
    async fn trial(
        &mut self,
        tx: &SystemTx<'_>,
        campaign: &QueuedCampaign,
        account: Uuid,
        numbers: &[Uuid],
    ) -> anyhow::Result<Vec<Taken>> {
        if self.trials.lately(account) || !self.moves.may_try(campaign.id) {
            return Ok(Vec::new());
        }
        let taken = queue_take(tx, campaign.id, numbers, &vec![1; numbers.len()], 1).await?;
        if !taken.is_empty() {
            self.trials.begin(account);
        }
        Ok(taken)
    }

    /// Reads the numbers of a pool again, if that was not done lately.
    async fn read_pool(&mut self, tx: &SystemTx<'_>, pool: Uuid, now_us: i64) -> anyhow::Result<()> {
        if self.pools.get(&pool).is_some_and(|(read, _)| clock::since(*read) < NUMBERS_FRESH) {
            return Ok(());
        }
        let mut senders = HashMap::new();
        let now = Micros(now_us);
        for number in pool_numbers(tx, pool).await?.into_iter().filter(|number| number.hold_time <= now) {
            self.pace.set_rate(number.id, number.segments_per_second * ORDERED_SHARE, now_us);
            let Number { id, account, segments_per_second, .. } = number;
            senders.insert(id, Sender { account, segments_per_second });
        }
        self.pools.insert(pool, (clock::instant(), senders));
        Ok(())
    }

    /// Forgets pools that no queued campaign uses, the numbers in them, and tenants without a quota.
    fn pace_retain(&mut self, campaigns: &[QueuedCampaign]) {
        self.pools.retain(|pool, (read, _)| {
            clock::since(*read) < Duration::from_secs(60)
                || campaigns.iter().any(|campaign| campaign.pool == *pool)
        });
        self.expiry_looked.retain(|id, _| campaigns.iter().any(|campaign| campaign.id == *id));
        let pools = &self.pools;
        let has_quota: HashSet<Uuid> = campaigns
            .iter()
            .filter(|campaign| campaign.segments_per_second > 0)
            .map(|campaign| campaign.tenant)
            .collect();
        self.pace.retain(|id| {
            has_quota.contains(id) || pools.values().any(|(_, senders)| senders.contains_key(id))
        });
        self.daily.forget();
    }

    async fn clear_canceled(
        &self,
        client: &mut ClientWrapper,
        campaign: &QueuedCampaign,
    ) -> anyhow::Result<bool> {
        let tx = SystemTx::begin(client).await?;
        let taken = queue_take_canceled(&tx, campaign.id, CLEAR_MAX).await?;
        self.settle(tx, Decision::Cancel, Status::Queued, taken.iter().map(Taken::attempt).collect()).await
    }

    async fn clear_expired(
        &mut self,
        client: &mut ClientWrapper,
        campaign: &QueuedCampaign,
    ) -> anyhow::Result<bool> {
        let looked = self.expiry_looked.get(&campaign.id);
        if campaign.expires_from > Micros::now() || looked.is_some_and(|at| clock::since(*at) < EXPIRY_TIMER)
        {
            return Ok(false);
        }
        self.expiry_looked.insert(campaign.id, clock::instant());
        let tx = SystemTx::begin(client).await?;
        let taken = queue_take_expired(&tx, campaign.id, CLEAR_MAX).await?;
        self.settle(tx, Decision::Expire, Status::Queued, taken.iter().map(Taken::attempt).collect()).await
    }

    /// Takes unsent messages of canceled click campaigns away from texters.
    async fn clear_assignments(&mut self, client: &mut ClientWrapper) -> anyhow::Result<()> {
        if self.assignments_cleared.is_some_and(|at| clock::since(at) < ASSIGNMENTS_TIMER) {
            return Ok(());
        }
        let campaigns = {
            let tx = SystemTx::begin(client).await?;
            canceled_with_assignments(&tx).await?
        };
        let mut more = false;
        for campaign in campaigns {
            let tx = SystemTx::begin(client).await?;
            let taken = assignments_take_canceled(&tx, campaign, CLEAR_MAX).await?;
            more |= self.settle(tx, Decision::Cancel, Status::Created, taken).await?;
        }
        self.assignments_cleared = (!more).then(clock::instant);
        Ok(())
    }

    /// Ends messages that left the queue without being ordered. Returns whether there were any.
    async fn settle(
        &self,
        tx: SystemTx<'_>,
        decision: Decision,
        from: Status,
        attempts: Vec<Attempt>,
    ) -> anyhow::Result<bool> {
        if attempts.is_empty() {
            return Ok(false);
        }
        let moved = decide(&tx, decision, from, &attempts, &cause()).await?;
        let _telling = self.context.nudges.telling(record(&tx, &moved).await?);
        tx.commit().await?;
        Ok(true)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a quota is far below 2^52")]
fn rate(segments_per_second: i64) -> f64 {
    segments_per_second as f64
}

fn cause() -> Arc<str> {
    "dispatcher".into()
}
