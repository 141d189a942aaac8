//! Logs: lines on standard error, as JSON for machines or as text for people. What is logged can be changed while the
//! process runs. A line that is written in a trace has its id: `span.trace_id` and `span.span_id`.

use std::str::FromStr as _;
use std::sync::OnceLock;

use anyhow::Context as _;
use tracing_subscriber::filter::Directive;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::reload::{self, Handle};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, Registry, fmt};

use crate::config::Log;

/// Crates that log the values they carry when they are asked to say much: phone numbers and texts in the parameters of
/// statements, keys in the headers of requests. They are not asked, whatever the configuration says.
const TALKATIVE: [&str; 4] = ["tokio_postgres=warn", "h2=warn", "hyper=warn", "rlibphonenumber=warn"];

static FILTER: OnceLock<Handle<EnvFilter, Registry>> = OnceLock::new();

/// Begins to log.
///
/// # Errors
/// Where the filter cannot be read.
pub(crate) fn start(log: &Log) -> anyhow::Result<()> {
    let (filter, handle) = reload::Layer::new(read(&log.filter)?);
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = if log.json { lines.json().with_span_list(false).boxed() } else { lines.boxed() };
    tracing_subscriber::registry().with(filter).with(lines).init();
    let _ = FILTER.set(handle);
    Ok(())
}

/// What is logged.
pub fn filter() -> Option<String> {
    FILTER.get()?.with_current(ToString::to_string).ok()
}

/// Logs what `filter` says from now on.
///
/// # Errors
/// Where the filter cannot be read.
pub fn change(filter: &str) -> anyhow::Result<()> {
    let read = read(filter)?;
    FILTER.get().context("nothing is logged in this process")?.reload(read)?;
    tracing::info!(filter, "what is logged was changed");
    Ok(())
}

fn read(filter: &str) -> anyhow::Result<EnvFilter> {
    let mut read = EnvFilter::try_new(filter)?;
    for target in TALKATIVE {
        read = read.add_directive(Directive::from_str(target)?);
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn talkative_crates_are_never_asked() {
        let filter = read("trace,tokio_postgres=trace").expect("reads").to_string();
        assert!(filter.contains("tokio_postgres=warn"), "{filter}");
        assert!(!filter.contains("tokio_postgres=trace"), "{filter}");
        assert!(read("info,=").is_err());
    }
}
