//! One HTTP/1.1 connection that posts webhooks, written out by hand: it costs a fraction of a general client,
//! and the simulator must cost far less than what it drives.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::dialect::Letter;
use crate::target::Target;

/// An answer to a webhook is a status and a few words.
const ANSWER_BYTES_MAX: usize = 64 << 10;
const HEADERS_MAX: usize = 32;

/// A connection to one host, made when it is first needed and again when it is lost.
pub(crate) struct Connection {
    authority: Box<str>,
    stream: Option<TcpStream>,
    /// The request.
    out: Vec<u8>,
    /// The answer.
    answer: Vec<u8>,
}

/// The head of an answer.
struct Head {
    status: u16,
    /// Head and body together; `None` where only the end of the connection ends the body.
    bytes: Option<usize>,
    keep_alive: bool,
}

impl Connection {
    pub(crate) fn new(authority: &str) -> Self {
        Self { authority: authority.into(), stream: None, out: Vec::new(), answer: Vec::new() }
    }

    /// Writes the request that the next [`Connection::exchange`] makes.
    pub(crate) fn write(&mut self, target: &Target, content_type: &str, letter: &Letter) {
        let out = &mut self.out;
        out.clear();
        let length = letter.body.len();
        let path = target.path();
        let root = if path.starts_with('/') { "" } else { "/" };
        for part in ["POST ", root, path, " HTTP/1.1\r\nHost: ", target.authority(), "\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
        for part in ["Content-Type: ", content_type, "\r\n", &letter.headers, "Content-Length: "] {
            out.extend_from_slice(part.as_bytes());
        }
        out.extend_from_slice(length.to_string().as_bytes());
        out.extend_from_slice(b"\r\nAccept: */*\r\n\r\n");
        out.extend_from_slice(letter.body.as_bytes());
    }

    /// Makes the request; the status of its answer. Dropped halfway, it leaves no connection behind that an
    /// answer too late could still arrive on.
    pub(crate) async fn exchange(&mut self) -> io::Result<u16> {
        if let Some(stream) = self.stream.take() {
            match self.exchange_over(stream).await {
                // A kept connection that the other side has closed meanwhile: that is no failure.
                Err(_) if self.answer.is_empty() => {}
                answer => return answer,
            }
        }
        let stream = TcpStream::connect(&*self.authority).await?;
        stream.set_nodelay(true)?;
        self.exchange_over(stream).await
    }

    async fn exchange_over(&mut self, mut stream: TcpStream) -> io::Result<u16> {
        self.answer.clear();
        stream.write_all(&self.out).await?;
        let head = loop {
            let read = stream.read_buf(&mut self.answer).await?;
            match Head::parse(&self.answer)? {
                Some(head) => break head,
                None if read == 0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                None if self.answer.len() > ANSWER_BYTES_MAX => return Err(io::ErrorKind::InvalidData.into()),
                None => {}
            }
        };
        let Some(bytes) = head.bytes.filter(|bytes| head.keep_alive && *bytes <= ANSWER_BYTES_MAX) else {
            return Ok(head.status);
        };
        while self.answer.len() < bytes {
            if stream.read_buf(&mut self.answer).await? == 0 {
                return Ok(head.status);
            }
        }
        self.stream = Some(stream);
        Ok(head.status)
    }
}

impl Head {
    fn parse(answer: &[u8]) -> io::Result<Option<Self>> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut response = httparse::Response::new(&mut headers);
        let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, error);
        let head_bytes = match response.parse(answer).map_err(invalid)? {
            httparse::Status::Partial => return Ok(None),
            httparse::Status::Complete(bytes) => bytes,
        };
        let status = response.code.unwrap_or_default();
        let value = |name: &str| {
            let header = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
            header.and_then(|header| str::from_utf8(header.value).ok())
        };
        let length = match status {
            204 | 304 => Some(0),
            _ => value("content-length").and_then(|length| length.trim().parse::<usize>().ok()),
        };
        let keep_alive = value("connection").is_none_or(|value| !value.eq_ignore_ascii_case("close"));
        Ok(Some(Self { status, bytes: length.map(|length| head_bytes.saturating_add(length)), keep_alive }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(answer: &str) -> Option<(u16, Option<usize>, bool)> {
        let head = Head::parse(answer.as_bytes()).expect("an answer")?;
        Some((head.status, head.bytes, head.keep_alive))
    }

    #[test]
    fn heads_are_read() {
        assert_eq!(head("HTTP/1.1 204 No Content\r\n"), None);
        assert_eq!(head("HTTP/1.1 204 No Content\r\n\r\n"), Some((204, Some(27), true)));
        let ok = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nConnection: close\r\n\r\n";
        assert_eq!(head(ok), Some((200, Some(ok.len() + 2), false)));
        assert_eq!(head("HTTP/1.1 200 OK\r\n\r\n"), Some((200, None, true)));
        assert!(Head::parse(b"not HTTP at all\r\n\r\n").is_err());
    }
}
