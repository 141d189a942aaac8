//! Why a message stayed UNCONFIRMED: each must be one that a fault explains.

use std::time::Duration;

use anyhow::{Context, Result};
use jiff::Timestamp;
use muster_proto::v1::{HistoryEntry, Message, MessageStatus};
use muster_provider_sim::stats::Stats;

use super::{CALL_TIMEOUT_S, Fault, Kind};
use crate::stories::broadcast::Broadcast;

/// How long before it was gone a node may have claimed what it had not reported yet: as long as a call takes, and a
/// moment to make it and to publish what came of it.
const UNREPORTED: Duration = Duration::from_secs(CALL_TIMEOUT_S + 1);

/// The messages that stayed UNCONFIRMED.
#[derive(Clone, Debug, Default)]
pub struct Unconfirmed {
    /// All of them.
    pub count: u64,
    /// Their node was killed with their claim.
    pub by_kill: u64,
    /// Their node was frozen with their claim.
    pub by_freeze: u64,
    /// Their call timed out.
    pub by_timeout: u64,
    /// Those that nothing explains, each with the claim it comes from. Has to be empty.
    pub unexplained: Vec<String>,
}

impl Unconfirmed {
    /// Looks at those among an organization's messages.
    pub(super) async fn explain(&mut self, broadcast: &Broadcast, faults: &[Fault]) -> Result<()> {
        let messages = broadcast.messages().await?;
        let open = messages.iter().filter(|message| message.status() == MessageStatus::Unconfirmed);
        for Message { name, .. } in open {
            let history = broadcast.organization.client.message(name).await?.history;
            let claim = history.iter().rfind(|entry| entry.status() == MessageStatus::Claimed);
            let claim = claim.with_context(|| format!("{name} is UNCONFIRMED and was never claimed"))?;
            let end = history.last().with_context(|| format!("{name} has no history"))?;
            let claimed = time(claim)?;
            let mut faults = faults.iter().filter(|fault| explains(fault, &claim.cause, claimed));
            self.count += 1;
            match faults.next().map(|fault| fault.kind) {
                // Its node lived to say so.
                _ if end.cause == claim.cause && end.error_code == "timeout" => self.by_timeout += 1,
                Some(Kind::Killed) if end.cause == "reaper" => self.by_kill += 1,
                Some(Kind::Frozen) if end.cause == "reaper" => self.by_freeze += 1,
                Some(_) | None => {
                    let (node, end, code) = (&claim.cause, &end.cause, &end.error_code);
                    self.unexplained.push(format!("{name}: claimed by {node} at {claimed}, {end} {code}"));
                }
            }
        }
        Ok(())
    }

    /// No more can have timed out than the simulator withheld answers for; where it accepted, receipts have settled it.
    pub(super) fn hold_against(&mut self, stats: &Stats) {
        if self.by_timeout > stats.timeouts {
            let (timed_out, withheld) = (self.by_timeout, stats.timeouts);
            self.unexplained.push(format!("{timed_out} timed out, of {withheld} answers withheld"));
        }
    }

    /// Those that the simulator knows nothing of.
    pub(super) fn by_faults(&self) -> u64 {
        self.by_kill + self.by_freeze
    }
}

/// Whether a fault can be why nobody knows what became of a claim.
fn explains(fault: &Fault, cause: &str, claimed: Timestamp) -> bool {
    cause.strip_prefix("node:") == Some(&fault.node)
        && claimed >= fault.from - UNREPORTED
        && claimed <= fault.until
}

fn time(entry: &HistoryEntry) -> Result<Timestamp> {
    let time = entry.time.as_ref().context("a transition without a time")?;
    Ok(Timestamp::new(time.seconds, time.nanos)?)
}
