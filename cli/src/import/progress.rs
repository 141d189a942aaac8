//! How far an import is: bytes and rows as they leave, contacts and rejected rows as the platform counts them.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use muster_proto::v1::{ContactList, GetContactListRequest};

use crate::session::Session;

/// How often the platform is asked for its counts.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// A bar on standard error; nothing where that is no terminal.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
    lines: Arc<AtomicU64>,
}

impl Progress {
    /// A bar for so many bytes, where that is known.
    pub(super) fn new(bytes: Option<u64>) -> Self {
        let template = match bytes {
            Some(_) => "{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {msg}",
            None => "{spinner} {bytes} {bytes_per_sec} {msg}",
        };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = bytes.map_or_else(ProgressBar::new_spinner, ProgressBar::new).with_style(style);
        Self { bar, lines: Arc::default() }
    }

    /// Notes bytes that leave.
    pub(super) fn sent(&self, chunk: &[u8]) {
        let lines = chunk.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.lines.fetch_add(lines, Ordering::Relaxed);
        self.bar.inc(chunk.len() as u64);
    }

    /// Asks now and then how many contacts and rejected rows there are by now. Never ends by itself.
    pub(super) async fn follow(&self, session: &Session, before: &ContactList) -> Infallible {
        loop {
            tokio::time::sleep(ASK_EVERY).await;
            if self.bar.is_hidden() {
                std::future::pending::<()>().await;
            }
            // What cannot be asked now is asked again; the import itself says what is wrong.
            let asked =
                session.get::<_, ContactList>(&GetContactListRequest { name: before.name.clone() }).await;
            if let Ok(now) = asked {
                let count =
                    |now: i64, before: i64| HumanCount(u64::try_from(now - before).unwrap_or_default());
                let imported = count(now.contact_count, before.contact_count);
                let rejected = count(now.rejected_row_count, before.rejected_row_count);
                let lines = HumanCount(self.lines.load(Ordering::Relaxed));
                self.bar.set_message(format!("{lines} lines sent, {imported} imported, {rejected} rejected"));
            }
        }
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
