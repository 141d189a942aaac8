//! TLS from files: what listeners show and demand, what clients trust and show. The files are read again while the
//! service runs, and new connections use what is in them; while they cannot be used, the last good ones stay.
//!
//! There is no switch that turns verification off.

mod client;
mod connection;
mod identity;
mod listen;
mod live;
mod pem;
mod server;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use serde::Deserialize;

pub use self::client::{Client, Connector, system_roots};
pub use self::connection::{Connection, Peer};
pub use self::identity::Identity;
pub use self::listen::{Incoming, listen};
pub use self::server::Server;

/// The files of a listener.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerFiles {
    /// The certificate that it shows, with those between it and its authority, as PEM.
    pub certificate: PathBuf,
    /// The key of the certificate, as PEM.
    pub key: PathBuf,
    /// The authorities of whose clients one certificate is demanded, as PEM; without it none is.
    pub client_ca: Option<PathBuf>,
}

/// The files of a listener that takes nobody without a certificate.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MutualServerFiles {
    /// The certificate that it shows, with those between it and its authority, as PEM.
    pub certificate: PathBuf,
    /// The key of the certificate, as PEM.
    pub key: PathBuf,
    /// The authorities of its clients' certificates, as PEM.
    pub client_ca: PathBuf,
}

impl From<MutualServerFiles> for ServerFiles {
    fn from(files: MutualServerFiles) -> Self {
        let MutualServerFiles { certificate, key, client_ca } = files;
        Self { certificate, key, client_ca: Some(client_ca) }
    }
}

/// The files of a client.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientFiles {
    /// The authorities that servers' certificates must come from, as PEM; without it, those of the system.
    pub ca: Option<PathBuf>,
    /// The certificate that we show, as PEM, where the server asks for one.
    pub certificate: Option<PathBuf>,
    /// The key of the certificate, as PEM.
    pub key: Option<PathBuf>,
}

/// The files of a client that proves who it is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MutualClientFiles {
    /// The authorities that the server's certificate must come from, as PEM.
    pub ca: PathBuf,
    /// The certificate that says who we are, with those between it and its authority, as PEM.
    pub certificate: PathBuf,
    /// The key of the certificate, as PEM.
    pub key: PathBuf,
}

impl From<MutualClientFiles> for ClientFiles {
    fn from(files: MutualClientFiles) -> Self {
        let MutualClientFiles { ca, certificate, key } = files;
        Self { ca: Some(ca), certificate: Some(certificate), key: Some(key) }
    }
}
