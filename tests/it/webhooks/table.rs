//! The mutations of a genuine webhook, and what is to become of each.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use muster_proto::v1::Provider;

use super::letters::Letters;
use super::own::{bandwidth, plivo, sinch, telnyx, twilio, vonage};
use super::wire::Wire;

/// What is to become of a mutation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Becomes {
    /// It is refused with this status, and counted under this name.
    Refused(u16, &'static str),
    /// The provider's scheme does not cover what was changed: it is taken, counted under this name, and says nothing but
    /// what the genuine one says, or nothing at all.
    Harmless(&'static str),
}

use Becomes::{Harmless, Refused};

/// A mutation: what it is, and what is to become of it.
pub(crate) type Mutation = (&'static str, Wire, Becomes);

pub(super) const WRONG: Becomes = Refused(403, "wrong-signature");
pub(super) const UNSIGNED: Becomes = Refused(403, "unsigned");
pub(super) const STALE: Becomes = Refused(403, "stale");
pub(super) const UNKNOWN: Becomes = Refused(404, "unknown");
pub(super) const SAME: Becomes = Harmless("accepted");

/// All mutations for a provider.
pub(crate) fn mutations(provider: Provider, letters: &Letters) -> Vec<Mutation> {
    let mut all = anywhere(letters);
    let scheme = Scheme::of(provider);
    all.extend(of_proof(&scheme, letters));
    all.extend(of_body(&scheme, letters));
    all.extend(of_url(&scheme, letters));
    all.extend(match provider {
        Provider::Twilio => twilio(letters),
        Provider::Telnyx => telnyx(letters),
        Provider::Bandwidth => bandwidth(letters),
        Provider::Plivo => plivo(letters),
        Provider::Vonage => vonage(letters),
        Provider::Sinch => sinch(letters),
        Provider::Unspecified => panic!("no provider"),
    });
    all
}

/// What a provider's proof is, and what it covers.
struct Scheme {
    /// The header that has the proof.
    proof: &'static str,
    /// What it is counted as where that header is missing, and the status.
    missing: Becomes,
    covers_the_body: bool,
    covers_the_url: bool,
    has_a_time: bool,
    is_form: bool,
}

impl Scheme {
    fn of(provider: Provider) -> Self {
        let json = Self {
            proof: "authorization",
            missing: UNSIGNED,
            covers_the_body: true,
            covers_the_url: false,
            has_a_time: true,
            is_form: false,
        };
        let form = Self { covers_the_url: true, has_a_time: false, is_form: true, ..json };
        match provider {
            Provider::Twilio => Self { proof: "x-twilio-signature", ..form },
            Provider::Plivo => Self { proof: "x-plivo-signature-v3", ..form },
            Provider::Telnyx => Self { proof: "telnyx-signature-ed25519", ..json },
            Provider::Sinch => Self { proof: "x-sinch-webhook-signature", ..json },
            // Vonage's own faults leave the proof out; it tries again after a 5xx only.
            Provider::Vonage => Self { missing: Refused(503, "unsigned"), ..json },
            Provider::Bandwidth => Self { covers_the_body: false, has_a_time: false, ..json },
            Provider::Unspecified => panic!("no provider"),
        }
    }
}

/// What is the same for all providers.
fn anywhere(letters: &Letters) -> Vec<Mutation> {
    let genuine = || letters.genuine.clone();
    let target = || genuine().target;
    let upper = target().replacen("/webhooks/", "/Webhooks/", 1);
    let token = target().split('/').nth(2).expect("a token").to_owned();
    let swapped: String = token
        .chars()
        .map(|c| if c.is_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() })
        .collect();
    vec![
        ("another account's secret", letters.of_a_stranger.clone(), WRONG),
        ("another account's path", genuine().to(letters.strangers_path.clone()), WRONG),
        ("a token in other letters", genuine().to(target().replace(&token, &swapped)), UNKNOWN),
        ("a token cut short", genuine().to(target().replace(&token, &token[1..])), UNKNOWN),
        ("a path in other letters", genuine().to(upper), Refused(404, "")),
        ("a path that goes on", genuine().to(target().replace("/status?", "/status/?")), Refused(404, "")),
        ("an escaped path", genuine().to(target().replace("/status?", "/%73tatus?")), Refused(404, "")),
        ("header names in capitals", capitals(genuine()), SAME),
        ("a forged Host", genuine().with("Host", "evil.example"), SAME),
        ("forged proxies' headers", proxied(genuine()), SAME),
        ("a replay", genuine(), SAME),
        ("another content type", genuine().with("Content-Type", "text/plain; charset=utf-16"), SAME),
    ]
}

pub(super) fn capitals(wire: Wire) -> Wire {
    let headers = wire.headers.iter().map(|(name, value)| (name.to_uppercase(), value.clone())).collect();
    Wire { headers, ..wire }
}

fn proxied(wire: Wire) -> Wire {
    wire.with("X-Forwarded-Host", "evil.example")
        .with("X-Forwarded-Proto", "https")
        .with("X-Forwarded-For", "203.0.113.7")
        .with("Forwarded", "host=evil.example;proto=https")
        .with("X-Original-URL", "/webhooks/nobody/status")
}

fn of_proof(scheme: &Scheme, letters: &Letters) -> Vec<Mutation> {
    let genuine = || letters.genuine.clone();
    let proof = genuine().header(scheme.proof);
    let beside = |wrong_first: bool| {
        let mut wire = genuine();
        let wrong = (scheme.proof.to_owned(), flipped(&proof, proof.len() / 2));
        wire.headers.insert(if wrong_first { 0 } else { wire.headers.len() }, wrong);
        wire
    };
    let mut all = vec![
        ("no proof", genuine().without(scheme.proof), scheme.missing),
        ("an empty proof", genuine().with(scheme.proof, ""), WRONG),
        (
            "a flipped letter in the middle of the proof",
            genuine().with(scheme.proof, flipped(&proof, proof.len() / 2)),
            WRONG,
        ),
        (
            "a flipped letter near the end of the proof",
            genuine().with(scheme.proof, flipped(&proof, proof.len() - 4)),
            WRONG,
        ),
        ("a proof cut short", genuine().with(scheme.proof, &proof[..proof.len() - 4]), WRONG),
        ("a longer proof", genuine().with(scheme.proof, format!("{proof}AAAA")), WRONG),
        (
            "the proof of another text's receipt",
            genuine().with(scheme.proof, letters.of_another_text.header(scheme.proof)),
            WRONG,
        ),
        ("a wrong proof before the right one", beside(true), WRONG),
        ("a wrong proof after the right one", beside(false), SAME),
    ];
    if !scheme.covers_the_body {
        // The password is the proof of everything.
        all.retain(|(name, ..)| *name != "the proof of another text's receipt");
    }
    if scheme.proof == "x-plivo-signature-v3" {
        // Plivo lists several signatures, of which one has to fit.
        all.retain(|(name, ..)| *name != "a wrong proof before the right one");
        all.push(("a wrong proof before the right one", beside(true), SAME));
    }
    if scheme.has_a_time {
        all.push(("a time long ago", letters.old.clone(), STALE));
        all.push(("a time to come", letters.future.clone(), STALE));
    } else {
        all.push(("signed long ago, by a scheme without a time", letters.old.clone(), SAME));
    }
    all
}

/// A letter of base64 or hexadecimal exchanged for another.
pub(super) fn flipped(text: &str, at: usize) -> String {
    let other = if text.as_bytes()[at] == b'A' { 'B' } else { 'A' };
    format!("{}{other}{}", &text[..at], &text[at + 1..])
}

fn of_body(scheme: &Scheme, letters: &Letters) -> Vec<Mutation> {
    let genuine = || letters.genuine.clone();
    let body = genuine().body;
    if !scheme.covers_the_body {
        return vec![
            // Whoever has the password can say what they like; these only show that nothing breaks.
            ("a body cut short", genuine().saying(&body[..body.len() - 9]), Harmless("unreadable")),
            ("no body", genuine().saying(""), Harmless("unreadable")),
        ];
    }
    let wide: Vec<u8> = body.iter().flat_map(|byte| [0, *byte]).collect();
    let mut all = vec![
        ("another state", genuine().reworded("delivered", "deliverex"), WRONG),
        ("a body cut short", genuine().saying(&body[..body.len() - 9]), WRONG),
        ("no body", genuine().saying(""), WRONG),
        ("a zero at the end", genuine().saying([&body[..], b"0"].concat()), WRONG),
        ("the body twice", genuine().saying([&body[..], &body[..]].concat()), WRONG),
        ("the body in UTF-16", genuine().saying(wide), WRONG),
        ("a byte order mark", genuine().saying([&b"\xef\xbb\xbf"[..], &body].concat()), WRONG),
        ("another text's body", genuine().saying(letters.of_another_text.body.clone()), WRONG),
    ];
    for (name, at) in [("the first", 0), ("one in the middle", body.len() / 2), ("the last", body.len() - 1)]
    {
        let mut flipped = body.clone();
        flipped[at] ^= 1;
        let name = match name {
            "the first" => "the first byte flipped",
            "the last" => "the last byte flipped",
            _ => "a byte in the middle flipped",
        };
        all.push((name, genuine().saying(flipped), WRONG));
    }
    if !scheme.is_form {
        all.push(("spaces in the JSON", genuine().saying([&body[..], b" "].concat()), WRONG));
        let value: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        let pretty = serde_json::to_vec_pretty(&value).expect("JSON");
        all.push(("the JSON in another order and layout", genuine().saying(pretty), WRONG));
    }
    all
}

fn of_url(scheme: &Scheme, letters: &Letters) -> Vec<Mutation> {
    let genuine = || letters.genuine.clone();
    let target = genuine().target;
    let other = letters.of_another_text.target.clone();
    let (path, _) = target.split_once('?').expect("a query");
    let inbound = target.replace("/status?", "/inbound?");
    if scheme.covers_the_url {
        return vec![
            ("another text's URL", genuine().to(other), WRONG),
            ("another attempt", genuine().to(target.replace("a=1", "a=2")), WRONG),
            ("no query", genuine().to(path), WRONG),
            ("a longer query", genuine().to(format!("{target}&x=1")), WRONG),
            ("the URL of replies", genuine().to(inbound), WRONG),
            ("signed for another host", letters.for_another_host.clone(), WRONG),
        ];
    }
    vec![
        // The signed body says which text it is of; the URL is not asked.
        ("another text's URL", genuine().to(other), Harmless("misdirected")),
        ("another attempt", genuine().to(target.replace("a=1", "a=2")), Harmless("misdirected")),
        ("no query", genuine().to(path), SAME),
        ("a longer query", genuine().to(format!("{target}&x=1")), SAME),
        ("the URL of replies", genuine().to(inbound), SAME),
        ("signed for another host", letters.for_another_host.clone(), SAME),
    ]
}

/// Parameters in the opposite order.
pub(super) fn backwards(wire: Wire) -> Wire {
    let body = wire.text();
    let pairs: Vec<_> = body.split('&').rev().collect();
    wire.saying(pairs.join("&"))
}

pub(super) fn hmac(algorithm: hmac::Algorithm, secret: &str, message: &[u8]) -> String {
    STANDARD.encode(hmac::sign(&hmac::Key::new(algorithm, secret.as_bytes()), message))
}
