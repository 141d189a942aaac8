//! The benchmark: one campaign of many texts through the whole platform, on durable servers, everything as a
//! process of its own on this machine. It measures what a text costs, beside what its parts would cost bare.

mod floors;
mod latency;
mod report;
pub mod webhooks;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use muster_proto::v1::{CampaignMode, MessageStatus, Provider};
use muster_provider_sim::behaviour::Behaviour;

use self::floors::Floors;
use self::latency::{Latencies, Percentiles};
pub use self::report::print;
use crate::client::Watch;
use crate::contacts::{self, sending_numbers};
use crate::judge::Verdict;
use crate::stack::{Organization, OrganizationOptions};
use crate::{Stack, StackOptions, Usage, wait};

/// Numbers that the campaign sends from, each at 1000 segments a second: far more than any machine sends.
const NUMBERS: usize = 100;
/// What everybody is told.
const TEMPLATE: &str = "Hi {first_name|neighbor}, it's Dana with Neighbors for Clean Water. Polls close at 8 tonight. \
                        Can we count on you? Reply STOP to end";
/// How often progress and memory are looked at.
const TICK: Duration = Duration::from_millis(250);
/// How long the whole run may take for each text, at the least.
const PATIENCE_PER_TEXT: Duration = Duration::from_millis(5);

/// What to measure.
#[derive(Clone, Copy, Debug)]
pub struct BenchOptions {
    /// How many texts.
    pub texts: usize,
    /// How many sender nodes.
    pub sender_nodes: usize,
    /// Whether the floors are measured too.
    pub floors: bool,
    /// Whether progress is shown.
    pub progress: bool,
}

/// What was measured.
#[derive(Clone, Debug)]
pub struct Bench {
    /// Texts planned, sent and receipted.
    pub texts: usize,
    /// Each phase: what it is called and how long it took. They overlap but for the import.
    pub phases: Vec<(&'static str, Duration)>,
    /// From the start of the campaign to the last receipt in the truth.
    pub wall: Duration,
    /// What each part used in that time.
    pub used: BTreeMap<&'static str, Usage>,
    /// From queued to sent, in milliseconds.
    pub queued_to_sent: Percentiles,
    /// From a receipt's arrival at the gateway to its watcher, in milliseconds.
    pub receipt_to_watcher: Percentiles,
    /// What the parts would cost bare.
    pub floors: Option<Floors>,
    /// The check against the ledger.
    pub verdict: Verdict,
}

impl Bench {
    /// Texts a second, over all.
    #[expect(clippy::cast_precision_loss, reason = "texts are counted in millions")]
    pub fn texts_per_s(&self) -> f64 {
        self.texts as f64 / self.wall.as_secs_f64()
    }

    /// CPU-seconds that a million texts cost a part.
    #[expect(clippy::cast_precision_loss, reason = "texts are counted in millions")]
    pub fn cpu_s_per_million(&self, part: &str) -> f64 {
        self.used.get(part).map_or(0.0, |usage| usage.cpu_s) * 1e6 / self.texts as f64
    }

    /// CPU-seconds that a million texts cost everything but the simulator.
    pub fn cpu_s_per_million_without_simulator(&self) -> f64 {
        self.used.keys().filter(|part| **part != "simulator").map(|part| self.cpu_s_per_million(part)).sum()
    }

    /// Whether every text is accounted for.
    pub fn ok(&self) -> bool {
        self.verdict.is_right() && self.verdict.delivered == self.texts as u64
    }
}

/// Runs the benchmark.
pub async fn run(options: BenchOptions) -> Result<Bench> {
    let stack_options = StackOptions {
        sender_nodes: options.sender_nodes,
        behaviour: Behaviour { receipt_ms: [5, 50], webhooks_in_flight: 256, ..Behaviour::default() },
        log_filter: "warn".to_owned(),
        postgres_settings: postgres_settings(),
        ..StackOptions::durable()
    };
    let stack = Stack::start(stack_options).await?;
    let floors = if options.floors { Some(floors::measure(&stack).await?) } else { None };
    let organization = stack
        .organization(OrganizationOptions {
            numbers: sending_numbers(NUMBERS),
            ..OrganizationOptions::of(Provider::Twilio)
        })
        .await?;
    let begun = Instant::now();
    let file = contacts::tidy(7, options.texts);
    let made = begun.elapsed();
    let begun = Instant::now();
    let (list, imported) = organization.list("Everyone", &file.bytes).await?;
    drop(file);
    let import = begun.elapsed();
    ensure!(usize::try_from(imported.imported_count)? == options.texts, "the import lost rows: {imported:?}");
    if options.progress {
        eprintln!("made {} contacts in {made:.1?}, imported them in {import:.1?}", options.texts);
    }
    let mut bench = campaign(&stack, &organization, &list, options).await?;
    bench.phases.insert(0, ("import", import));
    bench.floors = floors;
    stack.stop().await?;
    Ok(bench)
}

/// Both cores' worth of PostgreSQL as an operator would set it up for this; durability as it comes.
fn postgres_settings() -> Vec<(String, String)> {
    [("shared_buffers", "2GB"), ("max_wal_size", "8GB"), ("checkpoint_timeout", "15min")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
}

async fn campaign(
    stack: &Stack,
    organization: &Organization,
    list: &str,
    options: BenchOptions,
) -> Result<Bench> {
    let client = &organization.client;
    let latencies = Latencies::default();
    let each = latencies.watcher();
    let watch = client.watch(&organization.tenant, "", each).await?;
    let campaign = organization.draft(CampaignMode::Broadcast, list, TEMPLATE).await?;
    let before = usage(stack);
    let begun = Instant::now();
    client.start(&campaign).await?;
    let phases = follow(stack, organization, &campaign, options, begun).await?;
    let wall = begun.elapsed();
    let after = usage(stack);
    watched(&watch, options.texts).await?;
    stack.settled(Duration::from_secs(60)).await?;
    Ok(Bench {
        texts: options.texts,
        phases,
        wall,
        used: after.into_iter().map(|(part, usage)| (part, since(usage, before.get(part)))).collect(),
        queued_to_sent: latency::queued_to_sent(&stack.sql().await?).await?,
        receipt_to_watcher: latencies.percentiles(),
        floors: None,
        verdict: stack.judge_by_sql().await?,
    })
}

/// Waits until the last text is delivered, and notes when each phase was over.
async fn follow(
    stack: &Stack,
    organization: &Organization,
    campaign: &str,
    options: BenchOptions,
    begun: Instant,
) -> Result<Vec<(&'static str, Duration)>> {
    let total = i64::try_from(options.texts)?;
    let patience = Duration::from_secs(60) + PATIENCE_PER_TEXT * u32::try_from(options.texts)?;
    let client = &organization.client;
    let (mut planned, mut sent) = (None, None);
    let mut shown = Instant::now();
    let look = async || {
        let report = client.report(campaign).await?;
        let count = |wanted: &[MessageStatus]| -> i64 {
            report.status_counts.iter().filter(|c| wanted.contains(&c.status())).map(|c| c.count).sum()
        };
        let accepted = count(&[MessageStatus::Sent, MessageStatus::Delivered]);
        let delivered = count(&[MessageStatus::Delivered]);
        // The memory of PostgreSQL's processes is known only while somebody looks.
        stack.usage();
        if planned.is_none() && report.message_count == total {
            planned = Some(begun.elapsed());
        }
        if sent.is_none() && accepted == total {
            sent = Some(begun.elapsed());
        }
        if options.progress && shown.elapsed() > Duration::from_secs(2) {
            shown = Instant::now();
            eprintln!(
                "{:>8.1?}  {:>9} planned  {accepted:>9} accepted  {delivered:>9} delivered",
                begun.elapsed(),
                report.message_count
            );
        }
        Ok((delivered == total).then_some(()))
    };
    wait::until_every(TICK, "every text to be delivered", patience, look).await?;
    let all = begun.elapsed();
    Ok(vec![("plan", planned.unwrap_or(all)), ("send", sent.unwrap_or(all)), ("receipts", all)])
}

async fn watched(watch: &Watch, texts: usize) -> Result<()> {
    let all = |seen: &crate::client::Seen| seen.count(MessageStatus::Delivered) == texts;
    watch.until("every text to be seen delivered", Duration::from_secs(60), all).await
}

fn usage(stack: &Stack) -> BTreeMap<&'static str, Usage> {
    stack.usage().into_iter().collect()
}

fn since(after: Usage, before: Option<&Usage>) -> Usage {
    Usage { cpu_s: after.cpu_s - before.map_or(0.0, |before| before.cpu_s), ..after }
}
