//! Where a webhook came to, and which message its URL says it is about.

use http::Uri;
use muster_domain::status::ATTEMPTS_MAX;
use muster_providers::Reference;
use uuid::Uuid;

/// What a webhook path is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Receipts of one message, which the query names.
    Status,
    /// Replies.
    Inbound,
}

impl Kind {
    /// Its name, as metrics spell it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Inbound => "inbound",
        }
    }

    /// The paths that are for it, as metrics spell them.
    pub(super) fn route(self) -> &'static str {
        match self {
            Self::Status => "/webhooks/{token}/status",
            Self::Inbound => "/webhooks/{token}/inbound",
        }
    }
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

/// Reads the query that sender nodes put on callback URLs: `m={message}&a={attempt}`. `None` where it names no
/// attempt that may have been made: the message alone does not say what the receipt is evidence of.
pub(super) fn about(query: &str) -> Option<Reference> {
    let value = |name| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    let message = Uuid::try_parse(value("m")?).ok()?;
    let attempt = value("a")?.parse().ok().filter(|attempt| (1..=ATTEMPTS_MAX).contains(attempt))?;
    Some(Reference { message, attempt })
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
        let found = |attempt| Some(Reference { message, attempt });
        assert_eq!(about(&format!("m={message}&a=2")), found(2));
        assert_eq!(about(&format!("bodySHA256=00&a=2&m={message}")), found(2));
        assert_eq!(about(&format!("m={message}&a={ATTEMPTS_MAX}")), found(ATTEMPTS_MAX));
        for unreadable in ["", "m=", "m=7&a=x", "m=7&a=1", "mm=7", "a", "a=1"] {
            assert_eq!(about(unreadable), None, "{unreadable}");
        }
        let beyond = format!("&a={}", ATTEMPTS_MAX + 1);
        for attempt in ["", "&a", "&a=", "&a=0", "&a=-1", "&a=x", "&a=1.0", "&a=65536", "&a=1%00", &beyond] {
            assert_eq!(about(&format!("m={message}{attempt}")), None, "{attempt}");
        }
    }
}
