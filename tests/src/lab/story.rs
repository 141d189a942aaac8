//! `cargo story NAME`: tells one of the long stories at full length. Without a name it lists them.

use std::ffi::OsString;
use std::fmt::Display;

use anyhow::Result;
use clap::Subcommand;
use serde_json::Value;

use super::{Outcome, Progress, unless_stopped};
use crate::binaries::binaries;
use crate::stories::{
    self, Tell, gateways_rolling, kill_main, receipts, senders_killed, senders_rolling, senders_scale,
    suspend,
};

/// Which story, and how.
#[derive(clap::Args)]
#[command(disable_help_subcommand = true)]
pub(super) struct Options {
    /// End with one line of JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    story: Option<Story>,
}

/// Every story: its name, one line on it, and its own options.
#[derive(Subcommand)]
enum Story {
    /// Every process is killed with -9 in the middle of two campaigns, and every text is accounted for.
    KillMain(kill_main::Options),
    /// Receipts come twice, in the wrong order and late, half of them while NATS is away: every one of them lands once.
    Receipts(receipts::Options),
    /// Sender nodes are killed all the time, one is frozen, and providers withhold answers: nobody is texted twice.
    SendersKilled(senders_killed::Options),
    /// Every sender node is restarted under load, one after the other: nothing is unconfirmed, and no number waits long.
    SendersRolling(senders_rolling::Options),
    /// The same load with 1, 2 and 4 sender nodes: throughput grows with them.
    SendersScale(senders_scale::Options),
    /// One of two organizations is suspended in the middle of its campaign, and goes on later; the other is unharmed.
    Suspend(suspend::Options),
    /// Two gateways are restarted and killed by turns while webhooks come in: none is lost, and none counts twice.
    GatewaysRolling(gateways_rolling::Options),
    /// A name that is none.
    #[command(external_subcommand)]
    Unknown(Vec<OsString>),
}

/// What a story came to.
struct Told {
    ok: bool,
    words: String,
    json: Value,
}

impl Told {
    fn new(ok: bool, report: &impl Display, json: Value) -> Self {
        Self { ok, words: report.to_string(), json }
    }
}

impl Story {
    /// Tells it; `None` where there is no such story.
    async fn tell(self, tell: Tell<'_>) -> Result<Option<Told>> {
        match self {
            Self::KillMain(options) => {
                let report = Box::pin(stories::kill_main(options, tell)).await?;
                Ok(Some(Told::new(report.ok(), &report, report.to_json())))
            }
            Self::Receipts(options) => {
                let report = Box::pin(stories::receipts(options, tell)).await?;
                Ok(Some(Told::new(report.ok(), &report, report.to_json())))
            }
            Self::SendersKilled(options) => {
                let report = Box::pin(stories::senders_killed(options, tell)).await?;
                Ok(Some(Told::new(report.ok(), &report, report.to_json())))
            }
            Self::SendersRolling(options) => {
                let report = Box::pin(stories::senders_rolling(options, tell)).await?;
                Ok(Some(Told::new(report.ok(), &report, report.to_json())))
            }
            Self::SendersScale(options) => {
                let report = Box::pin(stories::senders_scale(options, tell)).await?;
                Ok(Some(Told::new(report.ok(), &report, report.to_json())))
            }
            Self::Suspend(options) => {
                let report = Box::pin(stories::suspend(options, tell)).await?;
                Ok(Some(Told::new(report.ok(), &report, report.to_json())))
            }
            Self::GatewaysRolling(options) => {
                let report = Box::pin(stories::gateways_rolling(options, tell)).await?;
                Ok(Some(Told::new(report.ok(), &report, report.to_json())))
            }
            Self::Unknown(_) => Ok(None),
        }
    }
}

/// The names of all stories, each with its line.
fn list() -> String {
    let stories = Story::augment_subcommands(clap::Command::new("story"));
    let line = |story: &clap::Command| {
        let about = story.get_about().map(ToString::to_string).unwrap_or_default();
        format!("  {:<16} {about}", story.get_name())
    };
    let lines: Vec<_> = stories.get_subcommands().map(line).collect();
    format!("cargo story NAME [-- --json ...]\n\n{}", lines.join("\n"))
}

/// Tells the story that was asked for.
pub(super) async fn run(options: Options) -> Result<Outcome> {
    let Some(story) = options.story else {
        println!("{}", list());
        return Ok(Outcome::Right);
    };
    if let Story::Unknown(words) = &story {
        let name = words.first().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        eprintln!("There is no story {name:?}.\n{}", list());
        return Ok(Outcome::Wrong);
    }
    eprintln!("Building; the first time takes some minutes.");
    unless_stopped(binaries()).await?;
    let progress = Progress::start();
    let tell = |line: &str| progress.step(line);
    let Some(told) = unless_stopped(Box::pin(story.tell(&tell))).await? else { return Ok(Outcome::Wrong) };
    println!("\n{}", told.words);
    if options.json {
        println!("{}", told.json);
    }
    Ok(if told.ok { Outcome::Right } else { Outcome::Wrong })
}
