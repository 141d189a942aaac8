//! What a token says, and whether that is good for a pin at a time. Pure, and no word on who signed it.

use jsonwebtoken::dangerous::insecure_decode_claims;
use serde::Deserialize;
use serde_json::Value;

use super::{Identity, Pin, Refused};

/// Bytes of a token at most: far more than the tokens of the large issuers have.
const TOKEN_BYTES_MAX: usize = 8 * 1024;
/// Bytes of a subject at most (OpenID Connect Core, section 2).
const SUBJECT_BYTES_MAX: usize = 255;
/// How far an issuer's clock may be from ours, in seconds.
const LEEWAY_S: f64 = 30.0;
/// How long a token may still be good, in seconds. One that leaked would otherwise open doors for good.
const LIFETIME_MAX_S: f64 = 24.0 * 60.0 * 60.0;
const MICROS: f64 = 1_000_000.0;

/// The claims that matter (RFC 7519, section 4). Times are seconds since the Unix epoch, and may have fractions.
#[derive(Deserialize)]
pub(super) struct Claims {
    pub(super) iss: String,
    #[serde(default)]
    pub(super) aud: Audiences,
    sub: String,
    exp: Option<f64>,
    nbf: Option<f64>,
    iat: Option<f64>,
    email: Option<String>,
    #[serde(default)]
    email_verified: Value,
}

/// One or many.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Audiences {
    One(String),
    Many(Vec<String>),
}

impl Default for Audiences {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl From<Audiences> for Vec<String> {
    fn from(audiences: Audiences) -> Self {
        match audiences {
            Audiences::One(one) => vec![one],
            Audiences::Many(many) => many,
        }
    }
}

impl Audiences {
    fn has(&self, wanted: &str) -> bool {
        match self {
            Self::One(one) => one == wanted,
            Self::Many(many) => many.iter().any(|one| one == wanted),
        }
    }
}

impl Claims {
    /// The claims of a token of a reasonable size.
    pub(super) fn read(token: &str) -> Result<Self, Refused> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Refused::Malformed);
        }
        insecure_decode_claims(token).map_err(|_| Refused::Malformed)
    }

    /// Whom these claims speak of, if they are for `pin` and of now. Proven only together with the signature.
    pub(super) fn judge(self, pin: &Pin, now_us: i64) -> Result<Identity, Refused> {
        if self.iss != pin.issuer {
            return Err(Refused::Issuer);
        }
        if pin.audience.is_empty() || !self.aud.has(&pin.audience) {
            return Err(Refused::Audience);
        }
        let now_s = now_us as f64 / MICROS;
        let expires_s = self.exp.ok_or(Refused::Expired)?;
        if expires_s <= now_s - LEEWAY_S || expires_s > now_s + LIFETIME_MAX_S + LEEWAY_S {
            return Err(Refused::Expired);
        }
        if [self.nbf, self.iat].into_iter().flatten().any(|from_s| from_s > now_s + LEEWAY_S) {
            return Err(Refused::Early);
        }
        if self.sub.is_empty() || self.sub.len() > SUBJECT_BYTES_MAX {
            return Err(Refused::Malformed);
        }
        // Some issuers write the string "true" here; it is not what the standard says, so it is not believed.
        let verified = self.email_verified == Value::Bool(true);
        // Within a day of now, so far from the ends of what fits.
        let expires_us = (expires_s * MICROS) as i64;
        Ok(Identity { subject: self.sub, email: self.email.filter(|_| verified), expires_us })
    }
}
