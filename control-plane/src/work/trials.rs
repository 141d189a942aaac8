//! Trials: one text, now and then, for an account whose provider does not answer: to see whether it does again.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use muster_runtime::clock;
use uuid::Uuid;

/// How often an account is tried.
const TIMER: Duration = Duration::from_secs(1);

/// When each account was tried last.
#[derive(Default)]
pub(crate) struct Trials(HashMap<Uuid, Instant>);

impl Trials {
    /// Whether an account was tried so lately that it is not to be tried yet.
    pub(crate) fn lately(&self, account: Uuid) -> bool {
        self.0.get(&account).is_some_and(|at| clock::since(*at) < TIMER)
    }

    /// It is tried now.
    pub(crate) fn begin(&mut self, account: Uuid) {
        self.0.retain(|_, at| clock::since(*at) < TIMER);
        self.0.insert(account, clock::instant());
    }
}
