//! Keys that prove who is calling. Only their SHA-256 is kept or compared: they are long and random, so no slow
//! hash is needed.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// SHA-256 of a key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyHash(pub [u8; 32]);

impl KeyHash {
    /// The hash of `key`.
    pub fn of(key: &str) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, key.as_bytes()).as_ref());
        Self(hash)
    }
}

/// A new random secret of 256 bits in 43 URL-safe characters.
///
/// # Errors
/// Where the operating system has no randomness to give.
pub fn random_secret() -> crate::Result<String> {
    let mut bytes = [0; 32];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| crate::Error::internal("the operating system gave no randomness"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
