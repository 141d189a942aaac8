//! What the wire does, and what we make of it, against a server that answers byte by byte.

mod phases;
mod size;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::window::Stopped;

const OK: &[u8] = b"HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\nok";

/// A server that does `serve` with each connection, and counts them.
async fn server<S, F>(serve: S) -> (String, Arc<AtomicUsize>)
where
    S: Fn(TcpStream) -> F + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/send", listener.local_addr().expect("bound"));
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = connections.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(serve(stream));
        }
    });
    (url, connections)
}

/// Reads one whole request; `None` at the end of the connection.
async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut request = String::new();
    while !request.ends_with("hello") {
        let mut buffer = [0; 1024];
        let read = stream.read(&mut buffer).await.ok().filter(|read| *read > 0)?;
        request.push_str(&String::from_utf8_lossy(&buffer[..read]));
    }
    Some(request)
}

fn pool() -> Pool {
    Pool::new(Duration::from_millis(300)).expect("TLS")
}

fn request(url: &str) -> Request<Bytes> {
    Request::post(url).body(Bytes::from_static(b"hello")).expect("a request")
}

fn soon() -> Window {
    Window::of_claim(clock::instant(), Stopped::default())
}

async fn answers_once(mut stream: TcpStream, answer: &'static [u8]) {
    if read_request(&mut stream).await.is_some() {
        stream.write_all(answer).await.expect("written");
    }
}

#[tokio::test]
async fn one_connection_serves_many_calls() {
    let (url, connections) = server(async |mut stream| {
        while let Some(request) = read_request(&mut stream).await {
            assert!(request.starts_with("POST /send HTTP/1.1\r\n"), "{request}");
            assert!(request.contains("host: 127.0.0.1:"), "{request}");
            stream.write_all(OK).await.expect("written");
        }
    })
    .await;
    let pool = pool();
    for _ in 0..20 {
        let reply = pool.call(request(&url), &soon()).await.expect("answered");
        assert_eq!((reply.status, &reply.body[..]), (StatusCode::CREATED, &b"ok"[..]));
    }
    assert_eq!(connections.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn refused_connections_and_failed_handshakes_were_not_sent() {
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("bound");
    let call = pool().call(request(&format!("http://{closed}/")), &soon()).await;
    assert_eq!(call.expect_err("refused"), Failure::NotSent("connect"));

    let (url, _) = server(async |mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 400 no TLS here\r\n\r\n").await;
    })
    .await;
    let call = pool().call(request(&url.replace("http:", "https:")), &soon()).await;
    assert_eq!(call.expect_err("no TLS"), Failure::NotSent("connect"));
}

#[tokio::test]
async fn what_breaks_after_the_request_is_unknown() {
    for (answer, failure) in [
        (&b""[..], "reset"),
        (b"HTTP/1.1 201 Cre", "reset"),
        (b"HTTP/1.1 201 Created\r\ncontent-length: 9\r\n\r\nok", "reset"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "unreadable"),
    ] {
        let (url, connections) = server(move |stream| answers_once(stream, answer)).await;
        let call = pool().call(request(&url), &soon()).await;
        assert_eq!(call.expect_err("broken"), Failure::Unknown(failure), "{answer:?}");
        assert_eq!(connections.load(Ordering::Relaxed), 1, "one request, never a second");
    }
}

#[tokio::test]
async fn a_reset_while_answering_is_unknown() {
    let (url, _) = server(async |mut stream| {
        read_request(&mut stream).await;
        stream.set_zero_linger().expect("set");
    })
    .await;
    let call = pool().call(request(&url), &soon()).await;
    assert_eq!(call.expect_err("reset"), Failure::Unknown("reset"));
}

#[tokio::test]
async fn silence_is_unknown() {
    let (url, _) = server(async |mut stream| {
        read_request(&mut stream).await;
        std::future::pending::<()>().await;
    })
    .await;
    assert_eq!(pool().call(request(&url), &soon()).await.expect_err("silence"), Failure::Unknown("timeout"));
}

#[tokio::test]
async fn a_stale_connection_is_replaced_without_a_second_request() {
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = requests.clone();
    let (url, connections) = server(move |mut stream| {
        let counted = counted.clone();
        async move {
            if read_request(&mut stream).await.is_some() {
                counted.fetch_add(1, Ordering::Relaxed);
                stream.write_all(OK).await.expect("written");
            }
        }
    })
    .await;
    let pool = pool();
    for _ in 0..3 {
        pool.call(request(&url), &soon()).await.expect("answered");
        // The server closes after each answer without saying so. Wait until that has arrived.
        let kept = pool.idle.lock().expect("no panic").values().map(Vec::len).sum::<usize>();
        assert!(kept <= 1);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(requests.load(Ordering::Relaxed), 3);
    assert_eq!(connections.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_unreadable() {
    let (url, _) = server(async |mut stream| {
        read_request(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 201 Created\r\ncontent-length: 100000\r\n\r\n").await;
        let _ = stream.write_all(&[b'x'; 100_000]).await;
    })
    .await;
    assert_eq!(pool().call(request(&url), &soon()).await.expect_err("large"), Failure::Unknown("unreadable"));
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_not_followed() {
    for status in [301, 302, 303, 307, 308] {
        let (target, followed) = server(async |stream| answers_once(stream, OK).await).await;
        let (url, _) = server(move |mut stream| {
            let answer =
                format!("HTTP/1.1 {status} Elsewhere\r\nlocation: {target}\r\ncontent-length: 0\r\n\r\n");
            async move {
                read_request(&mut stream).await;
                stream.write_all(answer.as_bytes()).await.expect("written");
            }
        })
        .await;
        let reply = pool().call(request(&url), &soon()).await.expect("answered");
        assert_eq!(reply.status, status);
        assert_eq!(followed.load(Ordering::Relaxed), 0, "{status}");
    }
}

/// A server may say that it has not looked at a request, and that it may come again at once. What it says is not what
/// it did: that is for the provider's documented codes to decide, and nothing is sent again meanwhile.
#[tokio::test]
async fn no_answer_makes_a_second_request() {
    for status in ["408 Request Timeout", "421 Misdirected Request", "425 Too Early", "429 Slow", "503 Busy"]
    {
        let requests = Arc::new(AtomicUsize::new(0));
        let counted = requests.clone();
        let (url, _) = server(move |mut stream| {
            let counted = counted.clone();
            async move {
                while read_request(&mut stream).await.is_some() {
                    counted.fetch_add(1, Ordering::Relaxed);
                    let answer = format!("HTTP/1.1 {status}\r\nretry-after: 0\r\ncontent-length: 0\r\n\r\n");
                    stream.write_all(answer.as_bytes()).await.expect("written");
                }
            }
        })
        .await;
        pool().call(request(&url), &soon()).await.expect("answered");
        assert_eq!(requests.load(Ordering::Relaxed), 1, "{status}");
    }
}

/// An idle connection on which the request was written, and that then breaks, is not replaced: only one that turns out
/// to be closed before anything is written is.
#[tokio::test]
async fn a_kept_connection_that_breaks_under_a_request_makes_no_second_one() {
    let (url, connections) = server(async |mut stream| {
        read_request(&mut stream).await;
        stream.write_all(OK).await.expect("written");
        read_request(&mut stream).await;
    })
    .await;
    let pool = pool();
    pool.call(request(&url), &soon()).await.expect("answered");
    let broken = pool.call(request(&url), &soon()).await;
    assert_eq!(broken.expect_err("broken"), Failure::Unknown("reset"));
    assert_eq!(connections.load(Ordering::Relaxed), 1, "one request, never a second");
}

#[tokio::test]
async fn a_connection_that_the_server_wants_closed_is_not_kept() {
    let answer = b"HTTP/1.1 201 Created\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";
    let (url, _) = server(move |stream| answers_once(stream, answer)).await;
    let pool = pool();
    pool.call(request(&url), &soon()).await.expect("answered");
    assert!(pool.idle.lock().expect("no panic").values().all(Vec::is_empty));
}

#[tokio::test]
async fn past_the_deadline_nothing_is_sent() {
    let (url, _) = server(async |mut stream| {
        assert!(read_request(&mut stream).await.is_none(), "nothing may be written");
    })
    .await;
    let over = clock::instant() - Duration::from_secs(10);
    let call = pool().call(request(&url), &Window::of_claim(over, Stopped::default())).await;
    assert_eq!(call.expect_err("too late"), Failure::Late);
}

#[tokio::test]
async fn idle_connections_are_swept() {
    let (url, _) = server(async |mut stream| {
        while read_request(&mut stream).await.is_some() {
            stream.write_all(OK).await.expect("written");
        }
    })
    .await;
    let pool = pool();
    pool.call(request(&url), &soon()).await.expect("answered");
    pool.sweep();
    let mut idle = pool.idle.lock().expect("no panic");
    let kept = idle.values_mut().flatten().next().expect("young, so kept");
    kept.since -= IDLE_MAX;
    drop(idle);
    pool.sweep();
    assert!(pool.idle.lock().expect("no panic").is_empty());
}

#[test]
fn only_http_origins_without_credentials_are_called() {
    for url in ["/send", "ftp://host/", "http://user:secret@host/"] {
        assert!(connect::prepare(request(url)).is_none(), "{url}");
    }
}
