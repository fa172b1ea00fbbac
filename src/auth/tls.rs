//! What TLS needs: certificate, key, and the authority of the callers' certificates.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

use super::expiry::ends_at;
use crate::telemetry::metrics::list::CERTIFICATE;

/// The protocol of gRPC, as TLS agrees upon it.
const PROTOCOL: &[u8] = b"h2";

/// The contents of the files of TLS, in PEM form.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct TlsTexts {
    /// The certificate, then those that lead up to an authority.
    pub(super) chain: Vec<u8>,
    /// Its key.
    pub(super) key: Vec<u8>,
    /// Authorities of callers' certificates; `None`: callers show none.
    pub(super) client_authorities: Option<Vec<u8>>,
}

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file of authorities holds no certificate, or a broken one.
    #[error("read the authorities of callers (key grpc.client_ca_file): {0}")]
    Authorities(String),
    /// The file of the certificate holds none, or a broken one.
    #[error("read the certificate (key grpc.tls_cert_file): {0}")]
    Certificate(String),
    /// The file of the key holds none, or a broken one.
    #[error("read the key (key grpc.tls_key_file): {0}")]
    Key(String),
    /// Certificate and key do not belong together, or are of a kind that is not supported.
    #[error("use the certificate with its key (keys grpc.tls_cert_file and grpc.tls_key_file)")]
    Pair(#[source] rustls::Error),
}

/// The settings of TLS for new connections. With `optional`, callers may show no certificate, and
/// are to show a token then.
///
/// Each set has a memory of sessions of its own, so that nobody resumes, under new authorities, a
/// session that old ones allowed.
pub(super) fn server_config(texts: &TlsTexts, optional: bool) -> Result<ServerConfig, TlsError> {
    let chain = certificates(&texts.chain).map_err(TlsError::Certificate)?;
    let key = PrivateKeyDer::from_pem_slice(&texts.key).map_err(|error| {
        // What the parser says names the form, and never what is inside.
        TlsError::Key(error.to_string())
    })?;
    let ends = chain.first().and_then(|certificate| ends_at(certificate));
    let provider = provider();
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Pair)?;
    let builder = match &texts.client_authorities {
        None => builder.with_no_client_auth(),
        Some(authorities) => {
            let roots = Arc::new(roots(authorities).map_err(TlsError::Authorities)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
            let verifier = if optional {
                verifier.allow_unauthenticated()
            } else {
                verifier
            };
            let verifier = verifier
                .build()
                .map_err(|error| TlsError::Authorities(error.to_string()))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(TlsError::Pair)?;
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    if let Some(ends) = ends {
        CERTIFICATE.set((), ends.as_duration().as_secs_f64());
    }
    Ok(config)
}

/// The cryptography of all TLS of this program.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Authorities of a file in PEM form; an empty or broken file is an error.
pub(super) fn roots(pem: &[u8]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem)? {
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    Ok(roots)
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let certificates = certificates.map_err(|error| error.to_string())?;
    if certificates.is_empty() {
        return Err("there is no certificate in it; give one in PEM form".to_owned());
    }
    Ok(certificates)
}
