//! AES-256-GCM with a random nonce: what sealed data and wrapped keys have in common.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use zeroize::Zeroizing;

/// How long a key is.
pub(super) const KEY_BYTES: usize = 32;
/// How much longer what is sealed is than what it holds: the nonce before it and the tag behind it.
pub(super) const OVERHEAD_BYTES: usize = NONCE_LEN + 16;

/// The cipher refused: a wrong key, another context, or a changed byte.
#[derive(Debug)]
pub(super) struct Refused;

/// A key to seal and open with. Zeroized when dropped.
pub(super) struct Key(RandomizedNonceKey);

impl Key {
    pub(super) fn new(bytes: &[u8; KEY_BYTES]) -> Result<Self, Refused> {
        RandomizedNonceKey::new(&AES_256_GCM, bytes).map(Self).map_err(|_| Refused)
    }

    /// The nonce, what `plain` becomes, and the tag. It opens with the same `context` only.
    pub(super) fn seal(&self, context: &str, plain: &[u8]) -> Result<Vec<u8>, Refused> {
        let mut sealed = Zeroizing::new(Vec::with_capacity(plain.len() + OVERHEAD_BYTES));
        sealed.extend([0; NONCE_LEN]);
        sealed.extend_from_slice(plain);
        let (head, body) = sealed.split_at_mut(NONCE_LEN);
        let (nonce, tag) =
            self.0.seal_in_place_separate_tag(Aad::from(context), body).map_err(|_| Refused)?;
        head.copy_from_slice(nonce.as_ref());
        sealed.extend_from_slice(tag.as_ref());
        Ok(std::mem::take(&mut *sealed))
    }

    /// What was sealed with this key and `context`.
    pub(super) fn open(&self, context: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Refused> {
        let (nonce, body) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(Refused)?;
        let mut plain = Zeroizing::new(body.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened = self.0.open_in_place(nonce, Aad::from(context), &mut plain).map_err(|_| Refused)?;
        let bytes = opened.len();
        plain.truncate(bytes);
        Ok(plain)
    }
}
