//! Keeps a panic to the call in which it happens.
//!
//! Stands outside everything, so that the caller is answered whatever is wrong within. A panic is
//! a defect of this program: its caller learns nothing but that, operators where.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Frame;
use pin_project_lite::pin_project;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::Bytes;
use tower::{Layer, Service};

use super::ending::last;
use super::method::Kind;
use super::status;
use crate::telemetry::call;
use crate::telemetry::metrics::label::Panicked;
use crate::telemetry::metrics::list::PANICS;

/// Wraps services in [`Contained`].
#[derive(Clone, Copy)]
pub(super) struct PanicLayer;

/// A service whose panics end the call and nothing else.
#[derive(Clone)]
pub(super) struct Contained<S> {
    inner: S,
}

impl<S> Layer<S> for PanicLayer {
    type Service = Contained<S>;

    fn layer(&self, inner: S) -> Contained<S> {
        Contained { inner }
    }
}

impl<S, B> Service<Request<B>> for Contained<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = ContainedFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let lasts = Kind::of(request.uri().path()).lasts();
        let calling = AssertUnwindSafe(|| self.inner.call(request));
        ContainedFuture {
            inner: std::panic::catch_unwind(calling).ok(),
            lasts,
        }
    }
}

pin_project! {
    /// A call whose panics end it and nothing else.
    pub(super) struct ContainedFuture<F> {
        #[pin]
        inner: Option<F>,
        // Whether the answer may be a stream, in which more of the service's code runs.
        lasts: bool,
    }
}

impl<F, E> Future for ContainedFuture<F>
where
    F: Future<Output = Result<Response<Body>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        let Some(inner) = this.inner.as_mut().as_pin_mut() else {
            return Poll::Ready(Ok(panicked().into_http()));
        };
        match std::panic::catch_unwind(AssertUnwindSafe(|| inner.poll(context))) {
            Ok(Poll::Ready(Ok(answer))) if *this.lasts => {
                Poll::Ready(Ok(answer.map(|body| Body::new(ContainedBody(Some(body))))))
            }
            Ok(polled) => polled,
            Err(_panic) => Poll::Ready(Ok(panicked().into_http())),
        }
    }
}

struct ContainedBody(Option<Body>);

impl http_body::Body for ContainedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some(body) = &mut self.0 else {
            return Poll::Ready(None);
        };
        let polling = AssertUnwindSafe(|| Pin::new(body).poll_frame(context));
        let Ok(polled) = std::panic::catch_unwind(polling) else {
            self.0 = None;
            return Poll::Ready(Some(last(&panicked())));
        };
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.0.as_ref().map(Body::size_hint).unwrap_or_default()
    }
}

/// What the panic says is in the standard error of the process, where it happened; here it might
/// hold what a caller sent.
fn panicked() -> Status {
    PANICS.inc((Panicked::Call,));
    let call::Shown {
        method,
        request_id,
        trace_id,
    } = call::shown();
    let (request_id, trace_id) = (request_id.as_deref(), trace_id.as_deref());
    tracing::error!(
        method,
        request_id,
        trace_id,
        "a call panicked, which is a defect of this program"
    );
    status::panicked()
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::future::{poll_fn, ready};

    use futures::future::BoxFuture;
    use http_body::Body as _;

    use super::*;

    #[derive(Clone, Copy)]
    enum When {
        Called,
        Polled,
        Streaming,
    }

    #[derive(Clone)]
    struct Broken(When);

    struct BrokenBody;

    impl http_body::Body for BrokenBody {
        type Data = Bytes;
        type Error = Status;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
            panic!("in the body")
        }
    }

    impl Service<Request<()>> for Broken {
        type Response = Response<Body>;
        type Error = Infallible;
        type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Request<()>) -> Self::Future {
            match self.0 {
                When::Called => panic!("in the call"),
                When::Polled => Box::pin(async { panic!("in the future") }),
                When::Streaming => Box::pin(ready(Ok(Response::new(Body::new(BrokenBody))))),
            }
        }
    }

    #[tokio::test]
    async fn a_panic_ends_its_call_with_an_error() {
        for when in [When::Called, When::Polled, When::Streaming] {
            let mut service = PanicLayer.layer(Broken(when));
            let uri = "/icpgate.v1.ProvisioningService/ScreenDomains";
            let request = Request::builder().uri(uri).body(()).unwrap();
            let answer = service.call(request).await.unwrap();
            let code = answer.headers().get("grpc-status").cloned();
            match when {
                When::Called | When::Polled => assert_eq!(code.unwrap(), "13"),
                When::Streaming => {
                    let mut body = answer.into_body();
                    let frame = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
                    let trailers = frame.unwrap().unwrap().into_trailers().unwrap();
                    assert_eq!(trailers["grpc-status"], "13");
                }
            }
        }
    }
}
