//! The answers.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use serde::Serialize;

use crate::gate::{Contact, Gate, Readiness, Ready};
use crate::telemetry::metrics::label::Page;
use crate::telemetry::metrics::list::HTTP_REQUESTS;
use crate::telemetry::metrics::{Format, Observers, exposition};

const JSON: &str = "application/json";

/// What is shown, and where it is had from.
pub struct Pages {
    /// Whether the replica is ready.
    pub readiness: Readiness,
    /// States that are read before metrics are shown.
    pub observers: Observers,
    /// Tells the policy in force.
    pub gate: Arc<Gate>,
}

/// The body of `/readyz`.
#[derive(Serialize)]
struct ReadyView {
    ready: bool,
    /// Why it is not; empty where it is.
    reasons: Vec<&'static str>,
    /// Whether the store answers: `beginning`, `held` or `lost`.
    store: &'static str,
}

/// The body of `/version`.
#[derive(Serialize)]
struct VersionView<'v> {
    version: &'static str,
    policy_version: &'v str,
}

impl Pages {
    /// Answers a request.
    pub(super) fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        let page = match request.uri().path() {
            "/healthz" => Page::Health,
            "/metrics" => Page::Metrics,
            "/readyz" => Page::Ready,
            "/version" => Page::Version,
            _ => Page::Other,
        };
        HTTP_REQUESTS.inc((page,));
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, "ask with GET\n");
            let allowed = HeaderValue::from_static("GET, HEAD");
            answer.headers_mut().insert(ALLOW, allowed);
            return answer;
        }
        match page {
            Page::Health => text(StatusCode::OK, "ok\n"),
            Page::Metrics => self.metrics(request.headers()),
            Page::Other => text(
                StatusCode::NOT_FOUND,
                "there are /metrics, /healthz, /readyz and /version\n",
            ),
            Page::Ready => ready(self.readiness.now()),
            Page::Version => json(
                StatusCode::OK,
                &VersionView {
                    version: env!("CARGO_PKG_VERSION"),
                    policy_version: &self.gate.policy_version(),
                },
            ),
        }
    }

    fn metrics(&self, headers: &HeaderMap) -> Response<Full<Bytes>> {
        let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
        let format = Format::accepted(accept);
        self.observers.observe();
        answer(StatusCode::OK, format.media_type(), exposition(format))
    }
}

/// Ready or not, with the reasons; what does not keep it from being ready is told too.
fn ready(ready: Ready) -> Response<Full<Bytes>> {
    let mut reasons = Vec::new();
    if ready.is_stopping() {
        reasons.push("stopping");
    }
    if ready.contact == Contact::Beginning {
        reasons.push("starting");
    }
    let store = match ready.contact {
        Contact::Beginning => "beginning",
        Contact::Held => "held",
        Contact::Lost => "lost",
    };
    let status = if ready.is_ready() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let view = ReadyView {
        ready: ready.is_ready(),
        reasons,
        store,
    };
    json(status, &view)
}

fn json(status: StatusCode, view: &impl Serialize) -> Response<Full<Bytes>> {
    // The views have nothing that refuses to be written.
    let mut body = serde_json::to_string(view).unwrap_or_default();
    body.push('\n');
    answer(status, JSON, body)
}

fn text(status: StatusCode, body: &'static str) -> Response<Full<Bytes>> {
    answer(status, "text/plain; charset=utf-8", body)
}

fn answer(
    status: StatusCode,
    media_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
