//! Says which bound a message broke: the decoder that refuses it does not know its name.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tonic::body::Body;
use tower::{Layer, Service};

use super::status;

/// `OUT_OF_RANGE`, as it stands in a header.
const OUT_OF_RANGE: &str = "11";

/// Wraps services in [`Measured`].
#[derive(Clone, Copy)]
pub(super) struct SizeLayer;

/// A service that names the bound that a message broke.
#[derive(Clone)]
pub(super) struct Measured<S> {
    inner: S,
}

impl<S> Layer<S> for SizeLayer {
    type Service = Measured<S>;

    fn layer(&self, inner: S) -> Measured<S> {
        Measured { inner }
    }
}

impl<S, B> Service<Request<B>> for Measured<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = MeasuredFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        MeasuredFuture {
            inner: self.inner.call(request),
        }
    }
}

pin_project! {
    /// A call whose refusal for size names the bound.
    pub(super) struct MeasuredFuture<F> {
        #[pin]
        inner: F,
    }
}

impl<F, E> Future for MeasuredFuture<F>
where
    F: Future<Output = Result<Response<Body>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let answer = ready!(self.project().inner.poll(context));
        Poll::Ready(answer.map(|answer| {
            // Answers with a message have no status among their headers.
            let out_of_range = answer.headers().get("grpc-status");
            let ours = answer.headers().contains_key("grpc-status-details-bin");
            if out_of_range.is_some_and(|code| code == OUT_OF_RANGE) && !ours {
                status::too_large().into_http()
            } else {
                answer
            }
        }))
    }
}
