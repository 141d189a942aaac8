//! Keys that change, tokens that come in storms, issuers that go away.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::join_all;
use serde_json::json;

use super::*;
use crate::oidc::issuer::{FETCH_PAUSE, KEYS_AGE_MAX, KEYS_FRESH};

/// More than a test takes.
const MINUTE: Duration = Duration::from_mins(1);

/// Moves the clock on, and lets it run again: time that stands still would end every wait for the wire at once.
async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

/// A token that names a key nobody has.
fn stray(scene: &Scene, name: usize) -> String {
    let header = json!({ "alg": "ES256", "typ": "JWT", "kid": format!("stray-{name}") });
    scene.issuer.sign(Algorithm::Es256, &header, &scene.claims())
}

#[tokio::test]
async fn a_new_key_is_known_after_one_fetch_and_the_old_one_no_more() {
    let mut scene = Scene::new().await;
    let old = scene.token();
    scene.verify(&old).await.expect("good");
    pass(FETCH_PAUSE).await;

    scene.issuer.rotate().expect("new keys");
    scene.verify(&old).await.expect("nobody has asked again yet");
    assert_eq!(scene.fetches(), 1);
    scene.verify(&scene.token()).await.expect("good");
    assert_eq!(scene.fetches(), 2);
    assert_eq!(scene.verify(&old).await, Err(Refused::UnknownKey), "it was taken back");
    assert_eq!(scene.fetches(), 2);
}

#[tokio::test]
async fn a_key_that_was_taken_back_is_refused_in_time() {
    let mut scene = Scene::new().await;
    let old = scene.token();
    scene.verify(&old).await.expect("good");
    scene.issuer.rotate().expect("new keys");
    pass(KEYS_FRESH).await;
    assert_eq!(scene.verify(&old).await, Err(Refused::UnknownKey));
    assert_eq!(scene.fetches(), 2);
}

#[tokio::test]
async fn keys_in_use_are_fetched_ahead_and_nobody_waits() {
    let scene = Scene::new().await;
    scene.verify(&scene.token()).await.expect("good");
    pass(KEYS_FRESH / 2).await;
    scene.verify(&scene.token()).now_or_never().expect("at once").expect("good");
    let asked = async {
        while scene.issuer.asked(KEYS) < 2 {
            tokio::task::yield_now().await
        }
    };
    tokio::time::timeout(MINUTE, asked).await.expect("fetched meanwhile");
}

#[tokio::test]
async fn however_many_come_the_issuer_is_asked_once() {
    let scene = Scene::new().await;
    let tokens: Vec<_> = (0..100).map(|_| scene.token()).collect();
    let judged = join_all(tokens.iter().map(|token| scene.verify(token))).await;
    assert!(judged.iter().all(Result::is_ok), "{judged:?}");
    assert_eq!(scene.fetches(), 1);
}

#[tokio::test]
async fn a_storm_of_unknown_keys_makes_one_fetch_in_each_pause() {
    let scene = Scene::new().await;
    scene.verify(&scene.token()).await.expect("good");
    for round in 0..3 {
        let strays: Vec<_> = (0..100).map(|name| stray(&scene, name)).collect();
        let judged = join_all(strays.iter().map(|token| scene.verify(token))).await;
        assert!(judged.iter().all(|judged| *judged == Err(Refused::UnknownKey)), "{judged:?}");
        assert_eq!(scene.fetches(), 1 + round);
        scene.verify(&scene.token()).await.expect("good all the while");
        pass(FETCH_PAUSE).await;
    }
}

#[tokio::test]
async fn tokens_that_cannot_be_good_make_no_fetch() {
    let scene = Scene::new().await;
    for (name, value) in
        [("iss", json!("https://issuer.example")), ("aud", json!("other")), ("exp", json!(1))]
    {
        let mut claims = scene.claims();
        claims[name] = value;
        scene.judge(&claims).await.expect_err("bad");
    }
    assert_eq!(scene.fetches(), 0);
}

#[tokio::test]
async fn a_caller_who_goes_away_stops_no_fetch() {
    let scene = Scene::new().await;
    let token = scene.token();
    assert_eq!(scene.verify(&token).now_or_never(), None, "it waits for the keys");
    scene.verify(&token).await.expect("good");
    assert_eq!(scene.fetches(), 1);
}

#[tokio::test]
async fn old_keys_outlast_their_issuer_for_a_while() {
    let mut scene = Scene::new().await;
    scene.verify(&scene.token()).await.expect("good");
    scene.issuer.stop();
    let fresh = verifier();
    assert_eq!(fresh.verify(&scene.token(), &scene.pin).await, Err(Refused::Unreachable));
    assert!(Refused::Unreachable.may_pass());

    pass(KEYS_FRESH).await;
    scene.verify(&scene.token()).await.expect("an old key stands in");
    let stray = stray(&scene, 0);
    assert_eq!(scene.verify(&stray).await, Err(Refused::Unreachable), "it may be a new one");
    pass(KEYS_AGE_MAX - KEYS_FRESH - MINUTE).await;
    scene.verify(&scene.token()).await.expect("an old key stands in");
    pass(2 * MINUTE).await;
    assert_eq!(scene.verify(&scene.token()).await, Err(Refused::Unreachable), "too old now");

    scene.issuer.serve().await.expect("the same port");
    pass(FETCH_PAUSE).await;
    scene.verify(&scene.token()).await.expect("good");
    fresh.verify(&scene.token(), &scene.pin).await.expect("good");
}

#[tokio::test]
async fn while_an_issuer_is_away_nobody_waits_for_each_try() {
    let mut scene = Scene::new().await;
    scene.verify(&scene.token()).await.expect("good");
    scene.issuer.stop();
    pass(KEYS_FRESH).await;
    scene.verify(&scene.token()).await.expect("one waits until the first try fails");
    pass(FETCH_PAUSE).await;
    scene.verify(&scene.token()).now_or_never().expect("at once").expect("good");
}

#[tokio::test]
async fn issuers_have_keys_of_their_own() {
    let scene = Scene::new().await;
    let other = Issuer::start().await.expect("an issuer");
    // Signed by the other one, under the name and with the key's name of the pinned one.
    let token = other.sign(Algorithm::Es256, &scene.issuer.header(Algorithm::Es256), &scene.claims());
    assert_eq!(scene.verify(&token).await, Err(Refused::Signature));
    let pin = Pin { issuer: other.url().to_owned(), audience: AUDIENCE.to_owned() };
    let theirs = other.mint(Algorithm::Es256, &other.claims(AUDIENCE, "bob"));
    assert_eq!(scene.verifier.verify(&theirs, &pin).await.expect("good").subject, "bob");
    assert_eq!(scene.verify(&theirs).await, Err(Refused::Issuer));
}
