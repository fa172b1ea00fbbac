//! What operators and their tools ask over HTTP: metrics, health, version.
//!
//! A listener of its own, beside that of callers, so that it can be kept to a network of its own; it
//! stays up while the process drains and ends last, so that a probe is told why and a scrape sees
//! the last counts.
//! **Invariant:** nothing that is asked here reaches the store, Redis or the decision log, and
//! nothing is changed: a probe costs a look at memory, and no number of them more than the bounded
//! number of connections can ask for.
//! **Absent on purpose:** TLS and authentication. The listener stays on loopback unless it is told
//! otherwise, and what it shows holds names of callers, and no domain, person or key.
//! Start at [`serve`].

mod pages;

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use pages::Pages;

/// Most connections; more are closed at once. A handful of scrapers and probes need one each.
const CONNECTIONS: usize = 64;

/// Time for the headers of a request.
const HEADERS_WITHIN: Duration = Duration::from_secs(5);

/// Most octets of the headers of a request.
const HEADER_OCTETS: usize = 16 * 1024;

/// Most headers of a request.
const HEADERS: usize = 64;

/// Age at which a connection ends, once its request is answered: whoever holds one and takes nothing
/// gives it back.
const AGE: Duration = Duration::from_mins(5);

/// Time for a last answer after a connection was told to end.
const LAST_ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// Pause after a connection could not be taken.
const PAUSE: Duration = Duration::from_millis(100);

/// Answers requests until `stop`.
pub async fn serve(listener: TcpListener, pages: Pages, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let pages = Arc::new(pages);
    let open = TaskTracker::new();
    loop {
        let taken = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            taken = listener.accept() => taken,
        };
        let Ok((stream, _)) = taken else {
            tokio::select! {
                () = stop.cancelled() => break,
                () = sleep(PAUSE) => {}
            }
            continue;
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            continue;
        };
        open.spawn(attend(stream, place, Arc::clone(&pages), stop.clone()));
    }
    drop(listener);
    open.close();
    open.wait().await;
}

/// Answers the requests of one connection.
async fn attend(
    stream: TcpStream,
    _place: OwnedSemaphorePermit,
    pages: Arc<Pages>,
    stop: CancellationToken,
) {
    let answering = service_fn(move |request: Request<Incoming>| {
        let pages = Arc::clone(&pages);
        async move { Ok::<Response<Full<Bytes>>, Infallible>(pages.answer(&request)) }
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WITHIN)
        .max_buf_size(HEADER_OCTETS)
        .max_headers(HEADERS)
        .half_close(false);
    let mut serving = pin!(builder.serve_connection(TokioIo::new(stream), answering));
    tokio::select! {
        served = &mut serving => {
            tell(served);
            return;
        }
        () = stop.cancelled() => {}
        () = sleep(AGE) => {}
    }
    serving.as_mut().graceful_shutdown();
    if let Ok(served) = timeout(LAST_ANSWER_WITHIN, serving).await {
        tell(served);
    }
}

fn tell(served: Result<(), hyper::Error>) {
    if let Err(error) = served {
        let error: &dyn std::error::Error = &error;
        tracing::debug!(error, "an HTTP connection broke");
    }
}
