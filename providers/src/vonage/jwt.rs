//! The proof that a Vonage webhook carries: a JWT in its `Authorization` header, signed with the account's signature
//! secret (HMAC-SHA256), which holds the time and the hash of the body.
//!
//! Read here by hand, since all that is needed of JWTs are a signature and three claims: one algorithm, whatever the
//! token's own header says, and nothing of it read before the signature was found to fit.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::AUTHORIZATION;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use crate::signature::{Hmac, sha256_hex_fits};
use crate::{Account, Forged, WebhookRequest};

/// Vonage's own tokens have some 450 bytes; what is much longer is not looked at.
const TOKEN_BYTES_MAX: usize = 4_096;
/// For how long a token is believed. Vonage tries a webhook again for a day, and does not say whether the later tries
/// carry a new token. Within that time a replay does nothing: the body is the same, and a receipt or reply that is
/// known already changes nothing.
const AGE_S_MAX: i64 = 86_400 + CLOCKS_APART_S_MAX;
/// How far their clock and ours may be apart.
const CLOCKS_APART_S_MAX: i64 = 300;

#[derive(Deserialize)]
struct Header<'a> {
    #[serde(borrow)]
    alg: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Claims<'a> {
    iat: i64,
    #[serde(borrow)]
    payload_hash: Cow<'a, str>,
    /// Whose secret it is signed with.
    #[serde(borrow)]
    api_key: Option<Cow<'a, str>>,
}

/// Proves that Vonage wrote `request` for `account`.
pub(super) fn verify(
    account: &Account,
    key: &SecretString,
    request: &WebhookRequest<'_>,
) -> Result<(), Forged> {
    let header = request.headers.get(AUTHORIZATION).ok_or(Forged::Unsigned)?;
    let payload = signed_payload(header.as_bytes(), key).ok_or(Forged::WrongSignature)?;
    let claims: Claims<'_> = serde_json::from_slice(&payload).map_err(|_| Forged::WrongSignature)?;
    if claims.api_key.is_some_and(|key| key != account.account_sid) {
        return Err(Forged::WrongAccount);
    }
    let age_s = request.now_s.saturating_sub(claims.iat);
    if !(-CLOCKS_APART_S_MAX..=AGE_S_MAX).contains(&age_s) {
        return Err(Forged::Stale);
    }
    sha256_hex_fits(request.body, &claims.payload_hash).then_some(()).ok_or(Forged::WrongSignature)
}

/// The payload of the token in an `Authorization` header, where the token is signed by the account's secret.
fn signed_payload(header: &[u8], key: &SecretString) -> Option<Vec<u8>> {
    let header = str::from_utf8(header).ok().filter(|header| header.len() <= TOKEN_BYTES_MAX)?;
    let (scheme, token) = header.split_once(' ')?;
    let (signed, signature) = token.rsplit_once('.')?;
    let (head, payload) = signed.split_once('.')?;
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
    let head = decode(head)?;
    let Header { alg } = serde_json::from_slice(&head).ok()?;
    let genuine = scheme.eq_ignore_ascii_case("bearer")
        && alg == "HS256"
        && Hmac::sha256(key.expose_secret().as_bytes()).tag_fits(signed.as_bytes(), &decode(signature)?);
    if genuine { decode(payload) } else { None }
}
