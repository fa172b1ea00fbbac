//! Lets callers in: who calls, whether they may, and whether their rate allows it.
//!
//! Stands inside the bound on calls, so that checking tokens is bounded too, and outside the
//! services, which no stranger reaches. Costs no allocation for callers without a token; a token
//! that was seen before costs a digest and a look-up.

use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::{BoxFuture, Either};
use http::{Request, Response};
use tonic::body::Body;
use tower::{Layer, Service};

use super::status::refused;
use crate::auth::{Access, Auth, Caller, Method, Peer, Refusal, Shown, methods};
use crate::telemetry::call;
use crate::telemetry::metrics::label::{self, Refusal as Reason};
use crate::telemetry::metrics::list::{CALLER_CALLS, CALLER_REFUSALS, REFUSALS};
use crate::telemetry::metrics::names;
use crate::telemetry::seldom::Seldom;

/// Refusals that are told of in a second, so that strangers do not fill the log.
static TOLD: Seldom = Seldom::new(20, Duration::from_secs(1));

/// Wraps services in [`Entry`].
#[derive(Clone)]
pub(super) struct EntryLayer(pub(super) Arc<Auth>);

impl<S> Layer<S> for EntryLayer {
    type Service = Entry<S>;

    fn layer(&self, inner: S) -> Entry<S> {
        Entry {
            inner,
            auth: Arc::clone(&self.0),
        }
    }
}

/// A service that only callers reach who may.
#[derive(Clone)]
pub(super) struct Entry<S> {
    inner: S,
    auth: Arc<Auth>,
}

type Refused<E> = Ready<Result<Response<Body>, E>>;
type Answer<E> = Result<Response<Body>, E>;

impl<S, B> Service<Request<B>> for Entry<S>
where
    S: Service<Request<B>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    B: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future =
        Either<S::Future, Either<Refused<S::Error>, BoxFuture<'static, Answer<S::Error>>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        match enter(&self.auth, &mut request) {
            Ok(()) => Either::Left(self.inner.call(request)),
            Err(refusal) if refusal.may_lack_keys() => {
                // The one that was made ready is used; its copy may not be.
                let fresh = self.inner.clone();
                let mut inner = std::mem::replace(&mut self.inner, fresh);
                let auth = Arc::clone(&self.auth);
                Either::Right(Either::Right(Box::pin(async move {
                    auth.renew_keys().await;
                    match enter(&auth, &mut request) {
                        Ok(()) => inner.call(request).await,
                        Err(refusal) => Ok(refuse(&request, &refusal)),
                    }
                })))
            }
            Err(refusal) => Either::Right(Either::Left(ready(Ok(refuse(&request, &refusal))))),
        }
    }
}

/// Lets a call in, with its caller among its extensions.
fn enter<B>(auth: &Auth, request: &mut Request<B>) -> Result<(), Refusal> {
    let method = methods::find(request.uri().path());
    if method.is_some_and(|method| method.access == Access::Everyone) {
        return Ok(());
    }
    let shown = Shown::of(request.headers());
    let caller = auth.recognise(request.extensions().get::<Peer>(), shown)?;
    // A stranger does not learn which methods there are.
    let method: &Method = method.ok_or(Refusal::NoMethod)?;
    call::note(|notes| notes.caller = Some(Arc::clone(&caller.name)));
    auth.admit(&caller, method)?;
    CALLER_CALLS.inc((counted(&caller), label::Method::of(method.path)));
    if auth.is_required() && !matches!(shown, Shown::Nothing) {
        request.extensions_mut().insert::<Arc<Caller>>(caller);
    }
    Ok(())
}

/// The label of a caller, looked up once.
fn counted(caller: &Caller) -> label::Caller {
    *caller.label.get_or_init(|| names::caller_of(&caller.name))
}

fn count(refusal: &Refusal) {
    let (reason, caller) = match refusal {
        Refusal::NoCredential => (Reason::NoCredential, None),
        Refusal::Credential(_) => (Reason::Credential, None),
        Refusal::NoKeys => (Reason::NoKeys, None),
        Refusal::NoMethod => (Reason::NoMethod, None),
        Refusal::Role { caller } => (Reason::Role, Some(caller)),
        Refusal::Rate { caller, .. } => (Reason::Rate, Some(caller)),
    };
    REFUSALS.inc((reason,));
    if let Some(caller) = caller {
        CALLER_REFUSALS.inc((counted(caller), reason));
    }
}

/// The answer to a call that is not let in; why goes to the log.
fn refuse<B>(request: &Request<B>, refusal: &Refusal) -> Response<Body> {
    count(refusal);
    let peer = request.extensions().get::<Peer>().map(Peer::address);
    let peer = peer.map(|peer| peer.to_string());
    let peer = peer.as_deref();
    // Paths are the caller's to choose; only those that there are shall fill the log.
    let method = methods::find(request.uri().path()).map_or("unknown", |method| method.path);
    let request_id = call::shown().request_id;
    let request_id = request_id.as_deref();
    match refusal {
        Refusal::NoCredential => {
            tracing::debug!(method, peer, request_id, "a call showed no credential");
        }
        Refusal::Credential(problem) => TOLD.tell(|more| {
            tracing::info!(method, peer, request_id, more, %problem, "a credential was refused");
        }),
        Refusal::NoKeys => TOLD.tell(|more| {
            tracing::info!(
                method,
                peer,
                request_id,
                more,
                "a token could not be checked: there are no keys yet"
            );
        }),
        Refusal::NoMethod => {
            tracing::debug!(peer, request_id, "a call named a method that there is not");
        }
        Refusal::Role { caller } => TOLD.tell(|more| {
            tracing::info!(
                method,
                peer,
                request_id,
                more,
                caller = &*caller.name,
                "a caller lacks a role"
            );
        }),
        Refusal::Rate { caller, .. } => {
            tracing::debug!(
                method,
                peer,
                request_id,
                caller = &*caller.name,
                "a caller's rate is used up"
            );
        }
    }
    refused(refusal).into_http()
}
