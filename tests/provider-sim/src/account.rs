//! The accounts that the simulated providers know: who may send, from which numbers, and where and how their
//! webhooks go.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock, RwLock};

use aws_lc_rs::digest;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use muster_domain::provider::Provider;
use muster_providers::signature::Hmac;
use serde::{Deserialize, Serialize};

use crate::target::{Target, Unusable};

/// An account to open, as `POST /sim/accounts` and the accounts file have it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountSpec {
    /// `twilio` or `telnyx`.
    pub provider: String,
    /// Twilio's account SID. Telnyx has none: any name will do.
    pub account_sid: String,
    /// Twilio's auth token, Telnyx's API key.
    pub api_secret: String,
    /// What webhooks are signed with, where it is to be chosen: another token for Twilio, 64 hexadecimal
    /// digits for Telnyx (an Ed25519 seed).
    #[serde(default)]
    pub webhook_secret: Option<String>,
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
    /// What webhooks are verified with: Twilio's token, Telnyx's public key in base64.
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
}

/// An open account.
pub(crate) struct Account {
    pub(crate) provider: Provider,
    pub(crate) sid: Box<str>,
    /// The `Authorization` header that its calls carry.
    pub(crate) authorization: Box<str>,
    pub(crate) signer: Signer,
    pub(crate) inbound: Option<Arc<Target>>,
    pub(crate) numbers: Option<HashSet<Box<str>>>,
    /// Where its first text had its receipts sent: a pattern for receipts on command.
    pub(crate) callback: OnceLock<Target>,
}

/// Signs webhooks, with all prepared that can be.
pub(crate) enum Signer {
    Twilio(Box<Hmac>),
    Telnyx(Ed25519KeyPair),
}

impl Account {
    fn open(spec: &AccountSpec) -> Result<(Self, AccountOpened), Refused> {
        let provider = spec.provider.parse().map_err(|_| Refused::Provider(spec.provider.clone()))?;
        let sid = &spec.account_sid;
        if sid.is_empty() || !sid.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
            return Err(Refused::Sid);
        }
        let (signer, webhook_key) = signer(provider, spec)?;
        let authorization = match provider {
            Provider::Twilio => {
                format!("Basic {}", STANDARD.encode(format!("{}:{}", spec.account_sid, spec.api_secret)))
            }
            Provider::Telnyx => format!("Bearer {}", spec.api_secret),
        };
        let inbound =
            spec.inbound_url.as_deref().map(Target::parse).transpose().map_err(Refused::InboundUrl)?;
        let numbers = spec.numbers.as_ref();
        let account = Self {
            provider,
            sid: spec.account_sid.as_str().into(),
            authorization: authorization.into(),
            signer,
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

fn signer(provider: Provider, spec: &AccountSpec) -> Result<(Signer, String), Refused> {
    match provider {
        Provider::Twilio => {
            let token = spec.webhook_secret.as_ref().unwrap_or(&spec.api_secret);
            Ok((Signer::Twilio(Box::new(Hmac::sha1(token.as_bytes()))), token.clone()))
        }
        Provider::Telnyx => {
            let seed = match &spec.webhook_secret {
                Some(hex) => seed(hex).ok_or(Refused::Seed)?,
                // Any seed will do, as long as the same account has the same one after a restart.
                None => digest::digest(&digest::SHA256, spec.api_secret.as_bytes()).as_ref().to_vec(),
            };
            let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| Refused::Seed)?;
            let public_key = STANDARD.encode(pair.public_key());
            Ok((Signer::Telnyx(pair), public_key))
        }
    }
}

fn seed(hex: &str) -> Option<Vec<u8>> {
    let pairs = hex.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
    pairs.map(byte).collect::<Option<Vec<u8>>>().filter(|seed| seed.len() == 32)
}

/// All open accounts.
#[derive(Default)]
pub(crate) struct Accounts(RwLock<HashMap<Key, Arc<Account>>>);

/// What a call names its account by: Twilio's SID in the path, Telnyx's key in the header.
type Key = (Provider, Box<str>);

impl Accounts {
    /// Opens an account, or changes it.
    pub(crate) fn open(&self, spec: &AccountSpec) -> Result<AccountOpened, Refused> {
        let (account, opened) = Account::open(spec)?;
        let account = Arc::new(account);
        let mut all = self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        all.insert((account.provider, account.sid.clone()), Arc::clone(&account));
        if account.provider == Provider::Telnyx {
            all.insert((Provider::Telnyx, account.authorization.clone()), account);
        }
        Ok(opened)
    }

    /// The account that is named so: by its SID, or for Telnyx by its `Authorization` header as well.
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
