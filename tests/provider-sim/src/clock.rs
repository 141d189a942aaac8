//! The time, in the forms that providers write it in.

use std::sync::{Arc, Mutex};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

use crate::lock;

/// Reads the time; keeps the text of the current second, which thousands of texts share.
pub(crate) struct Clock {
    started: Instant,
    second: Mutex<Arc<Second>>,
}

/// One second, written out.
pub(crate) struct Second {
    pub(crate) unix_s: i64,
    /// As in `Tue, 14 Nov 2023 22:13:20 +0000`.
    pub(crate) rfc2822: String,
    /// As in `2023-11-14T22:13:20`.
    pub(crate) iso: String,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self { started: Instant::now(), second: Mutex::new(Arc::new(Second::of(0))) }
    }

    /// Milliseconds since the start: for waiting.
    pub(crate) fn elapsed_ms(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    /// The instant that `elapsed_ms` will be at.
    pub(crate) fn instant(&self, elapsed_ms: u64) -> Instant {
        self.started + std::time::Duration::from_millis(elapsed_ms)
    }

    /// Microseconds since the Unix epoch: for the ledger.
    pub(crate) fn unix_us(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64)
    }

    /// The current second.
    pub(crate) fn second(&self) -> Arc<Second> {
        let unix_s = (self.unix_us() / 1_000_000) as i64;
        let mut second = lock(&self.second);
        if second.unix_s != unix_s {
            *second = Arc::new(Second::of(unix_s));
        }
        Arc::clone(&second)
    }
}

impl Second {
    pub(crate) fn of(unix_s: i64) -> Self {
        let at = Timestamp::from_second(unix_s).unwrap_or(Timestamp::UNIX_EPOCH);
        Self {
            unix_s,
            rfc2822: at.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string(),
            iso: at.strftime("%Y-%m-%dT%H:%M:%S").to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_read_as_the_providers_write_them() {
        let second = Second::of(1_700_000_000);
        assert_eq!(second.rfc2822, "Tue, 14 Nov 2023 22:13:20 +0000");
        assert_eq!(second.iso, "2023-11-14T22:13:20");
    }
}
