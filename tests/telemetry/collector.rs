//! A receiver of OTLP, over gRPC and over HTTP, that keeps what it gets.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use rcgen::{CertificateParams, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tonic::transport::{Identity, ServerTlsConfig};
use tonic::{Request, Response, Status};

use crate::servers::gate::until;

/// Everything that was received.
#[derive(Clone, Default)]
pub(crate) struct Received {
    requests: Arc<Mutex<Vec<ExportTraceServiceRequest>>>,
    /// Values of the header `authorization`.
    shown: Arc<Mutex<Vec<String>>>,
}

/// A receiver that listens; it ends with the runtime of the test.
pub(crate) struct Collector {
    pub(crate) address: SocketAddr,
    pub(crate) received: Received,
}

impl Collector {
    pub(crate) async fn grpc() -> Self {
        Self::grpc_at(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub(crate) fn grpc_at(listener: TcpListener) -> Self {
        let (address, received) = (listener.local_addr().unwrap(), Received::default());
        let serving = tonic::transport::Server::builder()
            .add_service(TraceServiceServer::new(received.clone()))
            .serve_with_incoming(tokio_stream::wrappers::TcpListenerStream::new(listener));
        tokio::runtime::Handle::current().spawn(serving);
        Self { address, received }
    }

    /// Over TLS, with a certificate for this machine; the certificate is its own authority.
    pub(crate) async fn grpc_encrypted() -> (Self, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, received) = (listener.local_addr().unwrap(), Received::default());
        let (cert, key) = certificate();
        let identity = Identity::from_pem(cert.pem(), key.serialize_pem());
        let serving = tonic::transport::Server::builder()
            .tls_config(ServerTlsConfig::new().identity(identity))
            .unwrap()
            .add_service(TraceServiceServer::new(received.clone()))
            .serve_with_incoming(tokio_stream::wrappers::TcpListenerStream::new(listener));
        tokio::runtime::Handle::current().spawn(serving);
        (Self { address, received }, cert.pem())
    }

    pub(crate) async fn http_encrypted() -> (Self, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, received) = (listener.local_addr().unwrap(), Received::default());
        let (cert, key) = certificate();
        let provider = rustls::crypto::ring::default_provider();
        let config = ServerConfig::builder_with_provider(provider.into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![cert.der().clone()],
                PrivateKeyDer::Pkcs8(key.serialize_der().into()),
            )
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let keeping = received.clone();
        tokio::runtime::Handle::current().spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (keeping, acceptor) = (keeping.clone(), acceptor.clone());
                tokio::runtime::Handle::current().spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        converse(stream, keeping).await;
                    }
                });
            }
        });
        (Self { address, received }, cert.pem())
    }

    pub(crate) async fn http() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, received) = (listener.local_addr().unwrap(), Received::default());
        let keeping = received.clone();
        tokio::runtime::Handle::current().spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let keeping = keeping.clone();
                tokio::runtime::Handle::current().spawn(converse(stream, keeping));
            }
        });
        Self { address, received }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Received {
    pub(crate) fn spans(&self) -> Vec<Span> {
        let requests = self.requests.lock().unwrap();
        let groups = requests.iter().flat_map(|request| &request.resource_spans);
        let scopes = groups.flat_map(|group| &group.scope_spans);
        scopes.flat_map(|scope| scope.spans.clone()).collect()
    }

    /// The spans of a trace, once its first span is there: they come together.
    pub(crate) async fn trace(&self, what: &str, first: impl Fn(&Span) -> bool) -> Vec<Span> {
        until(what, async || {
            let spans = self.spans();
            let root = spans.iter().find(|span| first(span))?;
            let own = |span: &&Span| span.trace_id == root.trace_id;
            Some(spans.iter().filter(own).cloned().collect())
        })
        .await
    }

    pub(crate) fn resource(&self) -> Vec<KeyValue> {
        let requests = self.requests.lock().unwrap();
        let resource = requests[0].resource_spans[0].resource.clone();
        resource.unwrap().attributes
    }

    pub(crate) fn shown(&self) -> Vec<String> {
        self.shown.lock().unwrap().clone()
    }

    /// Everything as text, in small letters.
    pub(crate) fn text(&self) -> String {
        format!("{:?}", self.requests.lock().unwrap()).to_lowercase()
    }

    fn keep(&self, request: ExportTraceServiceRequest, authorization: Option<&str>) {
        let shown = authorization.map(str::to_owned);
        self.shown.lock().unwrap().extend(shown);
        self.requests.lock().unwrap().push(request);
    }
}

#[tonic::async_trait]
impl TraceService for Received {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let authorization = request.metadata().get("authorization").cloned();
        let authorization = authorization.as_ref().map(|value| value.to_str().unwrap());
        self.keep(request.into_inner(), authorization);
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

/// An attribute as text.
pub(crate) fn attribute(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    let value = found.value.as_ref()?.value.as_ref()?;
    Some(match value {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
        Value::BoolValue(truth) => truth.to_string(),
        Value::ArrayValue(array) => {
            let values = array.values.iter().map(|value| match &value.value {
                Some(Value::StringValue(text)) => text.clone(),
                other => panic!("{other:?}"),
            });
            values.collect::<Vec<_>>().join(",")
        }
        Value::DoubleValue(_)
        | Value::KvlistValue(_)
        | Value::BytesValue(_)
        | Value::StringValueStrindex(_) => panic!("{value:?}"),
    })
}

fn certificate() -> (rcgen::Certificate, KeyPair) {
    let key = KeyPair::generate().unwrap();
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let params = CertificateParams::new(names).unwrap();
    (params.self_signed(&key).unwrap(), key)
}

/// Answers posts on a connection.
async fn converse(mut stream: impl AsyncRead + AsyncWrite + Unpin, keeping: Received) {
    let mut taken = Vec::new();
    loop {
        let head = loop {
            if let Some(end) = taken.windows(4).position(|four| four == b"\r\n\r\n") {
                break end;
            }
            if stream.read_buf(&mut taken).await.unwrap_or(0) == 0 {
                return;
            }
        };
        let text = String::from_utf8(taken[..head].to_vec()).unwrap();
        let header = |name: &str| {
            let lines = text.lines().skip(1).filter_map(|line| line.split_once(':'));
            let mut found = lines.filter(|(key, _)| key.eq_ignore_ascii_case(name));
            found.next().map(|(_, value)| value.trim().to_owned())
        };
        let length: usize = header("content-length").unwrap().parse().unwrap();
        while taken.len() < head + 4 + length {
            if stream.read_buf(&mut taken).await.unwrap_or(0) == 0 {
                return;
            }
        }
        let rest = taken.split_off(head + 4 + length);
        let body = taken.split_off(head + 4);
        taken = rest;
        let right = text.starts_with("POST /v1/traces HTTP/1.1")
            && header("content-type").as_deref() == Some("application/x-protobuf");
        let status = if right { "200 OK" } else { "400 Bad Request" };
        if right {
            let request = ExportTraceServiceRequest::decode(body.as_slice()).unwrap();
            keeping.keep(request, header("authorization").as_deref());
        }
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}
