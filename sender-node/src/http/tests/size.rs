//! No answer is read beyond its bound, however it hides its size.

use super::*;

/// What an answer with this beginning, and then `x` without an end, comes to.
async fn endless(begin: &'static [u8], more: &'static [u8]) -> Failure {
    let (url, _) = server(async move |mut stream| {
        read_request(&mut stream).await;
        let _ = stream.write_all(begin).await;
        while stream.write_all(more).await.is_ok() {}
    })
    .await;
    // Far more time than it takes to read what may be read, and no answer ends before that by itself.
    let pool = Pool::new(Duration::from_secs(20)).expect("TLS");
    pool.call(request(&url), &soon()).await.expect_err("too large")
}

#[tokio::test]
async fn a_body_without_an_end_is_unreadable() {
    let until_closed = endless(b"HTTP/1.1 201 Created\r\n\r\n", &[b'x'; 1024]).await;
    assert_eq!(until_closed, Failure::Unknown("unreadable"));
    let in_chunks =
        endless(b"HTTP/1.1 201 Created\r\ntransfer-encoding: chunked\r\n\r\n", b"4\r\nxxxx\r\n").await;
    assert_eq!(in_chunks, Failure::Unknown("unreadable"));
}

#[tokio::test]
async fn a_head_without_an_end_is_unreadable() {
    let in_one_line = endless(b"HTTP/1.1 201 Created\r\nx: ", &[b'x'; 1024]).await;
    assert_eq!(in_one_line, Failure::Unknown("unreadable"));
    let in_many_lines = endless(b"HTTP/1.1 201 Created\r\n", b"x: x\r\n").await;
    assert_eq!(in_many_lines, Failure::Unknown("unreadable"));
}
