//! One log line for each call, at level `debug` of the target `icpgate::requests`, and a span with
//! the same fields around everything that is logged on the way.
//!
//! Stands outside all other layers, so that calls that are turned away are told of too. Costs nothing
//! where the level is off. **Never here:** what was asked, or a token.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use futures::future::{BoxFuture, Either};
use http::{HeaderMap, Request, Response};
use tokio::time::Instant;
use tonic::Code;
use tonic::body::Body;
use tower::{Layer, Service};
use tracing::{Instrument as _, Level, Span};

use crate::auth::methods;

/// Longest identifier of a request that is taken from a caller, in octets.
const LONGEST_ID: usize = 64;

/// Header with the caller's own identifier of a request.
const ID_HEADER: &str = "x-request-id";

/// Wraps services in [`Requests`].
#[derive(Clone)]
pub(super) struct RequestsLayer {
    numbers: Arc<AtomicU64>,
}

impl RequestsLayer {
    pub(super) fn new() -> Self {
        Self {
            numbers: Arc::default(),
        }
    }
}

impl<S> Layer<S> for RequestsLayer {
    type Service = Requests<S>;

    fn layer(&self, inner: S) -> Requests<S> {
        Requests {
            inner,
            numbers: Arc::clone(&self.numbers),
        }
    }
}

/// A service whose calls are told of.
#[derive(Clone)]
pub(super) struct Requests<S> {
    inner: S,
    numbers: Arc<AtomicU64>,
}

impl<S, B> Service<Request<B>> for Requests<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
    S::Future: Send + 'static,
    S::Error: 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Either<S::Future, BoxFuture<'static, Result<Response<Body>, S::Error>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if !tracing::enabled!(target: "icpgate::requests", Level::DEBUG) {
            return Either::Left(self.inner.call(request));
        }
        // Paths are the caller's to choose; only those that there are shall stand in the log.
        let method = methods::find(request.uri().path()).map_or("unknown", |method| method.path);
        let span = tracing::debug_span!(
            target: "icpgate::requests",
            "call",
            method,
            request_id = %self.id(request.headers()),
            caller = tracing::field::Empty,
        );
        let line = Line {
            code: None,
            begun: Instant::now(),
            span: span.clone(),
        };
        let calling = span.in_scope(|| self.inner.call(request));
        let calling = async move {
            let mut line = line;
            let answer = calling.await?;
            line.code = code(answer.headers());
            Ok(answer.map(|body| Body::new(Told { body, line })))
        };
        Either::Right(Box::pin(calling.instrument(span)))
    }
}

impl<S> Requests<S> {
    /// The caller's identifier of the request, if it is one, or a number of our own.
    fn id(&self, headers: &HeaderMap) -> String {
        let given = headers.get(ID_HEADER).and_then(|id| id.to_str().ok());
        let fits = |id: &&str| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
            (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(plain)
        };
        match given.filter(fits) {
            Some(id) => id.to_owned(),
            None => self.numbers.fetch_add(1, Ordering::Relaxed).to_string(),
        }
    }
}

/// Notes on the span of a call who makes it.
pub(super) fn note_caller(name: &str) {
    Span::current().record("caller", name);
}

/// The line of a call, written when it is over or given up.
struct Line {
    /// What the headers or trailers said; `None`: not yet.
    code: Option<Code>,
    begun: Instant,
    span: Span,
}

impl Drop for Line {
    fn drop(&mut self) {
        // Without a code the caller went away before the answer was whole.
        let code = self.code.unwrap_or(Code::Cancelled);
        let elapsed_us = u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        let _entered = self.span.enter();
        tracing::debug!(target: "icpgate::requests", ?code, elapsed_us, "answered");
    }
}

/// The body of an answer, with whose end the call is over.
struct Told {
    body: Body,
    line: Line,
}

impl http_body::Body for Told {
    type Data = <Body as http_body::Body>::Data;
    type Error = <Body as http_body::Body>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Self::Data>, Self::Error>>> {
        let this = &mut *self;
        let polled = {
            let _entered = this.line.span.enter();
            Pin::new(&mut this.body).poll_frame(context)
        };
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(trailers) = frame.trailers_ref()
        {
            this.line.code = code(trailers).or(this.line.code);
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

fn code(headers: &HeaderMap) -> Option<Code> {
    let code = headers.get("grpc-status")?;
    Some(Code::from_bytes(code.as_bytes()))
}
