//! What issuers answer, and where we let ourselves be sent.

use std::io::Write as _;

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
async fn authorities_are_those_of_the_host_and_of_the_settings() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ca.pem");
    let config = Oidc { insecure_issuers: false, ca: Some(path.clone()) };
    let built = || Verifier::new(&config, Tasks::default()).map(drop);
    assert!(format!("{:#}", built().expect_err("no file")).contains("oidc.ca"));
    std::fs::File::create(&path).and_then(|mut file| file.write_all(b"no PEM")).expect("written");
    assert!(format!("{:#}", built().expect_err("no certificate")).contains("oidc.ca"));
}
