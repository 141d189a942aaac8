//! What a check found: where it is, and what to do about it.

use std::fmt::{Display, Write as _};

/// The faults of one check.
#[derive(Default)]
pub(crate) struct Faults(String);

impl Faults {
    /// Notes a fault. `advice` says what is wrong and what to do.
    pub(crate) fn add(&mut self, path: &str, line: usize, advice: impl Display) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "  {path}:{line}: {advice}");
    }

    /// Fails the test where anything was noted.
    #[track_caller]
    pub(crate) fn none(self) {
        assert!(self.0.is_empty(), "\n{}", self.0);
    }
}
