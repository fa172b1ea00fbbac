//! A gRPC client straight on HTTP/2, so that the load generator takes little of the cores that it
//! shares with the server.
//!
//! **Invariant:** a call succeeds only if its trailers say `grpc-status: 0`.

use std::net::SocketAddr;

use anyhow::{Context as _, bail, ensure};
use bytes::{Buf as _, Bytes, BytesMut};
use h2::client::SendRequest;
use h2::{RecvStream, SendStream};
use http::header::{CONTENT_TYPE, HeaderValue, TE};
use http::{HeaderMap, Request, Uri};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;

use crate::wire::PREFIX;

/// Window of a stream and of a connection: no answer waits for room.
const WINDOW: u32 = 64 << 20;

/// `CheckProvisioning`.
pub const CHECK: &str = "/icpgate.v1.ProvisioningService/CheckProvisioning";
/// `ScreenDomains`.
pub const SCREEN: &str = "/icpgate.v1.ProvisioningService/ScreenDomains";
/// `PutRecords`.
pub const PUT: &str = "/icpgate.v1.RecordService/PutRecords";
/// `grpc.health.v1.Health/Check`.
pub const HEALTH: &str = "/grpc.health.v1.Health/Check";

/// A connection to a server; clones share it.
#[derive(Clone, Debug)]
pub struct Connection {
    sender: SendRequest<Bytes>,
    address: SocketAddr,
    _driver: std::sync::Arc<Driver>,
}

/// Closes the connection with its last user.
#[derive(Debug)]
struct Driver(AbortHandle);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A method of a server.
#[derive(Clone, Debug)]
pub struct Method {
    uri: Uri,
    headers: HeaderMap,
}

/// A call of a streaming method.
#[derive(Debug)]
pub struct Call {
    sender: SendStream<Bytes>,
    answers: Answers,
}

/// The answers of a streaming call.
#[derive(Debug)]
pub struct Answers {
    response: Option<h2::client::ResponseFuture>,
    body: Option<RecvStream>,
    buffer: BytesMut,
}

impl Connection {
    /// Connects, without delays by the socket.
    ///
    /// # Errors
    ///
    /// Nobody listens there, or it does not speak HTTP/2.
    pub async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = h2::client::Builder::new()
            .initial_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .max_frame_size(1 << 20)
            .handshake(stream)
            .await?;
        let driver = tokio::spawn(connection).abort_handle();
        Ok(Self {
            sender,
            address,
            _driver: std::sync::Arc::new(Driver(driver)),
        })
    }

    /// A method of this server.
    ///
    /// # Errors
    ///
    /// The path is not one.
    pub fn method(&self, path: &str) -> anyhow::Result<Method> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(TE, HeaderValue::from_static("trailers"));
        Ok(Method {
            uri: format!("http://{}{path}", self.address).parse()?,
            headers,
        })
    }

    /// Calls a unary method with a framed message; answers the message without its frame.
    ///
    /// # Errors
    ///
    /// The connection breaks, or the status is not OK.
    pub async fn unary(&self, method: &Method, framed: Bytes) -> anyhow::Result<Bytes> {
        let mut call = self.call(method).await?;
        call.sender.send_data(framed, true)?;
        let message = call.answers.next().await?.context("no answer")?;
        ensure!(call.answers.next().await?.is_none(), "more than one answer");
        Ok(message)
    }

    /// Starts a streaming call.
    ///
    /// # Errors
    ///
    /// The connection is broken.
    pub async fn call(&self, method: &Method) -> anyhow::Result<Call> {
        let mut request = Request::new(());
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = method.uri.clone();
        *request.headers_mut() = method.headers.clone();
        let mut sender = self.sender.clone().ready().await?;
        let (response, sender) = sender.send_request(request, false)?;
        Ok(Call {
            sender,
            answers: Answers {
                response: Some(response),
                body: None,
                buffer: BytesMut::new(),
            },
        })
    }
}

impl Call {
    /// Sends a framed message; it is kept until the server has room for it.
    ///
    /// # Errors
    ///
    /// The call or the connection is broken.
    pub fn send(&mut self, framed: Bytes) -> anyhow::Result<()> {
        Ok(self.sender.send_data(framed, false)?)
    }

    /// Ends the questions.
    ///
    /// # Errors
    ///
    /// The call or the connection is broken.
    pub fn end(&mut self) -> anyhow::Result<()> {
        Ok(self.sender.send_data(Bytes::new(), true)?)
    }

    /// The next answer; `None` after the last, if the status is OK.
    ///
    /// # Errors
    ///
    /// The connection breaks, or the status is not OK.
    pub async fn next(&mut self) -> anyhow::Result<Option<Bytes>> {
        self.answers.next().await
    }
}

impl Answers {
    async fn next(&mut self) -> anyhow::Result<Option<Bytes>> {
        if let Some(response) = self.response.take() {
            let response = response.await?;
            ensure!(response.status() == 200, "status {}", response.status());
            // An answer of trailers alone.
            if response.headers().contains_key("grpc-status") {
                status(response.headers())?;
            }
            self.body = Some(response.into_body());
        }
        let body = self.body.as_mut().context("the call has ended")?;
        loop {
            if let Some(message) = message(&mut self.buffer)? {
                return Ok(Some(message));
            }
            let Some(data) = body.data().await else { break };
            let data = data?;
            body.flow_control().release_capacity(data.len())?;
            if self.buffer.is_empty() {
                // Most answers are one whole frame: nothing is copied.
                if let Some(message) = whole(&data) {
                    return Ok(Some(message));
                }
            }
            self.buffer.extend_from_slice(&data);
        }
        ensure!(self.buffer.is_empty(), "the last answer is cut off");
        let trailers = body.trailers().await?;
        status(&trailers.context("no trailers")?)?;
        Ok(None)
    }
}

/// The message of a frame that is here alone and whole.
fn whole(data: &Bytes) -> Option<Bytes> {
    let mut head = data.get(..PREFIX)?;
    let plain = head.get_u8() == 0;
    let length = head.get_u32() as usize;
    (plain && data.len() == PREFIX + length).then(|| data.slice(PREFIX..))
}

fn message(buffer: &mut BytesMut) -> anyhow::Result<Option<Bytes>> {
    let Some(mut head) = buffer.get(..PREFIX) else {
        return Ok(None);
    };
    ensure!(head.get_u8() == 0, "a compressed answer");
    let length = head.get_u32() as usize;
    if buffer.len() < PREFIX + length {
        buffer.reserve(PREFIX + length - buffer.len());
        return Ok(None);
    }
    buffer.advance(PREFIX);
    Ok(Some(buffer.split_to(length).freeze()))
}

fn status(headers: &HeaderMap) -> anyhow::Result<()> {
    let status = headers.get("grpc-status").context("no grpc-status")?;
    if status == "0" {
        return Ok(());
    }
    let message = headers.get("grpc-message");
    bail!(
        "grpc-status {}: {}",
        String::from_utf8_lossy(status.as_bytes()),
        message.map_or_else(String::new, |text| String::from_utf8_lossy(text.as_bytes())
            .into())
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_put_together_and_cut_apart() {
        let mut buffer = BytesMut::from(&b"\0\0\0\0\x02a"[..]);
        assert_eq!(message(&mut buffer).unwrap(), None);
        buffer.extend_from_slice(b"b\0\0\0\0\0");
        assert_eq!(message(&mut buffer).unwrap().unwrap(), "ab");
        assert_eq!(message(&mut buffer).unwrap().unwrap(), "");
        assert_eq!(message(&mut buffer).unwrap(), None);
        assert_eq!(whole(&Bytes::from_static(b"\0\0\0\0\x01a")).unwrap(), "a");
        assert!(whole(&Bytes::from_static(b"\0\0\0\0\x01ab")).is_none());
        buffer.extend_from_slice(b"\x01\0\0\0\0");
        assert!(message(&mut buffer).is_err());
    }

    #[test]
    fn only_status_0_is_good() {
        let with = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-status", HeaderValue::from_static(value));
            status(&headers)
        };
        assert!(with("0").is_ok());
        assert!(with("14").is_err());
        assert!(status(&HeaderMap::new()).is_err());
    }
}
