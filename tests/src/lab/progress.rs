//! Progress on stderr: one live line where people watch, now and then a plain line otherwise.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// How often the live line is drawn.
const LIVE_EVERY: Duration = Duration::from_millis(100);
/// How often a plain line is written.
const PLAIN_EVERY: Duration = Duration::from_secs(2);

/// Shows how far something is.
#[derive(Debug)]
pub struct Progress {
    started: Instant,
    live: bool,
}

impl Progress {
    /// Shows progress from now on.
    pub fn start() -> Self {
        Self { started: Instant::now(), live: std::io::stderr().is_terminal() }
    }

    /// Says that something begins.
    pub fn step(&self, what: &str) {
        self.clear();
        eprintln!("{:6.1} s  {what}", self.started.elapsed().as_secs_f64());
    }

    /// Shows what `status` says, again and again, until `work` is done.
    pub async fn during<T>(&self, work: impl Future<Output = T>, status: impl Fn() -> String) -> T {
        let mut work = std::pin::pin!(work);
        let mut tick = tokio::time::interval(if self.live { LIVE_EVERY } else { PLAIN_EVERY });
        loop {
            tokio::select! {
                done = &mut work => {
                    self.clear();
                    return done;
                }
                _ = tick.tick() => self.show(&status()),
            }
        }
    }

    fn show(&self, status: &str) {
        let seconds = self.started.elapsed().as_secs_f64();
        if self.live {
            // Back to the start of the line, and nothing left of the line before.
            eprint!("\r\x1b[2K{seconds:6.1} s  {status}");
            let _ = std::io::stderr().flush();
        } else {
            eprintln!("{seconds:6.1} s  {status}");
        }
    }

    fn clear(&self) {
        if self.live {
            eprint!("\r\x1b[2K");
        }
    }

    /// A short bar, so that the live line stays one line on a narrow terminal.
    pub fn bar(done: usize, all: usize) -> String {
        const WIDTH: usize = 14;
        let filled = (done * WIDTH).checked_div(all).unwrap_or(0).min(WIDTH);
        format!("[{}{}]", "#".repeat(filled), ".".repeat(WIDTH - filled))
    }
}
