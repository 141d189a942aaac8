//! The accounts that the simulated providers know: who may send, from which numbers, and where and how their
//! webhooks go.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock, RwLock};

use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use muster_domain::provider::Provider;
use muster_providers::signature::Hmac;
use serde::{Deserialize, Serialize};

use crate::dialect::dialect;
use crate::target::{Target, Unusable};

/// An account to open, as `POST /sim/accounts` and the accounts file have it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountSpec {
    /// The provider's name, in lower case.
    pub provider: String,
    /// The provider's name of the account. Telnyx has none: any name will do.
    pub account_sid: String,
    /// Who calls, where that is not the account itself: Bandwidth's user name.
    #[serde(default)]
    pub api_user: String,
    /// The application that texts name: Bandwidth's. Any will do.
    #[serde(default)]
    pub application_id: String,
    /// What authenticates calls, such as Twilio's auth token.
    pub api_secret: String,
    /// What webhooks are signed with, where it is to be chosen: another token for Twilio, 64 hexadecimal
    /// digits for Telnyx (an Ed25519 seed).
    #[serde(default)]
    pub webhook_secret: Option<String>,
    /// Where the receipts of texts are posted that name no URL of their own.
    #[serde(default)]
    pub status_url: Option<String>,
    /// Where replies are posted. Without it nobody replies.
    #[serde(default)]
    pub inbound_url: Option<String>,
    /// The numbers that may send. Without it, every number may.
    #[serde(default)]
    pub numbers: Option<Vec<String>>,
}

/// What an account was opened with: all that Muster has to know of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountOpened {
    /// As given.
    pub provider: String,
    /// As given.
    pub account_sid: String,
    /// As given.
    pub api_secret: String,
    /// What webhooks are verified with, such as Telnyx's public key in base64.
    pub webhook_key: String,
}

/// Why an account cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// No provider has this name.
    #[error("no simulated provider is called {0:?}")]
    Provider(String),
    /// The account's name would not fit into a URL as it is.
    #[error("account_sid has to be of letters and digits")]
    Sid,
    /// The webhook secret is no Ed25519 seed.
    #[error("webhook_secret has to be 64 hexadecimal digits")]
    Seed,
    /// Nothing can be posted to the inbound URL.
    #[error("inbound_url: {0}")]
    InboundUrl(Unusable),
    /// Nor to the one for receipts.
    #[error("status_url: {0}")]
    StatusUrl(Unusable),
}

/// An open account.
pub(crate) struct Account {
    pub(crate) provider: Provider,
    pub(crate) sid: Box<str>,
    /// The `Authorization` header that its calls carry.
    pub(crate) authorization: Box<str>,
    pub(crate) signer: Signer,
    /// Where the receipts of texts go that name no URL of their own.
    pub(crate) status: Option<Target>,
    pub(crate) inbound: Option<Arc<Target>>,
    pub(crate) numbers: Option<HashSet<Box<str>>>,
    /// Where its first text had its receipts sent: a pattern for receipts on command.
    pub(crate) callback: OnceLock<Target>,
}

/// Signs webhooks, with all prepared that can be.
pub(crate) enum Signer {
    Hmac(Box<Hmac>),
    Ed25519(Ed25519KeyPair),
    /// No signature: the same header each time.
    Header(String),
}

impl Signer {
    /// The keyed hash of `message`, in base64. Empty where another scheme signs.
    pub(crate) fn hmac(&self, message: &[u8]) -> String {
        match self {
            Self::Hmac(hmac) => hmac.sign(message),
            Self::Ed25519(_) | Self::Header(_) => String::new(),
        }
    }

    /// The keyed hash of `message`, as bytes. Empty where another scheme signs.
    pub(crate) fn hmac_tag(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Hmac(hmac) => hmac.tag(message),
            Self::Ed25519(_) | Self::Header(_) => Vec::new(),
        }
    }

    /// The Ed25519 signature of `message`, in base64. Empty where another scheme signs.
    pub(crate) fn ed25519(&self, message: &[u8]) -> String {
        match self {
            Self::Ed25519(pair) => STANDARD.encode(pair.sign(message)),
            Self::Hmac(_) | Self::Header(_) => String::new(),
        }
    }
}

impl Account {
    fn open(spec: &AccountSpec) -> Result<(Self, AccountOpened), Refused> {
        let provider = spec.provider.parse().map_err(|_| Refused::Provider(spec.provider.clone()))?;
        let sid = &spec.account_sid;
        if sid.is_empty() || !sid.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
            return Err(Refused::Sid);
        }
        let dialect = dialect(provider);
        let (signer, webhook_key) = dialect.signer(spec)?;
        let target = |url: &Option<String>| url.as_deref().map(Target::parse).transpose();
        let inbound = target(&spec.inbound_url).map_err(Refused::InboundUrl)?;
        let numbers = spec.numbers.as_ref();
        let account = Self {
            provider,
            sid: spec.account_sid.as_str().into(),
            authorization: dialect.authorization(spec).into(),
            signer,
            status: target(&spec.status_url).map_err(Refused::StatusUrl)?,
            inbound: inbound.map(Arc::new),
            numbers: numbers.map(|all| all.iter().map(|number| number.as_str().into()).collect()),
            callback: OnceLock::new(),
        };
        let opened = AccountOpened {
            provider: spec.provider.clone(),
            account_sid: spec.account_sid.clone(),
            api_secret: spec.api_secret.clone(),
            webhook_key,
        };
        Ok((account, opened))
    }

    /// Whether it may send from `number`.
    pub(crate) fn owns(&self, number: &str) -> bool {
        self.numbers.as_ref().is_none_or(|numbers| numbers.contains(number))
    }
}

/// All open accounts.
#[derive(Default)]
pub(crate) struct Accounts(RwLock<HashMap<Key, Arc<Account>>>);

/// What a call names its account by: its SID in the path, or the `Authorization` header.
type Key = (Provider, Box<str>);

impl Accounts {
    /// Opens an account, or changes it.
    pub(crate) fn open(&self, spec: &AccountSpec) -> Result<AccountOpened, Refused> {
        let (account, opened) = Account::open(spec)?;
        let account = Arc::new(account);
        let mut all = self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        all.insert((account.provider, account.sid.clone()), Arc::clone(&account));
        all.insert((account.provider, account.authorization.clone()), account);
        Ok(opened)
    }

    /// The account that is named so: by its SID or its `Authorization` header.
    pub(crate) fn find(&self, provider: Provider, name: &str) -> Option<Arc<Account>> {
        let all = self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        all.get(&(provider, Box::from(name))).cloned()
    }

    /// The account that owns `number`, or the only one that may own any.
    pub(crate) fn owner_of(&self, number: &str) -> Option<Arc<Account>> {
        let all = self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let named = |account: &&Arc<Account>| account.numbers.is_some() && account.owns(number);
        all.values().find(named).or_else(|| all.values().find(|account| account.owns(number))).cloned()
    }
}
