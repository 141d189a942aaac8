//! Who proved themselves with what a moment ago, so that a caller who calls often is not looked up each time.

use std::future::Future;
use std::time::Duration;

use moka::future::Cache;

use super::Caller;
use crate::Result;
use crate::key::KeyHash;

/// How long it is remembered who a caller is. A gateway asks the control-plane, which remembers as well; an open stream
/// asks every second. All of it together stays below the 5 seconds after which a revoked credential is good nowhere.
pub const REMEMBERED: Duration = Duration::from_secs(1);
/// Callers remembered at most.
const CALLERS_MAX: u64 = 10_000;

/// Callers by the hash of their credential. However many calls bring the same one at once, it is looked up once. A refusal
/// is not remembered.
#[derive(Clone)]
pub struct Remembered(Cache<KeyHash, Caller>);

impl Default for Remembered {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(CALLERS_MAX).time_to_live(REMEMBERED).build())
    }
}

impl Remembered {
    /// Whose `credential` it is: as remembered, or else as `look_up` says.
    ///
    /// # Errors
    /// What `look_up` refused with.
    pub async fn get(
        &self,
        credential: KeyHash,
        look_up: impl Future<Output = Result<Caller>>,
    ) -> Result<Caller> {
        self.0.try_get_with(credential, look_up).await.map_err(|error| (*error).clone())
    }
}
