//! The calls of one connection: told apart from those of others, counted, and run.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use http_body::Frame;
use hyper::body::Incoming;
use pin_project_lite::pin_project;
use tokio_util::task::TaskTracker;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::Bytes;

use crate::auth::Peer;
use crate::grpc::method::Kind;
use crate::grpc::pieces::Pieces;

/// Calls of one connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Calls {
    tracker: TaskTracker,
    counts: Arc<Counts>,
}

/// Spans of time in which open calls are told apart: the present one, the one before, and those
/// that are older.
const SPANS: usize = 3;

#[derive(Debug, Default)]
struct Counts {
    begun: AtomicU64,
    span: AtomicUsize,
    /// Calls that are no streams and whose answers are not taken yet, by the span they began in.
    open: [AtomicUsize; SPANS],
}

impl Calls {
    /// Calls so far.
    pub(super) fn begun(&self) -> u64 {
        self.counts.begun.load(Ordering::Relaxed)
    }

    /// Calls that run, streams too.
    pub(super) fn running(&self) -> usize {
        self.tracker.len()
    }

    /// Begins the next span; tells whether a call is open that began before the last one, streams
    /// aside.
    pub(super) fn next_span(&self) -> bool {
        let span = (self.counts.span.load(Ordering::Relaxed) + 1) % SPANS;
        let old = self.counts.open.get(span);
        self.counts.span.store(span, Ordering::Relaxed);
        old.is_some_and(|open| open.load(Ordering::Relaxed) > 0)
    }

    /// Waits until no call runs. None may begin any more.
    pub(super) async fn ended(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }
}

/// Runs the calls that hyper reads from the connection.
impl<F> hyper::rt::Executor<F> for Calls
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, call: F) {
        self.tracker.spawn(call);
    }
}

/// Hands the calls of a connection to the services.
pub(super) struct Entrance<S> {
    pub(super) services: S,
    pub(super) peer: Peer,
    pub(super) calls: Calls,
}

impl<S> hyper::service::Service<Request<Incoming>> for Entrance<S>
where
    S: tower::Service<Request<Incoming>, Response = Response<Body>, Error = Infallible> + Clone,
{
    type Response = Response<Taken>;
    type Error = Infallible;
    type Future = Calling<S::Future>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        let counts = &self.calls.counts;
        counts.begun.fetch_add(1, Ordering::Relaxed);
        let lasts = Kind::of(request.uri().path()).lasts();
        let open = (!lasts).then(|| Open::new(counts));
        request.extensions_mut().insert(self.peer.clone());
        // INVARIANT: every layer and service of this port is always ready.
        let calling = self.services.clone().call(request);
        Calling {
            calling,
            open: Some(open),
        }
    }
}

/// A call whose answer is not taken yet.
struct Open {
    counts: Arc<Counts>,
    span: usize,
}

impl Open {
    fn new(counts: &Arc<Counts>) -> Self {
        let span = counts.span.load(Ordering::Relaxed);
        if let Some(open) = counts.open.get(span) {
            open.fetch_add(1, Ordering::Relaxed);
        }
        Self {
            counts: Arc::clone(counts),
            span,
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(open) = self.counts.open.get(self.span) {
            open.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

pin_project! {
    /// A call that is worked on.
    pub(super) struct Calling<F> {
        #[pin]
        calling: F,
        // Taken when the answer is there.
        open: Option<Option<Open>>,
    }
}

impl<F> Future for Calling<F>
where
    F: Future<Output = Result<Response<Body>, Infallible>>,
{
    type Output = Result<Response<Taken>, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Ok(answer) = ready!(this.calling.poll(context));
        let open = this.open.take().flatten();
        Poll::Ready(Ok(answer.map(|body| Taken {
            body: Pieces::new(body),
            _open: open,
        })))
    }
}

pin_project! {
    /// An answer until the peer has taken it.
    pub(super) struct Taken {
        #[pin]
        body: Pieces<Body>,
        _open: Option<Open>,
    }
}

impl http_body::Body for Taken {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        self.project().body.poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_call_is_old_after_a_whole_span() {
        let calls = Calls::default();
        let first = Open::new(&calls.counts);
        assert!(!calls.next_span());
        let second = Open::new(&calls.counts);
        assert!(!calls.next_span());
        assert!(calls.next_span(), "the first began two spans ago");
        drop(first);
        assert!(calls.next_span(), "so did the second now");
        drop(second);
        for _ in 0..SPANS {
            assert!(!calls.next_span());
        }
    }
}
