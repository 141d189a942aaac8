//! What webhook signatures share: HMAC and Ed25519, base64, and comparisons that take the same time
//! whatever they find. Which bytes are signed is each provider's own business and stays in its file.

use aws_lc_rs::{constant_time, digest, hmac, signature};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Longer than the base64 of any tag or signature here; what is longer is not looked at.
const SIGNATURE_BYTES_MAX: usize = 128;

/// A keyed hash, ready to sign or to check many messages.
#[derive(Clone, Debug)]
pub struct Hmac(hmac::Key);

impl Hmac {
    /// HMAC-SHA1, which Twilio signs with.
    pub fn sha1(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret))
    }

    /// HMAC-SHA256.
    pub fn sha256(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// The signature of `message`, in base64.
    pub fn sign(&self, message: &[u8]) -> String {
        STANDARD.encode(hmac::sign(&self.0, message))
    }

    /// The signature of `message`, as bytes.
    pub fn tag(&self, message: &[u8]) -> Vec<u8> {
        hmac::sign(&self.0, message).as_ref().to_vec()
    }

    /// Whether `tag`, as bytes, is the signature of `message`.
    pub fn tag_fits(&self, message: &[u8], tag: &[u8]) -> bool {
        hmac::verify(&self.0, message, tag).is_ok()
    }

    /// Whether `signature`, in base64, is the one of `message`.
    pub fn fits(&self, message: &[u8], signature: &[u8]) -> bool {
        let mut tag = [0; SIGNATURE_BYTES_MAX];
        decode(signature, &mut tag).is_some_and(|tag| hmac::verify(&self.0, message, tag).is_ok())
    }
}

/// Whether `signature` (base64) is the Ed25519 signature of `message` by the owner of `public_key` (base64).
pub fn ed25519_fits(public_key: &str, message: &[u8], signature: &[u8]) -> bool {
    let (mut key, mut sig) = ([0; SIGNATURE_BYTES_MAX], [0; SIGNATURE_BYTES_MAX]);
    let Some(key) = decode(public_key.as_bytes(), &mut key) else { return false };
    let Some(sig) = decode(signature, &mut sig) else { return false };
    signature::UnparsedPublicKey::new(&signature::ED25519, key).verify(message, sig).is_ok()
}

/// The SHA-256 of `body`, in hexadecimal digits.
pub fn sha256_hex(body: &[u8]) -> String {
    let digest = digest::digest(&digest::SHA256, body);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether the two are the same, in a time that does not tell where they differ.
pub fn is_same(told: &[u8], ours: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(told, ours).is_ok()
}

/// Whether `hex` is the SHA-256 of `body`, in either case. The digest is public: it needs no constant time.
pub fn sha256_hex_fits(body: &[u8], hex: &str) -> bool {
    let digest = digest::digest(&digest::SHA256, body);
    let digits = digest.as_ref().iter().flat_map(|byte| [byte >> 4, byte & 15]);
    hex.len() == 64
        && hex
            .bytes()
            .zip(digits)
            .all(|(got, want)| char::from(got).to_digit(16).is_some_and(|got| got == u32::from(want)))
}

fn decode<'a>(text: &[u8], into: &'a mut [u8; SIGNATURE_BYTES_MAX]) -> Option<&'a [u8]> {
    if text.len() > SIGNATURE_BYTES_MAX {
        return None;
    }
    let length = STANDARD.decode_slice(text, into).ok()?;
    into.get(..length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hmac_fits_its_own_message_only() {
        for hmac in [Hmac::sha1(b"key"), Hmac::sha256(b"key")] {
            let signature = hmac.sign(b"message");
            assert!(hmac.fits(b"message", signature.as_bytes()));
            assert!(!hmac.fits(b"massage", signature.as_bytes()));
            assert!(!hmac.fits(b"message", b""));
            assert!(!hmac.fits(b"message", &[b'A'; 1000]));
            assert!(hmac.tag_fits(b"message", &hmac.tag(b"message")));
            assert!(!hmac.tag_fits(b"massage", &hmac.tag(b"message")));
            assert!(!hmac.tag_fits(b"message", b""));
        }
    }

    #[test]
    fn a_digest_is_compared_in_either_case() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert!(sha256_hex_fits(b"", empty));
        assert_eq!(sha256_hex(b""), empty);
        assert!(sha256_hex_fits(b"", &empty.to_uppercase()));
        assert!(!sha256_hex_fits(b" ", empty));
        assert!(!sha256_hex_fits(b"", &empty[..63]));
    }
}
