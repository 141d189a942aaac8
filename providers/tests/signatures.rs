//! Signatures made by the providers' own software, over webhooks of known content.

use http::{HeaderMap, HeaderName, HeaderValue};
use muster_domain::provider::Provider;
use muster_providers::{Account, Forged, WebhookRequest, adapter};

const TWILIO_TOKEN: &str = "12345678901234567890123456789012";
const STATUS_URL: &str = "https://gw.muster.example/hooks/twilio/t1/status?tenant=acme";
const INBOUND_URL: &str = "https://gw.muster.example/hooks/twilio/t1/inbound";
const RECEIPT: &str = "AccountSid=AC00000000000000000000000000000001&ApiVersion=2010-04-01\
    &From=%2B14155550100&MessageSid=SM00000000000000000000000000000001&MessageStatus=delivered\
    &SmsSid=SM00000000000000000000000000000001&SmsStatus=delivered&To=%2B12025550123";
const REPLY: &str = "AccountSid=AC00000000000000000000000000000001\
    &Body=Caf%C3%A9%20%E2%98%95%20%26%20more%3D1&From=%2B12025550123&MediaContentType0=image%2Fpng\
    &MediaUrl0=https%3A%2F%2Fapi.twilio.com%2F2010-04-01%2FAccounts%2FAC1%2FMessages%2FMM2%2FMedia%2FME3\
    &MessageSid=MM00000000000000000000000000000002&NumMedia=1&NumSegments=1&OptOutType=\
    &To=%2B14155550100&ToCountry=US";

fn twilio(url: &str, body: &str, signature: &str) -> Result<(), Forged> {
    let account = Account {
        account_sid: "AC00000000000000000000000000000001".into(),
        api_secret: TWILIO_TOKEN.into(),
        webhook_key: TWILIO_TOKEN.into(),
        ..Account::default()
    };
    let headers = headers(&[("x-twilio-signature", signature)]);
    let request = WebhookRequest { url, headers: &headers, body: body.as_bytes(), now_s: 0 };
    adapter(Provider::Twilio).verify(&account, request).map(|_| ())
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let value = |text| HeaderValue::from_str(text).expect("a header value");
    pairs.iter().map(|(name, text)| (HeaderName::from_static(name), value(text))).collect()
}

#[test]
fn twilio_receipts() {
    assert_eq!(twilio(STATUS_URL, RECEIPT, "cW3lX3TYvqjnNYoZYgfVP1JbGbI="), Ok(()));
    let undelivered = RECEIPT.replace("=delivered", "=undelivered") + "&ErrorCode=30005";
    assert_eq!(twilio(STATUS_URL, &undelivered, "Nmbsbej6H1m6ZgXHwXtP73qcMmU="), Ok(()));
    assert_eq!(twilio(STATUS_URL, &undelivered, "cW3lX3TYvqjnNYoZYgfVP1JbGbI="), Err(Forged::WrongSignature));
}

#[test]
fn twilio_parameters_may_come_in_any_order() {
    let mut pairs: Vec<_> = RECEIPT.split('&').collect();
    pairs.reverse();
    assert_eq!(twilio(STATUS_URL, &pairs.join("&"), "cW3lX3TYvqjnNYoZYgfVP1JbGbI="), Ok(()));
}

#[test]
fn twilio_replies_with_and_without_the_default_port() {
    let with_port = INBOUND_URL.replace(".example/", ".example:443/");
    let (plain, ported) = ("x4NzZJPnS4SWjp3lWau0nRG8Eoo=", "z11+cacnBwVJxoQfLsZdsKw150U=");
    for url in [INBOUND_URL, &with_port] {
        assert_eq!(twilio(url, REPLY, plain), Ok(()), "{url}");
        assert_eq!(twilio(url, REPLY, ported), Ok(()), "{url}");
    }
    let other_port = INBOUND_URL.replace(".example/", ".example:8443/");
    assert_eq!(twilio(&other_port, REPLY, plain), Err(Forged::WrongSignature));
}

#[test]
fn twilio_bodies_that_are_no_form() {
    let url = "https://gw.muster.example/hooks/twilio/json\
        ?bodySHA256=d5729c000e5de6b3a10698fec78d482db85d744f1be820d1382b6bda1cfb7795";
    let (body, signature) = (r#"{"property":"value","boolean":true}"#, "S94MncHnwmE0vCFsHVMYUwM5mNA=");
    assert_eq!(twilio(url, body, signature), Ok(()));
    assert_eq!(twilio(url, &body.replace("true", "null"), signature), Err(Forged::WrongSignature));
    let other_hash = url.replace("=d5729c", "=d5729d");
    assert_eq!(twilio(&other_hash, body, signature), Err(Forged::WrongSignature));
}

/// This one names no account, so it is only believed as far as its signature: the next check refuses it.
#[test]
fn twilio_repeated_parameters_are_signed_once_each() {
    let signature = "3EZRiTz6IaoxltodtJs3vOhP+Ek=";
    assert_eq!(twilio(INBOUND_URL, "A=2&A=1&A=2&B=x", signature), Err(Forged::WrongAccount));
    assert_eq!(twilio(INBOUND_URL, "A=2&A=3&A=2&B=x", signature), Err(Forged::WrongSignature));
}

const TELNYX_BODY: &str = r#"{"data":{"event_type":"message.finalized","id":"4ee8c3a6-4995-4309-a3c6-38e3db9ea4be","occurred_at":"2023-11-14T22:13:20.000+00:00","payload":{"id":"ac012cbf-5e09-46af-a69a-7c0e2d90993c","to":[{"phone_number":"+12025550123","status":"delivered"}]},"record_type":"event"},"meta":{"attempt":1,"delivered_to":"https://gw.muster.example/hooks/telnyx/t1"}}"#;
const TELNYX_SIGNATURE: &str =
    "kllDmujWfn3jE57wx5aCSoVEUtk9tSqCsPkYnBPtABx7UwGxyMzfDTyCzk+wMPAd0bhstz0/lvpPGXqNVmorCA==";
const TELNYX_SIGNED_S: i64 = 1_700_000_000;

fn telnyx(body: &str, timestamp: &str, now_s: i64) -> Result<(), Forged> {
    let account =
        Account { webhook_key: "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=".into(), ..Account::default() };
    let headers = headers(&[("telnyx-signature-ed25519", TELNYX_SIGNATURE), ("telnyx-timestamp", timestamp)]);
    let url = "https://gw.muster.example/hooks/telnyx/t1";
    let request = WebhookRequest { url, headers: &headers, body: body.as_bytes(), now_s };
    adapter(Provider::Telnyx).verify(&account, request).map(|_| ())
}

#[test]
fn telnyx_receipts() {
    assert_eq!(telnyx(TELNYX_BODY, "1700000000", TELNYX_SIGNED_S), Ok(()));
    let spaced = format!("{TELNYX_BODY} ");
    assert_eq!(telnyx(&spaced, "1700000000", TELNYX_SIGNED_S), Err(Forged::WrongSignature));
    assert_eq!(telnyx(TELNYX_BODY, "1700000001", TELNYX_SIGNED_S), Err(Forged::WrongSignature));
    assert_eq!(telnyx(TELNYX_BODY, "soon", TELNYX_SIGNED_S), Err(Forged::WrongSignature));
}

#[test]
fn telnyx_webhooks_are_believed_for_five_minutes_either_way() {
    for (away_s, expected) in
        [(300, Ok(())), (-300, Ok(())), (301, Err(Forged::Stale)), (-301, Err(Forged::Stale))]
    {
        assert_eq!(telnyx(TELNYX_BODY, "1700000000", TELNYX_SIGNED_S + away_s), expected, "{away_s}");
    }
    assert_eq!(telnyx(TELNYX_BODY, "-9223372036854775808", i64::MAX), Err(Forged::Stale));
}

const PLIVO_URL: &str = "https://gw.muster.example/hooks/plivo/t1";
const PLIVO_FORM: &str = "MessageUUID=a3ade4da-7028-11eb-9c24-0242ac110004&To=12025550123&From=14155550100\
    &Status=delivered&Units=1&ErrorCode=000&Type=sms";

fn plivo(url: &str, body: &str, name: &'static str, signature: &str) -> Result<(), Forged> {
    let account = Account { webhook_key: "ZGFyayBzaWRlIG9mIHRoZSBtb29u".into(), ..Account::default() };
    let headers = headers(&[(name, signature), ("x-plivo-signature-v3-nonce", "05429567804466091622")]);
    let request = WebhookRequest { url, headers: &headers, body: body.as_bytes(), now_s: 0 };
    adapter(Provider::Plivo).verify(&account, request).map(|_| ())
}

#[test]
fn plivo_receipts_by_the_token_of_the_account_or_of_the_one_above() {
    let signature = "W7dlC3TY6Dxpt97cOfJXKVWKx6+Rk7bjQxcQNehM2dE=";
    for name in ["x-plivo-signature-v3", "x-plivo-signature-ma-v3"] {
        assert_eq!(plivo(PLIVO_URL, PLIVO_FORM, name, signature), Ok(()));
        let one_of = format!("AAAA, {signature}");
        assert_eq!(plivo(PLIVO_URL, PLIVO_FORM, name, &one_of), Ok(()));
        let other = PLIVO_FORM.replace("delivered", "failed");
        assert_eq!(plivo(PLIVO_URL, &other, name, signature), Err(Forged::WrongSignature));
    }
}

#[test]
fn plivo_urls_with_a_query() {
    let (url, name) = (format!("{PLIVO_URL}?tenant=acme&b=2&a=1"), "x-plivo-signature-v3");
    let signature = "T9Fyx5B9kymHLXA97QFni2ktcl+ew/apZ3r82ecqX9o=";
    assert_eq!(plivo(&url, PLIVO_FORM, name, signature), Ok(()));
    assert_eq!(plivo(&url.replace("a=1", "a=2"), PLIVO_FORM, name, signature), Err(Forged::WrongSignature));
    let url = format!("{PLIVO_URL}?tenant=acme");
    assert_eq!(plivo(&url, "", name, "EHIoH+EXY4Gr0BClV5tTS+POUedjT2PaE32XT1GKIvg="), Ok(()));
}

/// The second version does not cover what a webhook says.
#[test]
fn plivo_signatures_of_the_second_version_are_none() {
    let signature = "ANwz29U3tHMdV592fUVMKUWiMgMPP/AjdiPjT/+sFVY=";
    let found = plivo(PLIVO_URL, PLIVO_FORM, "x-plivo-signature-v2", signature);
    assert_eq!(found, Err(Forged::Unsigned));
    let found = plivo(PLIVO_URL, PLIVO_FORM, "x-plivo-signature-v3", signature);
    assert_eq!(found, Err(Forged::WrongSignature));
}

#[test]
fn bandwidth_callbacks() {
    let verify = |webhook_key: &str, told: &str| {
        let account = Account { webhook_key: webhook_key.into(), ..Account::default() };
        let headers = headers(&[("authorization", told)]);
        let request =
            WebhookRequest { url: "https://gw.muster.example/", headers: &headers, body: b"[]", now_s: 0 };
        adapter(Provider::Bandwidth).verify(&account, request).map(|_| ())
    };
    let genuine = "Basic bXVzdGVyLWhvb2s6eHh2M2pQc1BSMg==";
    assert_eq!(verify("muster-hook:xxv3jPsPR2", genuine), Ok(()));
    for key in ["muster-hook:xxv3jPsPR3", "muster-hook", "", ":"] {
        assert_eq!(verify(key, genuine), Err(Forged::WrongSignature), "{key}");
    }
    for told in ["Basic bXVzdGVyLWhvb2s6eHh2M2pQc1BSMw==", "Basic ", "Bearer xxv3jPsPR2", &genuine[..20]] {
        assert_eq!(verify("muster-hook:xxv3jPsPR2", told), Err(Forged::WrongSignature), "{told}");
    }
}

const VONAGE_BODY: &str = r#"{"message_uuid":"aaaaaaaa-bbbb-cccc-dddd-0123456789ab","to":"12025550123","from":"14155550100","timestamp":"2023-11-14T22:13:20Z","status":"delivered","channel":"sms","client_ref":"m-1"}"#;
const VONAGE_TOKEN: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpYXQiOjE3MDAwMDAwMDAsImp0aSI6ImM1YmE4ZjI0LTFhMTQtNGMxMC1iZmRmLTNmYmU4Y2U1MTFiNSIsImlzcyI6IlZvbmFnZSIsInBheWxvYWRfaGFzaCI6IjlkNzA0YTljYzRiZTY4NTM4ODliNjM2MDRmNDIxNmY3MGE3OWM4YzdhYWZhOTQyYWE0MTcwODYyNDQzMzM3YmIiLCJhcGlfa2V5IjoiYTFiMmMzZCIsImFwcGxpY2F0aW9uX2lkIjoiYWFhYWFhYWEtYmJiYi1jY2NjLWRkZGQtMDEyMzQ1Njc4OWFiIn0.APpMz8MqhLn4dasKgm_d0uSh0KFYOPPLrrEWmBIOqc4";
const VONAGE_SIGNED_S: i64 = 1_700_000_000;

fn vonage(api_key: &str, secret: &str, body: &str, now_s: i64) -> Result<(), Forged> {
    let account =
        Account { account_sid: api_key.to_owned(), webhook_key: secret.into(), ..Account::default() };
    let headers = headers(&[("authorization", &format!("Bearer {VONAGE_TOKEN}"))]);
    let url = "https://gw.muster.example/hooks/vonage/t1";
    let request = WebhookRequest { url, headers: &headers, body: body.as_bytes(), now_s };
    adapter(Provider::Vonage).verify(&account, request).map(|_| ())
}

#[test]
fn vonage_receipts() {
    let (key, secret, now_s) = ("a1b2c3d", "MUSTER-vonage-signature-secret-0123456789", VONAGE_SIGNED_S);
    assert_eq!(vonage(key, secret, VONAGE_BODY, now_s), Ok(()));
    assert_eq!(vonage("a1b2c3e", secret, VONAGE_BODY, now_s), Err(Forged::WrongAccount));
    let other_secret = secret.replace('9', "8");
    assert_eq!(vonage(key, &other_secret, VONAGE_BODY, now_s), Err(Forged::WrongSignature));
    let other_body = VONAGE_BODY.replace("delivered", "rejected");
    assert_eq!(vonage(key, secret, &other_body, now_s), Err(Forged::WrongSignature));
}

/// Five minutes before, for clocks that differ; a day after, for as long as Vonage tries again.
#[test]
fn vonage_webhooks_are_believed_for_a_day() {
    let (key, secret) = ("a1b2c3d", "MUSTER-vonage-signature-secret-0123456789");
    for (away_s, expected) in
        [(86_700, Ok(())), (-300, Ok(())), (86_701, Err(Forged::Stale)), (-301, Err(Forged::Stale))]
    {
        assert_eq!(vonage(key, secret, VONAGE_BODY, VONAGE_SIGNED_S + away_s), expected, "{away_s}");
    }
    for now_s in [i64::MIN, i64::MAX] {
        assert_eq!(vonage(key, secret, VONAGE_BODY, now_s), Err(Forged::Stale));
    }
}

const SINCH_BODY: &str = r#"{"type":"recipient_delivery_report_sms","batch_id":"01FC66621XXXXX119Z8PMV1QPQ","recipient":"+12025550123","code":0,"status":"Delivered","at":"2023-11-14T22:13:20.000Z"}"#;
const SINCH_SIGNED_S: i64 = 1_700_000_000;

fn sinch(body: &str, nonce: &str, timestamp: &str, algorithm: &str, now_s: i64) -> Result<(), Forged> {
    let account = Account { webhook_key: "muster-sinch-webhook-secret".into(), ..Account::default() };
    let headers = headers(&[
        ("x-sinch-webhook-signature", "cFtcoofqnqW/tvX+5mvSLiN+opcCN963PpKAkeCU6eM="),
        ("x-sinch-webhook-signature-nonce", nonce),
        ("x-sinch-webhook-signature-timestamp", timestamp),
        ("x-sinch-webhook-signature-algorithm", algorithm),
    ]);
    let url = "https://gw.muster.example/hooks/sinch/t1";
    let request = WebhookRequest { url, headers: &headers, body: body.as_bytes(), now_s };
    adapter(Provider::Sinch).verify(&account, request).map(|_| ())
}

#[test]
fn sinch_receipts() {
    let (nonce, signed, algorithm) = ("01FJA8B4A7BM43YGWSG9GBV067", "1700000000", "HmacSHA256");
    assert_eq!(sinch(SINCH_BODY, nonce, signed, algorithm, SINCH_SIGNED_S), Ok(()));
    let forged = [
        sinch(&format!("{SINCH_BODY} "), nonce, signed, algorithm, SINCH_SIGNED_S),
        sinch(SINCH_BODY, "01FJA8B4A7BM43YGWSG9GBV068", signed, algorithm, SINCH_SIGNED_S),
        sinch(SINCH_BODY, nonce, "1700000001", algorithm, SINCH_SIGNED_S),
        sinch(SINCH_BODY, nonce, signed, "HmacSHA1", SINCH_SIGNED_S),
        sinch(SINCH_BODY, nonce, signed, "none", SINCH_SIGNED_S),
    ];
    assert_eq!(forged, [Err(Forged::WrongSignature); 5]);
}

/// Five minutes before, for clocks that differ; two days after, for as long as Sinch tries again.
#[test]
fn sinch_webhooks_are_believed_for_two_days() {
    let at = |now_s| sinch(SINCH_BODY, "01FJA8B4A7BM43YGWSG9GBV067", "1700000000", "HmacSHA256", now_s);
    for (away_s, expected) in
        [(172_800, Ok(())), (-300, Ok(())), (172_801, Err(Forged::Stale)), (-301, Err(Forged::Stale))]
    {
        assert_eq!(at(SINCH_SIGNED_S + away_s), expected, "{away_s}");
    }
    for now_s in [i64::MIN, i64::MAX] {
        assert_eq!(at(now_s), Err(Forged::Stale));
    }
}
