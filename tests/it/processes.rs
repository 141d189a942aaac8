//! The harness's own promises about the processes it runs, and about our binaries.

use std::time::Duration;

use anyhow::{Result, ensure};
use muster_tests::{Process, Ready, RunDir, Spec, binaries, process, wait};

const WITHIN: Duration = Duration::from_secs(20);

fn shell(name: &str, script: &str) -> Spec {
    Spec::new(name, "/bin/sh").args(["-c", script])
}

#[tokio::test]
async fn a_process_is_killed_restarted_and_terminated() -> Result<()> {
    let run = RunDir::create()?;
    let script = "trap 'echo bye; exit 7' TERM; i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; \
                  echo up $GREETING; while :; do sleep 0.02; done";
    let spec = shell("shell", script).env("GREETING", "hello").ready(Ready::Line("up hello".into()));
    let mut process = Process::start(&run, spec).await?;
    let first = (process.pid()?, process.usage());
    ensure!(first.1.cpu_s > 0.0 && first.1.rss_peak_mib > 0.1, "{first:?}");

    process.kill9().await?;
    ensure!(!process.is_running() && !process::is_alive(first.0) && process.pids().is_empty());
    ensure!(process.usage().cpu_s >= first.1.cpu_s && process.usage().rss_mib == 0.0);
    process.start_again().await?;
    ensure!(process.pid()? != first.0);
    ensure!(process.usage().cpu_s > first.1.cpu_s, "the second life's CPU does not add up");
    ensure!(process.start_again().await.is_err(), "it was started twice at once");

    let status = process.terminate(WITHIN).await?;
    ensure!(status.code() == Some(7), "{status}");
    ensure!(process.log_tail().ends_with("bye"), "{}", process.log_tail());
    Ok(())
}

#[tokio::test]
async fn a_paused_process_does_nothing_until_resumed() -> Result<()> {
    let run = RunDir::create()?;
    let process = Process::start(&run, shell("ticker", "while :; do echo tick; sleep 0.005; done")).await?;
    let size = || std::fs::metadata(process.log()).map_or(0, |log| log.len());
    let more_than =
        async |than: u64| wait::until("more ticks", WITHIN, async || Ok((size() > than).then_some(()))).await;
    more_than(0).await?;
    process.pause()?;
    let state = || std::fs::read_to_string(format!("/proc/{}/stat", process.pid().unwrap_or(0)));
    wait::until("the stop", WITHIN, async || Ok(state()?.contains(") T ").then_some(()))).await?;
    let stopped_at = size();
    process.resume()?;
    more_than(stopped_at).await
}

#[tokio::test]
async fn one_that_ends_early_says_why() -> Result<()> {
    let run = RunDir::create()?;
    let spec = shell("broken", "echo no such setting; exit 3").ready(Ready::Line("up".into()));
    let error = Process::start(&run, spec).await.err().map(|error| error.to_string()).unwrap_or_default();
    ensure!(error.contains("broken ended before it was ready"), "{error}");
    ensure!(error.contains("exit status: 3") && error.contains("no such setting"), "{error}");

    let spec = shell("slow", "echo still busy; sleep 60").ready(Ready::Tcp(1));
    let spec = spec.ready_within(Duration::from_millis(200));
    let error = Process::start(&run, spec).await.err().map(|error| error.to_string()).unwrap_or_default();
    ensure!(error.contains("slow was not ready") && error.contains("still busy"), "{error}");
    Ok(())
}

#[tokio::test]
async fn one_that_does_not_heed_is_killed() -> Result<()> {
    let run = RunDir::create()?;
    let spec = shell("deaf", "trap '' TERM; echo up; while :; do sleep 0.02; done");
    let mut process = Process::start(&run, spec.ready(Ready::Line("up".into()))).await?;
    let pid = process.pid()?;
    ensure!(process.terminate(Duration::from_millis(100)).await.is_err());
    ensure!(!process::is_alive(pid));
    Ok(())
}

#[tokio::test]
async fn a_dropped_process_and_its_folder_are_gone() -> Result<()> {
    let run = RunDir::create()?;
    let path = run.path().to_path_buf();
    let spec = shell("sleeper", "sleep 600 & echo up; wait").ready(Ready::Line("up".into()));
    let process = Process::start(&run, spec).await?;
    let pids = process.pids();
    ensure!(pids.len() == 2, "the shell and its child: {pids:?}");
    drop(run);
    ensure!(path.exists(), "the folder went before its user");
    drop(process);
    ensure!(!pids.iter().any(|pid| process::is_alive(*pid)) && !path.exists());
    Ok(())
}

#[tokio::test]
async fn our_binaries_are_built() -> Result<()> {
    let built = binaries::binaries().await?;
    for program in [&built.control_plane, &built.sender_node, &built.gateway, &built.provider_sim] {
        ensure!(program.is_file(), "{} is not there", program.display());
    }
    Ok(())
}
