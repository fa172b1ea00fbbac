//! Fetches a small document over HTTP: the keys of tokens.
//!
//! **Absent on purpose:** redirects, proxies, cookies and compression. The address is the operator's,
//! and what answers there must be it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::ClientConfig;

use super::tls;
use crate::telemetry::metrics::label::{Dependency, Failure, Operation};
use crate::telemetry::metrics::list::{DEPENDENCY_DURATION, DEPENDENCY_FAILURES};

/// Why a document could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The address is not one, or is plain HTTP to another machine, where anybody between could
    /// exchange the keys.
    #[error("`{0}` is not an `https://` address, nor an `http://` one of this machine")]
    Address(String),
    /// The authorities cannot be read.
    #[error("read the authorities in `{}` (key auth.jwks_ca_file): {problem}", path.display())]
    Authorities {
        /// The file.
        path: PathBuf,
        /// Why.
        problem: String,
    },
    /// The authorities of the system cannot be had.
    #[error("take the authorities of the system")]
    SystemAuthorities(#[source] std::io::Error),
    /// TLS cannot be set up.
    #[error("set up TLS")]
    Tls(#[source] rustls::Error),
    /// It does not answer.
    #[error("ask {url}")]
    Request {
        /// The address.
        url: String,
        /// Why.
        #[source]
        source: hyper_util::client::legacy::Error,
    },
    /// It does not answer in time.
    #[error("{url} did not answer within {}ms", within.as_millis())]
    Late {
        /// The address.
        url: String,
        /// The time.
        within: Duration,
    },
    /// It answers something else.
    #[error("{url} answered {status}")]
    Status {
        /// The address.
        url: String,
        /// Its status.
        status: StatusCode,
    },
    /// The answer is broken off or too long.
    #[error("read the answer of {url}: broken off, or longer than {limit} bytes")]
    Body {
        /// The address.
        url: String,
        /// The longest answer.
        limit: usize,
    },
}

/// Fetches one document.
pub(super) struct Fetcher {
    url: Uri,
    client: Client<HttpsConnector<HttpConnector>, Empty<&'static [u8]>>,
    timeout: Duration,
}

impl Fetcher {
    pub(super) fn new(
        url: &str,
        ca_file: Option<&Path>,
        timeout: Duration,
    ) -> Result<Self, FetchError> {
        let bad = || FetchError::Address(url.to_owned());
        let uri: Uri = url.parse().map_err(|_| bad())?;
        if !is_safe(&uri) {
            return Err(bad());
        }
        let builder = ClientConfig::builder_with_provider(tls::provider())
            .with_safe_default_protocol_versions()
            .map_err(FetchError::Tls)?;
        let builder = match ca_file {
            Some(path) => {
                let authorities = |problem| FetchError::Authorities {
                    path: path.to_owned(),
                    problem,
                };
                let pem = std::fs::read(path).map_err(|error| authorities(error.to_string()))?;
                builder.with_root_certificates(tls::roots(&pem).map_err(authorities)?)
            }
            None => builder
                .with_native_roots()
                .map_err(FetchError::SystemAuthorities)?,
        };
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(builder.with_no_client_auth())
            .https_or_http()
            .enable_http1()
            .build();
        // Fetches are minutes apart: a connection that is kept would only be found broken.
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(0)
            .build(connector);
        Ok(Self {
            url: uri,
            client,
            timeout,
        })
    }

    /// The document, of at most `limit` octets.
    pub(super) async fn get(&self, limit: usize) -> Result<Vec<u8>, FetchError> {
        let begun = Instant::now();
        let fetched = self.fetch(limit).await;
        DEPENDENCY_DURATION.observe((Dependency::Issuer, Operation::Fetch), begun.elapsed());
        if let Err(error) = &fetched {
            DEPENDENCY_FAILURES.inc((Dependency::Issuer, failure(error)));
        }
        fetched
    }

    async fn fetch(&self, limit: usize) -> Result<Vec<u8>, FetchError> {
        let url = || self.url.to_string();
        let fetch = async {
            let mut request = Request::new(Empty::new());
            *request.uri_mut() = self.url.clone();
            let answer = self
                .client
                .request(request)
                .await
                .map_err(|source| FetchError::Request { url: url(), source })?;
            let status = answer.status();
            if status != StatusCode::OK {
                return Err(FetchError::Status { url: url(), status });
            }
            let body = Limited::new(answer.into_body(), limit).collect().await;
            let body = body.map_err(|_| FetchError::Body { url: url(), limit })?;
            Ok(body.to_bytes().to_vec())
        };
        match tokio::time::timeout(self.timeout, fetch).await {
            Ok(fetched) => fetched,
            Err(_) => Err(FetchError::Late {
                url: url(),
                within: self.timeout,
            }),
        }
    }
}

/// How a fetch failed.
fn failure(error: &FetchError) -> Failure {
    match error {
        FetchError::Late { .. } => Failure::Timeout,
        FetchError::Request { .. } => Failure::Unavailable,
        FetchError::Status { status, .. } if status.is_server_error() => Failure::Unavailable,
        FetchError::Address(_)
        | FetchError::Authorities { .. }
        | FetchError::Body { .. }
        | FetchError::Status { .. }
        | FetchError::SystemAuthorities(_)
        | FetchError::Tls(_) => Failure::Failed,
    }
}

/// Whether nobody between here and there can exchange what is fetched.
fn is_safe(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    // An IPv6 address stands in brackets.
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let here = host == "localhost"
        || address
            .parse()
            .is_ok_and(|address: std::net::IpAddr| address.is_loopback());
    // A user and password in the address would be shown in logs.
    let plain = uri
        .authority()
        .is_some_and(|authority| !authority.as_str().contains('@'));
    plain
        && !host.is_empty()
        && match uri.scheme_str() {
            Some("https") => true,
            Some("http") => here,
            Some(_) | None => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_this_machine_only() {
        let safe = |text: &str| text.parse().is_ok_and(|uri| is_safe(&uri));
        for text in [
            "https://id.example/keys",
            "http://127.0.0.1:8000/keys",
            "http://[::1]/keys",
            "http://localhost/keys",
        ] {
            assert!(safe(text), "{text}");
        }
        for text in [
            "",
            "/keys",
            "id.example/keys",
            "http://id.example/keys",
            "http://10.0.0.1/keys",
            "http://localhost.example/keys",
            "https://user:secret@id.example/keys",
            "file:///etc/keys",
            "ftp://id.example/keys",
        ] {
            assert!(!safe(text), "{text}");
        }
    }
}
