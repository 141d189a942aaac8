//! The long stories of `cargo story` in a small form: the same functions, with less to do.

use anyhow::{Result, ensure};
use muster_tests::stories::{kill_main, suspend};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_process_is_killed_and_every_text_is_accounted_for() -> Result<()> {
    let options = kill_main::Options { texts: 1_500, rounds: 1, sending_s: 10, seed: 3, quick: true };
    let report = Box::pin(kill_main(options, &|line| eprintln!("{line}"))).await?;
    ensure!(report.ok() && report.kills.len() == 5, "{report}\n{}", report.to_json());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspended_organization_stops_and_goes_on() -> Result<()> {
    let options = suspend::Options { texts: 1_000, sending_s: 8, stops: 5, seed: 5 };
    let report = Box::pin(suspend(options, &|line| eprintln!("{line}"))).await?;
    ensure!(report.ok(), "{report}\n{}", report.to_json());
    Ok(())
}
