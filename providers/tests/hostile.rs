//! Webhooks of Vonage and Sinch that mean harm, or that nobody has thought of: with wrong proofs, and with right ones.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderName, HeaderValue};
use muster_domain::provider::Provider;
use muster_providers::signature::{Hmac, sha256_hex};
use muster_providers::{Account, Forged, Reference, Unreadable, WebhookEvent, WebhookRequest, adapter};
use proptest::prelude::*;
use uuid::Uuid;

const NOW_S: i64 = 1_700_000_000;
const SECRET: &str = "a secret of the account";
const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;
const BODY: &[u8] = b"{}";

fn account() -> Account {
    Account { account_sid: "a1b2c3d4".to_owned(), webhook_key: SECRET.into(), ..Account::default() }
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let value = |text| HeaderValue::from_str(text).expect("a header value");
    pairs.iter().map(|(name, text)| (HeaderName::from_static(name), value(text))).collect()
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A token of this header and these claims, signed by the account's secret.
fn token(header: &str, claims: &str) -> String {
    let signed = format!("{}.{}", encode(header), encode(claims));
    let tag = Hmac::sha256(SECRET.as_bytes()).tag(signed.as_bytes());
    format!("{signed}.{}", encode(tag))
}

/// The claims of a token for `body`.
fn claims(body: &[u8]) -> String {
    let hash = sha256_hex(body);
    format!(r#"{{"iat":{NOW_S},"iss":"Vonage","payload_hash":"{hash}","api_key":"a1b2c3d4"}}"#)
}

/// What comes of a webhook with this `Authorization` header.
fn authorized(authorization: &str) -> Result<(), Forged> {
    let headers = headers(&[("authorization", authorization)]);
    let request = WebhookRequest { url: "", headers: &headers, body: BODY, now_s: NOW_S };
    adapter(Provider::Vonage).verify(&account(), request).map(|_| ())
}

/// What a webhook with this body tells, with a genuine proof.
fn told(provider: Provider, body: &[u8]) -> Result<Vec<WebhookEvent>, Unreadable> {
    let headers = match provider {
        Provider::Vonage => {
            headers(&[("authorization", &format!("Bearer {}", token(HEADER, &claims(body))))])
        }
        Provider::Sinch => {
            let signed = [body, b"nonce", NOW_S.to_string().as_bytes()].join(&b'.');
            headers(&[
                ("x-sinch-webhook-signature", &Hmac::sha256(SECRET.as_bytes()).sign(&signed)),
                ("x-sinch-webhook-signature-nonce", "nonce"),
                ("x-sinch-webhook-signature-timestamp", &NOW_S.to_string()),
            ])
        }
        Provider::Twilio | Provider::Telnyx | Provider::Bandwidth | Provider::Plivo => {
            panic!("not of these providers")
        }
    };
    let request = WebhookRequest { url: "", headers: &headers, body, now_s: NOW_S };
    let verified = adapter(provider).verify(&account(), request).expect("a genuine webhook");
    adapter(provider).events(&verified).into_iter().collect()
}

#[test]
fn a_token_is_believed_for_its_signature_alone() {
    assert_eq!(authorized(&format!("Bearer {}", token(HEADER, &claims(BODY)))), Ok(()));
    assert_eq!(authorized(&format!("bearer {}", token(r#"{"alg":"HS256"}"#, &claims(BODY)))), Ok(()));
}

/// Even where the signature would fit: the algorithm is ours to choose, and not the token's.
#[test]
fn no_other_algorithm_is_taken() {
    for header in [
        r#"{"alg":"none"}"#,
        r#"{"alg":"None","typ":"JWT"}"#,
        r#"{"alg":"RS256","typ":"JWT"}"#,
        r#"{"alg":"HS512","typ":"JWT"}"#,
        r#"{"alg":"hs256"}"#,
        r#"{"alg":["HS256"]}"#,
        r#"{"alg":null}"#,
        r#"{"alg":"HS256","alg":"none"}"#,
        r#"{"typ":"JWT"}"#,
        "",
        "null",
    ] {
        let token = token(header, &claims(BODY));
        assert_eq!(authorized(&format!("Bearer {token}")), Err(Forged::WrongSignature), "{header}");
    }
    for alg in ["none", "HS256"] {
        let unsigned = format!("{}.{}.", encode(format!(r#"{{"alg":"{alg}"}}"#)), encode(claims(BODY)));
        assert_eq!(authorized(&format!("Bearer {unsigned}")), Err(Forged::WrongSignature), "{alg}");
    }
}

#[test]
fn what_is_no_token_is_no_proof() {
    let token = token(HEADER, &claims(BODY));
    let (signed, tag) = token.rsplit_once('.').expect("a signature");
    let long = "a".repeat(64 << 10);
    for authorization in [
        "",
        "Bearer",
        "Bearer ",
        "Bearer ..",
        "Bearer a.b.c",
        &token,
        &format!("Basic {token}"),
        &format!("Bearer  {token}"),
        &format!("Bearer {signed}"),
        &format!("Bearer {token}."),
        &format!("Bearer {token}="),
        &format!("Bearer .{token}"),
        &format!("Bearer {signed}.{tag}{tag}"),
        &format!("Bearer {signed}.{}", &tag[..20]),
        &format!("Bearer {token}{long}"),
        &format!("Bearer {long}"),
    ] {
        let shown = &authorization[..authorization.len().min(80)];
        assert_eq!(authorized(authorization), Err(Forged::WrongSignature), "{shown}");
    }
}

#[test]
fn a_token_has_to_be_of_now_and_of_this_body() {
    let (hash, other) = (sha256_hex(BODY), sha256_hex(b"{} "));
    let with = |claims: &str| authorized(&format!("Bearer {}", token(HEADER, claims)));
    assert_eq!(with(&format!(r#"{{"iat":{NOW_S},"payload_hash":"{hash}"}}"#)), Ok(()));
    for claims in [
        format!(r#"{{"iat":{NOW_S}}}"#),
        format!(r#"{{"iat":{NOW_S},"payload_hash":"{other}"}}"#),
        format!(r#"{{"iat":{NOW_S},"payload_hash":""}}"#),
        format!(r#"{{"iat":{NOW_S},"payload_hash":null}}"#),
        format!(r#"{{"iat":{NOW_S},"payload_hash":"{}"}}"#, &hash[..63]),
        format!(r#"{{"iat":{NOW_S},"payload_hash":"{hash}","payload_hash":"{hash}"}}"#),
        format!(r#"{{"payload_hash":"{hash}"}}"#),
        format!(r#"{{"iat":"{NOW_S}","payload_hash":"{hash}"}}"#),
        format!(r#"{{"iat":null,"payload_hash":"{hash}"}}"#),
        "[]".to_owned(),
        String::new(),
    ] {
        assert_eq!(with(&claims), Err(Forged::WrongSignature), "{claims}");
    }
    for iat in [0, NOW_S - 90_000, NOW_S + 301, i64::MAX, i64::MIN] {
        let claims = format!(r#"{{"iat":{iat},"payload_hash":"{hash}"}}"#);
        assert_eq!(with(&claims), Err(Forged::Stale), "{iat}");
    }
}

/// The one event of a webhook that is no reply.
fn reference(provider: Provider, body: &str) -> Option<Reference> {
    match told(provider, body.as_bytes()).expect("a receipt").remove(0) {
        WebhookEvent::Receipt { reference, .. } => reference,
        WebhookEvent::Reply { .. } => panic!("a receipt was taken for a reply"),
    }
}

#[test]
fn a_reference_that_is_not_ours_is_none() {
    let ours = Reference { message: Uuid::from_u128(7), attempt: 2 };
    let forms = [
        (
            Provider::Vonage,
            r#"{"message_uuid":"ID1","to":"1","from":"1","status":"delivered","client_ref":{ref}}"#,
        ),
        (
            Provider::Sinch,
            r#"{"type":"recipient_delivery_report_sms","batch_id":"ID1","code":0,"status":"Delivered","client_reference":{ref}}"#,
        ),
    ];
    for (provider, form) in forms {
        let with = |told: &str| reference(provider, &form.replace("{ref}", told));
        assert_eq!(with(&format!("\"{ours}\"")), Some(ours));
        let long = "7".repeat(60 << 10);
        for told in [
            "null".to_owned(),
            r#""""#.to_owned(),
            r#""m-1""#.to_owned(),
            format!("\"{ours}\\u0000\""),
            format!("\" {ours}\""),
            format!("\"{}-2\"", ours.message),
            format!("\"{}-0\"", ours.message.as_simple()),
            format!("\"{}-2\"", ours.message.as_simple().to_string().to_uppercase().replace('7', "A")),
            format!("\"{long}\""),
        ] {
            assert_eq!(with(&told), None, "{provider}");
        }
    }
}

#[test]
fn a_body_of_64_kib_is_read_within_bounds_or_not_at_all() {
    let (deep, text) = ("[".repeat(64 << 10), "\u{0}é".repeat(8 << 10));
    let many = vec![r#"{"url":"https://m.example/1"}"#; 2_000].join(",");
    for provider in [Provider::Vonage, Provider::Sinch] {
        for body in [deep.as_bytes(), &[0; 64 << 10], &[b'"'; 64 << 10], &[0xff; 64 << 10]] {
            assert!(told(provider, body).is_err(), "{provider}");
        }
        let text = serde_json::Value::from(text.as_str());
        let reply = |id, rest| format!(r#"{{"{id}":"I","from":"12025550123","to":"14155550100",{rest}}}"#);
        let replies = if provider == Provider::Vonage {
            [format!(r#""text":{text}"#), format!(r#""content":[{many}]"#)]
                .map(|rest| reply("message_uuid", rest))
        } else {
            [
                format!(r#""type":"mo_text","body":{text}"#),
                format!(r#""type":"mo_media","body":{{"message":null,"media":[{many}]}}"#),
            ]
            .map(|rest| reply("id", rest))
        };
        let kept = replies.map(|reply| match told(provider, reply.as_bytes()).expect("a reply").remove(0) {
            WebhookEvent::Reply { body, media_urls, media_dropped, .. } => {
                assert!(!body.contains('\0'));
                (body.chars().count(), media_urls.len(), media_dropped)
            }
            WebhookEvent::Receipt { .. } => panic!("a reply was taken for a receipt"),
        });
        assert_eq!(kept, [(8 << 10, 0, 0), (0, 10, 1_990)], "{provider}");
    }
}

#[test]
fn what_nobody_asked_for_is_unreadable() {
    for body in [
        r#"{"type":"delivery_report_sms","batch_id":"B","statuses":[],"total_message_count":1}"#,
        r#"{"type":"mo_binary","id":"I","from":"12025550123","to":"14155550100","body":"AA==","udh":"00"}"#,
        r#"{"id":"I","from":"12025550123","to":"14155550100","body":"hi"}"#,
        r#"{"type":"mo_text","id":"I","from":"12025550123","to":"14155550100","body":7}"#,
    ] {
        assert!(told(Provider::Sinch, body.as_bytes()).is_err(), "{body}");
    }
    for body in [
        r#"{"from":"12025550123","to":"14155550100","text":"hi"}"#,
        r#"{"message_uuid":7,"from":"12025550123","to":"14155550100","text":"hi"}"#,
        r#"{"message_uuid":"I","from":"12025550123","to":"ACME","text":"hi"}"#,
        r#"{"message_uuid":"I","from":"447700900123","to":"14155550100","text":"hi"}"#,
    ] {
        assert!(told(Provider::Vonage, body.as_bytes()).is_err(), "{body}");
    }
}

proptest! {
    /// Whatever comes with a genuine proof is read or not, and never ends the gateway.
    #[test]
    fn no_body_is_too_strange(body in prop::collection::vec(any::<u8>(), 0..512), cut in 0usize..400) {
        let genuine = r#"{"type":"mo_media","id":"I","message_uuid":"I","from":"12025550123","to":"14155550100","body":{"subject":"a","message":"b","media":[{"url":"https://m.example/1","status":"Uploaded","code":0}]},"content":[{"type":"image","url":"https://m.example/1","caption":"c"}],"status":null}"#;
        let mut cut_short = genuine.as_bytes()[..cut.min(genuine.len())].to_vec();
        cut_short.extend_from_slice(&body);
        for provider in [Provider::Vonage, Provider::Sinch] {
            let _ = told(provider, &body);
            let _ = told(provider, &cut_short);
        }
    }

    /// Nor does any header.
    #[test]
    fn no_header_is_too_strange(header in "[ -~]{0,300}") {
        let bearer = ["Bearer ", &header].concat();
        prop_assert!(authorized(&header).is_err() && authorized(&bearer).is_err());
    }
}
