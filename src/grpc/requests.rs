//! Has every call watched over: notes are taken while it is worked for, and told of when it is over.
//!
//! Stands outside all other layers, so that calls that are turned away are told of too. Costs nothing
//! where nothing is to be told. **Never here:** what was asked, or a token.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{HeaderMap, Request, Response};
use pin_project_lite::pin_project;
use tonic::Code;
use tonic::body::Body;
use tower::{Layer, Service};

use super::method::Kind;
use crate::auth::methods;
use crate::telemetry::call::{self, Notes};
use crate::telemetry::requests::{Ended, Watch, watch};

/// Services whose probes for health are not told of.
const HEALTH: &str = "/grpc.health.v1.Health/";

/// Wraps services in [`Requests`].
#[derive(Clone)]
pub(super) struct RequestsLayer {
    watch: Option<&'static Watch>,
}

impl RequestsLayer {
    pub(super) fn new() -> Self {
        Self { watch: watch() }
    }
}

impl<S> Layer<S> for RequestsLayer {
    type Service = Requests<S>;

    fn layer(&self, inner: S) -> Requests<S> {
        Requests {
            inner,
            watch: self.watch,
        }
    }
}

/// A service whose calls are watched over.
#[derive(Clone)]
pub(super) struct Requests<S> {
    inner: S,
    watch: Option<&'static Watch>,
}

impl<S, B> Service<Request<B>> for Requests<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Watched<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let mut record = Record {
            watch: self.watch,
            notes: None,
            code: None,
        };
        let path = request.uri().path();
        let lasts = Kind::of(path).lasts();
        if let Some(watch) = self.watch {
            // Paths are the caller's to choose; only those that there are shall be told.
            let method = methods::find(path).map(|method| method.path);
            record.notes = watch.begin(method, path.starts_with(HEALTH), request.headers());
        }
        let inner = call::within(&mut record.notes, || self.inner.call(request));
        Watched {
            inner: Some(inner),
            record: Some(record),
            lasts,
        }
    }
}

pin_project! {
    /// A call that is watched over.
    pub(super) struct Watched<F> {
        // `None` once it has ended.
        #[pin]
        inner: Option<F>,
        // `None` once it was handed to the body of the answer.
        record: Option<Record>,
        // Whether the answer may be a stream, with whose end the call is over.
        lasts: bool,
    }

    impl<F> PinnedDrop for Watched<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Some(record) = this.record {
                // What ends with the call is part of it.
                call::within(&mut record.notes, || this.inner.set(None));
            }
        }
    }
}

impl<F, E> Future for Watched<F>
where
    F: Future<Output = Result<Response<Body>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        let Some(inner) = this.inner.as_mut().as_pin_mut() else {
            return Poll::Pending;
        };
        let Some(record) = this.record else {
            return inner.poll(context);
        };
        let answer = ready!(call::within(&mut record.notes, || inner.poll(context)));
        let Some(mut record) = this.record.take().filter(|record| record.notes.is_some()) else {
            return Poll::Ready(answer);
        };
        // Whatever is kept by what answered is part of the call too.
        call::within(&mut record.notes, || this.inner.set(None));
        let answer = answer?;
        record.code = code(answer.headers());
        if *this.lasts && record.code.is_none() {
            return Poll::Ready(Ok(answer.map(|body| Body::new(Told { body, record }))));
        }
        // One message that is there is sent by others than us.
        record.code.get_or_insert(Code::Ok);
        Poll::Ready(Ok(answer))
    }
}

/// The record of a call, told when it is over or given up.
struct Record {
    watch: Option<&'static Watch>,
    /// `None`: nothing is to be told.
    notes: Option<Notes>,
    /// What the headers or trailers said; `None`: not yet.
    code: Option<Code>,
}

impl Drop for Record {
    fn drop(&mut self) {
        if let (Some(watch), Some(notes)) = (self.watch, self.notes.take()) {
            // Without a code the caller went away before the answer was whole.
            watch.over(notes, ended(self.code.unwrap_or(Code::Cancelled)));
        }
    }
}

/// The body of an answer, with whose end the call is over.
struct Told {
    body: Body,
    record: Record,
}

impl http_body::Body for Told {
    type Data = <Body as http_body::Body>::Data;
    type Error = <Body as http_body::Body>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Self::Data>, Self::Error>>> {
        let Self { body, record } = &mut *self;
        let polled = call::within(&mut record.notes, || Pin::new(body).poll_frame(context));
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(trailers) = frame.trailers_ref()
        {
            record.code = code(trailers).or(record.code);
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

/// How a call ended, by its code: its name as gRPC writes it, whether that is an error of this side,
/// and whether it is one that a person may want to know of.
fn ended(code: Code) -> Ended {
    let (code, is_error, failed) = match code {
        Code::Ok => ("OK", false, false),
        Code::Cancelled => ("CANCELLED", false, false),
        Code::Unknown => ("UNKNOWN", true, true),
        Code::InvalidArgument => ("INVALID_ARGUMENT", false, false),
        Code::DeadlineExceeded => ("DEADLINE_EXCEEDED", true, true),
        Code::NotFound => ("NOT_FOUND", false, false),
        Code::AlreadyExists => ("ALREADY_EXISTS", false, false),
        Code::PermissionDenied => ("PERMISSION_DENIED", false, false),
        Code::ResourceExhausted => ("RESOURCE_EXHAUSTED", false, true),
        Code::FailedPrecondition => ("FAILED_PRECONDITION", false, false),
        Code::Aborted => ("ABORTED", false, false),
        Code::OutOfRange => ("OUT_OF_RANGE", false, false),
        // Strangers may ask for what is not there as often as they like.
        Code::Unimplemented => ("UNIMPLEMENTED", true, false),
        Code::Internal => ("INTERNAL", true, true),
        Code::Unavailable => ("UNAVAILABLE", true, true),
        Code::DataLoss => ("DATA_LOSS", true, true),
        Code::Unauthenticated => ("UNAUTHENTICATED", false, false),
    };
    Ended {
        code,
        failed,
        is_error,
    }
}
