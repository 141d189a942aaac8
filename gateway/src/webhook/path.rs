//! Where a webhook came to.

use http::Uri;

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
}
