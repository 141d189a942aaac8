//! Contexts: the platforms that somebody calls, each with its endpoint and key, in one file that only its owner can read.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize, Serializer};

use crate::environment;
use crate::failure::{Exit, Failure, Result};

/// The file's mode: nobody else may read it, for there are keys in it.
const MODE: u32 = 0o600;

/// The file.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Contexts {
    /// The context of commands that name none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) current: Option<String>,
    /// All of them, by name.
    #[serde(default)]
    pub(crate) contexts: BTreeMap<String, Context>,
}

/// A platform, and how it is called.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Context {
    /// The API.
    pub(crate) endpoint: String,
    /// Event streams, where the gateway has an address of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) events_endpoint: Option<String>,
    /// The tenant that commands are for; otherwise the key's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tenant: Option<String>,
    /// The authorities of the platform's certificates, beside the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca: Option<PathBuf>,
    /// Whether the platform may be called in plaintext although it is not on this machine.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) plaintext: bool,
    /// A file with the key, read at every call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key_file: Option<PathBuf>,
    /// The key itself.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "exposed")]
    pub(crate) key: Option<SecretString>,
}

fn exposed<S: Serializer>(key: &Option<SecretString>, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    key.as_ref().map(|key| key.expose_secret()).serialize(serializer)
}

impl Contexts {
    /// Where the file is.
    ///
    /// # Errors
    /// Where there is no home to look in.
    pub(crate) fn path() -> Result<PathBuf> {
        let folder = environment::config_folder();
        let folder = folder
            .ok_or_else(|| Failure::usage("neither XDG_CONFIG_HOME nor HOME says where contexts are kept"))?;
        Ok(folder.join("muster/config.toml"))
    }

    /// All contexts; none where there is no file.
    ///
    /// # Errors
    /// Where others can read the file, or it cannot be understood.
    pub(crate) fn read() -> Result<Self> {
        let Ok(path) = Self::path() else { return Ok(Self::default()) };
        if !path.exists() {
            return Ok(Self::default());
        }
        let cannot = |error: &dyn std::fmt::Display| {
            Failure::because(&format!("cannot read {}", path.display()), error)
        };
        let mode = fs::metadata(&path).map_err(|error| cannot(&error))?.permissions().mode();
        if mode & 0o077 != 0 {
            let message =
                format!("{} has keys in it, and others on this machine may read it", path.display());
            return Err(Failure::new(Exit::Denied, message).hint(format!("chmod 600 {}", path.display())));
        }
        let text = fs::read_to_string(&path).map_err(|error| cannot(&error))?;
        // The error's own words would quote a line of the file, which may be a key.
        toml::from_str(&text).map_err(|error| cannot(&error.message()))
    }

    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(crate) fn write(&self) -> Result<()> {
        let path = Self::path()?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let text = toml::to_string_pretty(self)
            .map_err(|error| Failure::because("contexts cannot be written", error))?;
        let write = || {
            fs::create_dir_all(folder)?;
            let mut draft =
                tempfile::Builder::new().permissions(fs::Permissions::from_mode(MODE)).tempfile_in(folder)?;
            draft.write_all(text.as_bytes())?;
            draft.persist(&path)?;
            Ok(())
        };
        write().map_err(|error: std::io::Error| {
            Failure::because(&format!("cannot write {}", path.display()), error)
        })
    }

    /// The context of that name.
    ///
    /// # Errors
    /// NOT_FOUND where there is none.
    pub(crate) fn get(&self, name: &str) -> Result<&Context> {
        self.contexts.get(name).ok_or_else(|| {
            Failure::new(Exit::NotFound, format!("there is no context {name}"))
                .hint("`muster context list` has those there are")
        })
    }
}
