//! Waiting for something to become true: a probe asked again and again until a deadline, never a fixed sleep.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Short enough that waiting costs a test nothing, long enough that the waiting costs no CPU worth counting.
const PAUSE: Duration = Duration::from_millis(3);

/// Asks `probe` until it gives a value or fails; an error that names `what` when that takes too long.
pub async fn until<T>(
    what: &str,
    within: Duration,
    probe: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    until_every(PAUSE, what, within, probe).await
}

/// The same with a longer pause, for a probe that costs something.
pub async fn until_every<T>(
    pause: Duration,
    what: &str,
    within: Duration,
    mut probe: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let deadline = Instant::now() + within;
    loop {
        if let Some(value) = probe().await? {
            return Ok(value);
        }
        if Instant::now() >= deadline {
            bail!("waited {within:?} in vain for {what}");
        }
        tokio::time::sleep(pause).await;
    }
}

/// The same for a thread that may block. `None` from this function means that the time is up.
pub(crate) fn until_blocking<T>(
    within: Duration,
    mut probe: impl FnMut() -> Result<Option<T>>,
) -> Result<Option<T>> {
    let deadline = Instant::now() + within;
    loop {
        if let Some(value) = probe()? {
            return Ok(Some(value));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        std::thread::sleep(PAUSE);
    }
}
