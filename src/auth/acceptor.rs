//! From a connection to a peer: the handshake of TLS, and who has proven to be there.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

use super::Peer;

/// A connection, plain or encrypted.
pub type Stream = Either<TcpStream, TlsStream<TcpStream>>;

/// Takes connections. Copies share what TLS is set up with.
#[derive(Clone)]
pub struct Acceptor {
    tls: Option<Arc<ArcSwap<ServerConfig>>>,
}

impl Acceptor {
    /// Takes connections as they are, without encryption.
    #[must_use]
    pub fn plain() -> Self {
        Self { tls: None }
    }

    /// Takes connections with TLS, each with the settings that hold when it begins.
    pub(super) fn tls(settings: Arc<ArcSwap<ServerConfig>>) -> Self {
        Self {
            tls: Some(settings),
        }
    }

    /// Whether connections are encrypted.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }

    /// Makes a connection ready for calls. Whoever asks bounds the time.
    ///
    /// # Errors
    ///
    /// The handshake failed. Why is for a log and not for the other end.
    pub async fn accept(
        &self,
        stream: TcpStream,
        address: SocketAddr,
    ) -> io::Result<(Stream, Peer)> {
        let Some(tls) = &self.tls else {
            return Ok((Either::Left(stream), Peer::new(address, None)));
        };
        let stream = TlsAcceptor::from(tls.load_full()).accept(stream).await?;
        let certificate = stream.get_ref().1.peer_certificates();
        let peer = Peer::new(address, certificate.and_then(<[_]>::first));
        Ok((Either::Right(stream), peer))
    }
}

impl std::fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Acceptor")
            .field("encrypted", &self.is_encrypted())
            .finish_non_exhaustive()
    }
}
