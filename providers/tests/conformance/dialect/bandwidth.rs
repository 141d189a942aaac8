//! Bandwidth signs nothing: each webhook carries the user and the password that it was given.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use muster_providers::Forged;

use super::{Speaks, headers};

pub(crate) struct Bandwidth;

impl Speaks for Bandwidth {
    fn webhook_key_of(&self, secret: &str) -> String {
        format!("muster-hook:{secret}")
    }

    /// Codes are numbers of four digits. The cases also have some that are none.
    fn code(&self, code: &str) -> String {
        match code {
            "" => "null".to_owned(),
            code if code.len() == 4 && code.bytes().all(|byte| byte.is_ascii_digit()) => code.to_owned(),
            code => format!("\"{code}\""),
        }
    }

    fn signs_the_body(&self) -> bool {
        false
    }

    fn sign(&self, secret: &str, _: &str) -> HeaderMap {
        let pair = STANDARD.encode(format!("muster-hook:{secret}"));
        headers(&[("authorization", format!("Basic {pair}"))])
    }

    fn expected_of_strangers(&self) -> [Result<(), Forged>; 2] {
        [Ok(()), Ok(())]
    }
}
