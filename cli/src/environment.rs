//! What the environment says, read in this one place. Flags that take their value from a variable are clap's.

use std::ffi::OsString;
use std::path::PathBuf;

use secrecy::SecretString;

/// The variable that holds a key. There is no flag for it: a flag would show in the list of processes.
pub(crate) const API_KEY: &str = "MUSTER_API_KEY";

/// A key in the environment.
pub(crate) fn api_key() -> Option<SecretString> {
    let key = variable(API_KEY)?.into_string().ok()?;
    Some(SecretString::from(key.trim().to_owned()))
}

/// Where people keep their configuration, by the XDG base directories; nothing where there is no home either.
pub(crate) fn config_folder() -> Option<PathBuf> {
    let folder = variable("XDG_CONFIG_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute());
    folder.or_else(|| Some(PathBuf::from(variable("HOME")?).join(".config")))
}

fn variable(name: &str) -> Option<OsString> {
    #[expect(clippy::disallowed_methods, reason = "the one place of this program that reads the environment")]
    let value = std::env::var_os(name);
    value.filter(|value| !value.is_empty())
}
