//! `cargo demo`: a contact list in, texts out through a provider, receipts back, an exact report. Two tenants, one
//! at each simulated provider: one broadcasts an SMS over a messy file, the other has texters who send an MMS with
//! one click each.

mod cast;
mod report;
mod texters;

use std::time::{Duration, Instant};

use anyhow::Result;
use muster_proto::v1::MessageStatus;
use muster_provider_sim::behaviour::Behaviour;
use serde::Serialize;

use self::cast::Cast;
use super::{Outcome, Progress, dev, thousands};
use crate::binaries::binaries;
use crate::judge::Verdict;
use crate::stack::{Stack, StackOptions};

/// Rows of the click campaign's file: some hundred texts.
const CLICK_ROWS: usize = 340;
/// How long sending may take: far more than it does.
const SETTLED_WITHIN: Duration = Duration::from_secs(600);
/// Of ten messages, how many the providers have to accept at least: on a good day they refuse one of fifty.
const ACCEPTED_OF_TEN_MIN: u64 = 9;
/// How long the watchers may lag behind the truth.
const WATCHED_WITHIN: Duration = Duration::from_secs(30);

/// What `demo` can be told.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Rows of the broadcast campaign's contact file.
    #[arg(long, default_value_t = 10_000)]
    contacts: usize,
    /// Leave everything running afterwards, until Ctrl-C, and print where it is.
    #[arg(long)]
    keep: bool,
    /// End with one line of JSON.
    #[arg(long)]
    json: bool,
    /// What the contact files and the fates of the texts are made from.
    #[arg(long, default_value_t = 7)]
    seed: u64,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Summary {
    ok: bool,
    messages: u64,
    accepted: u64,
    delivered: u64,
    duplicates: u64,
    missing: u64,
    counters_equal: bool,
    rejected_rows: i64,
    wall_s: f64,
    unconfirmed: u64,
    finished: bool,
    replies: u64,
    opt_outs: u64,
    imports_as_expected: bool,
}

/// Runs it.
pub(super) async fn run(options: Options) -> Result<Outcome> {
    eprintln!("Building; the first time takes some minutes.");
    super::unless_stopped(binaries()).await?;
    let started = Instant::now();
    let (stack, cast, verdict, finished) = super::unless_stopped(Box::pin(perform(&options))).await?;
    let summary = summary(&cast, &verdict, finished, started.elapsed());
    report::print(&stack, &cast, &verdict, options.seed, summary.wall_s).await?;
    if !summary.ok {
        println!("{}", wrong(&summary));
    }
    if options.json {
        println!("{}", serde_json::to_string(&summary)?);
    }
    if options.keep {
        dev::print_endpoints(&stack.endpoints, &stack.run.path().display().to_string());
        for part in cast.parts() {
            println!("{}: key {}\n  {}", part.title, part.organization.key, part.campaign);
        }
        dev::stay(stack).await?;
    }
    Ok(if summary.ok { Outcome::Right } else { Outcome::Wrong })
}

/// Starts everything, sends both campaigns, waits until all of it has arrived, and judges.
async fn perform(options: &Options) -> Result<(Stack, Cast, Verdict, bool)> {
    let progress = Progress::start();
    progress.step("starting PostgreSQL, NATS, control-plane, two sender nodes, gateway and simulator");
    let (behaviour, seed) = (people_and_providers(), options.seed);
    let stack = Stack::start(StackOptions { behaviour, seed, ..StackOptions::durable() }).await?;
    progress.step(&format!("importing {} and {CLICK_ROWS} rows", thousands(options.contacts)));
    let cast = Cast::gather(&stack, seed, [options.contacts, CLICK_ROWS]).await?;
    progress.step("sending one broadcast campaign, and one with a click for each text");
    let sending = async {
        cast.broadcast.start().await?;
        cast.click.start().await?;
        texters::send_all(&cast.click).await?;
        stack.settled(SETTLED_WITHIN).await
    };
    progress.during(sending, || status_line(&cast)).await?;
    progress.step("waiting until the watchers have seen all of it");
    for part in cast.parts() {
        part.watched_to_the_end(WATCHED_WITHIN).await?;
    }
    progress.step("checking against the simulator's ledger");
    let verdict = stack.judge().await?;
    let finished = cast.broadcast.is_finished().await? && cast.click.is_finished().await?;
    Ok((stack, cast, verdict, finished))
}

/// Providers and people as they are on a good day.
fn people_and_providers() -> Behaviour {
    Behaviour {
        answer_ms: [5, 40],
        refused_share: 0.02,
        rate_share: 0.004,
        server_error_share: 0.001,
        undelivered_share: 0.04,
        failed_share: 0.01,
        receipt_ms: [100, 1_200],
        receipt_duplicate_share: 0.02,
        receipt_reorder_share: 0.02,
        reply_share: 0.08,
        reply_ms: [200, 2_000],
        reply_media_share: 0.05,
        stop_share: 0.2,
        start_share: 0.1,
        ..Behaviour::default()
    }
}

/// How far both campaigns are, as their watchers see it.
fn status_line(cast: &Cast) -> String {
    let (mut all, mut sent, mut delivered, mut other) = (0, 0, 0, 0);
    for part in cast.parts() {
        let seen = part.counts();
        all += part.contacts();
        delivered += seen[&MessageStatus::Delivered];
        sent += seen[&MessageStatus::Sent];
        other += seen[&MessageStatus::Undelivered] + seen[&MessageStatus::Failed];
    }
    let done = sent + delivered + other;
    format!(
        "{} {} of {}  {} delivered  {} not delivered",
        Progress::bar(done, all),
        thousands(done),
        thousands(all),
        thousands(delivered),
        thousands(other)
    )
}

fn summary(cast: &Cast, verdict: &Verdict, finished: bool, wall: Duration) -> Summary {
    let imports_as_expected = cast.parts().iter().all(|part| part.import_is_right());
    Summary {
        ok: verdict.is_right() && imports_as_expected && finished && were_sent(verdict),
        messages: verdict.messages,
        accepted: verdict.accepted,
        delivered: verdict.delivered,
        duplicates: verdict.duplicates,
        missing: verdict.missing,
        counters_equal: verdict.counters_equal,
        rejected_rows: cast.parts().iter().map(|part| part.imported.rejected_count).sum(),
        wall_s: (wall.as_secs_f64() * 10.0).round() / 10.0,
        unconfirmed: verdict.unconfirmed,
        finished,
        replies: verdict.replies,
        opt_outs: verdict.opt_outs,
        imports_as_expected,
    }
}

/// Whether most of it was sent, and some of it arrived: a ledger that is empty agrees with nothing sent.
fn were_sent(verdict: &Verdict) -> bool {
    verdict.delivered > 0 && verdict.accepted * 10 >= verdict.messages * ACCEPTED_OF_TEN_MIN
}

/// What people are told where it went wrong.
fn wrong(summary: &Summary) -> String {
    let Summary { messages, accepted, delivered, finished, imports_as_expected, .. } = summary;
    format!(
        "NOT RIGHT: {accepted} of {messages} texts accepted, {delivered} delivered, campaigns finished: {finished}, \
         imports as expected: {imports_as_expected}."
    )
}
