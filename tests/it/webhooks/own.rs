//! Mutations that one provider's scheme alone can have.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::letters::Letters;
use super::table::Becomes::Harmless;
use super::table::*;

pub(super) fn twilio(letters: &Letters) -> Vec<Mutation> {
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

pub(super) fn plivo(letters: &Letters) -> Vec<Mutation> {
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

pub(super) fn telnyx(letters: &Letters) -> Vec<Mutation> {
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

pub(super) fn sinch(letters: &Letters) -> Vec<Mutation> {
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

pub(super) fn vonage(letters: &Letters) -> Vec<Mutation> {
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

pub(super) fn bandwidth(letters: &Letters) -> Vec<Mutation> {
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
