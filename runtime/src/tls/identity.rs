//! Which of our own processes has a certificate. The authority that signed it says so, by a DNS name among its
//! subject's alternative names, and nobody else can.

use rustls::pki_types::CertificateDer;

/// A kind of process of our own that calls others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// A sender node.
    SenderNode,
    /// A gateway.
    Gateway,
}

impl Identity {
    /// All of them.
    const ALL: [Self; 2] = [Self::SenderNode, Self::Gateway];

    /// The DNS name that says so. It is resolved nowhere: `.internal` belongs to no one.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SenderNode => "sender-node.muster.internal",
            Self::Gateway => "gateway.muster.internal",
        }
    }

    /// Whom a certificate that was verified belongs to. A wildcard names nobody.
    pub(super) fn of(certificate: &CertificateDer<'_>) -> Vec<Self> {
        let Ok(certificate) = webpki::EndEntityCert::try_from(certificate) else { return Vec::new() };
        let names: Vec<&str> = certificate.valid_dns_names().collect();
        let named = |identity: &Self| names.iter().any(|name| name.eq_ignore_ascii_case(identity.name()));
        Self::ALL.into_iter().filter(named).collect()
    }
}
