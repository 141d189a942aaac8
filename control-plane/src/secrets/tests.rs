//! What is sealed opens for whom it was sealed, under the key that it was sealed with, and otherwise not at all.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use secrecy::{ExposeSecret as _, SecretString};

use super::kek::Keys;
use super::{AccountSecrets, DataKey, Error, KeyWrapper, Sealed, Secrets, envelope};
use crate::config::Kek;

const NAME: &str = "tenants/1/providerAccounts/1";

/// Settings with these keys, each 32 times its byte.
fn kek(current: &str, keys: &[(&str, u8)]) -> Kek {
    let key = |byte: u8| SecretString::from(STANDARD.encode([byte; 32]));
    let keys = keys.iter().map(|(id, byte)| ((*id).to_owned(), key(*byte))).collect();
    Kek { current: current.to_owned(), keys, folder: None }
}

fn keys(current: &str, keys: &[(&str, u8)]) -> Keys {
    Keys::read(&kek(current, keys)).expect("usable keys")
}

/// Runs what waits for nothing.
fn now<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

fn sealed(keys: &Keys, plain: &[u8]) -> Sealed {
    now(envelope::seal(keys, NAME, plain)).expect("sealed")
}

proptest! {
    #[test]
    fn what_is_sealed_opens(plain: Vec<u8>, name in "[a-z/]{0,40}") {
        let keys = keys("k1", &[("k1", 1)]);
        let sealed = now(envelope::seal(&keys, &name, &plain)).expect("sealed");
        prop_assert_eq!(&sealed.kek_id, "k1");
        prop_assert_eq!(&now(envelope::open(&keys, &name, &sealed)).expect("opened")[..], &plain[..]);
    }

    #[test]
    fn any_other_name_does_not_open_it(name in "[a-z0-9/]{0,40}", at in 0..NAME.len()) {
        let keys = keys("k1", &[("k1", 1)]);
        let sealed = sealed(&keys, b"secret");
        prop_assume!(name != NAME);
        prop_assert!(now(envelope::open(&keys, &name, &sealed)).is_err());
        let mut near = NAME.as_bytes().to_vec();
        near[at] ^= 1;
        let near = String::from_utf8(near).expect("ASCII");
        prop_assert!(now(envelope::open(&keys, &near, &sealed)).is_err());
    }

    #[test]
    fn what_was_never_sealed_is_refused(bytes: Vec<u8>) {
        let keys = keys("k1", &[("k1", 1)]);
        let made_up = Sealed { kek_id: "k1".to_owned(), bytes };
        prop_assert!(now(envelope::open(&keys, NAME, &made_up)).is_err());
    }

    #[test]
    fn secrets_come_back_as_they_were(text in prop::array::uniform4(".*")) {
        let secrets = Secrets::with(Arc::new(keys("k1", &[("k1", 1)])));
        let [api_secret, webhook_key, webhook_token, second_webhook_key] = text.clone().map(SecretString::from);
        let given = AccountSecrets { api_secret, webhook_key, webhook_token, second_webhook_key };
        let opened = now(async {
            let sealed = secrets.seal(NAME, &given).await.expect("sealed");
            secrets.open(NAME, &sealed).await.expect("opened")
        });
        let found =
            [&opened.api_secret, &opened.webhook_key, &opened.webhook_token, &opened.second_webhook_key];
        prop_assert_eq!(found.map(|secret| secret.expose_secret().to_owned()), text);
    }
}

#[test]
fn no_flipped_bit_and_no_missing_byte_opens() {
    let keys = keys("k1", &[("k1", 1)]);
    let whole = sealed(&keys, b"a secret");
    for bit in 0..whole.bytes.len() * 8 {
        let mut flipped = whole.clone();
        flipped.bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(now(envelope::open(&keys, NAME, &flipped)).is_err(), "bit {bit} says nothing");
    }
    for length in 0..whole.bytes.len() {
        let short = Sealed { bytes: whole.bytes[..length].to_vec(), ..whole.clone() };
        assert!(now(envelope::open(&keys, NAME, &short)).is_err(), "{length} bytes are enough");
        let longer = Sealed { bytes: [&whole.bytes[..], &whole.bytes[..=length]].concat(), ..whole.clone() };
        assert!(now(envelope::open(&keys, NAME, &longer)).is_err(), "bytes behind the end say nothing");
    }
}

#[test]
fn no_two_sealings_are_alike_and_nothing_shows_through() {
    let keys = keys("k1", &[("k1", 1)]);
    let plain = b"a-secret-that-is-long-enough-to-be-found";
    let (one, other) = (sealed(&keys, plain), sealed(&keys, plain));
    let shared = one.bytes.windows(8).filter(|part| other.bytes.windows(8).any(|theirs| theirs == *part));
    assert_eq!(shared.count(), 0, "a nonce or a key was used twice");
    assert!(!one.bytes.windows(8).any(|part| plain.windows(8).any(|secret| secret == part)));
}

#[test]
fn another_kek_does_not_open_it_and_says_which_was_meant() {
    let was = sealed(&keys("k1", &[("k1", 1)]), b"secret");
    let unknown = now(envelope::open(&keys("k2", &[("k2", 2)]), NAME, &was)).expect_err("no k1");
    assert!(matches!(&unknown, Error::UnknownKek(id) if id == "k1"), "{unknown}");
    let wrong = now(envelope::open(&keys("k1", &[("k1", 2)]), NAME, &was)).expect_err("another k1");
    assert!(matches!(&wrong, Error::Wrapped(id) if id == "k1"), "{wrong}");
}

#[test]
fn a_value_under_anothers_key_does_not_open() {
    let keys = keys("k1", &[("k1", 1)]);
    let (one, other) = (sealed(&keys, b"one"), sealed(&keys, b"other"));
    // Both wrapped keys open; each value has the other's.
    let wrapped = 3 + 60;
    let bytes = [&one.bytes[..wrapped], &other.bytes[wrapped..]].concat();
    let mixed = now(envelope::open(&keys, NAME, &Sealed { bytes, ..one })).expect_err("mixed");
    assert!(matches!(mixed, Error::Changed), "{mixed}");
}

#[test]
fn a_rewrapped_value_is_the_same_under_another_kek() {
    let both = keys("k2", &[("k1", 1), ("k2", 2)]);
    let was = sealed(&keys("k1", &[("k1", 1)]), b"secret");
    let is = now(envelope::rewrap(&both, NAME, &was)).expect("re-wrapped");
    assert_eq!(is.kek_id, "k2");
    assert_eq!(is.bytes[3 + 60..], was.bytes[3 + 60..], "the sealed value was touched");
    let opened = now(envelope::open(&keys("k2", &[("k2", 2)]), NAME, &is)).expect("opened");
    assert_eq!(&opened[..], b"secret");
    assert!(now(envelope::open(&keys("k1", &[("k1", 1)]), NAME, &is)).is_err());
    assert!(now(envelope::rewrap(&both, "tenants/1/providerAccounts/2", &was)).is_err());
}

/// Counts how often a key is unwrapped.
struct Counted(Keys, Arc<AtomicUsize>);

#[tonic::async_trait]
impl KeyWrapper for Counted {
    fn current(&self) -> &str {
        self.0.current()
    }

    async fn wrap(&self, key: &DataKey, context: &str) -> Result<Vec<u8>, Error> {
        self.0.wrap(key, context).await
    }

    async fn unwrap(&self, kek_id: &str, wrapped: &[u8], context: &str) -> Result<DataKey, Error> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.unwrap(kek_id, wrapped, context).await
    }
}

#[tokio::test]
async fn secrets_are_opened_once_until_they_change_and_for_their_account_alone() {
    let asked = Arc::new(AtomicUsize::new(0));
    let secrets = Secrets::with(Arc::new(Counted(keys("k1", &[("k1", 1)]), asked.clone())));
    let with = |secret: &str| AccountSecrets { api_secret: secret.into(), ..AccountSecrets::default() };
    let first = secrets.seal(NAME, &with("first")).await.expect("sealed");
    for _ in 0..3 {
        let opened = secrets.open(NAME, &first).await.expect("opened");
        assert_eq!(opened.api_secret.expose_secret(), "first");
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    let second = secrets.seal(NAME, &with("second")).await.expect("sealed");
    let opened = secrets.open(NAME, &second).await.expect("opened");
    assert_eq!(opened.api_secret.expose_secret(), "second");
    let stolen = secrets.open("tenants/1/providerAccounts/2", &first).await.expect_err("another's");
    let said = format!("{:#}", anyhow::Error::from(stolen));
    assert!(
        said.contains("providerAccounts/2") && said.contains("`k1`") && !said.contains("first"),
        "{said}"
    );
}

#[test]
fn secrets_do_not_print() {
    let secrets = AccountSecrets {
        api_secret: "canary".into(),
        webhook_key: "canary".into(),
        webhook_token: "canary".into(),
        second_webhook_key: "canary".into(),
    };
    assert!(!format!("{secrets:?} {:?}", kek("k1", &[("k1", 1)])).contains("canary"));
    assert!(!format!("{:?}", kek("k1", &[("k1", 1)])).contains(&STANDARD.encode([1; 32])));
}

/// What is said about settings that are of no use.
fn refused(kek: &Kek) -> String {
    Keys::read(kek).err().map(|error| format!("{error:#}")).expect("refused")
}

#[test]
fn a_kek_that_is_of_no_use_is_named_and_not_shown() {
    let with = |id: &str, text: &str| Kek {
        current: id.to_owned(),
        keys: BTreeMap::from([(id.to_owned(), SecretString::from(text.to_owned()))]),
        folder: None,
    };
    for text in ["", "c2hvcnQ=", "not base64 at all!", &STANDARD.encode([7; 31]), &STANDARD.encode([7; 33])] {
        let said = refused(&with("k1", text));
        assert!(said.starts_with("kek.keys.k1 must hold 32 bytes in base64"), "{said}");
        assert!(text.is_empty() || !said.contains(text), "{said}");
    }
    let said = refused(&with("No Id", &STANDARD.encode([7; 32])));
    assert!(said.contains("an id has"), "{said}");
    let said = refused(&kek("k2", &[("k1", 1)]));
    assert!(said.contains("kek.current is `k2`"), "{said}");
    assert!(refused(&kek("k1", &[])).contains("kek.current is `k1`"));
}

#[test]
fn keys_are_read_from_a_folder_as_kubernetes_mounts_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
    std::fs::create_dir(folder.path().join("..2026_11_24")).expect("a folder");
    write("..2026_11_24/k2", &(STANDARD.encode([2; 32]) + "\n"));
    std::os::unix::fs::symlink("..2026_11_24", folder.path().join("..data")).expect("a link");
    std::os::unix::fs::symlink("..data/k2", folder.path().join("k2")).expect("a link");
    let with =
        |current: &str, folder: &Path| Kek { folder: Some(folder.to_owned()), ..kek(current, &[("k1", 1)]) };
    let read = Keys::read(&with("k2", folder.path())).expect("usable keys");
    let was = sealed(&keys("k2", &[("k2", 2)]), b"secret");
    assert_eq!(&now(envelope::open(&read, NAME, &was)).expect("opened")[..], b"secret");

    write("k3", "short");
    let said = refused(&with("k2", folder.path()));
    assert!(said.contains("kek.folder") && said.contains("the file k3 must hold 32 bytes"), "{said}");
    std::fs::remove_file(folder.path().join("k3")).expect("removed");
    write("k1", &STANDARD.encode([1; 32]));
    assert!(refused(&with("k2", folder.path())).contains("kek.keys has a key of that id, too"));
    assert!(refused(&with("k1", &folder.path().join("nowhere"))).contains("cannot be read"));
}
