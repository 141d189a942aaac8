//! Key-encryption keys: what wraps data keys. A key management service can take their place behind [`KeyWrapper`];
//! the ones here come from the configuration.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretBox};
use zeroize::Zeroizing;

use super::Error;
use super::aead::{KEY_BYTES, Key, Refused};
use crate::config;

/// A key that seals one value.
pub(crate) type DataKey = SecretBox<[u8; KEY_BYTES]>;

/// The longest id of a KEK, in characters.
const ID_CHARS_MAX: usize = 64;

/// Wraps data keys, and opens them again. `context` is the name of what the data key is for: a key that was wrapped for
/// one thing does not open for another.
#[tonic::async_trait]
pub(crate) trait KeyWrapper: Send + Sync {
    /// The id of the KEK that keys are wrapped under.
    fn current(&self) -> &str;

    /// Wraps a key under the current KEK.
    async fn wrap(&self, key: &DataKey, context: &str) -> Result<Vec<u8>, Error>;

    /// Opens a key that was wrapped under the KEK of this id.
    async fn unwrap(&self, kek_id: &str, wrapped: &[u8], context: &str) -> Result<DataKey, Error>;
}

/// A new data key.
pub(super) fn data_key() -> Result<DataKey, Error> {
    DataKey::try_init_with(|| {
        let mut bytes = [0; KEY_BYTES];
        aws_lc_rs::rand::fill(&mut bytes).map(|()| bytes).map_err(|_| Error::Cipher)
    })
}

/// KEKs from the configuration.
pub(super) struct Keys {
    current: String,
    keys: BTreeMap<String, Key>,
}

impl Keys {
    /// Reads them from the settings and from the folder that these name.
    ///
    /// # Errors
    /// Names the setting or the file that is wrong, never what it holds.
    pub(super) fn read(config: &config::Kek) -> anyhow::Result<Self> {
        let mut read = Self { current: config.current.clone(), keys: BTreeMap::new() };
        for (id, key) in &config.keys {
            read.add(id, key.expose_secret(), &format!("kek.keys.{id}"))?;
        }
        if let Some(folder) = &config.folder {
            read.add_folder(folder).with_context(|| format!("kek.folder, {}", folder.display()))?;
        }
        ensure!(
            read.keys.contains_key(&read.current),
            "kek.current is `{}`, and neither kek.keys nor kek.folder has a key of that id",
            read.current
        );
        Ok(read)
    }

    fn add_folder(&mut self, folder: &Path) -> anyhow::Result<()> {
        for entry in std::fs::read_dir(folder).context("it cannot be read")? {
            let path = entry.context("it cannot be read")?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            // Kubernetes keeps what it mounts in hidden folders, and links to it.
            if !name.starts_with('.') {
                let text = std::fs::read_to_string(&path).map(Zeroizing::new);
                let text = text.with_context(|| format!("the file {name} cannot be read"))?;
                self.add(&name, text.trim(), &format!("the file {name}"))?;
            }
        }
        Ok(())
    }

    fn add(&mut self, id: &str, base64: &str, place: &str) -> anyhow::Result<()> {
        let plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
        ensure!(
            (1..=ID_CHARS_MAX).contains(&id.len()) && id.bytes().all(plain),
            "{place}: an id has 1 to {ID_CHARS_MAX} lower-case letters, digits, hyphens and underscores"
        );
        let bytes = STANDARD.decode(base64).map(Zeroizing::new).ok();
        let Some(bytes) = bytes.as_ref().and_then(|bytes| <&[u8; KEY_BYTES]>::try_from(&bytes[..]).ok())
        else {
            bail!("{place} must hold {KEY_BYTES} bytes in base64");
        };
        let key = Key::new(bytes).map_err(|Refused| anyhow::anyhow!("{place} is no key for the cipher"))?;
        ensure!(
            self.keys.insert(id.to_owned(), key).is_none(),
            "{place}: kek.keys has a key of that id, too"
        );
        Ok(())
    }

    fn get(&self, id: &str) -> Result<&Key, Error> {
        self.keys.get(id).ok_or_else(|| Error::UnknownKek(id.to_owned()))
    }
}

#[tonic::async_trait]
impl KeyWrapper for Keys {
    fn current(&self) -> &str {
        &self.current
    }

    async fn wrap(&self, key: &DataKey, context: &str) -> Result<Vec<u8>, Error> {
        self.get(&self.current)?.seal(context, key.expose_secret()).map_err(|Refused| Error::Cipher)
    }

    async fn unwrap(&self, kek_id: &str, wrapped: &[u8], context: &str) -> Result<DataKey, Error> {
        let refused = || Error::Wrapped(kek_id.to_owned());
        let key = self.get(kek_id)?.open(context, wrapped).map_err(|Refused| refused())?;
        DataKey::try_init_with(|| key[..].try_into().map_err(|_| refused()))
    }
}
