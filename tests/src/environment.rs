//! What the harness takes from the environment; read here and nowhere else.

use std::ffi::OsString;
use std::path::PathBuf;

/// The folder of PostgreSQL's programs to use, whatever else is installed.
pub(crate) const POSTGRES_BIN_DIR: &str = "MUSTER_TEST_PG_BINDIR";
/// The nats-server program to use, whatever else is installed.
pub(crate) const NATS_SERVER: &str = "MUSTER_TEST_NATS_BIN";
/// Set to anything, it leaves the folders of finished runs in place.
const KEEP_RUNS: &str = "MUSTER_TEST_KEEP";

/// A path that the developer set; an empty one counts as not set.
pub(crate) fn path_setting(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// The folders in which programs are looked up.
pub(crate) fn search_path() -> Vec<PathBuf> {
    std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default()
}

/// Whether the folders of finished runs stay.
pub(crate) fn keep_runs() -> bool {
    std::env::var_os(KEEP_RUNS).is_some()
}

/// The cargo that runs us, or the one on PATH.
pub(crate) fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Names of the variables we were started with.
pub(crate) fn names() -> impl Iterator<Item = String> {
    std::env::vars_os().filter_map(|(name, _)| name.into_string().ok())
}
