//! Bearer tokens of OpenID Connect issuers: who signed in, proven by a signature of the issuer that their tenant is
//! pinned to.
//!
//! A token is a JWT signed by RS256, ES256 or EdDSA with a key that the issuer publishes now (see [`issuer`] for what
//! "now" means), made for the pinned audience, and of today. Whatever does not hold refuses the token; that the issuer
//! did not answer is told apart from that, because then the same token may be good later. Nothing here logs a token or
//! anything out of one.

mod claims;
mod fetch;
mod issuer;
mod keys;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use moka::future::Cache;
use moka::policy::EvictionPolicy;
use muster_runtime::clock;
use muster_runtime::supervise::Tasks;

use self::claims::Claims;
use self::fetch::Fetcher;
use self::issuer::Issuer;
use self::keys::Wanted;
use crate::config::Oidc;

/// Issuers whose keys are kept at once. Those that nobody asked for the longest make room.
const ISSUERS_MAX: u64 = 1_000;

/// The issuer and audience that a tenant is pinned to.
#[derive(Clone, Debug)]
pub(crate) struct Pin {
    /// Exactly as the issuer spells itself, with or without a slash at the end.
    pub(crate) issuer: String,
    /// What the issuer knows Muster as. Never empty.
    pub(crate) audience: String,
}

/// What a token says of itself. Not a word of it is proven: it serves to find the tenant whose pin the token must
/// satisfy, and for nothing else.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Claimed {
    /// Who it says has issued it.
    pub(crate) issuer: String,
    /// Whom it says it is for.
    pub(crate) audiences: Vec<String>,
}

/// Who signed in, as the issuer says.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Their name at the issuer: it is unique there, and stays theirs.
    pub(crate) subject: String,
    /// Their email address, only where the issuer has verified that it is theirs.
    pub(crate) email: Option<String>,
    /// When the token stops being good, in microseconds since the Unix epoch. The leeway is not in it.
    pub(crate) expires_us: i64,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("expires_us", &self.expires_us).finish_non_exhaustive()
    }
}

/// Why a token is not believed. It holds nothing of the token, so it may be logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// It is no JWT, is too large, or says something that cannot be.
    #[error("the token cannot be read")]
    Malformed,
    /// Its algorithm is not one that is accepted, or not its key's.
    #[error("the token is signed by an algorithm that is not accepted")]
    Algorithm,
    /// It is a JWT for another use, such as a logout.
    #[error("the token is of another type")]
    Type,
    /// Another issuer made it.
    #[error("the token is of another issuer")]
    Issuer,
    /// It was made for somebody else.
    #[error("the token is for another audience")]
    Audience,
    /// It is over, or would never be.
    #[error("the token has expired, or has no end, or lasts too long")]
    Expired,
    /// It is from the future.
    #[error("the token is not valid yet")]
    Early,
    /// The issuer does not publish the key that it names.
    #[error("the token's key is not one of its issuer's")]
    UnknownKey,
    /// The signature is not that of its key.
    #[error("the token's signature is wrong")]
    Signature,
    /// Whether it is good cannot be told now.
    #[error("the token's issuer does not publish its keys at the moment")]
    Unreachable,
}

impl Refused {
    /// Whether the same token may be good later, so that the call is UNAVAILABLE and not UNAUTHENTICATED.
    pub(crate) fn may_pass(self) -> bool {
        self == Self::Unreachable
    }
}

/// Who has issued `token` and for whom, in its own words. `None` where it is no JWT.
pub(crate) fn peek(token: &str) -> Option<Claimed> {
    let claims = Claims::read(token).ok()?;
    Some(Claimed { issuer: claims.iss, audiences: claims.aud.into() })
}

/// Proves tokens, and keeps issuers' keys.
#[derive(Clone)]
pub(crate) struct Verifier {
    fetcher: Arc<Fetcher>,
    issuers: Cache<String, Arc<Issuer>>,
    tasks: Tasks,
}

impl Verifier {
    /// A verifier that knows no keys yet. Fetches run among `tasks`, so that no caller who goes away can stop one.
    pub(crate) fn new(config: &Oidc, tasks: Tasks) -> anyhow::Result<Self> {
        let issuers =
            Cache::builder().max_capacity(ISSUERS_MAX).eviction_policy(EvictionPolicy::lru()).build();
        Ok(Self { fetcher: Arc::new(Fetcher::new(config)?), issuers, tasks })
    }

    /// Whether `issuer` is a URL that keys can be fetched from, as this service is set. For whoever pins one.
    pub(crate) fn may_ask(&self, issuer: &str) -> bool {
        self.fetcher.url(issuer).is_some()
    }

    /// Who signed in with `token`, which must satisfy `pin`.
    pub(crate) async fn verify(&self, token: &str, pin: &Pin) -> Result<Identity, Refused> {
        let wanted = Wanted::of(token)?;
        // Before the signature, so that only a token that could be good makes us ask its issuer.
        let identity = Claims::read(token)?.judge(pin, clock::now_us())?;
        let issuer = self.issuers.get_with_by_ref(&pin.issuer, async { Arc::new(Issuer::new(&pin.issuer)) });
        let key = issuer.await.key(&wanted, &self.fetcher, &self.tasks).await?;
        key.verify(token)?;
        Ok(identity)
    }
}
