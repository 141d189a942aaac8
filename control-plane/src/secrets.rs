//! Secrets of provider accounts, sealed at rest: what the database holds opens only with a key that the database does
//! not have, and only in the row that it was sealed for.
//!
//! Each sealed value has a data key of its own, wrapped under a key-encryption key (KEK) that never leaves its
//! [`KeyWrapper`]. What was opened is kept for a while, by all that went into opening it, so a changed account is seen
//! at once.

mod aead;
mod envelope;
mod kek;
mod rewrap;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use moka::future::Cache;
use prost::Message as _;
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::{Zeroize as _, Zeroizing};

pub(crate) use self::envelope::Sealed;
use self::kek::Keys;
pub(crate) use self::kek::{DataKey, KeyWrapper};
pub use self::rewrap::rewrap;
use crate::config;
use crate::db::{Database, SystemTx};
use crate::store::accounts::accounts_by_kek;

/// Accounts whose secrets are kept open at most.
const OPEN_MAX: u64 = 10_000;
/// How long they are kept open when nobody asks for them.
const OPEN_IDLE: Duration = Duration::from_mins(10);

/// What a provider account keeps secret. Zeroized when dropped; `Debug` hides it.
#[derive(Clone, Debug, Default)]
pub(crate) struct AccountSecrets {
    /// What authenticates our calls.
    pub(crate) api_secret: SecretString,
    /// What webhooks are verified with.
    pub(crate) webhook_key: SecretString,
    /// A second one that is as good; empty where there is none.
    pub(crate) second_webhook_key: SecretString,
    /// The part of the webhook paths that cannot be guessed.
    pub(crate) webhook_token: SecretString,
}

/// Seals and opens the secrets of provider accounts.
#[derive(Clone)]
pub(crate) struct Secrets {
    keys: Arc<dyn KeyWrapper>,
    open: Cache<[u8; 32], Arc<AccountSecrets>>,
}

/// Why secrets are not sealed or opened. Never holds any of them.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The value was sealed under a KEK that was not given to this process.
    #[error("their key is wrapped under the KEK `{0}`, and neither kek.keys nor kek.folder has it")]
    UnknownKek(String),
    /// The KEK has the right name and does not fit.
    #[error(
        "their key does not open with the KEK `{0}`: it is not the one of that name that they were sealed under, or \
         they were sealed for another account, or changed"
    )]
    Wrapped(String),
    /// The data key is right, and what it sealed is not what it was.
    #[error("they were changed after they were sealed")]
    Changed,
    /// It does not look like anything that this build seals.
    #[error("they are in a form that this build does not know")]
    Form,
    /// The operating system or the cipher failed.
    #[error("the cipher failed")]
    Cipher,
}

/// The secrets of one account could not be opened.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the secrets of {name} cannot be opened")]
pub(crate) struct NotOpened {
    name: String,
    #[source]
    why: Error,
}

impl Secrets {
    /// With the keys that the configuration holds.
    ///
    /// # Errors
    /// Where there is no usable KEK: names the setting, never the value.
    pub(crate) fn new(kek: &config::Kek) -> anyhow::Result<Self> {
        Ok(Self::with(Arc::new(Keys::read(kek)?)))
    }

    fn with(keys: Arc<dyn KeyWrapper>) -> Self {
        Self { keys, open: Cache::builder().max_capacity(OPEN_MAX).time_to_idle(OPEN_IDLE).build() }
    }

    /// Seals `secrets` for the account of this resource name, under the current KEK.
    pub(crate) async fn seal(&self, name: &str, secrets: &AccountSecrets) -> Result<Sealed, Error> {
        envelope::seal(&*self.keys, name, &encode(secrets)).await
    }

    /// Opens what was sealed for the account of this resource name.
    pub(crate) async fn open(&self, name: &str, sealed: &Sealed) -> Result<Arc<AccountSecrets>, NotOpened> {
        let opened = async {
            let plain = envelope::open(&*self.keys, name, sealed).await;
            let secrets = plain.and_then(|plain| decode(&plain));
            secrets.map(Arc::new).map_err(|why| NotOpened { name: name.to_owned(), why })
        };
        let opened = self.open.try_get_with(question(name, sealed), opened).await;
        opened.map_err(|error: Arc<NotOpened>| NotOpened::clone(&error))
    }

    /// Logs under which KEKs accounts were sealed that this process cannot open: their texts wait until it is given
    /// the right one.
    pub(crate) async fn report_unopened(&self, db: &Database) -> anyhow::Result<()> {
        let all = {
            let mut client = db.system().await?;
            accounts_by_kek(&SystemTx::begin(&mut client).await?).await?
        };
        for under in all {
            if let Err(error) = self.open(&under.example.name(), &under.example.sealed).await {
                let (kek, accounts) = (under.example.sealed.kek_id, under.accounts);
                let error = format!("{:#}", anyhow::Error::from(error));
                tracing::error!(
                    kek,
                    accounts,
                    error,
                    "accounts cannot be opened; their texts and webhooks wait"
                );
            }
        }
        Ok(())
    }
}

/// All that an answer depends on, in one hash.
fn question(name: &str, sealed: &Sealed) -> [u8; 32] {
    let mut hash = [0; 32];
    // A resource name has no zero byte, and neither has the id of a KEK.
    let asked = [name.as_bytes(), sealed.kek_id.as_bytes(), &sealed.bytes].join(&0);
    hash.copy_from_slice(digest(&SHA256, &asked).as_ref());
    hash
}

impl From<Error> for muster_runtime::Error {
    fn from(error: Error) -> Self {
        Self::internal(error)
    }
}

impl From<NotOpened> for muster_runtime::Error {
    fn from(error: NotOpened) -> Self {
        match error.why {
            // The same call works once the KEK is there.
            Error::UnknownKek(_) | Error::Wrapped(_) => Self::unavailable(error),
            Error::Changed | Error::Form | Error::Cipher => Self::internal(error),
        }
    }
}

/// What is sealed: an account's secrets, in a form that fields can be added to.
#[derive(prost::Message)]
#[prost(skip_debug)]
struct Plain {
    #[prost(string, tag = "1")]
    api_secret: String,
    #[prost(string, tag = "2")]
    webhook_key: String,
    #[prost(string, tag = "3")]
    webhook_token: String,
    #[prost(string, tag = "4")]
    second_webhook_key: String,
}

impl Drop for Plain {
    fn drop(&mut self) {
        self.api_secret.zeroize();
        self.webhook_key.zeroize();
        self.webhook_token.zeroize();
        self.second_webhook_key.zeroize();
    }
}

fn encode(secrets: &AccountSecrets) -> Zeroizing<Vec<u8>> {
    let text = |secret: &SecretString| secret.expose_secret().to_owned();
    let plain = Plain {
        api_secret: text(&secrets.api_secret),
        webhook_key: text(&secrets.webhook_key),
        webhook_token: text(&secrets.webhook_token),
        second_webhook_key: text(&secrets.second_webhook_key),
    };
    Zeroizing::new(plain.encode_to_vec())
}

fn decode(plain: &[u8]) -> Result<AccountSecrets, Error> {
    let mut plain = Plain::decode(plain).map_err(|_| Error::Form)?;
    let secret = |text: &mut String| SecretString::from(std::mem::take(text));
    Ok(AccountSecrets {
        api_secret: secret(&mut plain.api_secret),
        webhook_key: secret(&mut plain.webhook_key),
        webhook_token: secret(&mut plain.webhook_token),
        second_webhook_key: secret(&mut plain.second_webhook_key),
    })
}
