//! The collector: sends OTLP messages over gRPC, or in protobuf over HTTP.
//!
//! **Absent on purpose:** the exporter and the SDK of OpenTelemetry, which read the environment
//! behind the configuration and count nothing of what they drop (ADR 13); redirects and proxies.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::MetadataMap;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Status};
use tonic_prost::ProstCodec;

use crate::config::{Otlp, OtlpEndpoint, OtlpProtocol};

/// Longest answer of a collector, in octets.
const LONGEST_ANSWER: usize = 64 * 1024;

/// Most characters of what a collector says that are repeated.
const LONGEST_SAYING: usize = 200;

/// What is wrong with the keys of the section `otlp`.
#[derive(Debug, thiserror::Error)]
pub enum OtlpError {
    /// The address is not one.
    #[error("use `{endpoint}` (key otlp.endpoint): {problem}")]
    Endpoint {
        /// As configured.
        endpoint: String,
        /// What is wrong.
        problem: String,
    },
    /// A file cannot be read.
    #[error("read `{}` (key {key})", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The key that names it.
        key: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A line of the file of headers is not a header. What stands there is a secret, and not shown.
    #[error("read line {line} of `{}` (key otlp.headers_file): give `name: value`", path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// The file of authorities holds no certificate, or a broken one.
    #[error("read the authorities in `{}` (key otlp.ca_file): {problem}", path.display())]
    Authorities {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// Headers would be shown to whoever listens on the way.
    #[error(
        "`{endpoint}` (key otlp.endpoint) is not encrypted: the headers of otlp.headers_file are \
         shown only to a collector with `https://`, or on this machine"
    )]
    Plain {
        /// As configured.
        endpoint: String,
    },
    /// TLS cannot be set up.
    #[error("set up TLS for the collector (key otlp.endpoint)")]
    Tls(#[source] rustls::Error),
    /// The authorities of the system cannot be had.
    #[error("take the authorities of the system; or give otlp.ca_file")]
    SystemAuthorities(#[source] std::io::Error),
}

/// Why the collector did not take a message.
#[derive(Debug, thiserror::Error)]
pub(super) enum SendError {
    /// It said nothing in time.
    #[error("send to {endpoint}: no answer within {} ms", within.as_millis())]
    Late { endpoint: String, within: Duration },
    /// It cannot be reached, or broke off.
    #[error("send to {endpoint}: {problem}")]
    Unreachable { endpoint: String, problem: String },
    /// It said no.
    #[error("send to {endpoint}: it answered {answer}")]
    Refused {
        endpoint: String,
        answer: String,
        /// Whether it may take it later.
        passing: bool,
    },
}

impl SendError {
    /// Whether it may go better later.
    pub(super) const fn is_passing(&self) -> bool {
        match self {
            Self::Late { .. } | Self::Unreachable { .. } => true,
            Self::Refused { passing, .. } => *passing,
        }
    }
}

/// A kind of message, and where it goes.
struct Signal {
    method: &'static str,
    path: &'static str,
}

const METRICS: Signal = Signal {
    method: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    path: "/v1/metrics",
};

const TRACES: Signal = Signal {
    method: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    path: "/v1/traces",
};

/// A collector. Nothing is connected to before something is sent.
pub(super) struct Collector {
    /// As configured; it holds no password.
    endpoint: String,
    timeout: Duration,
    headers: HeaderMap,
    wire: Wire,
}

enum Wire {
    Grpc(Grpc<Channel>),
    Http(Client<HttpsConnector<HttpConnector>, Full<Bytes>>),
}

impl std::fmt::Debug for Collector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Headers are secrets.
        f.debug_struct("Collector")
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

impl Collector {
    /// The collector that is configured.
    pub(super) fn new(endpoint: &OtlpEndpoint, config: &Otlp) -> Result<Self, OtlpError> {
        let endpoint = endpoint.as_str().to_owned();
        let bad = |problem: String| OtlpError::Endpoint {
            endpoint: endpoint.clone(),
            problem,
        };
        let uri: Uri = endpoint
            .parse()
            .map_err(|error: http::uri::InvalidUri| bad(error.to_string()))?;
        let encrypted = uri.scheme_str() == Some("https");
        let headers = match &config.headers_file {
            Some(_) if !encrypted && !is_here(&uri) => {
                return Err(OtlpError::Plain { endpoint });
            }
            Some(path) => headers(path)?,
            None => HeaderMap::new(),
        };
        let pem = match &config.ca_file {
            Some(path) => Some((path, read(path, "otlp.ca_file")?)),
            None => None,
        };
        let roots = match &pem {
            Some((path, pem)) => {
                let roots = roots(pem).map_err(|problem| OtlpError::Authorities {
                    path: (*path).clone(),
                    problem,
                })?;
                Some(roots)
            }
            None => None,
        };
        let wire = match config.protocol {
            OtlpProtocol::Grpc => {
                let channel = Endpoint::from(uri).connect_timeout(config.timeout);
                let channel = if encrypted {
                    let tls = ClientTlsConfig::new();
                    let tls = match &pem {
                        Some((_, pem)) => tls.ca_certificate(Certificate::from_pem(pem)),
                        None => tls.with_native_roots(),
                    };
                    channel
                        .tls_config(tls)
                        .map_err(|error| bad(chain(&error)))?
                } else {
                    channel
                };
                Wire::Grpc(Grpc::new(channel.connect_lazy()))
            }
            OtlpProtocol::Http => Wire::Http(client(roots)?),
        };
        Ok(Self {
            endpoint,
            timeout: config.timeout,
            headers,
            wire,
        })
    }

    /// Sends traces; tells how many spans were not taken of them.
    pub(super) async fn traces(
        &self,
        request: &ExportTraceServiceRequest,
    ) -> Result<i64, SendError> {
        let answer: ExportTraceServiceResponse = self.send(&TRACES, request).await?;
        Ok(answer
            .partial_success
            .map_or(0, |partial| partial.rejected_spans))
    }

    /// Sends metrics; tells how many points were not taken of them.
    pub(super) async fn metrics(
        &self,
        request: &ExportMetricsServiceRequest,
    ) -> Result<i64, SendError> {
        let answer: ExportMetricsServiceResponse = self.send(&METRICS, request).await?;
        Ok(answer
            .partial_success
            .map_or(0, |partial| partial.rejected_data_points))
    }

    async fn send<M, A>(&self, signal: &Signal, message: &M) -> Result<A, SendError>
    where
        M: Message + Clone + 'static,
        A: Message + Default + 'static,
    {
        let sending = async {
            match &self.wire {
                Wire::Grpc(grpc) => self.call(grpc.clone(), signal, message).await,
                Wire::Http(client) => self.post(client, signal, message).await,
            }
        };
        match tokio::time::timeout(self.timeout, sending).await {
            Ok(sent) => sent,
            Err(_) => Err(SendError::Late {
                endpoint: self.endpoint.clone(),
                within: self.timeout,
            }),
        }
    }

    async fn call<M, A>(
        &self,
        mut grpc: Grpc<Channel>,
        signal: &Signal,
        message: &M,
    ) -> Result<A, SendError>
    where
        M: Message + Clone + 'static,
        A: Message + Default + 'static,
    {
        grpc.ready().await.map_err(|error| self.away(&error))?;
        let mut request = tonic::Request::new(message.clone());
        *request.metadata_mut() = MetadataMap::from_headers(self.headers.clone());
        let codec = ProstCodec::<M, A>::default();
        let path = PathAndQuery::from_static(signal.method);
        let answer = grpc.unary(request, path, codec).await;
        Ok(answer.map_err(|status| self.refused(&status))?.into_inner())
    }

    async fn post<M, A>(
        &self,
        client: &Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
        signal: &Signal,
        message: &M,
    ) -> Result<A, SendError>
    where
        M: Message,
        A: Message + Default,
    {
        let request = Request::post(format!("{}{}", self.endpoint, signal.path))
            .body(Full::new(Bytes::from(message.encode_to_vec())));
        let mut request = request.map_err(|error| self.away(&error))?;
        let headers = request.headers_mut();
        headers.clone_from(&self.headers);
        let protobuf = HeaderValue::from_static("application/x-protobuf");
        headers.insert(http::header::CONTENT_TYPE, protobuf);
        let answer = client.request(request).await;
        let answer = answer.map_err(|error| self.away(&error))?;
        let status = answer.status();
        if !status.is_success() {
            return Err(SendError::Refused {
                endpoint: self.endpoint.clone(),
                answer: status.to_string(),
                passing: [
                    StatusCode::TOO_MANY_REQUESTS,
                    StatusCode::BAD_GATEWAY,
                    StatusCode::SERVICE_UNAVAILABLE,
                    StatusCode::GATEWAY_TIMEOUT,
                ]
                .contains(&status),
            });
        }
        let body = Limited::new(answer.into_body(), LONGEST_ANSWER);
        let body = body.collect().await;
        // It has taken the message; what else it says need not be understood.
        let body = body.map(http_body_util::Collected::to_bytes);
        Ok(A::decode(body.unwrap_or_default()).unwrap_or_default())
    }

    fn away(&self, error: &(dyn std::error::Error + 'static)) -> SendError {
        SendError::Unreachable {
            endpoint: self.endpoint.clone(),
            problem: chain(error),
        }
    }

    fn refused(&self, status: &Status) -> SendError {
        let code = status.code();
        let said: String = status.message().chars().take(LONGEST_SAYING).collect();
        SendError::Refused {
            endpoint: self.endpoint.clone(),
            answer: format!("{code:?}: {said}"),
            // As the protocol has it.
            passing: matches!(
                code,
                Code::Cancelled
                    | Code::DeadlineExceeded
                    | Code::ResourceExhausted
                    | Code::Aborted
                    | Code::OutOfRange
                    | Code::Unavailable
                    | Code::DataLoss
            ),
        }
    }
}

fn client(
    roots: Option<RootCertStore>,
) -> Result<Client<HttpsConnector<HttpConnector>, Full<Bytes>>, OtlpError> {
    let provider = rustls::crypto::ring::default_provider();
    let builder = ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .map_err(OtlpError::Tls)?;
    let builder = match roots {
        Some(roots) => builder.with_root_certificates(roots),
        None => builder
            .with_native_roots()
            .map_err(OtlpError::SystemAuthorities)?,
    };
    let connector = hyper_rustls::HttpsConnectorBuilder::new()
        .with_tls_config(builder.with_no_client_auth())
        .https_or_http()
        .enable_http1()
        .build();
    Ok(Client::builder(TokioExecutor::new()).build(connector))
}

/// Headers of a file: `name: value` a line; empty lines and those with `#` before them say nothing.
fn headers(path: &Path) -> Result<HeaderMap, OtlpError> {
    let text = read(path, "otlp.headers_file")?;
    let text = String::from_utf8_lossy(&text);
    let mut headers = HeaderMap::new();
    for (number, line) in (1..).zip(text.lines().map(str::trim)) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, value) = header(line).ok_or_else(|| OtlpError::Header {
            path: path.to_owned(),
            line: number,
        })?;
        headers.append(name, value);
    }
    Ok(headers)
}

fn header(line: &str) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = line.split_once(':')?;
    let name = name.trim().parse().ok()?;
    let mut value: HeaderValue = value.trim().parse().ok()?;
    value.set_sensitive(true);
    Some((name, value))
}

fn roots(pem: &[u8]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    if roots.is_empty() {
        return Err("there is no certificate in it; give one in PEM form".to_owned());
    }
    Ok(roots)
}

fn read(path: &Path, key: &'static str) -> Result<Vec<u8>, OtlpError> {
    std::fs::read(path).map_err(|source| OtlpError::File {
        path: path.to_owned(),
        key,
        source,
    })
}

/// Whether an address is one of this machine.
fn is_here(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    // An IPv6 address stands in brackets.
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || address
            .parse()
            .is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

/// An error with all its causes.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_lines_and_secrets() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("headers");
        std::fs::write(&path, "# for the collector\n\nauthorization: Bearer a:b \n")
            .expect("write");
        let read = headers(&path).expect("headers");
        assert_eq!(read["authorization"], "Bearer a:b");
        assert!(!format!("{read:?}").contains("Bearer"));
        for wrong in ["secret", "a b: secret", ": secret", "a: sec\u{7}ret"] {
            std::fs::write(&path, format!("x: y\n{wrong}\n")).expect("write");
            let error = headers(&path).expect_err(wrong);
            assert!(
                matches!(error, OtlpError::Header { line: 2, .. }),
                "{wrong}"
            );
            assert!(!format!("{error} {error:?}").contains("secret"), "{wrong}");
        }
    }

    #[test]
    fn this_machine_is_known() {
        for (text, here) in [
            ("http://127.0.0.1:4317", true),
            ("http://[::1]:4317", true),
            ("http://localhost:4317", true),
            ("http://10.0.0.1:4317", false),
            ("http://localhost.example:4317", false),
        ] {
            assert_eq!(is_here(&text.parse().expect(text)), here, "{text}");
        }
    }
}
