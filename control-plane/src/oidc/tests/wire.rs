//! What issuers answer, and where we let ourselves be sent.

use std::net::TcpListener;
use std::time::Duration;

use futures::future::join_all;
use muster_tests::issuer::Answer;
use serde_json::json;

use super::*;

#[tokio::test]
async fn what_is_published_wrongly_is_not_taken() {
    let scene = Scene::new().await;
    let keys_at = |uri: &str| Answer::from(json!({ "issuer": scene.issuer.url(), "jwks_uri": uri }));
    let good = keys_at(&format!("{}{KEYS}", scene.issuer.url()));
    let elsewhere = format!("{}/elsewhere", scene.issuer.url());
    let mut large = scene.issuer.key_set();
    large["padding"] = "x".repeat(256 * 1024).into();

    let renamed = json!({ "issuer": format!("{}/", scene.issuer.url()), "jwks_uri": elsewhere });
    for (path, answer) in [
        (DISCOVERY, renamed.into()),
        (DISCOVERY, json!({ "jwks_uri": elsewhere }).into()),
        (DISCOVERY, Answer::Body("<html>".to_owned())),
        (DISCOVERY, Answer::Redirect(elsewhere.clone())),
        (DISCOVERY, keys_at("/elsewhere")),
        (DISCOVERY, keys_at("file:///elsewhere")),
        (DISCOVERY, keys_at(&elsewhere.replace("//", "//user:secret@"))),
        (KEYS, Answer::Redirect(elsewhere.clone())),
        (KEYS, large.into()),
        (KEYS, json!([]).into()),
        (KEYS, Answer::Body(String::new())),
    ] {
        scene.issuer.answer(DISCOVERY, good.clone());
        scene.issuer.answer("/elsewhere", scene.issuer.key_set());
        scene.issuer.answer(path, answer.clone());
        let judged = verifier().verify(&scene.token(), &scene.pin).await;
        assert_eq!(judged, Err(Refused::Unreachable), "{path}: {answer:.100?}");
    }
    assert_eq!(scene.issuer.asked("/elsewhere"), 0);

    scene.issuer.answer(DISCOVERY, keys_at(&elsewhere));
    verifier().verify(&scene.token(), &scene.pin).await.expect("keys may be anywhere on the web");
}

/// The clock goes on by itself here, as soon as nothing is left to do.
#[tokio::test(start_paused = true)]
async fn an_issuer_that_says_nothing_is_not_waited_for() {
    let scene = Scene::new().await;
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let pin = Pin { issuer: format!("http://{}", silent.local_addr().expect("bound")), ..scene.pin.clone() };
    let mut claims = scene.claims();
    claims["iss"] = pin.issuer.as_str().into();
    let token = scene.issuer.mint(Algorithm::EdDsa, &claims);
    let began = clock::instant();
    let waiting = (0..10).map(|_| scene.verifier.verify(&token, &pin));
    assert_eq!(join_all(waiting).await, vec![Err(Refused::Unreachable); 10]);
    assert!(clock::since(began) <= fetch::FETCH_TIMEOUT + Duration::from_millis(10));
}

#[tokio::test]
async fn plaintext_is_only_for_tests() {
    let scene = Scene::new().await;
    let strict = Verifier::new(&Oidc::default(), Tasks::default()).expect("a verifier");
    assert_eq!(strict.verify(&scene.token(), &scene.pin).await, Err(Refused::Unreachable));
    assert_eq!(scene.fetches(), 0);
    assert!(!strict.may_ask(scene.issuer.url()) && scene.verifier.may_ask(scene.issuer.url()));
    assert!(strict.may_ask("https://issuer.example/realms/one"));
    for url in ["", "issuer.example", "ftp://issuer.example", "https://user@issuer.example", "https://a/#b"] {
        assert!(!scene.verifier.may_ask(url), "{url}");
    }
}

#[tokio::test]
async fn a_certificate_is_trusted_because_of_the_settings() {
    let (issuer, certificate) = Issuer::start_with_tls().await.expect("an issuer");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ca.pem");
    let config = Oidc { insecure_issuers: false, ca: Some(path.clone()) };
    let built = || Verifier::new(&config, Tasks::default());
    let fault = || format!("{:#}", built().map(drop).expect_err("not usable"));
    assert!(fault().starts_with("oidc.ca: "), "{}", fault());
    std::fs::write(&path, "no PEM").expect("written");
    assert_eq!(fault(), "oidc.ca has no certificate");
    std::fs::write(&path, certificate).expect("written");

    let pin = Pin { issuer: issuer.url().to_owned(), audience: AUDIENCE.to_owned() };
    let token = issuer.mint(Algorithm::Rs256, &issuer.claims(AUDIENCE, "alice"));
    let strangers = Verifier::new(&Oidc::default(), Tasks::default()).expect("a verifier");
    assert_eq!(strangers.verify(&token, &pin).await, Err(Refused::Unreachable));
    assert_eq!(issuer.asked(DISCOVERY), 0);
    let trusting = built().expect("a verifier");
    assert_eq!(trusting.verify(&token, &pin).await.expect("good").subject, "alice");

    // Nor does an issuer that we trust send us on in plaintext.
    issuer.answer(DISCOVERY, json!({ "issuer": issuer.url(), "jwks_uri": "http://127.0.0.1:9/keys" }));
    let trusting = built().expect("a verifier");
    assert_eq!(trusting.verify(&token, &pin).await, Err(Refused::Unreachable));
}

/// Some hosts have none at all, and the control-plane has to start there, too.
#[test]
fn no_authority_is_no_reason_to_fail() {
    fetch::trusting_nobody().expect("a client");
}
