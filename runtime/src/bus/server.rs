//! Where NATS is, apart from what proves to it who we are: the address is logged, by us and by the client, and the
//! proof never is.

use std::fmt;

use anyhow::Context as _;
use async_nats::{ConnectOptions, ServerAddr};
use percent_encoding::percent_decode_str;

/// A server of NATS.
pub(super) struct Server {
    /// Its address, without user, password or token.
    pub(super) address: ServerAddr,
    proof: Proof,
}

/// What a URL has before its `@`.
enum Proof {
    None,
    /// `nats://{token}@host`
    Token(String),
    /// `nats://{user}:{password}@host`
    Password(String, String),
}

impl Server {
    /// Reads `nats.url`.
    ///
    /// # Errors
    /// Where it is not a URL of NATS. The error does not show it.
    pub(super) fn read(url: &str) -> anyhow::Result<Self> {
        let read: ServerAddr = url.parse().context("nats.url cannot be read")?;
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let proof = match (read.username(), read.password()) {
            (None, None) => Proof::None,
            (Some(token), None) => Proof::Token(decoded(token)),
            (user, Some(password)) => Proof::Password(decoded(user.unwrap_or_default()), decoded(password)),
        };
        let mut address = read.into_inner();
        let bare = address.set_username("").and_then(|()| address.set_password(None));
        bare.ok().context("nats.url has no host")?;
        Ok(Self { address: ServerAddr::from_url(address)?, proof })
    }

    /// Options that prove who we are. The client does not take it from a URL.
    pub(super) fn options(&self) -> ConnectOptions {
        let options = ConnectOptions::new();
        match &self.proof {
            Proof::None => options,
            Proof::Token(token) => options.token(token.clone()),
            Proof::Password(user, password) => options.user_and_password(user.clone(), password.clone()),
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.address.host(), self.address.port())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_what_proves_who_we_are() {
        let urls = ["nats://us3r:hunter2@nats.example:4333", "tls://hunter2@nats.example:4333"];
        for url in urls {
            let server = Server::read(url).expect("a URL");
            assert_eq!(server.to_string(), "nats.example:4333");
            let shown = format!("{:?}", server.address);
            assert!(!shown.contains("hunter2") && !shown.contains("us3r"), "{shown}");
        }
        let server = Server::read("nats://a:b%40c@h").expect("a URL");
        assert!(matches!(server.proof, Proof::Password(user, password) if user == "a" && password == "b@c"));
        assert_eq!(Server::read("127.0.0.1:4222").expect("an address").to_string(), "127.0.0.1:4222");
    }

    #[test]
    fn an_address_that_cannot_be_read_is_not_shown() {
        for url in ["nats://us3r:hunter2", "http://us3r:hunter2@nats.example", "nats://us3r:hunter2@"] {
            let error = Server::read(url).err().map(|error| format!("{error:#} {error:?}"));
            assert!(error.is_some_and(|error| !error.contains("hunter2")), "{url}");
        }
    }
}
