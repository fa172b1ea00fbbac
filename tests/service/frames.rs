//! A caller who writes his own frames: what no library lets him do, he does.

use std::io::{Error, ErrorKind, Result};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long the server may take for what it is to do. Long, because a machine may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What a client says first.
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const ACK: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

/// Error codes of GOAWAY.
pub(crate) const NO_ERROR: u32 = 0;
pub(crate) const ENHANCE_YOUR_CALM: u32 = 11;

/// A connection.
pub(crate) struct Raw {
    stream: TcpStream,
}

/// A frame.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// The error code of a GOAWAY.
    pub(crate) fn goaway(&self) -> u32 {
        assert_eq!(self.kind, GOAWAY, "{self:?}");
        u32::from_be_bytes(self.payload[4..8].try_into().unwrap())
    }
}

impl Raw {
    /// Connects and says nothing.
    pub(crate) async fn silent(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream }
    }

    /// Connects and greets, with settings of its own.
    pub(crate) async fn greeted(address: SocketAddr) -> Self {
        let mut raw = Self::silent(address).await;
        raw.write(PREFACE).await.unwrap();
        raw.frame(SETTINGS, 0, 0, &[]).await.unwrap();
        raw
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes).await
    }

    pub(crate) async fn frame(
        &mut self,
        kind: u8,
        flags: u8,
        stream: u32,
        payload: &[u8],
    ) -> Result<()> {
        self.write(&encoded(kind, flags, stream, payload)).await
    }

    /// The next frame; an error where the connection has ended.
    pub(crate) async fn next(&mut self) -> Result<Frame> {
        let reading = async {
            let mut head = [0; 9];
            self.stream.read_exact(&mut head).await?;
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; length as usize];
            self.stream.read_exact(&mut payload).await?;
            Ok(Frame {
                kind: head[3],
                payload,
            })
        };
        timeout(PATIENCE, reading)
            .await
            .unwrap_or_else(|_| panic!("the server neither speaks nor hangs up"))
    }

    /// Reads until a frame of a kind comes; an error where the connection ends before.
    pub(crate) async fn until(&mut self, kind: u8) -> Result<Frame> {
        loop {
            let frame = self.next().await?;
            if frame.kind == kind {
                return Ok(frame);
            }
        }
    }

    /// Reads to the end of the connection; tells the error code of the last GOAWAY.
    pub(crate) async fn ended(&mut self) -> Option<u32> {
        let mut told = None;
        loop {
            match self.next().await {
                Ok(frame) if frame.kind == GOAWAY => told = Some(frame.goaway()),
                Ok(_) => {}
                Err(error) => {
                    assert!(gone(&error), "{error:?}");
                    return told;
                }
            }
        }
    }
}

/// Whether the other side has hung up.
pub(crate) fn gone(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
    )
}

pub(crate) fn encoded(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// Headers of a call, none of which is taken into the table of the connection.
pub(crate) fn call(path: &str) -> Vec<u8> {
    // `:method POST` and `:scheme http` have places in the table that is always there.
    let mut block = vec![0x83, 0x86, 0x04];
    text(&mut block, path);
    field(&mut block, "content-type", "application/grpc");
    field(&mut block, "te", "trailers");
    block
}

/// One more header.
pub(crate) fn field(block: &mut Vec<u8>, name: &str, value: &str) {
    block.push(0);
    text(block, name);
    text(block, value);
}

fn text(block: &mut Vec<u8>, text: &str) {
    // A length of seven bits, and what is beyond in further octets of seven bits each.
    match text.len().checked_sub(127) {
        None => block.push(u8::try_from(text.len()).unwrap()),
        Some(mut rest) => {
            block.push(127);
            while rest >= 128 {
                block.push(u8::try_from(rest % 128).unwrap() | 128);
                rest /= 128;
            }
            block.push(u8::try_from(rest).unwrap());
        }
    }
    block.extend(text.as_bytes());
}
