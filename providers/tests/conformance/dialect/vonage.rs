//! Vonage signs a JWT that names the account, the time and the hash of the body.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use muster_providers::Forged;
use muster_providers::signature::{Hmac, sha256_hex};

use super::{NOW_S, Speaks, headers};

pub(crate) struct Vonage;

impl Speaks for Vonage {
    fn sign(&self, secret: &str, body: &str) -> HeaderMap {
        let hash = sha256_hex(body.as_bytes());
        let claims = format!(
            r#"{{"iat":{NOW_S},"jti":"c5ba8f24-1a14-4c10-bfdf-3fbe8ce511b5","iss":"Vonage","payload_hash":"{hash}","api_key":"AC00000000000000000000000000000001"}}"#
        );
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let signed = format!("{}.{}", encode(br#"{"alg":"HS256","typ":"JWT"}"#), encode(claims.as_bytes()));
        let tag = encode(&Hmac::sha256(secret.as_bytes()).tag(signed.as_bytes()));
        headers(&[("authorization", format!("Bearer {signed}.{tag}"))])
    }

    fn expected_of_strangers(&self) -> [Result<(), Forged>; 2] {
        [Err(Forged::WrongAccount), Ok(())]
    }
}
