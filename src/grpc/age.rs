//! Ends streams of the health and reflection services, which nobody here wrote: when they are as
//! old as streams may be, and when the service ends. Without it a watcher would keep his connection
//! for ever.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{Request, Response};
use pin_project_lite::pin_project;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tower::{Layer, Service};

use super::ending::until;
use super::method::Kind;
use super::status;

/// Wraps services in [`Aged`].
#[derive(Clone)]
pub(super) struct AgeLayer {
    /// How long a stream may stay open.
    pub(super) age: Duration,
    /// Cancelled when open streams are to end.
    pub(super) leave: CancellationToken,
}

/// A service whose streams do not stay open for ever.
#[derive(Clone)]
pub(super) struct Aged<S> {
    inner: S,
    layer: AgeLayer,
}

impl<S> Layer<S> for AgeLayer {
    type Service = Aged<S>;

    fn layer(&self, inner: S) -> Aged<S> {
        Aged {
            inner,
            layer: self.clone(),
        }
    }
}

impl<S, B> Service<Request<B>> for Aged<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = AgedFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let probe = Kind::of(request.uri().path()) == Kind::Probe;
        AgedFuture {
            inner: self.inner.call(request),
            layer: probe.then(|| self.layer.clone()),
        }
    }
}

pin_project! {
    /// A call whose answer does not go on for ever.
    pub(super) struct AgedFuture<F> {
        #[pin]
        inner: F,
        // Only of calls whose streams the services do not end themselves.
        layer: Option<AgeLayer>,
    }
}

impl<F, E> Future for AgedFuture<F>
where
    F: Future<Output = Result<Response<Body>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let answer = ready!(this.inner.poll(context));
        let Some(AgeLayer { age, leave }) = this.layer.take() else {
            return Poll::Ready(answer);
        };
        Poll::Ready(answer.map(|answer| {
            until(answer, async move {
                tokio::select! {
                    () = leave.cancelled_owned() => status::ending(),
                    () = tokio::time::sleep(age) => status::aged(),
                }
            })
        }))
    }
}
