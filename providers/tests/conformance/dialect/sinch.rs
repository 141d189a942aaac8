//! Sinch signs the body, a nonce and the time, and names no account.

use http::HeaderMap;
use muster_providers::Forged;
use muster_providers::signature::Hmac;

use super::{NOW_S, Speaks, headers};

pub(crate) struct Sinch;

impl Speaks for Sinch {
    /// Codes are numbers of three digits. The cases also have some that are none.
    fn code(&self, code: &str) -> String {
        match code {
            "" => "0".to_owned(),
            code if code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_digit()) => code.to_owned(),
            code => format!("\"{code}\""),
        }
    }

    fn media_max(&self) -> usize {
        1
    }

    fn sign(&self, secret: &str, body: &str) -> HeaderMap {
        let nonce = "01FJA8B4A7BM43YGWSG9GBV067";
        let signature = Hmac::sha256(secret.as_bytes()).sign(format!("{body}.{nonce}.{NOW_S}").as_bytes());
        headers(&[
            ("x-sinch-webhook-signature", signature),
            ("x-sinch-webhook-signature-nonce", nonce.to_owned()),
            ("x-sinch-webhook-signature-timestamp", NOW_S.to_string()),
        ])
    }

    fn expected_of_strangers(&self) -> [Result<(), Forged>; 2] {
        [Ok(()), Ok(())]
    }
}
