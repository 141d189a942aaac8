//! Tokens, good and bad, while the issuer does as it should.

use aws_lc_rs::hmac;
use muster_tests::issuer;
use serde_json::json;

use super::*;

/// `claims` with one of them changed; null takes it out.
fn with(mut claims: Value, name: &str, value: Value) -> Value {
    claims[name] = value;
    claims.as_object_mut().expect("claims").retain(|_, value| !value.is_null());
    claims
}

fn now_s() -> i64 {
    clock::now_us() / 1_000_000
}

#[tokio::test]
async fn good_tokens_of_each_algorithm_are_believed() {
    let scene = Scene::new().await;
    for algorithm in Algorithm::ALL {
        let claims = scene.claims();
        let identity = scene.verify(&scene.issuer.mint(algorithm, &claims)).await.expect("good");
        assert_eq!(identity.subject, "alice");
        assert_eq!(identity.email.as_deref(), Some("alice@example.org"));
        assert_eq!(Some(identity.expires_us), claims["exp"].as_i64().map(|seconds| seconds * 1_000_000));
        assert!(!format!("{identity:?}").contains("alice"), "{identity:?}");
    }
    assert_eq!(scene.fetches(), 1);
}

#[tokio::test]
async fn a_token_is_for_its_issuer_and_audience() {
    let scene = Scene::new().await;
    for (name, value, outcome) in [
        ("aud", json!(["other", AUDIENCE]), Ok(())),
        ("aud", json!([AUDIENCE]), Ok(())),
        ("aud", json!("other"), Err(Refused::Audience)),
        ("aud", json!("muster2"), Err(Refused::Audience)),
        ("aud", json!(["other", "muster "]), Err(Refused::Audience)),
        ("aud", json!([]), Err(Refused::Audience)),
        ("aud", json!(null), Err(Refused::Audience)),
        ("aud", json!({ "muster": true }), Err(Refused::Malformed)),
        ("iss", json!("https://issuer.example"), Err(Refused::Issuer)),
        ("iss", json!(format!("{}/", scene.issuer.url())), Err(Refused::Issuer)),
        ("iss", json!(null), Err(Refused::Malformed)),
        ("sub", json!(""), Err(Refused::Malformed)),
        ("sub", json!("s".repeat(255)), Ok(())),
        ("sub", json!("s".repeat(256)), Err(Refused::Malformed)),
        ("sub", json!(null), Err(Refused::Malformed)),
    ] {
        let judged = scene.judge(&with(scene.claims(), name, value.clone())).await;
        assert_eq!(judged.map(drop), outcome, "{name}: {value}");
    }
    let nobody = Pin { audience: String::new(), ..scene.pin.clone() };
    let token = scene.issuer.mint(Algorithm::Es256, &with(scene.claims(), "aud", json!("")));
    assert_eq!(scene.verifier.verify(&token, &nobody).await, Err(Refused::Audience));
}

#[tokio::test]
async fn a_token_is_of_today() {
    let scene = Scene::new().await;
    let now_s = now_s();
    let day_s = 24 * 60 * 60;
    for (name, value, outcome) in [
        ("exp", json!(now_s - 25), Ok(())),
        ("exp", json!(now_s as f64 + 0.5), Ok(())),
        ("exp", json!(now_s - 31), Err(Refused::Expired)),
        ("exp", json!(-1), Err(Refused::Expired)),
        ("exp", json!(null), Err(Refused::Expired)),
        ("exp", json!(now_s + day_s), Ok(())),
        ("exp", json!(now_s + day_s + 60), Err(Refused::Expired)),
        ("exp", json!(1e300), Err(Refused::Expired)),
        ("exp", json!("tomorrow"), Err(Refused::Malformed)),
        ("nbf", json!(now_s), Ok(())),
        ("nbf", json!(now_s + 25), Ok(())),
        ("nbf", json!(now_s + 60), Err(Refused::Early)),
        ("iat", json!(null), Ok(())),
        ("iat", json!(now_s + 60), Err(Refused::Early)),
    ] {
        let judged = scene.judge(&with(scene.claims(), name, value.clone())).await;
        assert_eq!(judged.map(drop), outcome, "{name}: {value}");
    }
}

#[tokio::test]
async fn an_email_address_counts_only_where_it_is_verified() {
    let scene = Scene::new().await;
    for verified in [json!(false), json!(null), json!("true"), json!(1)] {
        let identity = scene.judge(&with(scene.claims(), "email_verified", verified.clone())).await;
        assert_eq!(identity.expect("good").email, None, "{verified}");
    }
    assert_eq!(scene.judge(&with(scene.claims(), "email", json!(null))).await.expect("good").email, None);
}

#[tokio::test]
async fn a_header_has_to_fit_its_key() {
    let scene = Scene::new().await;
    let header = scene.issuer.header(Algorithm::Es256);
    let rsa = scene.issuer.header(Algorithm::Rs256)["kid"].clone();
    for (name, value, outcome) in [
        ("typ", json!(null), Ok(())),
        ("typ", json!("at+jwt"), Ok(())),
        ("typ", json!("application/at+JWT"), Ok(())),
        ("typ", json!("logout+jwt"), Err(Refused::Type)),
        ("crit", json!(["b64"]), Err(Refused::Malformed)),
        ("kid", json!(null), Ok(())),
        ("kid", rsa, Err(Refused::Algorithm)),
        ("alg", json!("EdDSA"), Err(Refused::Algorithm)),
        ("alg", json!("RS256"), Err(Refused::Algorithm)),
        ("alg", json!("ES384"), Err(Refused::Algorithm)),
        ("alg", json!("PS256"), Err(Refused::Algorithm)),
        ("alg", json!("none"), Err(Refused::Malformed)),
        ("alg", json!(null), Err(Refused::Malformed)),
    ] {
        let header = with(header.clone(), name, value.clone());
        let token = scene.issuer.sign(Algorithm::Es256, &header, &scene.claims());
        assert_eq!(scene.verify(&token).await.map(drop), outcome, "{name}: {value}");
    }
    assert_eq!(scene.fetches(), 1, "a key that is there is not asked for again");
}

#[tokio::test]
async fn nobody_signs_with_what_is_public() {
    let scene = Scene::new().await;
    let unsigned = issuer::token(&json!({ "alg": "none" }), &scene.claims(), |_| Vec::new());
    assert_eq!(scene.verify(&unsigned).await, Err(Refused::Malformed));

    // A verifier that lets the header choose would take the public key for an HMAC's secret.
    let published = scene.issuer.key_set()["keys"][0].clone();
    assert_eq!(published["kty"], "RSA");
    let header = json!({ "alg": "HS256", "typ": "JWT", "kid": published["kid"] });
    for secret in [published.to_string(), published["n"].as_str().expect("a modulus").to_owned()] {
        let secret = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let token = issuer::token(&header, &scene.claims(), |m| hmac::sign(&secret, m).as_ref().to_vec());
        assert_eq!(scene.verify(&token).await, Err(Refused::Algorithm));
    }

    // A key that a token brings along proves nothing.
    let other = Issuer::start().await.expect("an issuer");
    let mut header = scene.issuer.header(Algorithm::Es256);
    header["jwk"] = other.key_set()["keys"][1].clone();
    header["jku"] = format!("{}{KEYS}", other.url()).into();
    let token = other.sign(Algorithm::Es256, &header, &scene.claims());
    assert_eq!(scene.verify(&token).await, Err(Refused::Signature));
    assert_eq!(other.asked(KEYS), 0);
}

#[tokio::test]
async fn no_flipped_bit_is_believed() {
    let scene = Scene::new().await;
    for algorithm in Algorithm::ALL {
        let claims = scene.claims();
        let header = scene.issuer.header(algorithm);
        let good = scene.issuer.sign(algorithm, &header, &claims);
        let signature = good.rsplit('.').next().expect("a signature");
        for at in 0..signature.len() {
            let mut bytes = good.clone().into_bytes();
            let place = good.len() - 1 - at;
            bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
            let flipped = String::from_utf8(bytes).expect("ASCII");
            assert_eq!(scene.verify(&flipped).await, Err(Refused::Signature), "{algorithm:?} {place}");
        }
        let (message, _) = good.rsplit_once('.').expect("three parts");
        for cut in [format!("{message}."), good[..good.len() - 4].to_owned(), format!("{good}AAAA")] {
            assert_eq!(scene.verify(&cut).await, Err(Refused::Signature), "{algorithm:?}");
        }
        // Another's claims under the signature of these.
        let other = scene.issuer.sign(algorithm, &header, &with(claims, "sub", json!("mallory")));
        let (message, _) = other.rsplit_once('.').expect("three parts");
        assert_eq!(scene.verify(&format!("{message}.{signature}")).await, Err(Refused::Signature));
    }
}

#[tokio::test]
async fn what_is_no_token_is_refused_without_asking_anybody() {
    let scene = Scene::new().await;
    let long = scene.issuer.mint(Algorithm::Es256, &with(scene.claims(), "x", json!("x".repeat(8_192))));
    let five = format!("{}.e30.e30", scene.token());
    for text in ["", ".", "..", "a.b.c", "e30.e30.e30", "mk_live_something", &five, &long] {
        assert!(peek(text).is_none(), "{text}");
        assert_eq!(scene.verify(text).await, Err(Refused::Malformed), "{text}");
    }
    assert_eq!(scene.fetches(), 0);
}

#[tokio::test]
async fn a_token_says_whose_it_is() {
    let scene = Scene::new().await;
    let issuer = scene.issuer.url().to_owned();
    let claimed = peek(&scene.token()).expect("a token");
    assert!(claimed == Claimed { issuer: issuer.clone(), audiences: vec![AUDIENCE.to_owned()] });
    let many = with(scene.claims(), "aud", json!(["a", "b"]));
    let claimed = peek(&scene.issuer.mint(Algorithm::Rs256, &many)).expect("a token");
    assert!(claimed == Claimed { issuer, audiences: vec!["a".to_owned(), "b".to_owned()] });
    assert_eq!(scene.fetches(), 0);
}

#[tokio::test]
async fn keys_for_other_uses_prove_nothing() {
    for (name, value) in [
        ("use", json!("enc")),
        ("key_ops", json!(["sign"])),
        ("alg", json!("ES384")),
        ("alg", json!("ECDH-ES")),
        ("crv", json!("P-384")),
        ("kty", json!("oct")),
    ] {
        let scene = Scene::new().await;
        let mut keys = scene.issuer.key_set();
        keys["keys"][1][name] = value.clone();
        scene.issuer.answer(KEYS, keys);
        assert_eq!(scene.verify(&scene.token()).await, Err(Refused::UnknownKey), "{name}: {value}");
        // The others are good all the same.
        scene.verify(&scene.issuer.mint(Algorithm::EdDsa, &scene.claims())).await.expect("good");
    }
}
