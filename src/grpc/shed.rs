//! Bounds the calls that are worked on at once, over the whole server.
//!
//! Stands outside everything that allocates for a call: what is beyond the bound is told to come
//! back, at next to no cost. Tonic's own limits are per connection.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use http::{Request, Response};
use tokio::sync::Semaphore;
use tonic::body::Body;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};
use tower::{Layer, Service};

use super::status::DOMAIN;

/// When to come back.
const RETRY_AFTER: Duration = Duration::from_millis(200);

/// Wraps services in [`Shed`]; all of them share one bound.
#[derive(Clone)]
pub(super) struct ShedLayer {
    places: Arc<Semaphore>,
}

impl ShedLayer {
    /// Lets `most` calls be worked on at once.
    pub(super) fn new(most: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS))),
        }
    }
}

impl<S> Layer<S> for ShedLayer {
    type Service = Shed<S>;

    fn layer(&self, inner: S) -> Shed<S> {
        Shed {
            inner,
            places: Arc::clone(&self.places),
        }
    }
}

/// A service that turns calls away beyond a bound.
#[derive(Clone)]
pub(super) struct Shed<S> {
    inner: S,
    places: Arc<Semaphore>,
}

impl<S, B> Service<Request<B>> for Shed<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
    S::Future: Send + 'static,
    S::Error: 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response<Body>, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match Arc::clone(&self.places).try_acquire_owned() {
            Ok(place) => {
                let answer = self.inner.call(request);
                Box::pin(async move {
                    let answer = answer.await;
                    drop(place);
                    answer
                })
            }
            Err(_) => Box::pin(async { Ok(overloaded().into_http()) }),
        }
    }
}

fn overloaded() -> Status {
    let mut details =
        ErrorDetails::with_error_info("OVERLOADED", DOMAIN, std::collections::HashMap::new());
    details.set_retry_info(Some(RETRY_AFTER));
    let message = "too many calls are worked on; try again shortly";
    Status::with_error_details(Code::ResourceExhausted, message, details)
}
