//! Twilio signs the URL and the form, and names its account in it.

use http::HeaderMap;
use muster_providers::Forged;
use muster_providers::signature::Hmac;

use super::{Speaks, URL, headers};

pub(crate) struct Twilio;

impl Speaks for Twilio {
    fn extension(&self) -> &'static str {
        "form"
    }

    fn written(&self, words: &str) -> String {
        form_urlencoded::byte_serialize(words.as_bytes()).collect()
    }

    fn sign(&self, secret: &str, body: &str) -> HeaderMap {
        let mut pairs: Vec<_> = form_urlencoded::parse(body.as_bytes()).collect();
        pairs.sort();
        let signed: String = pairs.into_iter().flat_map(|(name, value)| [name, value]).collect();
        let signature = Hmac::sha1(secret.as_bytes()).sign(format!("{URL}{signed}").as_bytes());
        headers(&[("x-twilio-signature", signature)])
    }

    /// It signs no time.
    fn expected_of_strangers(&self) -> [Result<(), Forged>; 2] {
        [Err(Forged::WrongAccount), Ok(())]
    }
}
