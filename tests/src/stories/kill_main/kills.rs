//! The kills: one process after the other, each in the middle of sending, and each only when everything has gone
//! on after the one before.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use muster_proto::v1::MessageStatus;
use serde::{Serialize, Serializer};

use super::{Options, Tell};
use crate::contacts::Chance;
use crate::lab::thousands;
use crate::stack::Stack;
use crate::wait;

/// How long sending may take to go on. Only a failure waits this long.
const RESUMED_WITHIN: Duration = Duration::from_secs(60);
/// How often it is asked whether it has.
const PAUSE: Duration = Duration::from_millis(10);
/// The longest outage after the first round; in the first, a process is started again at once.
const OUTAGE_MS_MAX: usize = 2_000;

/// Messages that were ordered after a moment and then claimed, by one node or by any: what was ordered before may
/// have been waiting in a sender node, and says little of the others.
const CLAIMED_SINCE: &str = "
SELECT count(*)
FROM (SELECT unnest(message_ids) AS id FROM claim_batches WHERE claim_time > $1 AND ($2 = '' OR node = $2)) claimed
JOIN message_events ON message_id = claimed.id AND status = $3 AND time > $1";

/// A kind of process, and which one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// One of the sender nodes.
    SenderNode(usize),
    /// The gateway.
    Gateway,
    /// The control-plane.
    ControlPlane,
    /// nats-server.
    Nats,
    /// PostgreSQL, with all its backends.
    Postgres,
}

impl Target {
    /// What people call it.
    pub fn name(self) -> String {
        match self {
            Self::SenderNode(number) => format!("sender-node-{number}"),
            Self::Gateway => "gateway".to_owned(),
            Self::ControlPlane => "control-plane".to_owned(),
            Self::Nats => "nats-server".to_owned(),
            Self::Postgres => "postgresql".to_owned(),
        }
    }

    async fn kill(self, stack: &mut Stack) -> Result<()> {
        match self {
            Self::SenderNode(number) => node(stack, number)?.kill9().await,
            Self::Gateway => stack.gateway.kill9().await,
            Self::ControlPlane => stack.control_plane.kill9().await,
            Self::Nats => stack.nats_mut()?.kill9().await,
            Self::Postgres => stack.postgres_mut()?.kill9().await,
        }
    }

    async fn start_again(self, stack: &mut Stack) -> Result<()> {
        match self {
            Self::SenderNode(number) => node(stack, number)?.start_again().await,
            Self::Gateway => stack.gateway.start_again().await,
            Self::ControlPlane => stack.control_plane.start_again().await,
            Self::Nats => stack.nats_mut()?.restart().await,
            Self::Postgres => stack.postgres_mut()?.restart().await,
        }
    }
}

fn node(stack: &mut Stack, number: usize) -> Result<&mut crate::Process> {
    stack.sender_nodes.get_mut(number).context("there is no such sender node")
}

/// One kill, and how everything went on.
#[derive(Clone, Debug, Serialize)]
pub struct Kill {
    /// What was killed.
    #[serde(rename = "process", serialize_with = "by_name")]
    pub target: Target,
    /// How long after the beginning of the story, in milliseconds.
    pub at_ms: u64,
    /// Texts that providers had accepted by then.
    pub accepted: u64,
    /// From the kill until it was ready again, in milliseconds.
    pub down_ms: u64,
    /// From the kill until a text was accepted after one had been both ordered and claimed after the outage, in
    /// milliseconds; where a sender node was killed, claimed by that node.
    pub resumed_ms: u64,
    /// From the kill until receipts were taken after the outage, in milliseconds.
    pub receipts_ms: u64,
    /// When it was killed.
    #[serde(skip)]
    pub killed: Timestamp,
    /// When it was ready again.
    #[serde(skip)]
    pub back: Timestamp,
}

fn by_name<S: Serializer>(target: &Target, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&target.name())
}

/// Kills, in an order and at moments that follow from the seed.
pub(super) struct Killer<'a> {
    texts: u64,
    rounds: usize,
    chance: Chance,
    begun: Instant,
    tell: Tell<'a>,
}

/// A kill that is to come.
struct Planned {
    target: Target,
    /// Once so many texts were accepted, and sending has gone on since the kill before.
    accepted: u64,
    outage: Duration,
}

impl<'a> Killer<'a> {
    pub(super) fn new(options: &Options, begun: Instant, tell: Tell<'a>) -> Self {
        let chance = Chance::new(options.seed);
        Self { texts: options.texts as u64, rounds: options.rounds, chance, begun, tell }
    }

    /// All kills, one after the other, each while texts are still to be sent.
    pub(super) async fn all(mut self, stack: &mut Stack) -> Result<Vec<Kill>> {
        let mut kills = Vec::new();
        for planned in self.plan(stack.sender_nodes.len()) {
            // Some way beyond the kill before, however long that took.
            let settled = stack.simulator.stats().await?.accepted + self.texts / 200;
            self.accepted(stack, planned.accepted.max(settled)).await?;
            let kill = self.one(stack, planned).await?;
            (self.tell)(&format!(
                "{} killed after {} texts: back in {} ms, sending in {} ms, receipts in {} ms",
                kill.target.name(),
                thousands(kill.accepted),
                thousands(kill.down_ms),
                thousands(kill.resumed_ms),
                thousands(kill.receipts_ms),
            ));
            kills.push(kill);
        }
        Ok(kills)
    }

    /// Spread over the first nine tenths of the campaigns.
    fn plan(&mut self, nodes: usize) -> Vec<Planned> {
        let mut planned = Vec::new();
        for round in 0..self.rounds {
            let node = Target::SenderNode(self.chance.below(nodes));
            let mut targets =
                vec![node, Target::Gateway, Target::ControlPlane, Target::Nats, Target::Postgres];
            while let (true, false) = (round > 0, targets.is_empty()) {
                let outage = Duration::from_millis(self.chance.below(OUTAGE_MS_MAX) as u64);
                let target = targets.swap_remove(self.chance.below(targets.len()));
                planned.push(Planned { target, accepted: 0, outage });
            }
            let at_once = |target| Planned { target, accepted: 0, outage: Duration::ZERO };
            planned.extend(targets.into_iter().map(at_once));
        }
        let slice = self.texts * 9 / 10 / (planned.len() as u64).max(1);
        for (begin, planned) in (0..).step_by(slice.max(1) as usize).zip(&mut planned) {
            planned.accepted = begin + self.chance.below(slice as usize) as u64;
        }
        planned
    }

    async fn one(&self, stack: &mut Stack, planned: Planned) -> Result<Kill> {
        let Planned { target, outage, .. } = planned;
        let before = stack.simulator.stats().await?;
        let sent = before.accepted + before.refused.values().sum::<u64>();
        ensure!(
            sent < self.texts,
            "all texts were sent before {} was killed: give sending more time",
            target.name()
        );
        let (at, killed) = (Instant::now(), Timestamp::now());
        target.kill(stack).await.with_context(|| format!("kill {}", target.name()))?;
        // Not to wait for something: the outage is a part of the story.
        tokio::time::sleep(outage).await;
        target.start_again(stack).await.with_context(|| format!("start {} again", target.name()))?;
        let (down, back) = (at.elapsed(), Timestamp::now());
        self.resumed(stack, target, back).await.with_context(|| format!("after {}", target.name()))?;
        let resumed = at.elapsed();
        self.receipted(stack).await.with_context(|| format!("after {}", target.name()))?;
        Ok(Kill {
            target,
            at_ms: millis(at.duration_since(self.begun)),
            accepted: before.accepted,
            down_ms: millis(down),
            resumed_ms: millis(resumed),
            receipts_ms: millis(at.elapsed()),
            killed,
            back,
        })
    }

    /// Waits until a message was ordered and claimed after `back`, and a text accepted after that.
    async fn resumed(&self, stack: &Stack, target: Target, back: Timestamp) -> Result<()> {
        let node = match target {
            Target::SenderNode(_) => target.name(),
            Target::Gateway | Target::ControlPlane | Target::Nats | Target::Postgres => String::new(),
        };
        let ordered = i16::try_from(i32::from(MessageStatus::Ordered))?;
        let database = stack.sql().await?;
        let claimed = async || {
            let row = database.query_one(CLAIMED_SINCE, &[&back, &node, &ordered]).await?;
            Ok((row.get::<_, i64>(0) > 0).then_some(()))
        };
        wait::until_every(PAUSE, "an order after the outage to be claimed", RESUMED_WITHIN, claimed).await?;
        let accepted = stack.simulator.stats().await?.accepted;
        self.accepted(stack, accepted + 1).await
    }

    async fn accepted(&self, stack: &Stack, count: u64) -> Result<()> {
        let more = async || Ok((stack.simulator.stats().await?.accepted >= count).then_some(()));
        wait::until_every(PAUSE, &format!("{count} texts to be accepted"), RESUMED_WITHIN, more).await
    }

    async fn receipted(&self, stack: &Stack) -> Result<()> {
        let before = stack.simulator.stats().await?.receipts_acked;
        let more = async || Ok((stack.simulator.stats().await?.receipts_acked > before).then_some(()));
        wait::until_every(PAUSE, "receipts to be taken", RESUMED_WITHIN, more).await
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
