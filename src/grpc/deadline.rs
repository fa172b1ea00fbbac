//! Ends calls in time: at the caller's deadline, and at `limits.call_timeout` where that is sooner.
//!
//! Stands outside the bound on calls, so that waiting for a place counts too, and a call whose
//! deadline passed meanwhile does no work. Streams are bounded by the caller's deadline alone; how
//! long they may stay open is [`super::ending`]'s business.
//! **Absent on purpose:** an end to work that others wait for too; reads of facts go on.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{HeaderMap, Request, Response};
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep};
use tonic::body::Body;
use tower::{Layer, Service};

use super::ending::until;
use super::method::Kind;
use super::status;
use crate::telemetry::metrics::list::RPC_DEADLINE_LEFT;

/// Header with the time that the caller allows.
const TIMEOUT: &str = "grpc-timeout";

/// Wraps services in [`Deadline`].
#[derive(Clone, Copy)]
pub(super) struct DeadlineLayer {
    /// Longest time that a call may take that is no stream.
    pub(super) longest: Duration,
}

/// A service whose calls end in time.
#[derive(Clone)]
pub(super) struct Deadline<S> {
    inner: S,
    longest: Duration,
}

impl<S> Layer<S> for DeadlineLayer {
    type Service = Deadline<S>;

    fn layer(&self, inner: S) -> Deadline<S> {
        Deadline {
            inner,
            longest: self.longest,
        }
    }
}

impl<S, B> Service<Request<B>> for Deadline<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Bounded<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let lasts = Kind::of(request.uri().path()).lasts();
        let asked = asked(request.headers());
        if let Some(asked) = asked {
            RPC_DEADLINE_LEFT.observe((), asked);
        }
        let ours = (!lasts).then_some(self.longest);
        let callers = asked.is_some_and(|asked| ours.is_none_or(|ours| asked <= ours));
        let after = if callers { asked } else { ours };
        let at = after.map(|after| Instant::now() + after);
        Bounded {
            inner: self.inner.call(request),
            sleep: at.map(tokio::time::sleep_until),
            at,
            callers,
            lasts,
            begun: false,
        }
    }
}

pin_project! {
    /// A call that ends in time.
    pub(super) struct Bounded<F> {
        #[pin]
        inner: F,
        #[pin]
        sleep: Option<Sleep>,
        at: Option<Instant>,
        // Whether the deadline is the caller's, and not ours.
        callers: bool,
        // Whether the answer is a stream, which the deadline bounds too.
        lasts: bool,
        begun: bool,
    }
}

impl<F, E> Future for Bounded<F>
where
    F: Future<Output = Result<Response<Body>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        // Ours cannot have passed before the call was looked at for the first time.
        if !*this.begun && *this.callers && this.at.is_some_and(|at| at <= Instant::now()) {
            return Poll::Ready(Ok(status::late(true).into_http()));
        }
        *this.begun = true;
        if let Poll::Ready(answer) = this.inner.poll(context) {
            return Poll::Ready(match *this.at {
                Some(at) if *this.lasts => answer.map(|answer| bound(answer, at)),
                Some(_) | None => answer,
            });
        }
        match this.sleep.as_pin_mut() {
            Some(sleep) => {
                ready!(sleep.poll(context));
                Poll::Ready(Ok(status::late(*this.callers).into_http()))
            }
            None => Poll::Pending,
        }
    }
}

fn bound(answer: Response<Body>, at: Instant) -> Response<Body> {
    until(answer, async move {
        tokio::time::sleep_until(at).await;
        status::late(true)
    })
}

/// The time that the caller allows; `None` where it says nothing that can be read.
fn asked(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(TIMEOUT)?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    // More digits than the protocol allows are no time.
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(count.saturating_mul(3600))),
        "M" => Some(Duration::from_secs(count.saturating_mul(60))),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    #[test]
    fn times_are_read_as_the_protocol_writes_them() {
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(TIMEOUT, text.parse().unwrap());
            asked(&headers)
        };
        for (text, expected) in [
            ("5m", Some(Duration::from_millis(5))),
            ("1H", Some(Duration::from_hours(1))),
            ("2M", Some(Duration::from_mins(2))),
            ("0S", Some(Duration::ZERO)),
            ("99999999u", Some(Duration::from_micros(99_999_999))),
            ("7n", Some(Duration::from_nanos(7))),
            ("99999999H", Some(Duration::from_hours(99_999_999))),
            ("999999999S", None),
            ("5", None),
            ("m", None),
            ("", None),
            ("-5m", None),
            ("+5m", None),
            ("5 m", None),
            ("5d", None),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
        assert_eq!(asked(&HeaderMap::new()), None);
    }

    /// A service that answers after a while, and tells whether it was asked to work.
    #[derive(Clone)]
    struct Slow(std::sync::Arc<std::sync::atomic::AtomicUsize>);

    impl Service<Request<()>> for Slow {
        type Response = Response<Body>;
        type Error = Infallible;
        type Future = futures::future::BoxFuture<'static, Result<Response<Body>, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Request<()>) -> Self::Future {
            let worked = std::sync::Arc::clone(&self.0);
            Box::pin(async move {
                worked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                tokio::time::sleep(Duration::from_secs(20)).await;
                Ok(Response::new(Body::empty()))
            })
        }
    }

    async fn call(method: &str, timeout: Option<&str>) -> (Option<String>, Duration, usize) {
        let worked = std::sync::Arc::default();
        let layer = DeadlineLayer {
            longest: Duration::from_secs(10),
        };
        let mut service = layer.layer(Slow(std::sync::Arc::clone(&worked)));
        let mut request = Request::builder().uri(method);
        if let Some(timeout) = timeout {
            request = request.header(TIMEOUT, timeout);
        }
        let begin = Instant::now();
        let answer = service.call(request.body(()).unwrap()).await.unwrap();
        let code = answer.headers().get("grpc-status");
        (
            code.map(|code| code.to_str().unwrap().to_owned()),
            begin.elapsed(),
            worked.load(std::sync::atomic::Ordering::Relaxed),
        )
    }

    #[tokio::test(start_paused = true)]
    async fn the_sooner_deadline_holds() {
        const CHECK: &str = "/icpgate.v1.ProvisioningService/CheckProvisioning";
        const IMPORT: &str = "/icpgate.v1.RecordService/ImportRecords";
        let late = || Some("4".to_owned());
        let seconds = Duration::from_secs;
        let milliseconds = |count| Duration::from_millis(count);
        for (method, timeout, code, took) in [
            (CHECK, None, late(), seconds(10)),
            (CHECK, Some("15S"), late(), seconds(10)),
            (CHECK, Some("3S"), late(), seconds(3)),
            (CHECK, Some("5m"), late(), milliseconds(5)),
            (IMPORT, None, None, seconds(20)),
            (IMPORT, Some("15S"), late(), seconds(15)),
            (IMPORT, Some("25S"), None, seconds(20)),
        ] {
            let (told, elapsed, worked) = call(method, timeout).await;
            assert_eq!(told, code, "{method} {timeout:?}");
            assert!(
                elapsed >= took && elapsed < took + milliseconds(2),
                "{method} {timeout:?}: {elapsed:?}"
            );
            assert_eq!(worked, 1);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_work_is_begun_after_the_deadline() {
        let check = "/icpgate.v1.ProvisioningService/CheckProvisioning";
        let (code, _, worked) = call(check, Some("0m")).await;
        assert_eq!((code.as_deref(), worked), (Some("4"), 0));
    }
}
