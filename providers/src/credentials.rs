//! The `Authorization` header that authenticates our calls.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use secrecy::{ExposeSecret as _, SecretString};

/// `Basic`, with `user` and the secret.
pub(crate) fn basic(user: &str, secret: &SecretString) -> Result<HeaderValue, http::Error> {
    let pair = format!("{user}:{}", secret.expose_secret());
    let mut header = String::with_capacity("Basic ".len() + pair.len().div_ceil(3) * 4);
    header.push_str("Basic ");
    STANDARD.encode_string(pair, &mut header);
    let mut header = HeaderValue::try_from(header)?;
    header.set_sensitive(true);
    Ok(header)
}

/// `Bearer`, with the secret.
pub(crate) fn bearer(secret: &SecretString) -> Result<HeaderValue, http::Error> {
    let mut header = HeaderValue::try_from(["Bearer ", secret.expose_secret()].concat())?;
    header.set_sensitive(true);
    Ok(header)
}
