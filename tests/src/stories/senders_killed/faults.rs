//! The faults: a kill at every beat, and in the midst of them one node that is frozen.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use serde::Serialize;

use super::{Options, Tell};
use crate::contacts::Chance;
use crate::lab::thousands;
use crate::stack::Stack;
use crate::stories::broadcast::{Broadcast, open};
use crate::stories::claims::{Away, millis};

/// How long sending may take at most, for each second that it would take if nothing broke, and beyond.
const PATIENCE: u32 = 10;
const WITHIN: Duration = Duration::from_secs(240);

/// What was done to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Killed with -9, and started again at once.
    Killed,
    /// Stopped (SIGSTOP), and let go on (SIGCONT) after a while.
    Frozen,
}

/// A node that was away for a while.
#[derive(Clone, Debug, Serialize)]
pub struct Fault {
    /// What was done.
    pub kind: Kind,
    /// To which node.
    pub node: String,
    /// How long after the campaigns began, in milliseconds.
    pub at_ms: u64,
    /// Texts that were still to be sent.
    pub open: u64,
    /// How long it was away, in milliseconds.
    pub away_ms: u64,
    /// When it was gone.
    #[serde(skip)]
    pub from: Timestamp,
    /// When it was back.
    #[serde(skip)]
    pub until: Timestamp,
}

impl Fault {
    pub(super) fn away(&self) -> Away<'_> {
        Away { node: &self.node, from: self.from, until: self.until }
    }
}

/// A node that is frozen now.
struct Frozen {
    place: usize,
    thaws: Instant,
    fault: Fault,
}

/// Faults, until nearly everything is sent and the frozen node has gone on.
pub(super) async fn all(
    stack: &mut Stack,
    options: &Options,
    both: &[Broadcast],
    tell: Tell<'_>,
) -> Result<Vec<Fault>> {
    let (begun, mut chance) = (Instant::now(), Chance::new(options.seed));
    let texts = options.texts as u64;
    let (mut faults, mut frozen, mut freezes) = (Vec::new(), None::<Frozen>, true);
    // Not to wait for something: that faults come at fixed times is what the story is about.
    let mut beat = tokio::time::interval(Duration::from_millis(options.every_ms.max(1)));
    beat.tick().await;
    loop {
        let thaws = frozen.as_ref().map_or_else(Instant::now, |frozen| frozen.thaws);
        tokio::select! {
            () = tokio::time::sleep_until(thaws.into()), if frozen.is_some() => {
                let Some(thawed) = frozen.take() else { continue };
                stack.sender_nodes[thawed.place].resume()?;
                faults.push(back(thawed.fault));
                tell("the frozen node goes on");
            }
            _ = beat.tick() => {
                let open = open(both).await?;
                if open <= texts / 50 && frozen.is_none() && !freezes {
                    return Ok(faults);
                }
                ensure!(
                    begun.elapsed() < WITHIN + PATIENCE * Duration::from_secs(options.sending_s.into()),
                    "{open} texts are still to be sent after {} faults",
                    faults.len()
                );
                let place = choose(options.nodes, frozen.as_ref(), &mut chance);
                let gone = gone(stack, place, begun, open)?;
                // Once everything is in full swing.
                if freezes && open <= texts * 4 / 5 {
                    stack.sender_nodes[place].pause()?;
                    freezes = false;
                    tell(&format!("{} is frozen; {} texts are still to be sent", gone.node, thousands(open)));
                    let thaws = Instant::now() + Duration::from_secs(options.frozen_s);
                    frozen = Some(Frozen { place, thaws, fault: Fault { kind: Kind::Frozen, ..gone } });
                    continue;
                }
                let node = &mut stack.sender_nodes[place];
                node.kill9().await?;
                node.start_again().await.with_context(|| format!("start {} again", gone.node))?;
                let fault = back(gone);
                tell(&format!(
                    "{} killed, back in {} ms; {} texts were still to be sent",
                    fault.node,
                    thousands(fault.away_ms),
                    thousands(open)
                ));
                faults.push(fault);
            }
        }
    }
}

/// One of the nodes that are not frozen.
fn choose(nodes: usize, frozen: Option<&Frozen>, chance: &mut Chance) -> usize {
    let places: Vec<usize> =
        (0..nodes).filter(|place| frozen.is_none_or(|frozen| frozen.place != *place)).collect();
    places[chance.below(places.len())]
}

/// A fault that begins now.
fn gone(stack: &Stack, place: usize, begun: Instant, open: u64) -> Result<Fault> {
    let node = stack.sender_nodes.get(place).context("there is no such sender node")?.name().to_owned();
    let now = Timestamp::now();
    Ok(Fault {
        kind: Kind::Killed,
        node,
        at_ms: millis(begun.elapsed()),
        open,
        away_ms: 0,
        from: now,
        until: now,
    })
}

/// The same, ended now.
fn back(fault: Fault) -> Fault {
    let until = Timestamp::now();
    let away = until.duration_since(fault.from).try_into().unwrap_or_default();
    Fault { until, away_ms: millis(away), ..fault }
}
