//! `suspend`: two organizations broadcast at the same time, and in the middle of it one of them is suspended and later
//! resumed.
//!
//! No call for the suspended one may begin later than ten seconds after the suspension, while the other goes on to its end
//! unharmed. Meanwhile people of the suspended one still say STOP, and receipts of what is out still come. After it is
//! resumed its campaign goes on by itself, to everybody who was not texted yet and has not said STOP. In the end the
//! ledger judges that everybody was texted exactly once.

mod report;

use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, ensure};
use muster_proto::v1::MessageStatus;
use muster_provider_sim::behaviour::Behaviour;
use muster_provider_sim::control::InboundSpec;

pub use self::report::Report;
use super::Tell;
use super::broadcast::{Broadcast, Role, start_both};
use crate::lab::thousands;
use crate::stack::{Stack, StackOptions};
use crate::wait;

/// How long anything may take that is waited for, beyond what the sending itself takes.
const WITHIN: Duration = Duration::from_secs(120);
/// How often it is asked how far sending is.
const PAUSE: Duration = Duration::from_millis(20);

/// How to tell it.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// How many texts, half of them of each organization.
    #[arg(long, default_value_t = 20_000)]
    pub texts: usize,
    /// How long the numbers need for all texts, in seconds.
    #[arg(long, default_value_t = 30)]
    pub sending_s: u32,
    /// How many people say STOP while their organization is suspended.
    #[arg(long, default_value_t = 20)]
    pub stops: usize,
    /// What the contacts and the fates of the texts follow from.
    #[arg(long, default_value_t = 11)]
    pub seed: u64,
}

/// Tells it. An error where it cannot go on; otherwise the report says whether all is right.
pub async fn suspend(options: Options, tell: Tell<'_>) -> Result<Report> {
    let begun = Instant::now();
    tell("starting PostgreSQL, NATS, control-plane, two sender nodes, gateway and simulator");
    let stack =
        Stack::start(StackOptions { behaviour: providers(), seed: options.seed, ..StackOptions::durable() })
            .await?;
    tell(&format!("importing {} contacts", thousands(options.texts)));
    let both = start_both(&stack, Role::both(options.texts, options.seed, options.sending_s)).await?;
    let sending = Duration::from_secs(options.sending_s.into());
    let [suspended, other] = both.map(|broadcast| Side { broadcast, sending });
    tell("both campaigns are under way");
    suspended.is_sent(&stack, suspended.broadcast.contacts / 4).await?;
    let tenant = &suspended.broadcast.organization.tenant;
    stack.operator.suspend_tenant(tenant, "a story").await?;
    let suspended_us = now_us()?;
    tell("one of the two is suspended");
    let (stopped, ()) = tokio::try_join!(people_stop(&stack, &suspended, options.stops), other.ends())?;
    let before_resume = suspended.sent(&stack).await?;
    tell(&format!(
        "the other one has sent everything; of the suspended one {} texts wait",
        thousands(suspended.broadcast.contacts - before_resume.len())
    ));
    stack.operator.resume_tenant(tenant).await?;
    let resumed_us = now_us()?;
    tell("it is resumed");
    stack.settled(WITHIN + Duration::from_secs(options.sending_s.into())).await?;
    tell("checking against the simulator's ledger");
    let verdict = stack.judge().await?;
    let times = suspended.sent(&stack).await?;
    let late = |time: &&u64| **time > suspended_us && **time < resumed_us;
    let last_us = times.iter().filter(late).max().copied().unwrap_or(suspended_us);
    let report = Report {
        last_ms: (last_us - suspended_us) / 1_000,
        suspended_ms: (resumed_us - suspended_us) / 1_000,
        sent_before: before_resume.len() as u64,
        sent_in_all: times.len() as u64,
        sent_by_other: other.sent(&stack).await?.len() as u64,
        expected: (suspended.broadcast.contacts - stopped) as u64,
        expected_of_other: other.broadcast.contacts as u64,
        stopped: stopped as u64,
        opt_outs: stack.operator.list_opt_outs(tenant).await?.len() as u64,
        verdict,
        options,
        wall: begun.elapsed(),
    };
    stack.stop().await?;
    Ok(report)
}

/// Providers that take their time to answer, so that calls are open whenever something happens.
fn providers() -> Behaviour {
    Behaviour { answer_ms: [40, 250], receipt_ms: [500, 3_000], ..Behaviour::default() }
}

/// The time on the simulator's clock, which is this machine's.
fn now_us() -> Result<u64> {
    Ok(u64::try_from(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_micros())?)
}

/// People whose texts wait say STOP; and each is told by the gateway that it was taken. Returns how many.
async fn people_stop(stack: &Stack, side: &Side, count: usize) -> Result<usize> {
    let Broadcast { organization, campaign, .. } = &side.broadcast;
    // Its own people are not let in while it is suspended.
    let messages = stack.operator.list_messages(&organization.tenant, campaign).await?;
    let waiting = messages.iter().filter(|message| message.status() == MessageStatus::Queued);
    // The last in line, so that none of them is on its way.
    let people: Vec<_> = waiting.rev().take(count).collect();
    for message in &people {
        let (from, to) = (message.to.clone(), message.from.clone());
        let stop = InboundSpec { from, to, body: "STOP".to_owned(), times: 1, ..InboundSpec::default() };
        let posted = stack.simulator.inbound(&stop).await?;
        let taken = posted.answers.iter().all(|answer| answer.is_some_and(|code| code / 100 == 2));
        ensure!(taken, "the STOP was not taken: {posted:?}");
    }
    Ok(people.len())
}

/// An organization with its campaign, and how long that takes.
struct Side {
    broadcast: Broadcast,
    sending: Duration,
}

impl Side {
    /// When each text of the organization was accepted, by the ledger.
    async fn sent(&self, stack: &Stack) -> Result<Vec<u64>> {
        let ledger = stack.simulator.ledger().await?;
        let own =
            ledger.entries.iter().filter(|entry| *entry.account == *self.broadcast.organization.account_sid);
        Ok(own.map(|entry| entry.time_us).collect())
    }

    /// Waits until so many texts are sent.
    async fn is_sent(&self, stack: &Stack, count: usize) -> Result<()> {
        let enough = async || Ok((self.sent(stack).await?.len() >= count).then_some(()));
        wait::until_every(PAUSE, "the first texts", WITHIN + self.sending, enough).await
    }

    /// Waits until the campaign has sent everything.
    async fn ends(&self) -> Result<()> {
        let ended = async || Ok((self.broadcast.open().await? == 0).then_some(()));
        let waited = wait::until_every(PAUSE, "the other campaign", WITHIN + self.sending, ended).await;
        waited.with_context(|| format!("{} does not end", self.broadcast.campaign))
    }
}
