//! The keys that an issuer publishes, and which of them a token names. A key is good for the one algorithm of its kind:
//! what a token says of its algorithm has to fit the key, and never chooses how the key is used.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, crypto, decode_header};
use serde::Deserialize;
use serde_json::Value;

use super::Refused;

/// The types of token that are accepted, in lower case: ID tokens, and access tokens (RFC 9068).
const TYPES: [&str; 3] = ["jwt", "at+jwt", "application/at+jwt"];

/// Which key a token says it is signed with.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    algorithm: Algorithm,
    id: Option<String>,
}

impl Wanted {
    /// What the header of `token` says, where it says nothing that is not accepted anyway.
    pub(super) fn of(token: &str) -> Result<Self, Refused> {
        let header = decode_header(token).map_err(|_| Refused::Malformed)?;
        if !matches!(header.alg, Algorithm::RS256 | Algorithm::ES256 | Algorithm::EdDSA) {
            return Err(Refused::Algorithm);
        }
        let typ = header.typ.map(|typ| typ.to_ascii_lowercase());
        if typ.is_some_and(|typ| !TYPES.contains(&typ.as_str())) {
            return Err(Refused::Type);
        }
        // Something that must be understood, and is not (RFC 7515, section 4.1.11).
        if header.crit.is_some() {
            return Err(Refused::Malformed);
        }
        Ok(Self { algorithm: header.alg, id: header.kid })
    }
}

/// A public key with the one algorithm that it is for.
#[derive(Clone)]
pub(super) struct Key {
    id: Option<String>,
    algorithm: Algorithm,
    public: DecodingKey,
}

impl Key {
    /// `None` where the key is not for signatures, or not of a kind that is accepted.
    fn read(jwk: &Jwk) -> Option<Self> {
        let algorithm = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => Algorithm::RS256,
            AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => Algorithm::ES256,
            AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => Algorithm::EdDSA,
            AlgorithmParameters::EllipticCurve(_)
            | AlgorithmParameters::OctetKeyPair(_)
            | AlgorithmParameters::OctetKey(_)
            | AlgorithmParameters::Other(_)
            | _ => return None,
        };
        let common = &jwk.common;
        let other_use = common.public_key_use.as_ref().is_some_and(|used| *used != PublicKeyUse::Signature);
        let other_operations =
            common.key_operations.as_ref().is_some_and(|all| !all.contains(&KeyOperations::Verify));
        let other_algorithm = common.key_algorithm.is_some_and(|said| said != KeyAlgorithm::from(algorithm));
        if other_use || other_operations || other_algorithm {
            return None;
        }
        let public = DecodingKey::from_jwk(jwk).ok()?;
        Some(Self { id: common.key_id.clone(), algorithm, public })
    }

    /// Whether `token` was signed with this key.
    pub(super) fn verify(&self, token: &str) -> Result<(), Refused> {
        let (message, signature) = token.rsplit_once('.').ok_or(Refused::Malformed)?;
        match crypto::verify(signature, message.as_bytes(), &self.public, self.algorithm) {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(Refused::Signature),
        }
    }
}

/// All that an issuer publishes and that is of use.
pub(super) struct Keys(Vec<Key>);

/// A JWK Set (RFC 7517, section 5). Each key is read on its own, because those of kinds that we do not know are to be
/// passed over.
#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

impl Keys {
    /// `None` where `document` is no JWK Set.
    pub(super) fn read(document: &[u8]) -> Option<Self> {
        let Document { keys } = serde_json::from_slice(document).ok()?;
        let known = keys.into_iter().filter_map(|key| serde_json::from_value::<Jwk>(key).ok());
        Some(Self(known.filter_map(|jwk| Key::read(&jwk)).collect()))
    }

    /// The key that a token names. `None` where it is not here. A token that names none means the only one there is for
    /// its algorithm.
    pub(super) fn find(&self, wanted: &Wanted) -> Option<Result<Key, Refused>> {
        let mut fitting = self.0.iter().filter(|key| key.algorithm == wanted.algorithm);
        let Some(id) = &wanted.id else {
            return fitting.next().filter(|_| fitting.next().is_none()).cloned().map(Ok);
        };
        let named = |key: &&Key| key.id.as_ref() == Some(id);
        match fitting.find(named) {
            Some(key) => Some(Ok(key.clone())),
            None => self.0.iter().find(named).map(|_| Err(Refused::Algorithm)),
        }
    }
}
