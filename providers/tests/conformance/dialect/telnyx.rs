//! Telnyx signs the time and the body, and names no account.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use muster_providers::Forged;

use super::{NOW_S, Speaks, headers};

pub(crate) struct Telnyx;

impl Speaks for Telnyx {
    fn webhook_key_of(&self, secret: &str) -> String {
        STANDARD.encode(key_pair(secret).public_key())
    }

    fn sign(&self, secret: &str, body: &str) -> HeaderMap {
        let signature = key_pair(secret).sign(format!("{NOW_S}|{body}").as_bytes());
        headers(&[
            ("telnyx-signature-ed25519", STANDARD.encode(signature)),
            ("telnyx-timestamp", NOW_S.to_string()),
        ])
    }

    fn expected_of_strangers(&self) -> [Result<(), Forged>; 2] {
        [Ok(()), Err(Forged::Stale)]
    }
}

fn key_pair(secret: &str) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(secret.as_bytes()).expect("a seed of 32 bytes")
}
