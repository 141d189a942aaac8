//! Certificates of a run: an authority of its own, what it signs, and how to call whoever shows it.

mod dial;
mod front;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

pub use self::dial::{Dial, shown};
pub use self::front::PostgresFront;

/// What every listener on loopback is called.
pub const LOOPBACK: [&str; 2] = ["localhost", "127.0.0.1"];
/// What a sender node is called.
pub const SENDER_NODE: [&str; 1] = ["sender-node.muster.internal"];
/// What a gateway is called.
pub const GATEWAY: [&str; 1] = ["gateway.muster.internal"];

/// An authority, with a folder for its own certificate and all that it signs.
#[derive(Debug)]
pub struct Authority {
    folder: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, as files.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl Authority {
    /// A new authority. One that had the folder before is replaced.
    pub fn create(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let key = KeyPair::generate()?;
        let mut parameters = CertificateParams::new([])?;
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Whoever searches for an issuer does so by its name.
        let number: String = key.public_key_raw().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        parameters.distinguished_name.push(DnType::CommonName, format!("authority {number}"));
        let certificate = parameters.self_signed(&key)?;
        let authority = Self { folder: folder.to_owned(), issuer: Issuer::new(parameters, key) };
        replace(&authority.bundle(), &certificate.pem())?;
        Ok(authority)
    }

    /// Its folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its own certificate: whoever trusts it trusts all that it signs.
    #[must_use]
    pub fn bundle(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// A certificate for these names, in files named after `file`. One that was there before is replaced.
    pub fn issue(&self, file: &str, names: &[&str]) -> Result<Pair> {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let key = KeyPair::generate()?;
        let signed = CertificateParams::new(names)?.signed_by(&key, &self.issuer)?;
        let pair = self.pair(file);
        replace(&pair.certificate, &signed.pem())?;
        replace(&pair.key, &key.serialize_pem())?;
        Ok(pair)
    }

    /// Where the certificate named after `file` is.
    #[must_use]
    pub fn pair(&self, file: &str) -> Pair {
        let [certificate, key] = ["pem", "key"].map(|end| self.folder.join(format!("{file}.{end}")));
        Pair { certificate, key }
    }
}

/// Puts a whole file into the place of another, as what mounts secrets does.
fn replace(path: &Path, content: &str) -> Result<()> {
    let draft = path.with_extension("draft");
    fs::write(&draft, content)?;
    fs::rename(&draft, path).with_context(|| format!("cannot replace {}", path.display()))
}
