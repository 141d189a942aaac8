//! Something that is made of files, and made anew when they change. What cannot be made is tried again at every look, and
//! logged once for each way in which it fails; the last good one stays.
//!
//! Files are compared by what is in them: mounted secrets are swapped through links, and their times say little.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use tokio::sync::watch;

use crate::supervise::Tasks;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The current one.
#[derive(Debug)]
pub(super) struct Live<T> {
    current: watch::Receiver<Arc<T>>,
}

impl<T> Clone for Live<T> {
    fn clone(&self) -> Self {
        Self { current: self.current.clone() }
    }
}

impl<T: Send + Sync + 'static> Live<T> {
    /// Makes the first one of `paths` by `make`, and watches them until the service stops. `what` is what logs call it.
    ///
    /// # Errors
    /// Where the first one cannot be made.
    pub(super) fn start(
        what: &'static str,
        paths: Vec<PathBuf>,
        make: impl Fn() -> anyhow::Result<T> + Send + 'static,
        tasks: &Tasks,
    ) -> anyhow::Result<Self> {
        let (mut files, first) = Files::read(paths, make)?;
        let (made, current) = watch::channel(Arc::new(first));
        let stop = tasks.stop();
        tasks.spawn(async move {
            while !files.paths.is_empty() {
                tokio::select! {
                    () = tokio::time::sleep(LOOK_EVERY) => {}
                    () = stop.cancelled() => return,
                }
                // Reading may take its time where the files are on a network.
                let looked = tokio::task::spawn_blocking(move || {
                    let change = files.look();
                    (files, change)
                });
                let Ok((back, change)) = looked.await else { return };
                files = back;
                match change {
                    None => {}
                    Some(Ok(new)) => {
                        tracing::info!(
                            what,
                            "the files of TLS have changed; new connections use the new ones"
                        );
                        made.send_replace(Arc::new(new));
                    }
                    Some(Err(error)) => tracing::error!(
                        what,
                        error = format!("{error:#}"),
                        "the files of TLS have changed and cannot be used; the last good ones stay"
                    ),
                }
            }
        });
        Ok(Self { current })
    }

    /// The current one.
    pub(super) fn get(&self) -> Arc<T> {
        self.current.borrow().clone()
    }
}

/// What was in each file, as a hash, because one of them is a key; `None` where it could not be read.
type Seen = Vec<Option<[u8; 32]>>;

/// The files, and how something is made of them.
struct Files<F> {
    paths: Vec<PathBuf>,
    make: F,
    seen: Seen,
    /// What was wrong at the last look, where nothing could be made of the files.
    fault: Option<String>,
}

impl<T, F: Fn() -> anyhow::Result<T>> Files<F> {
    /// Makes the first one.
    fn read(paths: Vec<PathBuf>, make: F) -> anyhow::Result<(Self, T)> {
        // Before it is made: what changes in between is then seen as a change.
        let seen = see(&paths);
        let first = make()?;
        Ok((Self { paths, make, seen, fault: None }, first))
    }

    /// Makes a new one where the files are not as they were at the last look, or nothing could be made of them then: reading
    /// them may have failed for a moment only. A fault that is still the same is not told again.
    fn look(&mut self) -> Option<anyhow::Result<T>> {
        let seen = see(&self.paths);
        let changed = seen != self.seen;
        if !changed && self.fault.is_none() {
            return None;
        }
        self.seen = seen;
        let made = (self.make)();
        let fault = made.as_ref().err().map(|error| format!("{error:#}"));
        let told = !changed && fault.is_some() && fault == self.fault;
        self.fault = fault;
        (!told).then_some(made)
    }
}

fn see(paths: &[PathBuf]) -> Seen {
    let hash = |path| {
        let read = fs::read(path).ok()?;
        digest(&SHA256, &read).as_ref().try_into().ok()
    };
    paths.iter().map(hash).collect()
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn a_change_is_seen_once_whatever_becomes_of_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("number");
        let make = || -> anyhow::Result<u32> {
            fs::read_to_string(&path).context("unreadable")?.parse().context("no number")
        };
        assert!(Files::read(vec![path.clone()], make).is_err(), "nothing is there yet");
        fs::write(&path, "1").expect("written");
        let (mut files, first) = Files::read(vec![path.clone()], make).expect("a number");
        assert_eq!(first, 1);
        assert!(files.look().is_none());

        fs::write(&path, "2").expect("written");
        assert!(matches!(files.look(), Some(Ok(2))));
        assert!(files.look().is_none());

        fs::write(&path, "two").expect("written");
        assert!(matches!(files.look(), Some(Err(_))));
        assert!(files.look().is_none(), "the same fault is told once");
        fs::remove_file(&path).expect("removed");
        assert!(matches!(files.look(), Some(Err(_))), "another fault is told");
        assert!(files.look().is_none());

        fs::write(&path, "3").expect("written");
        assert!(matches!(files.look(), Some(Ok(3))));
    }

    #[test]
    fn files_that_could_not_be_read_for_a_moment_are_read_again_though_they_do_not_change() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("number");
        fs::write(&path, "1").expect("written");
        let fails = std::cell::Cell::new(None);
        let make = || -> anyhow::Result<String> {
            if let Some(fault) = fails.get() {
                anyhow::bail!("{fault}");
            }
            fs::read_to_string(&path).context("unreadable")
        };
        let (mut files, _) = Files::read(vec![path.clone()], make).expect("a number");
        fails.set(Some("too many open files"));
        fs::write(&path, "2").expect("written");
        assert!(matches!(files.look(), Some(Err(_))));
        assert!(files.look().is_none(), "the same fault is told once");
        fails.set(Some("an I/O error"));
        assert!(matches!(files.look(), Some(Err(_))), "another fault is told");
        fails.set(None);
        assert!(files.look().is_some_and(|made| made.is_ok_and(|text| text == "2")));
        assert!(files.look().is_none());
    }
}
