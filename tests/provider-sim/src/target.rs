//! Where webhooks go: a URL taken apart once, when it is first seen.

/// A URL to post to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// The URL that is signed: as given, without a fragment (Twilio's connection settings).
    url: Box<str>,
    authority_end: usize,
    /// That fragment.
    settings: Box<str>,
}

/// Why nothing can be posted to a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// It is no absolute URL.
    #[error("not an absolute URL")]
    NotAbsolute,
    /// It is no `http` URL.
    #[error("the simulator speaks plain http only")]
    NotHttp,
}

const SCHEME: &str = "http://";

impl Target {
    /// # Errors
    /// Where nothing can be posted there.
    pub(crate) fn parse(url: &str) -> Result<Self, Unusable> {
        let (url, settings) = url.split_once('#').unwrap_or((url, ""));
        let rest = url.strip_prefix(SCHEME).ok_or_else(|| {
            if url.starts_with("https://") { Unusable::NotHttp } else { Unusable::NotAbsolute }
        })?;
        let authority = rest.find(['/', '?']).unwrap_or(rest.len());
        let printable = url.bytes().all(|byte| byte.is_ascii_graphic());
        if authority == 0 || !printable || rest[..authority].contains('@') {
            return Err(Unusable::NotAbsolute);
        }
        let authority_end = SCHEME.len() + authority;
        Ok(Self { url: url.into(), authority_end, settings: settings.into() })
    }

    /// All of it.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// What the fragment sets under `name`.
    pub(crate) fn setting(&self, name: &str) -> Option<&str> {
        self.settings.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    }

    /// Host and port, as the `Host` header has them.
    pub(crate) fn authority(&self) -> &str {
        &self.url[SCHEME.len()..self.authority_end]
    }

    /// Path and query, as the request line has them, where the path is not empty.
    pub(crate) fn path(&self) -> &str {
        &self.url[self.authority_end..]
    }

    /// The value of a query parameter that holds nothing which would have to be decoded.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let (_, query) = self.path().split_once('?')?;
        query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    }

    /// This URL with query parameters changed to other values.
    pub(crate) fn with_parameters(&self, changes: &[(&str, &str)]) -> Self {
        let Some((base, query)) = self.url.split_once('?') else {
            return self.clone();
        };
        let changed = |pair: &str| {
            let name = pair.split_once('=').map_or(pair, |(name, _)| name);
            let change = changes.iter().find(|(changed, _)| *changed == name);
            change.map_or(pair.to_owned(), |(name, value)| format!("{name}={value}"))
        };
        let query: Vec<_> = query.split('&').map(changed).collect();
        let url = format!("{base}?{}", query.join("&"));
        Self { url: url.into(), ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_comes_apart() {
        let target = Target::parse("http://127.0.0.1:80/a/status?m=1&a=2#rc=5").expect("a URL");
        assert_eq!(target.url(), "http://127.0.0.1:80/a/status?m=1&a=2");
        assert_eq!(target.authority(), "127.0.0.1:80");
        assert_eq!(target.path(), "/a/status?m=1&a=2");
        assert_eq!(target.parameter("m"), Some("1"));
        assert_eq!(target.parameter("a"), Some("2"));
        assert_eq!(target.parameter("b"), None);
        assert_eq!((target.setting("rc"), target.setting("rp")), (Some("5"), None));
        let changed = target.with_parameters(&[("m", "7"), ("x", "8")]);
        assert_eq!(changed.url(), "http://127.0.0.1:80/a/status?m=7&a=2");
        assert_eq!(changed.authority(), "127.0.0.1:80");
    }

    #[test]
    fn what_is_no_url_is_told_apart() {
        assert_eq!(Target::parse("https://example.com/"), Err(Unusable::NotHttp));
        for url in ["", "x", "/a", "ftp://a/", "http://", "http:///a", "http://a b/", "http://u@h/"] {
            assert_eq!(Target::parse(url), Err(Unusable::NotAbsolute), "{url}");
        }
    }
}
