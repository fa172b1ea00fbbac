//! A collector of OpenTelemetry that takes whatever is sent over gRPC and keeps nothing; and a
//! Prometheus that reads metrics and keeps nothing.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Request, Response};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::wire::PREFIX;

/// How often metrics are read: fifteen times as often as the shipped configuration has it.
const SCRAPE: Duration = Duration::from_secs(1);

/// Whoever reads telemetry; stops with the value.
#[derive(Debug)]
pub struct Readers {
    tasks: JoinSet<()>,
    /// Where the collector listens.
    pub collector: SocketAddr,
}

impl Readers {
    /// Starts a collector on a free port.
    ///
    /// # Errors
    ///
    /// There is none.
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let collector = listener.local_addr()?;
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(async move {
                    // A connection that breaks is the sender's to tell of.
                    let _ = collect(stream).await;
                });
            }
        });
        Ok(Self { tasks, collector })
    }

    /// Reads the metrics of a server, as Prometheus does, from now on.
    pub fn scrape(&mut self, http: SocketAddr) {
        self.tasks.spawn(async move {
            let mut turns = tokio::time::interval(SCRAPE);
            loop {
                turns.tick().await;
                // A server that has ended is told of by whoever loads it.
                let _ = read_metrics(http).await;
            }
        });
    }
}

async fn collect(stream: TcpStream) -> anyhow::Result<()> {
    let mut connection = h2::server::handshake(stream).await?;
    while let Some(accepted) = connection.accept().await {
        let (request, answer) = accepted?;
        tokio::spawn(take(request, answer));
    }
    Ok(())
}

/// Takes a message, and says that all of it was taken.
async fn take(
    request: Request<h2::RecvStream>,
    mut answer: h2::server::SendResponse<Bytes>,
) -> anyhow::Result<()> {
    let mut body = request.into_body();
    while let Some(data) = body.data().await {
        body.flow_control().release_capacity(data?.len())?;
    }
    let mut head = Response::new(());
    let grpc = HeaderValue::from_static("application/grpc");
    head.headers_mut().insert(CONTENT_TYPE, grpc);
    let mut sender = answer.send_response(head, false)?;
    sender.send_data(Bytes::from_static(&[0; PREFIX]), false)?;
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    sender.send_trailers(trailers)?;
    Ok(())
}

/// Reads them once; answers the text.
///
/// # Errors
///
/// Nobody answers.
pub async fn read_metrics(http: SocketAddr) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(http).await?;
    let request = "GET /metrics HTTP/1.1\r\nhost: metrics\r\nconnection: close\r\n\
                   accept: application/openmetrics-text; version=1.0.0\r\n\r\n";
    stream.write_all(request.as_bytes()).await?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    Ok(text)
}
