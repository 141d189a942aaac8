//! The long stories of `cargo story` in a small form: the same functions, with less to do.

use anyhow::{Result, ensure};
use muster_tests::stories::{
    gateways_rolling, kill_main, receipts, senders_killed, senders_rolling, senders_scale, suspend,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_process_is_killed_and_every_text_is_accounted_for() -> Result<()> {
    let options = kill_main::Options { texts: 1_500, rounds: 1, sending_s: 10, seed: 3, quick: true };
    let report = Box::pin(kill_main(options, &|line| eprintln!("{line}"))).await?;
    ensure!(report.ok() && report.kills.len() == 5, "{report}\n{}", report.to_json());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receipts_land_once_though_half_of_them_meet_an_outage() -> Result<()> {
    let options = receipts::Options { texts: 1_000, sending_s: 3, outage_s: 9, seed: 23 };
    let report = Box::pin(receipts(options, &|line| eprintln!("{line}"))).await?;
    ensure!(report.ok(), "{report}\n{}", report.to_json());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspended_organization_stops_and_goes_on() -> Result<()> {
    let options = suspend::Options { texts: 1_000, sending_s: 8, stops: 5, seed: 5 };
    let report = Box::pin(suspend(options, &|line| eprintln!("{line}"))).await?;
    ensure!(report.ok(), "{report}\n{}", report.to_json());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sender_nodes_are_killed_and_frozen_and_nobody_is_texted_twice() -> Result<()> {
    let options = senders_killed::Options {
        texts: 1_000,
        nodes: 3,
        every_ms: 3_000,
        frozen_s: 6,
        timeout_share: 0.02,
        sending_s: 8,
        seed: 13,
    };
    let report = Box::pin(senders_killed(options, &|line| eprintln!("{line}"))).await?;
    ensure!(report.ok() && report.freezes() == 1, "{report}\n{}", report.to_json());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_sender_node_is_restarted_and_nothing_is_unconfirmed() -> Result<()> {
    let options = senders_rolling::Options { texts: 1_000, nodes: 2, rounds: 1, sending_s: 20, seed: 17 };
    let report = Box::pin(senders_rolling(options, &|line| eprintln!("{line}"))).await?;
    // A node that ends hands its numbers over at once; this is what it takes where one dies.
    ensure!(report.ok() && report.gap_ms < 10_000, "{report}\n{}", report.to_json());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gateways_are_restarted_and_killed_and_no_webhook_is_lost() -> Result<()> {
    let options = gateways_rolling::Options { texts: 1_200, rounds: 2, sending_s: 15, seed: 23 };
    let report = Box::pin(gateways_rolling(options, &|line| eprintln!("{line}"))).await?;
    ensure!(report.ok() && report.restarts.len() == 4, "{report}\n{}", report.to_json());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_sender_nodes_send_more_than_one() -> Result<()> {
    let options = senders_scale::Options { nodes: vec![1, 2], calls_max: 8, sending_s: 6, seed: 19 };
    let report = Box::pin(senders_scale(options, &|line| eprintln!("{line}"))).await?;
    let grown = report.runs.windows(2).all(|pair| pair[1].texts_per_s > pair[0].texts_per_s);
    ensure!(report.ok() && grown, "{report}\n{}", report.to_json());
    Ok(())
}
