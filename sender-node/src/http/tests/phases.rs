//! Every phase of a call has an end: a server that stands still in any of them costs one call, of which we know
//! exactly as much as the phase says. Where a phase takes seconds, the clock of tokio runs ahead instead.

use tokio::net::TcpSocket;
use tokio::time::Instant;

use super::*;

/// More than the buffers of two sockets hold.
const LARGE: usize = 16 * 1024 * 1024;

/// Makes a call that must end within `within`, on the clock of tokio.
async fn ends(request: Request<Bytes>, within: Duration) -> Failure {
    let begun = Instant::now();
    let failure = pool().call(request, &soon()).await.expect_err("the server stands still");
    assert!(begun.elapsed() <= within, "{failure:?} only after {:?}", begun.elapsed());
    failure
}

/// The time for a call in these tests, with some room.
const CALL: Duration = Duration::from_secs(2);
/// The time for a connection, with some room.
const CONNECT: Duration = Duration::from_secs(6);

#[tokio::test]
async fn a_connection_that_is_never_made_was_not_sent() {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(([127, 0, 0, 1], 0).into()).expect("a port");
    let listener = socket.listen(1).expect("listening");
    let address = listener.local_addr().expect("bound");
    // Nobody accepts: soon the queue is full, and connections are not answered any more.
    let mut waiting = Vec::new();
    let patience = Duration::from_millis(200);
    while let Ok(connected) = tokio::time::timeout(patience, TcpStream::connect(address)).await {
        waiting.push(connected.expect("connected"));
        assert!(waiting.len() < 100, "the queue is never full");
    }
    tokio::time::pause();
    let failure = ends(request(&format!("http://{address}/send")), CONNECT).await;
    assert_eq!(failure, Failure::NotSent("connect"));
}

#[tokio::test]
async fn a_handshake_that_is_never_finished_was_not_sent() {
    let (url, connections) = server(async |stream| {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    tokio::time::pause();
    let failure = ends(request(&url.replace("http:", "https:")), CONNECT).await;
    assert_eq!(failure, Failure::NotSent("connect"));
    assert!(connections.load(Ordering::Relaxed) <= 1);
}

#[tokio::test]
async fn a_request_that_nobody_reads_to_its_end_is_unknown() {
    let (url, _) = server(async |mut stream| {
        stream.read_u8().await.expect("the request begins");
        std::future::pending::<()>().await;
    })
    .await;
    let large = Request::post(url).body(Bytes::from(vec![b'x'; LARGE])).expect("a request");
    assert_eq!(ends(large, CALL).await, Failure::Unknown("timeout"));
}

#[tokio::test]
async fn an_answer_that_stops_in_its_head_or_its_body_is_unknown() {
    for begun in
        [&b"HTTP/1.1 201 Created\r\ncontent-le"[..], b"HTTP/1.1 201 Created\r\ncontent-length: 9\r\n\r\nok"]
    {
        let (url, _) = server(async move |mut stream| {
            read_request(&mut stream).await;
            stream.write_all(begun).await.expect("written");
            std::future::pending::<()>().await;
        })
        .await;
        assert_eq!(ends(request(&url), CALL).await, Failure::Unknown("timeout"));
    }
}

#[tokio::test]
async fn an_answer_that_trickles_for_ever_is_unknown() {
    let (url, _) = server(async |mut stream| {
        read_request(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 201 Created\r\ncontent-length: 60000\r\n\r\n").await;
        while stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    assert_eq!(ends(request(&url), CALL).await, Failure::Unknown("timeout"));
}
