//! Counts and times every call.
//!
//! Stands outside all other layers, so that calls that are turned away are counted too. A single
//! question costs no allocation here: its code is told by the head of the answer. Of other calls the
//! code may come with the end of a stream, and the answer is looked through.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{HeaderMap, Request, Response};
use http_body::Frame;
use pin_project_lite::pin_project;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::Bytes;
use tower::{Layer, Service};

use super::method::Kind;
use crate::telemetry::metrics::kinds::Stopwatch;
use crate::telemetry::metrics::label::{Code, Method};
use crate::telemetry::metrics::list::{RPC_DURATION, RPC_IN_FLIGHT};

/// Header or trailer with the code.
const STATUS: &str = "grpc-status";

/// Wraps services in [`Measured`].
#[derive(Clone, Copy)]
pub(super) struct MeasureLayer;

/// A service whose calls are counted and timed.
#[derive(Clone)]
pub(super) struct Measured<S> {
    inner: S,
}

impl<S> Layer<S> for MeasureLayer {
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
    type Future = Timed<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let path = request.uri().path();
        let whole = Kind::of(path) == Kind::Check;
        let call = Some(Call::begin(Method::of(path)));
        Timed {
            inner: self.inner.call(request),
            call,
            whole,
        }
    }
}

/// A call that is under way; counted when this is dropped.
struct Call {
    method: Method,
    begun: Stopwatch,
    /// What the headers or trailers said.
    code: Option<Code>,
}

impl Call {
    fn begin(method: Method) -> Self {
        RPC_IN_FLIGHT.up((method,));
        Self {
            method,
            begun: Stopwatch::start(),
            code: None,
        }
    }

    fn read(&mut self, headers: &HeaderMap) {
        if let Some(code) = headers.get(STATUS) {
            self.code = Some(Code::of_header(code.as_bytes()));
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        RPC_IN_FLIGHT.down((self.method,));
        // Without a code the caller went away before the answer was whole.
        let code = self.code.unwrap_or(Code::Cancelled);
        RPC_DURATION.observe((self.method, code), self.begun.elapsed());
    }
}

pin_project! {
    /// A call that is counted and timed.
    pub(super) struct Timed<F> {
        #[pin]
        inner: F,
        call: Option<Call>,
        // Whether the head of the answer tells how the call ended.
        whole: bool,
    }
}

impl<F, E> Future for Timed<F>
where
    F: Future<Output = Result<Response<Body>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let answer = ready!(this.inner.poll(context))?;
        let Some(mut call) = this.call.take() else {
            return Poll::Ready(Ok(answer));
        };
        call.read(answer.headers());
        if *this.whole || call.code.is_some() {
            call.code.get_or_insert(Code::Ok);
            return Poll::Ready(Ok(answer));
        }
        Poll::Ready(Ok(answer.map(|body| Body::new(TimedBody { body, call }))))
    }
}

/// The body of an answer, with whose end the call is over.
struct TimedBody {
    body: Body,
    call: Call,
}

impl http_body::Body for TimedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        let polled = Pin::new(&mut this.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(trailers) = frame.trailers_ref()
        {
            this.call.read(trailers);
        }
        polled
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
    use std::convert::Infallible;

    use futures::future::{Ready, ready};
    use http_body_util::BodyExt as _;

    use super::*;

    const DECISION: &str = "/icpgate.v1.ProvisioningService/GetDecision";
    const CHECK: &str = "/icpgate.v1.ProvisioningService/CheckProvisioning";
    const SCREEN: &str = "/icpgate.v1.ProvisioningService/ScreenDomains";

    /// Answers with a code in the head, or in the trailers.
    #[derive(Clone, Copy)]
    struct Answers(Option<&'static str>, Option<&'static str>);

    impl Service<Request<()>> for Answers {
        type Response = Response<Body>;
        type Error = Infallible;
        type Future = Ready<Result<Response<Body>, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Request<()>) -> Self::Future {
            let code = |code: &str| {
                let mut headers = HeaderMap::new();
                headers.insert(STATUS, code.parse().unwrap());
                headers
            };
            let trailers = self.1.map(code);
            let body = http_body_util::Empty::<Bytes>::new()
                .with_trailers(async move { trailers.map(Ok) });
            let mut answer = Response::new(Body::new(body));
            if let Some(head) = self.0 {
                *answer.headers_mut() = code(head);
            }
            ready(Ok(answer))
        }
    }

    /// How many calls of a method ended with a code; other tests of this process call too.
    fn ended(path: &str, code: Code) -> u64 {
        RPC_DURATION.observed((Method::of(path), code))
    }

    async fn call(path: &str, answers: Answers) -> Response<Body> {
        let mut service = MeasureLayer.layer(answers);
        let request = Request::builder().uri(path).body(()).unwrap();
        service.call(request).await.unwrap()
    }

    #[tokio::test]
    async fn calls_are_counted_by_the_code_that_the_caller_sees() {
        let lost = ended(DECISION, Code::DataLoss);
        drop(call(DECISION, Answers(Some("15"), None)).await);
        assert_eq!(ended(DECISION, Code::DataLoss), lost + 1);
        let range = ended(SCREEN, Code::OutOfRange);
        let answer = call(SCREEN, Answers(None, Some("11"))).await;
        assert_eq!(ended(SCREEN, Code::OutOfRange), range, "it is not over");
        answer.into_body().collect().await.unwrap();
        assert_eq!(ended(SCREEN, Code::OutOfRange), range + 1);
        let gone = ended(SCREEN, Code::Cancelled);
        drop(call(SCREEN, Answers(None, Some("0"))).await);
        assert_eq!(ended(SCREEN, Code::Cancelled), gone + 1);
        let before = ended(CHECK, Code::Ok);
        drop(call(CHECK, Answers(None, Some("0"))).await);
        assert!(ended(CHECK, Code::Ok) > before);
    }
}
