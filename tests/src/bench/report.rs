//! What a benchmark says: tables for people, one object for machines.

use serde_json::{Map, Value, json};

use super::Bench;
use super::floors::Floor;
use super::latency::Percentiles;

/// Prints the report to standard output, for people or, with `json`, as one object on the last line.
pub fn print(bench: &Bench, json: bool) {
    if json { println!("{}", object(bench)) } else { print!("{}", text(bench)) }
}

fn round(value: f64) -> Value {
    json!((value * 10.0).round() / 10.0)
}

fn percentiles(p: Percentiles) -> Value {
    json!({ "p50": round(p.p50), "p99": round(p.p99), "max": round(p.max) })
}

fn floors(bench: &Bench) -> Value {
    let Some(floors) = &bench.floors else { return Value::Null };
    let floor = |floor: Floor| json!({ "per_s": floor.per_s.round(), "cpu_s_per_million": round(floor.cpu_s_per_million) });
    let least = floors.cpu_s_per_million_texts();
    json!({
        "http_client": floor(floors.http_client),
        "webhook_handler": floor(floors.webhook_handler),
        "copy_rows": floor(floors.copy_rows),
        "publish_orders": floor(floors.publish_orders),
        "cpu_s_per_million_texts": round(least),
        "ratio": round(bench.cpu_s_per_million_without_simulator() / least),
    })
}

fn object(bench: &Bench) -> Value {
    let parts = |of: &dyn Fn(&str) -> f64| -> Map<String, Value> {
        bench.used.keys().map(|part| ((*part).to_owned(), round(of(part)))).collect()
    };
    let mut cpu = parts(&|part| bench.cpu_s_per_million(part));
    cpu.insert("all_but_simulator".to_owned(), round(bench.cpu_s_per_million_without_simulator()));
    let phases: Map<String, Value> =
        bench.phases.iter().map(|(name, took)| ((*name).to_owned(), round(took.as_secs_f64()))).collect();
    json!({
        "ok": bench.ok(),
        "texts": bench.texts,
        "texts_per_s": bench.texts_per_s().round(),
        "wall_s": round(bench.wall.as_secs_f64()),
        "phases_s": phases,
        "cpu_s_per_million": cpu,
        "rss_peak_mib": parts(&|part| bench.used.get(part).map_or(0.0, |usage| usage.rss_peak_mib)),
        "queued_to_sent_ms": percentiles(bench.queued_to_sent),
        "receipt_to_watcher_ms": percentiles(bench.receipt_to_watcher),
        "floors": floors(bench),
        "duplicates": bench.verdict.duplicates,
        "missing": bench.verdict.missing,
        "delivered": bench.verdict.delivered,
        "counters_equal": bench.verdict.counters_equal,
    })
}

fn text(bench: &Bench) -> String {
    let mut lines = vec![format!(
        "\n{} texts planned, sent and receipted (two receipts each) in {:.1?}: {:.0} a second\n",
        bench.texts,
        bench.wall,
        bench.texts_per_s()
    )];
    lines.push("phase            over after".to_owned());
    for (name, took) in &bench.phases {
        lines.push(format!("  {name:<14} {took:>9.1?}"));
    }
    lines.push("\npart             CPU-s/million    peak MiB".to_owned());
    for (part, usage) in &bench.used {
        lines.push(format!(
            "  {part:<14} {:>14.1} {:>11.0}",
            bench.cpu_s_per_million(part),
            usage.rss_peak_mib
        ));
    }
    let all = bench.cpu_s_per_million_without_simulator();
    lines.push(format!("  {:<14} {all:>14.1}", "all but the sim"));
    lines.push("\ndelay in ms             p50        p99        max".to_owned());
    for (what, p) in
        [("queued to sent", bench.queued_to_sent), ("receipt to watcher", bench.receipt_to_watcher)]
    {
        lines.push(format!("  {what:<18} {:>7.1} {:>10.1} {:>10.1}", p.p50, p.p99, p.max));
    }
    if let Some(floors) = &bench.floors {
        lines.push("\nfloor                 a second   CPU-s/million".to_owned());
        for (what, floor) in [
            ("HTTP client", floors.http_client),
            ("webhook handler", floors.webhook_handler),
            ("COPY rows", floors.copy_rows),
            ("publish orders", floors.publish_orders),
        ] {
            lines.push(format!("  {what:<16} {:>11.0} {:>15.1}", floor.per_s, floor.cpu_s_per_million));
        }
        let least = floors.cpu_s_per_million_texts();
        lines.push(format!("  a text's floor {least:>29.1}: we are at {:.1} times that", all / least));
    }
    let v = &bench.verdict;
    let (duplicates, missing, equal) = (v.duplicates, v.missing, v.counters_equal);
    lines.push(format!(
        "\nledger: {} accepted, {duplicates} duplicates, {missing} missing, counters equal: {equal}",
        v.accepted
    ));
    lines.extend(v.findings.iter().map(|finding| format!("  {finding}")));
    lines.push(String::new());
    lines.join("\n")
}
