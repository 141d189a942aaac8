//! Keys that prove who is calling. Only their SHA-256 is kept or compared: they are long and random, so no slow
//! hash is needed.
//!
//! An API key is `mstr_`, 43 letters and digits of chance (256 bits), and 6 that follow from these. By the prefix people
//! and scanners recognise one; by the checksum one that was cut off or mistyped is refused without a look at the database.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;

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

/// What an API key begins with.
const PREFIX: &str = "mstr_";
/// Letters and digits of chance: 256 bits.
const CHANCE: usize = 43;
/// Letters and digits of the checksum: 32 bits.
const CHECKSUM: usize = 6;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A new API key.
///
/// # Errors
/// Where the operating system has no randomness to give.
pub fn new_api_key() -> crate::Result<SecretString> {
    let mut key = String::with_capacity(PREFIX.len() + CHANCE + CHECKSUM);
    key.push_str(PREFIX);
    while key.len() < PREFIX.len() + CHANCE {
        let byte = random::<1>()?[0];
        // Bytes above the last multiple of 62 would favour some letters.
        if usize::from(byte) < ALPHABET.len() * 4 {
            key.push(char::from(ALPHABET[usize::from(byte) % ALPHABET.len()]));
        }
    }
    let checksum = checksum(&key);
    key.push_str(&checksum);
    Ok(key.into())
}

/// Whether `text` has the form of an API key, its checksum included.
pub fn is_api_key(text: &str) -> bool {
    let formed =
        text.len() == PREFIX.len() + CHANCE + CHECKSUM && text.starts_with(PREFIX) && text.is_ascii();
    formed && {
        let (key, sum) = text.split_at(PREFIX.len() + CHANCE);
        sum == checksum(key)
    }
}

/// The first 32 bits of the key's SHA-256, in letters and digits.
fn checksum(key: &str) -> String {
    let KeyHash([a, b, c, d, ..]) = KeyHash::of(key);
    let mut rest = u32::from_be_bytes([a, b, c, d]);
    let mut sum = [0; CHECKSUM];
    for place in sum.iter_mut().rev() {
        *place = ALPHABET[(rest % 62) as usize];
        rest /= 62;
    }
    sum.iter().map(|letter| char::from(*letter)).collect()
}

fn random<const N: usize>() -> crate::Result<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| crate::Error::internal("the operating system gave no randomness"))?;
    Ok(bytes)
}

/// A new random secret of 256 bits in 43 URL-safe characters.
///
/// # Errors
/// Where the operating system has no randomness to give.
pub fn random_secret() -> crate::Result<String> {
    Ok(URL_SAFE_NO_PAD.encode(random::<32>()?))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn an_api_key_is_recognised_and_a_mistyped_one_is_not() {
        let key = new_api_key().expect("randomness");
        let key = key.expose_secret();
        assert!(is_api_key(key) && key.starts_with("mstr_"), "{key}");
        for at in 0..key.len() {
            let mut typo = key.as_bytes().to_vec();
            typo[at] = if typo[at] == b'x' { b'y' } else { b'x' };
            assert!(!is_api_key(&String::from_utf8(typo).expect("ASCII")), "a letter wrong at {at}");
            assert!(!is_api_key(&key[..at]), "cut off at {at}");
        }
        for other in ["", "mstr_", "operator-key", "mstr_ééééééééééééééééééééééééé"]
        {
            assert!(!is_api_key(other));
        }
    }
}
