//! URLs that lead inside, however they say it.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

const BOUNDS: Bounds = Bounds { bytes_max: 1_000, within: Duration::from_secs(5) };
/// A public address that nobody answers at.
const PUBLIC: [u8; 4] = [198, 41, 0, 4];

/// URLs that must never be asked, whatever their names resolve to.
const EVIL: &[&str] = &[
    // Not TLS, or not HTTP at all.
    "http://example.com/a.png",
    "ftp://example.com/a.png",
    "file:///etc/passwd",
    "gopher://127.0.0.1:25/",
    "data:text/plain,hello",
    "javascript:alert(1)",
    "//example.com/a.png",
    "example.com",
    "",
    "https://",
    // Somebody's name in front, to look like another host.
    "https://api.twilio.com@127.0.0.1/",
    "https://user:password@example.com/",
    "https://api.twilio.com%40127.0.0.1/",
    // Other doors of a public host.
    "https://example.com:22/",
    "https://example.com:8443/",
    "https://example.com:80/",
    // Loopback, in all its spellings.
    "https://127.0.0.1/",
    "https://127.1/",
    "https://127.0.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0177.0.0.1/",
    "https://017700000001/",
    "https://0/",
    "https://127.0.0.1./",
    "https://１２７.０.０.１/",
    "https://127。0。0。1/",
    "https:\\\\127.0.0.1\\",
    "https://[::1]/",
    "https://[0:0:0:0:0:0:0:1]/",
    "https://[::]/",
    // IPv4 in the clothes of IPv6.
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[::127.0.0.1]/",
    "https://[64:ff9b::127.0.0.1]/",
    "https://[64:ff9b::a9fe:a9fe]/",
    "https://[2002:7f00:1::]/",
    "https://[2001:0:4136:e378:8000:63bf:80ff:fffe]/",
    // Metadata of clouds.
    "https://169.254.169.254/latest/meta-data/",
    "https://2852039166/latest/meta-data/",
    "https://0xa9fea9fe/",
    "https://0251.0376.0251.0376/",
    "https://[fd00:ec2::254]/",
    "https://[::ffff:169.254.169.254]/",
    "https://100.100.100.200/",
    "https://192.0.0.192/",
    "https://168.63.129.16/",
    // Neighbours.
    "https://10.0.0.1/",
    "https://172.16.0.1/",
    "https://172.31.255.255/",
    "https://192.168.1.1/",
    "https://100.64.0.1/",
    "https://[fe80::1]/",
    "https://[fe80::1%25eth0]/",
    "https://[fc00::1]/",
    "https://[fec0::1]/",
    // Nobody in particular.
    "https://255.255.255.255/",
    "https://224.0.0.1/",
    "https://[ff02::1]/",
    "https://192.0.2.1/",
    "https://198.51.100.1/",
    "https://203.0.113.1/",
    "https://[2001:db8::1]/",
    "https://0.0.0.0/",
    "https://198.18.0.1/",
];

/// Names mean what `answers` says, one after another; the last one stays.
fn guard(trusted: &[String], answers: Vec<Vec<IpAddr>>) -> (Guard, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let (answers, counted) = (Mutex::new(answers), Arc::clone(&asked));
    let lookup = move |_name: String| -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        counted.fetch_add(1, Ordering::Relaxed);
        let mut answers = answers.lock().expect("no panic before");
        let found = if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() };
        async move { Ok(found.into_iter().map(|address| SocketAddr::new(address, 0)).collect()) }.boxed()
    };
    (Guard::resolving(trusted, Arc::new(lookup)).expect("a guard"), asked)
}

async fn fetched(guard: &Guard, url: &str) -> Result<Fetched, Failed> {
    guard.fetch(guard.url(url)?, None, BOUNDS).await
}

/// Answers each connection with the next of `answers`, and remembers what was asked.
async fn host(answers: Vec<String>) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let place = listener.local_addr().expect("an address").to_string();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let requests = Arc::clone(&asked);
    #[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
    tokio::spawn(async move {
        for answer in answers {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut request = vec![0; 4_096];
            let read = stream.read(&mut request).await.expect("a request");
            let request = String::from_utf8_lossy(&request[..read]).to_lowercase();
            requests.lock().expect("no panic before").push(request);
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    (place, asked)
}

fn redirect(to: &str) -> String {
    format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
}

fn body(body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}

#[tokio::test]
async fn no_evil_url_is_asked() {
    assert!(EVIL.len() >= 40);
    let (guard, asked) = guard(&[], vec![vec![Ipv4Addr::LOCALHOST.into()]]);
    for url in EVIL {
        let failed = fetched(&guard, url).await.expect_err(url);
        assert!(matches!(failed, Failed::Refused(_)), "{url}: {failed}");
    }
    assert_eq!(asked.load(Ordering::Relaxed), 0, "one was looked up");
}

#[tokio::test]
async fn a_name_with_any_address_inside_is_refused() {
    let public = IpAddr::from(PUBLIC);
    let inside =
        ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "::ffff:10.0.0.1", "fd00:ec2::254", "64:ff9b::1"];
    for inside in inside {
        let inside: IpAddr = inside.parse().expect("an address");
        for found in [vec![inside], vec![public, inside], vec![inside, public]] {
            let (guard, _) = guard(&[], vec![found]);
            let failed = fetched(&guard, "https://images.example/a.png").await.expect_err("inside");
            assert!(matches!(failed, Failed::Refused(Refused::Address)), "{inside}: {failed}");
        }
    }
}

#[tokio::test]
async fn a_name_is_resolved_once_so_that_it_cannot_change_after_it_was_judged() {
    let (public, loopback) = (IpAddr::from(PUBLIC), IpAddr::from(Ipv4Addr::LOCALHOST));
    let (guard, asked) = guard(&[], vec![vec![public], vec![loopback]]);
    let url = guard.url("https://rebinding.example/").expect("it looks harmless");
    let bounds = Bounds { within: Duration::from_millis(300), ..BOUNDS };
    let failed = guard.fetch(url.clone(), None, bounds).await.expect_err("nobody is there");
    assert!(matches!(failed, Failed::Late | Failed::Unreachable(_)), "{failed}");
    assert_eq!(asked.load(Ordering::Relaxed), 1, "it was looked up again for the connection");
    let failed = guard.fetch(url, None, bounds).await.expect_err("inside");
    assert!(matches!(failed, Failed::Refused(Refused::Address)), "{failed}");
}

#[tokio::test]
async fn a_redirect_is_judged_as_if_somebody_had_sent_it() {
    let inside = [
        "http://127.0.0.1/",
        "https://127.0.0.1/",
        "http://169.254.169.254/latest/",
        "https://[::1]/",
        "https://localhost/",
        "file:///etc/passwd",
        "//10.0.0.1/",
        "https://user@example.com/",
    ];
    for inside in inside {
        let (place, asked) = host(vec![redirect(inside)]).await;
        let (guard, _) = guard(std::slice::from_ref(&place), vec![vec![Ipv4Addr::LOCALHOST.into()]]);
        let failed = fetched(&guard, &format!("http://{place}/")).await.expect_err(inside);
        assert!(matches!(failed, Failed::Refused(_)), "{inside}: {failed}");
        assert_eq!(asked.lock().expect("no panic before").len(), 1);
    }
}

#[tokio::test]
async fn what_is_trusted_is_trusted_with_its_port_alone_and_redirects_lose_the_credentials() {
    let (last, asked_last) = host(vec![body("here")]).await;
    let (first, asked_first) = host(vec![redirect("/again"), redirect(&format!("http://{last}/"))]).await;
    let trusted = [first.clone(), last.clone()];
    let (guard, _) = guard(&trusted, vec![vec![Ipv4Addr::LOCALHOST.into()]]);
    let url = guard.url(&format!("http://{first}/a")).expect("trusted");
    let authorization = HeaderValue::from_static("Basic secret");
    let Fetched { content_type, body } =
        guard.fetch(url, Some(authorization), BOUNDS).await.expect("the end");
    assert_eq!((content_type.as_deref(), &body[..]), (Some("text/plain"), &b"here"[..]));
    let first = asked_first.lock().expect("no panic before");
    assert!(
        first[0].contains("authorization: basic secret") && !first[1].contains("authorization"),
        "{first:?}"
    );
    assert!(!asked_last.lock().expect("no panic before")[0].contains("authorization"));
    let host = trusted[0].split(':').next().expect("a host");
    assert_eq!(guard.url(&format!("http://{host}/")), Err(Refused::Scheme));
    assert!(Guard::new(&["127.0.0.1".to_owned()]).is_err() && Guard::new(&["a b:80".to_owned()]).is_err());
}

#[tokio::test]
async fn redirects_sizes_and_times_have_an_end() {
    let (place, _) = host(vec![redirect("/again"); 8]).await;
    let trusted = [place.clone()];
    let (around, _) = guard(&trusted, vec![vec![]]);
    let failed = fetched(&around, &format!("http://{place}/")).await.expect_err("in circles");
    assert!(matches!(failed, Failed::Redirects), "{failed}");

    let long = "x".repeat(BOUNDS.bytes_max + 1);
    let unsaid = format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{long}");
    let silent = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nx".to_owned();
    let missing = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_owned();
    let (place, _) = host(vec![body(&long), unsaid, missing, silent]).await;
    let trusted = [place.clone()];
    let (guard, _) = guard(&trusted, vec![vec![]]);
    let url = format!("http://{place}/");
    for _ in 0..2 {
        let failed = fetched(&guard, &url).await.expect_err("too large");
        assert!(matches!(failed, Failed::TooLarge), "{failed}");
    }
    let failed = fetched(&guard, &url).await.expect_err("missing");
    assert!(matches!(failed, Failed::Status(StatusCode::NOT_FOUND)), "{failed}");
    let failed = fetched(&guard, &url).await.expect_err("broken off");
    assert!(matches!(failed, Failed::Unreachable(_) | Failed::Late), "{failed}");
}
