//! `watchers`: thousands watch the events of several organizations at one gateway, over a few hundred connections, while
//! events come steadily.
//!
//! First all of them read. Then others come that have stopped reading, and hold what they hold: the gateway's memory must stay
//! flat, and events must come to those who read as fast as before. Later the stalled ones read again: each is told that it was too
//! slow, with a token, and goes on from there. All the while one watcher is killed and comes back with its token, again and
//! again. In the end everybody's events are compared with what was told: everybody has seen all of them.

mod crowd;
mod flow;
mod report;
mod resumed;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use muster_proto::v1::Provider;

use self::crowd::{Crowd, Stalled};
use self::flow::Flow;
pub use self::report::{Phase, Report};
use self::resumed::Resumed;
use super::Tell;
use crate::lab::thousands;
use crate::stack::{OrganizationOptions, Servers, Service, Stack, StackOptions};
use crate::tls::Dial;
use crate::wait;

/// How long anything may take that is waited for. Only a failure waits this long.
const WITHIN: Duration = Duration::from_secs(120);
/// How often it is asked how far everybody is, and how much memory there is.
const PAUSE: Duration = Duration::from_millis(250);
/// How long the events are held that come last, in seconds: whoever has stopped reading for longer is too slow.
const HELD_S: usize = 10;
/// Bytes of an event in the gateway's memory, roughly.
const EVENT_BYTES: usize = 450;

/// How to tell it.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// How many organizations.
    #[arg(long, default_value_t = 5)]
    pub organizations: usize,
    /// How many watch in all.
    #[arg(long, default_value_t = 5_000)]
    pub watchers: usize,
    /// How many of these stop reading.
    #[arg(long, default_value_t = 1_000)]
    pub stalled: usize,
    /// Watchers of a connection.
    #[arg(long, default_value_t = 20)]
    pub per_connection: usize,
    /// Frames of events a second of each organization.
    #[arg(long, default_value_t = 2)]
    pub frames_per_s: u32,
    /// Events of a frame.
    #[arg(long, default_value_t = 10)]
    pub events: usize,
    /// How long events come before and after the stalled ones are there, each, in seconds.
    #[arg(long, default_value_t = 60)]
    pub phase_s: u64,
    /// How often one watcher is killed and comes back.
    #[arg(long, default_value_t = 100)]
    pub resumes: usize,
}

impl Options {
    /// What the gateway is told to hold.
    fn held_bytes(&self) -> usize {
        self.organizations * self.frames_per_s as usize * self.events * EVENT_BYTES * HELD_S
    }
}

/// Tells it. An error where it cannot go on; otherwise the report says whether all is right.
pub async fn watchers(options: Options, tell: Tell<'_>) -> Result<Report> {
    let begun = Instant::now();
    tell("starting PostgreSQL, NATS, control-plane and gateway");
    let stack = Stack::start(stack_options(&options)).await?;
    let mut organizations = Vec::new();
    for _ in 0..options.organizations {
        organizations.push(stack.organization(OrganizationOptions::of(Provider::Twilio)).await?);
    }
    let flow = Arc::new(Flow::of(&stack, &organizations, &options).await?);
    let dial = Dial::trusting(&stack.authority);
    let idle_mib = stack.gateway.usage().rss_mib;
    let reading = options.watchers.saturating_sub(options.stalled);
    tell(&format!("{} watchers connect", thousands(reading)));
    let crowd = Crowd::open(&stack, &dial, &organizations, reading, options.per_connection).await?;
    let resumed = Resumed::start(&stack, &dial, &organizations[0], options.resumes).await?;
    tell("events come, and all of them read");
    let before = phase(&stack, &flow, &crowd, options.phase_s).await?;
    tell(&format!("{} more connect, and stop reading", thousands(options.stalled)));
    let stalled =
        Stalled::open(&stack, &dial, &organizations, options.stalled, options.per_connection).await?;
    let missed_from = flow.counts();
    let with_stalled = phase(&stack, &flow, &crowd, options.phase_s).await?;
    tell("the stalled ones read again, are told that they were too slow, and go on");
    let (stalled_count, followed) = (stalled.len(), stalled.followed());
    let caught_up = stalled.read_again(&organizations, &missed_from, &flow.counts()).await?;
    tell("the one that is killed goes on to the end");
    let resumed = resumed.end(&flow, 0, WITHIN).await?;
    let report = Report {
        idle_mib,
        before,
        with_stalled,
        reading: crowd.len(),
        stalled: stalled_count,
        too_slow: caught_up.too_slow,
        followed,
        caught_up: caught_up.complete,
        faults: [crowd.faults(), caught_up.faults].concat(),
        told: flow.counts().iter().sum(),
        resumes: resumed.resumes,
        resumed_missing: resumed.missing,
        resumed_again: resumed.again,
        options,
        wall: begun.elapsed(),
    };
    drop(crowd);
    stack.stop().await?;
    Ok(report)
}

fn stack_options(options: &Options) -> StackOptions {
    let setting = |name: &str, value: usize| (Service::Gateway, name.to_owned(), value.to_string());
    let env = vec![
        setting("MUSTER_GRPC__HELD_BYTES_MAX", options.held_bytes()),
        // One more for the one that is killed, which may overlap with itself.
        setting("MUSTER_GRPC__WATCHES_MAX", options.watchers * 5 / 4 + 10),
    ];
    StackOptions { servers: Servers::Own, sender_nodes: 0, env, ..StackOptions::durable() }
}

/// Events come for a while, until everybody who reads has seen all of them.
async fn phase(stack: &Stack, flow: &Flow, crowd: &Crowd, seconds: u64) -> Result<Phase> {
    let cpu_s = stack.gateway.usage().cpu_s;
    crowd.take_delays();
    let mut memory = Vec::new();
    let coming = async {
        flow.run(Duration::from_secs(seconds)).await?;
        let told = flow.counts();
        let all_seen = async || Ok((crowd.has_seen(&told) || crowd.has_faults()).then_some(()));
        wait::until_every(PAUSE, "everybody to see everything", WITHIN, all_seen).await
    };
    let watching = async {
        loop {
            memory.push(stack.gateway.usage().rss_mib);
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::select! {
        done = coming => done?,
        () = watching => {}
    }
    let usage = stack.gateway.usage();
    Ok(Phase::of(crowd.take_delays(), &memory, usage.rss_peak_mib, usage.cpu_s - cpu_s))
}
