//! Reading certificates and keys. Errors name the file, and never quote it.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, anyhow, ensure};
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::{self, PemObject};
use rustls::sign::CertifiedKey;

/// A certificate with its key.
///
/// # Errors
/// Where one of them cannot be read, or the two do not belong together.
pub(super) fn pair(
    certificate: &Path,
    key: &Path,
    provider: &CryptoProvider,
) -> anyhow::Result<Arc<CertifiedKey>> {
    let chain = certificates(certificate)?;
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable(error, "key", key))?;
    let pair = CertifiedKey::from_der(chain, secret, provider)
        .with_context(|| format!("{} and {} do not go together", certificate.display(), key.display()))?;
    Ok(Arc::new(pair))
}

/// The authorities in a bundle.
///
/// # Errors
/// Where it cannot be read, or one of them is no authority.
pub(super) fn authorities(bundle: &Path) -> anyhow::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(bundle)? {
        roots
            .add(certificate)
            .with_context(|| format!("no certificate authority, in {}", bundle.display()))?;
    }
    Ok(roots)
}

fn certificates(path: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = read.map_err(|error| unreadable(error, "certificate", path))?;
    ensure!(!certificates.is_empty(), "no certificate in {}", path.display());
    Ok(certificates)
}

/// The parser's own words may quote what it read.
fn unreadable(error: pem::Error, what: &str, path: &Path) -> anyhow::Error {
    let path = path.display();
    if let pem::Error::Io(error) = error {
        return anyhow!(error).context(format!("cannot read the {what} in {path}"));
    }
    anyhow!("there is no {what} as PEM in {path}")
}
