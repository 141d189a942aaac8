//! What the demo says in the end.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use muster_domain::phone::PhoneNumber;
use muster_proto::v1::{ErrorClass, HistoryEntry, Message, MessageStatus};

use super::cast::{Cast, Part};
use crate::judge::{Verdict, class_name, status_name};
use crate::lab::{Table, thousands};
use crate::stack::Stack;

/// Prints the whole report.
pub(super) async fn print(
    stack: &Stack,
    cast: &Cast,
    verdict: &Verdict,
    seed: u64,
    wall_s: f64,
) -> Result<()> {
    println!("\nImports (seed {seed})\n{}", imports(cast));
    println!("Rejected rows, by reason\n{}", rejected(cast));
    println!("Messages, by where they are\n{}", statuses(cast).await?);
    println!("Errors, by the provider's own code\n{}", errors(verdict));
    println!("Replies and opt-outs\n{}", answers(cast).await?);
    println!("Where did my message go?\n{}", history(cast).await?);
    println!("CPU and memory so far\n{}", usage(stack));
    println!("Against the simulator's ledger\n{}", judgment(verdict));
    for finding in &verdict.findings {
        println!("    {finding}");
    }
    let exact = if verdict.is_right() { "Every text is accounted for" } else { "NOT EXACT" };
    println!("{exact}: {} texts in {wall_s} s.", thousands(verdict.messages));
    Ok(())
}

fn imports(cast: &Cast) -> Table {
    let mut table = Table::new(["", "rows", "contacts", "rejected", "as the file's maker expects"]);
    for part in cast.parts() {
        let import = &part.imported;
        let right = if part.import_is_right() { "yes" } else { "NO" };
        let numbers = [import.row_count, import.imported_count, import.rejected_count].map(thousands);
        table.row([part.title.to_owned()].into_iter().chain(numbers).chain([right.to_owned()]));
    }
    table
}

fn rejected(cast: &Cast) -> Table {
    let mut reasons: BTreeMap<&str, [i64; 2]> = BTreeMap::new();
    for (at, part) in cast.parts().into_iter().enumerate() {
        for (reason, count) in &part.imported.rejected_by_reason {
            reasons.entry(reason).or_default()[at] += count;
        }
    }
    table_of_both(cast, reasons)
}

async fn statuses(cast: &Cast) -> Result<Table> {
    let mut statuses: BTreeMap<MessageStatus, [i64; 2]> = BTreeMap::new();
    for (at, part) in cast.parts().into_iter().enumerate() {
        for count in part.organization.client.report(&part.campaign).await?.status_counts {
            statuses.entry(count.status()).or_default()[at] += count.count;
        }
    }
    let named = statuses.into_iter().map(|(status, counts)| (status_name(status), counts));
    Ok(table_of_both(cast, named))
}

fn table_of_both<'a>(cast: &Cast, rows: impl IntoIterator<Item = (&'a str, [i64; 2])>) -> Table {
    let mut table = Table::new(["", cast.broadcast.title, cast.click.title, "together"]);
    let mut sums = [0, 0];
    for (name, counts) in rows {
        sums = [sums[0] + counts[0], sums[1] + counts[1]];
        table.row(line(name, counts));
    }
    table.row(line("all", sums));
    table
}

fn line(name: &str, [broadcast, click]: [i64; 2]) -> [String; 4] {
    [name.to_owned(), thousands(broadcast), thousands(click), thousands(broadcast + click)]
}

fn errors(verdict: &Verdict) -> Table {
    let mut table = Table::new(["status", "class", "code", "messages"]);
    for error in &verdict.by_error {
        table.row([error.status, error.error_class, &error.error_code, &thousands(error.count)]);
    }
    table
}

async fn answers(cast: &Cast) -> Result<Table> {
    let mut counts = BTreeMap::from([("replies", [0, 0]), ("opt-outs", [0, 0]), ("changes watched", [0, 0])]);
    for (at, part) in cast.parts().into_iter().enumerate() {
        let (client, tenant) = (&part.organization.client, &part.organization.tenant);
        let mut count = |name, number: usize| {
            counts.entry(name).or_default()[at] = i64::try_from(number).unwrap_or(i64::MAX);
        };
        count("replies", client.list_replies(tenant).await?.len());
        count("opt-outs", client.list_opt_outs(tenant).await?.len());
        count("changes watched", usize::try_from(part.changes_seen())?);
    }
    let mut table = Table::new(["", cast.broadcast.title, cast.click.title, "together"]);
    for (name, counts) in counts {
        table.row(line(name, counts));
    }
    Ok(table)
}

/// One text of the click campaign that could not be delivered, or else any: it has the most to tell.
async fn history(cast: &Cast) -> Result<String> {
    let Part { organization, campaign, .. } = &cast.click;
    let messages = organization.client.list_messages(&organization.tenant, campaign).await?;
    let telling = messages.iter().find(|message| message.status() == MessageStatus::Undelivered);
    let telling = telling.or(messages.first()).context("the click campaign has no messages")?;
    let message = organization.client.message(&telling.name).await?;
    let mut table = Table::new(["after", "status", "attempt", "caused by", "error", "provider's id"]);
    let begins = message.history.first().map(seconds).unwrap_or_default();
    for entry in &message.history {
        table.row(history_line(entry, begins));
    }
    let Message { name, body, .. } = &message;
    let to = PhoneNumber::from_e164_trusted(message.to.as_str());
    let from = PhoneNumber::from_e164_trusted(message.from.as_str());
    Ok(format!("    {name}\n    from {from} to {to}: {body}\n{table}"))
}

fn history_line(entry: &HistoryEntry, begins: f64) -> [String; 6] {
    let class = entry.error_class();
    let error = if class == ErrorClass::Unspecified {
        String::new()
    } else {
        format!("{} {}", class_name(class), entry.error_code)
    };
    [
        format!("{:.3} s", seconds(entry) - begins),
        status_name(entry.status()).to_owned(),
        entry.attempt.to_string(),
        entry.cause.clone(),
        error,
        entry.provider_message_id.clone(),
    ]
}

fn seconds(entry: &HistoryEntry) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 fit a float to the microsecond")]
    entry.time.map_or(0.0, |time| time.seconds as f64 + f64::from(time.nanos) / 1e9)
}

fn usage(stack: &Stack) -> Table {
    let mut table = Table::new(["", "CPU s", "peak MiB"]);
    for (name, usage) in stack.usage() {
        table.row([name.to_owned(), format!("{:.2}", usage.cpu_s), format!("{:.0}", usage.rss_peak_mib)]);
    }
    table
}

fn judgment(verdict: &Verdict) -> Table {
    let mut table = Table::new(["", ""]);
    let counts = [
        ("messages", verdict.messages),
        ("accepted by the providers", verdict.accepted),
        ("delivered", verdict.delivered),
        ("unconfirmed and never accepted", verdict.unconfirmed),
        ("unconfirmed without an explanation", verdict.unexplained),
        ("duplicates", verdict.duplicates),
        ("missing", verdict.missing),
        ("not sent without a reason that holds", verdict.groundless),
        ("accepted long after a STOP", verdict.after_stop),
    ];
    for (name, count) in counts {
        table.row([name.to_owned(), thousands(count)]);
    }
    let equal = if verdict.counters_equal { "all counters equal the ledger" } else { "COUNTERS DIFFER" };
    table.row([equal, ""]);
    table
}
