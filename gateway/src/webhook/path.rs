//! Where a webhook came to, and which message its URL says it is about.

use http::Uri;
use uuid::Uuid;

/// What a webhook path is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Receipts of one message, which the query names.
    Status,
    /// Replies.
    Inbound,
}

/// A webhook path: `/webhooks/{token}/status` or `/webhooks/{token}/inbound`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Path<'a> {
    /// The unguessable part.
    pub(super) token: &'a str,
    /// What it is for.
    pub(super) kind: Kind,
}

impl<'a> Path<'a> {
    /// Reads the path of `uri`. `None`: it is no webhook's.
    pub(super) fn read(uri: &'a Uri) -> Option<Self> {
        let (token, kind) = uri.path().strip_prefix("/webhooks/")?.split_once('/')?;
        let kind = match kind {
            "status" => Kind::Status,
            "inbound" => Kind::Inbound,
            _ => return None,
        };
        Some(Self { token, kind })
    }
}

/// The message that a receipt is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct About {
    /// The message; `None` where the query does not say.
    pub(super) message: Option<Uuid>,
    /// The attempt; 0 where the query does not say.
    pub(super) attempt: u32,
}

/// Reads the query that sender nodes put on callback URLs: `m={message}&a={attempt}`.
pub(super) fn about(query: &str) -> About {
    let value = |name| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    About {
        message: value("m").and_then(|message| Uuid::try_parse(message).ok()),
        attempt: value("a").and_then(|attempt| attempt.parse().ok()).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_its_two_paths() {
        let read = |uri: &'static str| Path::read(&Uri::from_static(uri)).map(|path| path.kind);
        assert_eq!(read("/webhooks/abc/status?m=1"), Some(Kind::Status));
        assert_eq!(read("/webhooks/abc/inbound"), Some(Kind::Inbound));
        for other in ["/", "/webhooks/abc", "/webhooks/abc/status/", "/webhooks/a/b/status", "/abc/status"] {
            assert_eq!(read(other), None, "{other}");
        }
    }

    #[test]
    fn reads_the_message_and_the_attempt_or_neither() {
        let message = Uuid::from_u128(7);
        let found = About { message: Some(message), attempt: 2 };
        assert_eq!(about(&format!("m={message}&a=2")), found);
        assert_eq!(about(&format!("bodySHA256=00&a=2&m={message}")), found);
        for unreadable in ["", "m=", "m=7&a=x", "mm=7", "a"] {
            assert_eq!(about(unreadable), About { message: None, attempt: 0 }, "{unreadable}");
        }
    }
}
