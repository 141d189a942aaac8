//! What is believed and what is not, against an issuer on this machine.

mod outages;
mod tokens;
mod wire;

use muster_tests::Issuer;
use muster_tests::issuer::{Algorithm, DISCOVERY, KEYS};
use serde_json::Value;

use super::*;

const AUDIENCE: &str = "muster";

/// An issuer, and a verifier that may ask it.
struct Scene {
    issuer: Issuer,
    verifier: Verifier,
    pin: Pin,
}

impl Scene {
    async fn new() -> Self {
        let issuer = Issuer::start().await.expect("an issuer");
        let pin = Pin { issuer: issuer.url().to_owned(), audience: AUDIENCE.to_owned() };
        Self { issuer, verifier: verifier(), pin }
    }

    fn claims(&self) -> Value {
        self.issuer.claims(AUDIENCE, "alice")
    }

    /// A good token.
    fn token(&self) -> String {
        self.issuer.mint(Algorithm::Es256, &self.claims())
    }

    async fn verify(&self, token: &str) -> Result<Identity, Refused> {
        self.verifier.verify(token, &self.pin).await
    }

    /// What a token of these claims comes to.
    async fn judge(&self, claims: &Value) -> Result<Identity, Refused> {
        self.verify(&self.issuer.mint(Algorithm::Es256, claims)).await
    }

    /// How often the issuer was asked for its keys, each time for both documents.
    fn fetches(&self) -> usize {
        let fetches = self.issuer.asked(KEYS);
        assert_eq!(self.issuer.asked(DISCOVERY), fetches);
        fetches
    }
}

fn verifier() -> Verifier {
    let config = Oidc { insecure_issuers: true, ca: None };
    Verifier::new(&config, Tasks::default()).expect("a verifier")
}
