//! Why a message stayed UNCONFIRMED: each must be one that a kill explains.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use jiff::Timestamp;
use muster_proto::v1::{HistoryEntry, Message, MessageStatus};

use super::kills::{Kill, Target};
use super::side::Side;

/// How long before its end a sender node may have claimed what it had not reported yet: longer than a call takes
/// here, and than JetStream is away.
const UNREPORTED: Duration = Duration::from_secs(5);
/// How long before a kill a claim may have begun whose answer was lost by it.
const UNANSWERED: Duration = Duration::from_secs(2);

/// The messages that stayed UNCONFIRMED.
#[derive(Clone, Debug, Default)]
pub struct Unconfirmed {
    /// All of them.
    pub count: u64,
    /// How many each killed process explains.
    pub explained: BTreeMap<String, u64>,
    /// Those that no kill explains, with the claim they come from. Has to be empty.
    pub unexplained: Vec<String>,
}

impl Unconfirmed {
    /// Looks at those among a side's messages.
    pub(super) async fn explain(&mut self, side: &Side, messages: &[Message], kills: &[Kill]) -> Result<()> {
        let open = messages.iter().filter(|message| message.status() == MessageStatus::Unconfirmed);
        for Message { name, .. } in open {
            let history = side.broadcast.organization.client.message(name).await?.history;
            let claim = history.iter().rfind(|entry| entry.status() == MessageStatus::Claimed);
            let claim = claim.with_context(|| format!("{name} is UNCONFIRMED and was never claimed"))?;
            let claimed = time(claim)?;
            let end = history.last().map_or("", |entry| &entry.cause);
            let kill = kills.iter().find(|kill| end == "reaper" && explains(kill, &claim.cause, claimed));
            self.count += 1;
            match kill {
                Some(kill) => *self.explained.entry(kill.target.name()).or_default() += 1,
                None => {
                    let cause = &claim.cause;
                    self.unexplained.push(format!("{name}: claimed by {cause} at {claimed}, {end}"));
                }
            }
        }
        Ok(())
    }
}

/// Whether a kill can be why nobody knows what became of a claim.
fn explains(kill: &Kill, cause: &str, claimed: Timestamp) -> bool {
    let within = |before| claimed >= kill.killed - before && claimed <= kill.back;
    match kill.target {
        Target::SenderNode(_) => cause == format!("node:{}", kill.target.name()) && within(UNREPORTED),
        Target::ControlPlane | Target::Postgres => within(UNANSWERED),
        // Whoever made a call publishes its outcome until JetStream has it.
        Target::Nats | Target::Gateway => false,
    }
}

fn time(entry: &HistoryEntry) -> Result<Timestamp> {
    let time = entry.time.as_ref().context("a transition without a time")?;
    Ok(Timestamp::new(time.seconds, time.nanos)?)
}
