//! The mutations of a genuine webhook, and what is to become of each.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use muster_proto::v1::Provider;

use super::letters::Letters;
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

const WRONG: Becomes = Refused(403, "wrong-signature");
const UNSIGNED: Becomes = Refused(403, "unsigned");
const STALE: Becomes = Refused(403, "stale");
const UNKNOWN: Becomes = Refused(404, "unknown");
const SAME: Becomes = Harmless("accepted");

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

fn capitals(wire: Wire) -> Wire {
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
fn flipped(text: &str, at: usize) -> String {
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
fn backwards(wire: Wire) -> Wire {
    let body = wire.text();
    let pairs: Vec<_> = body.split('&').rev().collect();
    wire.saying(pairs.join("&"))
}

fn hmac(algorithm: hmac::Algorithm, secret: &str, message: &[u8]) -> String {
    STANDARD.encode(hmac::sign(&hmac::Key::new(algorithm, secret.as_bytes()), message))
}

fn twilio(letters: &Letters) -> Vec<Mutation> {
    let genuine = || letters.genuine.clone();
    let doubled = |parameter: &str| genuine().saying(format!("{}&{parameter}", genuine().text()));
    // What Twilio signs; the form is in the order of its names.
    let mut signed = format!("http://{}{}", genuine().authority, genuine().target);
    for pair in genuine().text().split('&') {
        signed += &pair.replacen('=', "", 1).replace("%2B", "+");
    }
    let right = hmac(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &letters.secret, signed.as_bytes());
    assert_eq!(right, genuine().header("x-twilio-signature"), "that is not what Twilio signs");
    let other = hmac(hmac::HMAC_SHA256, &letters.secret, signed.as_bytes());
    vec![
        ("another algorithm", genuine().with("x-twilio-signature", other), WRONG),
        ("another account in the form", genuine().reworded("AccountSid=AC", "AccountSid=AD"), WRONG),
        ("a parameter with a second value", doubled("MessageStatus=failed"), WRONG),
        ("a parameter more", doubled("Extra=1"), WRONG),
        ("parameters in another order", backwards(genuine()), SAME),
        ("a pair twice", doubled("MessageStatus=delivered"), SAME),
        ("another escape for the same letter", genuine().reworded("%2B", "%2b"), SAME),
        // Names and values are signed without a mark in between.
        (
            "a letter moved from a value into its name",
            genuine().reworded("MessageStatus=delivered", "MessageStatusd=elivered"),
            Harmless("unreadable"),
        ),
    ]
}

fn plivo(letters: &Letters) -> Vec<Mutation> {
    let genuine = || letters.genuine.clone();
    let doubled = |parameter: &str| genuine().saying(format!("{}&{parameter}", genuine().text()));
    let nonce = genuine().header("x-plivo-signature-v3-nonce");
    let (path, _) = genuine()
        .target
        .split_once('?')
        .map(|(path, query)| (path.to_owned(), query.to_owned()))
        .expect("a query");
    let v2 = format!("http://{}{path}{nonce}", genuine().authority);
    let v2 = genuine()
        .without("x-plivo-signature-v3")
        .without("x-plivo-signature-v3-nonce")
        .with("X-Plivo-Signature-V2", hmac(hmac::HMAC_SHA256, &letters.secret, v2.as_bytes()))
        .with("X-Plivo-Signature-V2-Nonce", nonce.clone());
    let (_, query) = genuine()
        .target
        .split_once('?')
        .map(|(path, query)| (path.to_owned(), query.to_owned()))
        .expect("a query");
    let turned: Vec<_> = query.split('&').rev().collect();
    vec![
        ("another nonce", genuine().with("x-plivo-signature-v3-nonce", format!("{nonce}1")), WRONG),
        ("no nonce", genuine().without("x-plivo-signature-v3-nonce"), UNSIGNED),
        ("the second version of the scheme", v2, UNSIGNED),
        ("a parameter with a second value", doubled("Status=failed"), WRONG),
        ("a pair twice", doubled("Status=delivered"), WRONG),
        ("a parameter more", doubled("Extra=1"), WRONG),
        ("parameters in another order", backwards(genuine()), SAME),
        ("a query in another order", genuine().to(format!("{path}?{}", turned.join("&"))), SAME),
        // Names and values are signed without a mark in between.
        (
            "a letter moved from a value into its name",
            genuine().reworded("Status=delivered", "Statusd=elivered"),
            Harmless("unreadable"),
        ),
    ]
}

fn telnyx(letters: &Letters) -> Vec<Mutation> {
    let genuine = || letters.genuine.clone();
    let time: i64 = genuine().header("telnyx-timestamp").parse().expect("a time");
    let at = |time: String| genuine().with("telnyx-timestamp", time);
    let signed = [time.to_string().as_bytes(), b"|", &genuine().body].concat();
    vec![
        ("another time", at((time + 1).to_string()), WRONG),
        ("a time with a sign", at(format!("+{time}")), WRONG),
        ("a time with a zero before it", at(format!("0{time}")), WRONG),
        ("no number for a time", at("now".to_owned()), WRONG),
        ("no time", genuine().without("telnyx-timestamp"), UNSIGNED),
        (
            "an old webhook with a new time",
            letters.old.clone().with("telnyx-timestamp", time.to_string()),
            WRONG,
        ),
        (
            "an HMAC for a signature",
            genuine().with("telnyx-signature-ed25519", hmac(hmac::HMAC_SHA512, &letters.secret, &signed)),
            WRONG,
        ),
    ]
}

fn sinch(letters: &Letters) -> Vec<Mutation> {
    let genuine = || letters.genuine.clone();
    let [nonce, time, algorithm] =
        ["nonce", "timestamp", "algorithm"].map(|part| format!("x-sinch-webhook-signature-{part}"));
    let told: i64 = genuine().header(&time).parse().expect("a time");
    vec![
        ("another time", genuine().with(&time, (told + 1).to_string()), WRONG),
        ("no time", genuine().without(&time), UNSIGNED),
        ("no number for a time", genuine().with(&time, "now"), WRONG),
        ("another nonce", genuine().with(&nonce, "other"), WRONG),
        ("no nonce", genuine().without(&nonce), UNSIGNED),
        ("another algorithm", genuine().with(&algorithm, "HmacSHA1"), WRONG),
        ("no algorithm named", genuine().without(&algorithm), SAME),
        ("an old webhook with a new time", letters.old.clone().with(&time, told.to_string()), WRONG),
        (
            "nonce and time run together",
            genuine().with(&nonce, format!("{}.{told}", genuine().header(&nonce))).with(&time, ""),
            WRONG,
        ),
    ]
}

fn vonage(letters: &Letters) -> Vec<Mutation> {
    let genuine = || letters.genuine.clone();
    let bearer = |token: String| genuine().with("authorization", format!("Bearer {token}"));
    let token = genuine().header("authorization").trim_start_matches("Bearer ").to_owned();
    let [head, claims, tag]: [&str; 3] =
        token.split('.').collect::<Vec<_>>().try_into().expect("three parts");
    let headed = |head: &str| URL_SAFE_NO_PAD.encode(head);
    let mut told: serde_json::Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).expect("base64")).expect("claims");
    told["iat"] = 9_999_999_999_i64.into();
    let forged = headed(&told.to_string());
    vec![
        ("no algorithm", bearer(format!("{}.{claims}.", headed(r#"{"alg":"none","typ":"JWT"}"#))), WRONG),
        (
            "no algorithm, and the tag",
            bearer(format!("{}.{claims}.{tag}", headed(r#"{"alg":"none"}"#))),
            WRONG,
        ),
        (
            "another algorithm",
            bearer(format!("{}.{claims}.{tag}", headed(r#"{"alg":"RS256","typ":"JWT"}"#))),
            WRONG,
        ),
        ("other claims", bearer(format!("{head}.{forged}.{tag}")), WRONG),
        ("no tag", bearer(format!("{head}.{claims}")), WRONG),
        ("an empty tag", bearer(format!("{head}.{claims}.")), WRONG),
        ("the scheme of passwords", genuine().with("authorization", format!("Basic {token}")), WRONG),
        (
            "the secret of calls",
            genuine().with("authorization", format!("Basic {}", STANDARD.encode(&letters.secret))),
            WRONG,
        ),
        ("the scheme in small letters", genuine().with("authorization", format!("bearer {token}")), SAME),
    ]
}

fn bandwidth(letters: &Letters) -> Vec<Mutation> {
    let genuine = || letters.genuine.clone();
    let proof = genuine().header("authorization").trim_start_matches("Basic ").to_owned();
    let pair = String::from_utf8(STANDARD.decode(&proof).expect("base64")).expect("text");
    let (user, password) = pair.split_once(':').expect("a user and a password");
    let basic = |pair: String| genuine().with("authorization", format!("Basic {}", STANDARD.encode(pair)));
    vec![
        ("another user", basic(format!("x{user}:{password}")), WRONG),
        ("a user in capitals", basic(format!("{}:{password}", user.to_uppercase())), WRONG),
        ("no user", basic(format!(":{password}")), WRONG),
        ("a password in capitals", basic(format!("{user}:{}", password.to_uppercase())), WRONG),
        ("an empty password", basic(format!("{user}:")), WRONG),
        ("a longer password", basic(format!("{user}:{password}:")), WRONG),
        ("a space before the password", basic(format!("{user}: {password}")), WRONG),
        ("the password of calls", basic(format!("{user}:{}", letters.secret)), WRONG),
        ("no base64", genuine().with("authorization", format!("Basic {pair}")), WRONG),
        (
            "no padding",
            genuine().with("authorization", format!("Basic {}", proof.trim_end_matches('='))),
            if proof.ends_with('=') { WRONG } else { SAME },
        ),
        ("the scheme of tokens", genuine().with("authorization", format!("Bearer {proof}")), WRONG),
        (
            "the password in the URL",
            genuine().without("authorization").to(format!("{}&authorization={proof}", genuine().target)),
            UNSIGNED,
        ),
    ]
}
