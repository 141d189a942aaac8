//! Plivo signs the URL, the form and a nonce, and names neither its account nor the time.

use http::HeaderMap;
use muster_providers::Forged;
use muster_providers::signature::Hmac;

use super::{Speaks, URL, headers};

pub(crate) struct Plivo;

impl Speaks for Plivo {
    fn account_sid(&self) -> &'static str {
        "MA000000000000000001"
    }

    fn extension(&self) -> &'static str {
        "form"
    }

    fn written(&self, words: &str) -> String {
        form_urlencoded::byte_serialize(words.as_bytes()).collect()
    }

    fn tells_codes_in_answers(&self) -> bool {
        false
    }

    fn sign(&self, secret: &str, body: &str) -> HeaderMap {
        let nonce = "05429567804466091622";
        let (path, query) = URL.split_once('?').expect("a query");
        let mut query: Vec<_> = query.split('&').collect();
        query.sort_unstable();
        let mut pairs: Vec<_> = form_urlencoded::parse(body.as_bytes()).collect();
        pairs.sort();
        let signed: String = pairs.into_iter().flat_map(|(name, value)| [name, value]).collect();
        let signed = format!("{path}?{}.{signed}.{nonce}", query.join("&"));
        let signature = Hmac::sha256(secret.as_bytes()).sign(signed.as_bytes());
        headers(&[("x-plivo-signature-v3", signature), ("x-plivo-signature-v3-nonce", nonce.to_owned())])
    }

    fn expected_of_strangers(&self) -> [Result<(), Forged>; 2] {
        [Ok(()), Ok(())]
    }
}
