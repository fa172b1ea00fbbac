//! What comes over a connection, counted.

use std::io::Result;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Octets that came over a connection, after they were decrypted.
#[derive(Debug, Default)]
pub(super) struct Octets(AtomicU64);

impl Octets {
    pub(super) fn so_far(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

pin_project! {
    /// A stream of octets of which those that come are counted.
    pub(super) struct Counted<I> {
        #[pin]
        inner: I,
        read: Arc<Octets>,
    }
}

impl<I> Counted<I> {
    pub(super) fn new(inner: I, read: Arc<Octets>) -> Self {
        Self { inner, read }
    }
}

impl<I: AsyncRead> AsyncRead for Counted<I> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        let this = self.project();
        let before = buffer.filled().len();
        ready!(this.inner.poll_read(context, buffer))?;
        let came = buffer.filled().len().saturating_sub(before);
        this.read.0.fetch_add(came as u64, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl<I: AsyncWrite> AsyncWrite for Counted<I> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<Result<usize>> {
        self.project().inner.poll_write(context, octets)
    }

    /// No, so that more is gathered for a write; see [`pieces`](crate::grpc::pieces).
    fn is_write_vectored(&self) -> bool {
        false
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        self.project().inner.poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        self.project().inner.poll_shutdown(context)
    }
}
