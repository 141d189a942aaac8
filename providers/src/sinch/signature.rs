//! The proof that a Sinch webhook carries: HMAC-SHA256 over the body, a nonce and the time. It names no account: the
//! secret is the proof of that, too.

use http::HeaderName;
use secrecy::{ExposeSecret as _, SecretString};

use crate::signature::Hmac;
use crate::{Forged, WebhookRequest};

const SIGNATURE: HeaderName = HeaderName::from_static("x-sinch-webhook-signature");
const NONCE: HeaderName = HeaderName::from_static("x-sinch-webhook-signature-nonce");
const TIMESTAMP: HeaderName = HeaderName::from_static("x-sinch-webhook-signature-timestamp");
const ALGORITHM: HeaderName = HeaderName::from_static("x-sinch-webhook-signature-algorithm");

/// For how long a webhook is believed. Sinch tries one again for 46 hours, and does not say whether the later tries are
/// signed anew. Within that time a replay does nothing: the body is the same, and a receipt or reply that is known
/// already changes nothing.
const AGE_S_MAX: i64 = 172_800;
/// How far their clock and ours may be apart.
const CLOCKS_APART_S_MAX: i64 = 300;

/// Proves that Sinch wrote `request` for the account that has `key`.
pub(super) fn verify(key: &SecretString, request: &WebhookRequest<'_>) -> Result<(), Forged> {
    let header = |name| request.headers.get(name).ok_or(Forged::Unsigned);
    let (signature, nonce, timestamp) = (header(SIGNATURE)?, header(NONCE)?, header(TIMESTAMP)?);
    // The official software does not ask for this one, so it may be absent. There is no other algorithm.
    if request.headers.get(ALGORITHM).is_some_and(|algorithm| algorithm != "HmacSHA256") {
        return Err(Forged::WrongSignature);
    }
    let message = [request.body, nonce.as_bytes(), timestamp.as_bytes()].join(&b'.');
    let hmac = Hmac::sha256(key.expose_secret().as_bytes());
    if !hmac.fits(&message, signature.as_bytes()) {
        return Err(Forged::WrongSignature);
    }
    let signed_s = timestamp.to_str().ok().and_then(|signed| signed.parse::<i64>().ok());
    let age_s = request.now_s.saturating_sub(signed_s.ok_or(Forged::WrongSignature)?);
    (-CLOCKS_APART_S_MAX..=AGE_S_MAX).contains(&age_s).then_some(()).ok_or(Forged::Stale)
}
