//! Handshakes between our own two sides, with certificates made on the spot.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use futures::StreamExt as _;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tonic::codegen::Service as _;
use tonic::transport::Uri;
use tonic::transport::server::Connected as _;

use super::*;
use crate::supervise::Tasks;

/// An authority with a folder for all that it signs.
struct Authority {
    folder: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key.
struct Pair {
    certificate: PathBuf,
    key: PathBuf,
}

impl Authority {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut parameters = CertificateParams::new([]).expect("no names");
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let certificate = parameters.self_signed(&key).expect("signed");
        fs::write(folder.path().join("ca.pem"), certificate.pem()).expect("written");
        Self { folder, issuer: Issuer::new(parameters, key) }
    }

    fn bundle(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    fn issue(&self, name: &str) -> Pair {
        let parameters = CertificateParams::new([name.to_owned()]).expect("a name");
        let key = KeyPair::generate().expect("a key");
        let signed = parameters.signed_by(&key, &self.issuer).expect("signed");
        let file = name.replace('*', "any");
        let [certificate, secret] =
            ["pem", "key"].map(|end| self.folder.path().join(format!("{file}.{end}")));
        fs::write(&certificate, signed.pem()).expect("written");
        fs::write(&secret, key.serialize_pem()).expect("written");
        Pair { certificate, key: secret }
    }

    /// A listener in its name that demands certificates of its own.
    async fn listen(&self, tasks: &Tasks) -> (Incoming, SocketAddr) {
        let Pair { certificate, key } = self.issue("localhost");
        let files = ServerFiles { certificate, key, client_ca: Some(self.bundle()) };
        let server = Server::start("the test", Some(files), "h2", tasks).expect("TLS");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        (listen(listener, server, tasks), address)
    }

    /// A client that trusts it, with one of its certificates.
    fn client(&self, name: &str) -> ClientFiles {
        let Pair { certificate, key } = self.issue(name);
        ClientFiles { ca: Some(self.bundle()), certificate: Some(certificate), key: Some(key) }
    }
}

/// Connects, and shows that the connection works in both directions of the handshake: says what is wrong otherwise.
async fn call(files: ClientFiles, host: &str, address: SocketAddr, tasks: &Tasks) -> std::io::Result<u8> {
    let uri: Uri = format!("https://{host}:{}", address.port()).parse().expect("a URI");
    let client = Client::start("the test", files, tasks).expect("TLS");
    let mut connection = client.connector(&uri).expect("a host").call(uri).await?.into_inner();
    connection.write_all(b"?").await?;
    connection.read_u8().await
}

/// Answers every connection with `!`, and says for each whether it is one of `identity`.
async fn answer(mut incoming: Incoming, identity: Identity, seen: tokio::sync::mpsc::UnboundedSender<bool>) {
    while let Some(Ok(mut connection)) = incoming.next().await {
        let _ = seen.send(connection.connect_info().is(identity));
        let _ = connection.write_all(b"!").await;
        let _ = connection.read_u8().await;
    }
}

#[tokio::test]
async fn whoever_shows_a_certificate_of_the_authority_is_who_it_names_and_nobody_else_gets_in() {
    let (tasks, ours, theirs) = (Tasks::default(), Authority::new(), Authority::new());
    let (incoming, address) = ours.listen(&tasks).await;
    let (seen, mut identities) = tokio::sync::mpsc::unbounded_channel();
    tasks.spawn(answer(incoming, Identity::SenderNode, seen));

    for (name, is) in [
        ("sender-node.muster.internal", true),
        ("SENDER-node.muster.internal", true),
        ("gateway.muster.internal", false),
        ("*.muster.internal", false),
        ("sender-node.example", false),
    ] {
        call(ours.client(name), "localhost", address, &tasks).await.expect("an answer");
        assert_eq!(identities.recv().await, Some(is), "{name}");
    }
    let stranger = ClientFiles { ca: Some(ours.bundle()), ..theirs.client("sender-node.muster.internal") };
    let nobody = ClientFiles { ca: Some(ours.bundle()), ..ClientFiles::default() };
    for files in [stranger, nobody] {
        let refused = call(files, "localhost", address, &tasks).await;
        assert!(refused.is_err(), "{refused:?}");
    }
    let mistrust = ClientFiles { ca: Some(theirs.bundle()), ..ours.client("sender-node.muster.internal") };
    let refused = call(mistrust, "localhost", address, &tasks).await.expect_err("no trust");
    assert!(refused.to_string().contains("invalid peer certificate"), "{refused}");
    let client = ours.client("sender-node.muster.internal");
    let refused = call(client, "127.0.0.1", address, &tasks).await.expect_err("another host");
    assert!(refused.to_string().contains("not valid for name"), "{refused}");
    assert!(identities.try_recv().is_err(), "a connection was taken all the same");
}

#[tokio::test]
async fn who_says_nothing_or_speaks_no_tls_holds_up_nobody() {
    let (tasks, ours) = (Tasks::default(), Authority::new());
    let (incoming, address) = ours.listen(&tasks).await;
    let (seen, _identities) = tokio::sync::mpsc::unbounded_channel();
    tasks.spawn(answer(incoming, Identity::Gateway, seen));
    let silent = TcpStream::connect(address).await.expect("connected");
    let mut plain = TcpStream::connect(address).await.expect("connected");
    plain.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.expect("written");
    let answered = call(ours.client("gateway.muster.internal"), "localhost", address, &tasks).await;
    assert_eq!(answered.ok(), Some(b'!'));
    let mut said = Vec::new();
    // What comes is an alert of TLS at most.
    let _ = plain.read_to_end(&mut said).await;
    assert!(said.len() < 16, "{said:?}");
    drop(silent);
}

#[tokio::test]
async fn files_that_cannot_be_used_are_named_and_not_quoted() {
    let (tasks, ours) = (Tasks::default(), Authority::new());
    let (one, other) = (ours.issue("one.example"), ours.issue("other.example"));
    let fault = |certificate: &PathBuf, key: &PathBuf| {
        let files = ServerFiles { certificate: certificate.clone(), key: key.clone(), client_ca: None };
        let error = Server::start("the test", Some(files), "h2", &tasks).expect_err("unusable");
        format!("{error:#}")
    };
    let mismatched = fault(&one.certificate, &other.key);
    assert!(mismatched.contains("other.example.key do not go together"), "{mismatched}");
    let swapped = fault(&one.key, &one.certificate);
    assert!(swapped.contains("no certificate") && swapped.contains("one.example.key"), "{swapped}");
    let missing = fault(&one.certificate, &ours.folder.path().join("none.key"));
    assert!(missing.contains("cannot read the key in") && missing.contains("none.key"), "{missing}");
    let secret = fs::read_to_string(&one.key).expect("read");
    fs::write(&one.key, secret.replace("-----END", "=-----EN")).expect("written");
    let broken = fault(&one.certificate, &one.key);
    assert!(broken.contains("one.example.key") && !broken.contains(&secret[40..60]), "{broken}");

    let half = ClientFiles { key: None, ..ours.client("gateway.muster.internal") };
    let error = Client::start("the test", half, &tasks).expect_err("half a pair");
    assert!(format!("{error:#}").contains("needs `tls.key`"), "{error:#}");
}

#[test]
fn a_certificate_may_name_several() {
    let parameters = [Identity::SenderNode, Identity::Gateway].map(|identity| identity.name().to_owned());
    let key = KeyPair::generate().expect("a key");
    let signed = CertificateParams::new(parameters).expect("names").self_signed(&key).expect("signed");
    let certificate = CertificateDer::from_pem_slice(signed.pem().as_bytes()).expect("a certificate");
    assert_eq!(Identity::of(&certificate), [Identity::SenderNode, Identity::Gateway]);
}
