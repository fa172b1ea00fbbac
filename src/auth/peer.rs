//! Who is at the other end of a connection.

use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use rustls::pki_types::CertificateDer;

use super::{Caller, Refusal};

/// The other end of a connection. Copies are of one connection, and cheap.
#[derive(Clone, Debug)]
pub struct Peer(Arc<Connection>);

#[derive(Debug)]
struct Connection {
    address: SocketAddr,
    /// Of its verified certificate; `None` where it showed none.
    names: Option<Vec<String>>,
    resolved: ArcSwapOption<Resolved>,
}

/// Whom the certificate names, by one state of the file of callers.
#[derive(Debug)]
pub(super) struct Resolved {
    pub(super) generation: u64,
    pub(super) caller: Result<Arc<Caller>, Refusal>,
}

impl Peer {
    /// The other end, and the certificate that it has proven to own.
    #[must_use]
    pub fn new(address: SocketAddr, certificate: Option<&CertificateDer<'_>>) -> Self {
        Self(Arc::new(Connection {
            address,
            names: certificate.map(names),
            resolved: ArcSwapOption::empty(),
        }))
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// Names of its certificate, as the file of callers writes them: `dns:…` and `spiffe://…`.
    /// `None` where it showed no certificate.
    #[must_use]
    pub fn names(&self) -> Option<&[String]> {
        self.0.names.as_deref()
    }

    /// The caller that its certificate was last found to name.
    #[must_use]
    pub fn caller(&self) -> Option<Arc<Caller>> {
        let resolved = self.0.resolved.load();
        resolved.as_ref()?.caller.as_ref().ok().map(Arc::clone)
    }

    pub(super) fn resolved(&self) -> &ArcSwapOption<Resolved> {
        &self.0.resolved
    }
}

/// Names in the subject alternative names of a certificate. The common name is not one: it is free
/// text, and no authority vouches for what it looks like.
fn names(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok(certificate) = webpki::EndEntityCert::try_from(certificate) else {
        return Vec::new();
    };
    let hosts = certificate
        .valid_dns_names()
        .map(|name| format!("dns:{}", name.to_ascii_lowercase()));
    let identities = certificate
        .valid_uri_names()
        .filter(|uri| uri.starts_with("spiffe://"))
        .map(str::to_owned);
    hosts.chain(identities).collect()
}
