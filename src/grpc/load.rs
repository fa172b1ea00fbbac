//! Bounds the calls that are worked on at once, over the whole server, orders first.
//!
//! Stands outside everything that makes something for a call. Single questions, batches, streams
//! and all other calls have places of their own, so that none of them keeps orders out. What is
//! beyond waits for a place for a short time, in a queue that is bounded too, and never longer than
//! its deadline, which stands outside; then it is told to come back. Half of the queue is for single
//! questions alone.
//! **Invariant:** a place is held by work. Where places are short, a call whose message does not
//! come has to let go of its place.
//! **Absent on purpose:** a look into the message. Which purpose a question has is known only when
//! it was read, and reading is what is bounded here.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::future::BoxFuture;
use http::{Request, Response};
use http_body::Frame;
use pin_project_lite::pin_project;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Sleep;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::{Bytes, StdError};
use tower::{Layer, Service};

use super::method::Kind;
use super::status;
use crate::telemetry::metrics::label::Shed;
use crate::telemetry::metrics::list::{RPC_QUEUE_WAIT, RPC_SHED};

/// How long a message may take to come where places are short.
const MESSAGE_WITHIN: Duration = Duration::from_millis(250);

/// Places are short where fewer than one of so many is free.
const SHORT: usize = 8;

/// Single checks that are taken to be at work, and not to wait.
const AT_WORK: usize = 2;

/// Bounds on calls.
#[derive(Clone, Copy, Debug)]
pub struct LoadLimits {
    /// Most single questions (`limits.max_concurrent_calls`).
    pub calls: usize,
    /// Most batches (`limits.max_concurrent_batches`).
    pub batches: usize,
    /// Most streams of screening and importing (`limits.max_concurrent_streams`).
    pub streams: usize,
    /// Most other calls (`limits.max_concurrent_others`).
    pub others: usize,
    /// Most calls that wait for a place (`limits.max_queued_calls`).
    pub queued: usize,
    /// How long a call waits for a place (`limits.queue_timeout`).
    pub patience: Duration,
}

/// Wraps services in [`Load`]; all of them share the bounds.
#[derive(Clone)]
pub(super) struct LoadLayer(Arc<Pools>);

/// Looks at how many single checks there are.
#[derive(Clone)]
pub(super) struct Checks(Arc<Pools>);

impl Checks {
    /// Whether single checks wait for a processor, as far as their number tells.
    pub(super) fn wait(&self) -> bool {
        let Pool { places, most } = &self.0.checks;
        most.saturating_sub(places.available_permits()) > AT_WORK
    }
}

struct Pools {
    checks: Pool,
    batches: Pool,
    streams: Pool,
    others: Pool,
    /// Calls of any kind that wait, and those of them that are no single questions.
    queue: Arc<Semaphore>,
    queue_of_others: Arc<Semaphore>,
    patience: Duration,
}

/// Places for calls of one kind.
#[derive(Clone)]
struct Pool {
    places: Arc<Semaphore>,
    most: usize,
}

/// A place in the queue.
struct Queued {
    _all: OwnedSemaphorePermit,
    _others: Option<OwnedSemaphorePermit>,
}

impl LoadLayer {
    pub(super) fn new(limits: &LoadLimits) -> Self {
        Self(Arc::new(Pools {
            checks: Pool::new(limits.calls),
            batches: Pool::new(limits.batches),
            streams: Pool::new(limits.streams),
            others: Pool::new(limits.others),
            queue: Pool::new(limits.queued).places,
            queue_of_others: Pool::new(limits.queued / 2).places,
            patience: limits.patience,
        }))
    }

    pub(super) fn checks(&self) -> Checks {
        Checks(Arc::clone(&self.0))
    }
}

impl Pool {
    fn new(most: usize) -> Self {
        let most = most.min(Semaphore::MAX_PERMITS);
        Self {
            places: Arc::new(Semaphore::new(most)),
            most,
        }
    }

    fn is_short(&self) -> bool {
        self.places.available_permits() < self.most.div_ceil(SHORT)
    }
}

impl Pools {
    /// The places for a kind of call; `None` where it needs none. Probes must be answered under
    /// load, and watchers hold their calls open for as long as they live.
    fn of(&self, kind: Kind) -> Option<&Pool> {
        match kind {
            Kind::Batch => Some(&self.batches),
            Kind::Check => Some(&self.checks),
            Kind::Import | Kind::Screen => Some(&self.streams),
            Kind::Other => Some(&self.others),
            Kind::Probe => None,
        }
    }

    fn queue(&self, kind: Kind) -> Option<Queued> {
        let others = match kind {
            Kind::Check => None,
            Kind::Batch | Kind::Import | Kind::Other | Kind::Probe | Kind::Screen => {
                let others = Arc::clone(&self.queue_of_others);
                Some(others.try_acquire_owned().ok()?)
            }
        };
        Some(Queued {
            _all: Arc::clone(&self.queue).try_acquire_owned().ok()?,
            _others: others,
        })
    }
}

impl<S> Layer<S> for LoadLayer {
    type Service = Load<S>;

    fn layer(&self, inner: S) -> Load<S> {
        Load {
            inner,
            pools: Arc::clone(&self.0),
        }
    }
}

/// A service that works on so many calls and no more.
#[derive(Clone)]
pub(super) struct Load<S> {
    inner: S,
    pools: Arc<Pools>,
}

impl<S, B> Service<Request<B>> for Load<S>
where
    S: Service<Request<Receiving<B>>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
    B: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Placed<S::Future, S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    /// Takes a place here, and not when the call is first worked on: calls that wait for a
    /// processor count, or their number would have no bound.
    fn call(&mut self, request: Request<B>) -> Self::Future {
        let kind = Kind::of(request.uri().path());
        let Some(pool) = self.pools.of(kind) else {
            let request = request.map(|body| Receiving::new(body, None));
            return Placed::working(self.inner.call(request), None, false);
        };
        // What streams its message holds its place by right.
        let watched = (!kind.lasts()).then(|| (pool.clone(), kind));
        if let Ok(place) = Arc::clone(&pool.places).try_acquire_owned() {
            let request = request.map(|body| Receiving::new(body, watched));
            let calling = self.inner.call(request);
            return Placed::working(calling, Some(place), streams(kind));
        }
        let Some(queued) = self.pools.queue(kind) else {
            shed(kind, Shed::QueueFull);
            return Placed::Refused { kind };
        };
        let (places, patience) = (Arc::clone(&pool.places), self.pools.patience);
        let mut inner = self.inner.clone();
        let waiting = Box::pin(async move {
            let begun = std::time::Instant::now();
            let place = tokio::time::timeout(patience, places.acquire_owned()).await;
            drop(queued);
            if let Some(kind) = kind.label() {
                RPC_QUEUE_WAIT.observe((kind,), begun.elapsed());
            }
            let Ok(Ok(place)) = place else {
                shed(kind, Shed::Waited);
                return Ok(status::overloaded(kind).into_http());
            };
            let request = request.map(|body| Receiving::new(body, watched));
            let answer = inner.call(request).await?;
            Ok(held(answer, place, streams(kind)))
        });
        Placed::Waiting { waiting }
    }
}

fn shed(kind: Kind, why: Shed) {
    if let Some(kind) = kind.label() {
        RPC_SHED.inc((kind, why));
    }
}

/// Whether the answer is made while it is sent, or is large enough to count until it is.
fn streams(kind: Kind) -> bool {
    match kind {
        Kind::Batch | Kind::Screen | Kind::Import => true,
        Kind::Check | Kind::Other | Kind::Probe => false,
    }
}

pin_project! {
    /// A call that has a place, waits for one, or was turned away.
    #[project = PlacedProjection]
    pub(super) enum Placed<F, E> {
        Working {
            #[pin]
            calling: F,
            place: Option<OwnedSemaphorePermit>,
            streams: bool,
        },
        Waiting {
            waiting: BoxFuture<'static, Result<Response<Body>, E>>,
        },
        Refused {
            kind: Kind,
        },
    }
}

impl<F, E> Placed<F, E> {
    fn working(calling: F, place: Option<OwnedSemaphorePermit>, streams: bool) -> Self {
        Self::Working {
            calling,
            place,
            streams,
        }
    }
}

impl<F, E> Future for Placed<F, E>
where
    F: Future<Output = Result<Response<Body>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        match self.project() {
            PlacedProjection::Working {
                calling,
                place,
                streams,
            } => {
                let answer = ready!(calling.poll(context));
                Poll::Ready(match place.take() {
                    Some(place) => answer.map(|answer| held(answer, place, *streams)),
                    None => answer,
                })
            }
            PlacedProjection::Waiting { waiting } => waiting.as_mut().poll(context),
            PlacedProjection::Refused { kind } => {
                Poll::Ready(Ok(status::overloaded(*kind).into_http()))
            }
        }
    }
}

/// Lets go of the place, or, where the answer streams, when it has been sent.
fn held(answer: Response<Body>, place: OwnedSemaphorePermit, streams: bool) -> Response<Body> {
    if streams {
        answer.map(|body| {
            Body::new(Held {
                body,
                _place: place,
            })
        })
    } else {
        answer
    }
}

/// The body of an answer that keeps its place until it is sent or dropped.
struct Held {
    body: Body,
    _place: OwnedSemaphorePermit,
}

impl http_body::Body for Held {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}

pin_project! {
    /// A message on its way, which has to come in time where places are short.
    pub(super) struct Receiving<B> {
        #[pin]
        body: B,
        // `None` where it may take its time.
        pool: Option<(Pool, Kind)>,
        // Set when the message is first waited for, which most are not.
        #[pin]
        sleep: Option<Sleep>,
    }
}

impl<B> Receiving<B> {
    fn new(body: B, pool: Option<(Pool, Kind)>) -> Self {
        Self {
            body,
            pool,
            sleep: None,
        }
    }
}

impl<B> http_body::Body for Receiving<B>
where
    B: http_body::Body,
    B::Error: Into<StdError>,
{
    type Data = B::Data;
    type Error = StdError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, StdError>>> {
        let mut this = self.project();
        if let Poll::Ready(frame) = this.body.poll_frame(context) {
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let Some((pool, kind)) = this.pool else {
            return Poll::Pending;
        };
        loop {
            match this.sleep.as_mut().as_pin_mut() {
                None => this.sleep.set(Some(tokio::time::sleep(MESSAGE_WITHIN))),
                Some(sleep) => {
                    ready!(sleep.poll(context));
                    if pool.is_short() {
                        shed(*kind, Shed::SlowMessage);
                        return Poll::Ready(Some(Err(status::slow().into())));
                    }
                    this.sleep.set(None);
                }
            }
        }
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

    use tokio::sync::mpsc;
    use tokio_util::task::TaskTracker;

    use super::*;
    use crate::telemetry::metrics::label::CallKind;

    const CHECK: &str = "/icpgate.v1.ProvisioningService/CheckProvisioning";
    const BATCH: &str = "/icpgate.v1.ProvisioningService/BatchCheckProvisioning";
    const SCREEN: &str = "/icpgate.v1.ProvisioningService/ScreenDomains";
    const DECISION: &str = "/icpgate.v1.ProvisioningService/GetDecision";
    const HEALTH: &str = "/grpc.health.v1.Health/Check";

    const LIMITS: LoadLimits = LoadLimits {
        calls: 8,
        batches: 2,
        streams: 1,
        others: 2,
        queued: 4,
        patience: Duration::from_secs(1),
    };

    /// A service that answers a call for each word that it is given.
    #[derive(Clone)]
    struct Worker(Arc<Semaphore>);

    impl Service<Request<Receiving<()>>> for Worker {
        type Response = Response<Body>;
        type Error = Infallible;
        type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Request<Receiving<()>>) -> Self::Future {
            let words = Arc::clone(&self.0);
            Box::pin(async move {
                words.acquire_owned().await.unwrap().forget();
                Ok(Response::new(Body::new(Sentence)))
            })
        }
    }

    /// A body that is not at its end.
    struct Sentence;

    impl http_body::Body for Sentence {
        type Data = Bytes;
        type Error = Status;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
            Poll::Pending
        }
    }

    struct Scene {
        words: Arc<Semaphore>,
        service: Load<Worker>,
        answers: mpsc::UnboundedReceiver<(&'static str, bool, Response<Body>)>,
        sender: mpsc::UnboundedSender<(&'static str, bool, Response<Body>)>,
        calls: TaskTracker,
    }

    impl Scene {
        fn new() -> Self {
            let words = Arc::new(Semaphore::new(0));
            let (sender, answers) = mpsc::unbounded_channel();
            Self {
                service: LoadLayer::new(&LIMITS).layer(Worker(Arc::clone(&words))),
                words,
                answers,
                sender,
                calls: TaskTracker::new(),
            }
        }

        fn call(&mut self, path: &'static str) {
            let request = Request::builder().uri(path).body(()).unwrap();
            let answering = self.service.call(request);
            let sender = self.sender.clone();
            self.calls.spawn(async move {
                let answer = answering.await.unwrap();
                let code = answer.headers().get("grpc-status").cloned();
                assert!(code.as_ref().is_none_or(|code| code == "8"), "{code:?}");
                let _ = sender.send((path, code.is_none(), answer));
            });
        }

        /// The next answers, as paths with whether they were answers.
        async fn next(&mut self, count: usize) -> Vec<(&'static str, bool)> {
            let mut next = Vec::new();
            for _ in 0..count {
                let (path, worked, _) = self.answers.recv().await.unwrap();
                next.push((path, worked));
            }
            next
        }
    }

    #[tokio::test(start_paused = true)]
    async fn calls_wait_and_then_are_told_to_come_back() {
        let mut scene = Scene::new();
        let counted = || {
            let of = |why| RPC_SHED.get((CallKind::Check, why));
            (of(Shed::QueueFull), of(Shed::Waited))
        };
        let before = counted();
        // Eight work, four wait, the others are told at once.
        for _ in 0..14 {
            scene.call(CHECK);
        }
        let begin = tokio::time::Instant::now();
        assert_eq!(scene.next(2).await, [(CHECK, false); 2]);
        assert!(begin.elapsed() < Duration::from_millis(10));
        // One place comes free for one that waits; the other three have waited long enough.
        scene.words.add_permits(1);
        assert_eq!(scene.next(1).await, [(CHECK, true)]);
        assert_eq!(scene.next(3).await, [(CHECK, false); 3]);
        assert!(begin.elapsed() >= Duration::from_secs(1));
        // Other tests of this process turn calls away too.
        let after = counted();
        assert!(after.0 >= before.0 + 2 && after.1 >= before.1 + 3);
        scene.words.add_permits(8);
        assert_eq!(scene.next(8).await, [(CHECK, true); 8]);
    }

    #[tokio::test(start_paused = true)]
    async fn other_calls_take_no_place_of_orders() {
        let mut scene = Scene::new();
        for path in [BATCH, SCREEN, DECISION] {
            for _ in 0..6 {
                scene.call(path);
            }
        }
        // Five work; two wait, for half of the queue; the others are told at once.
        let refused = scene.next(11).await;
        assert!(refused.iter().all(|(_, worked)| !worked), "{refused:?}");
        // Orders have all of their places, and places in the queue.
        for _ in 0..10 {
            scene.call(CHECK);
        }
        scene.words.add_permits(5 + 2 + 10);
        let answers = scene.next(17).await;
        assert!(answers.iter().all(|(_, worked)| *worked), "{answers:?}");
        let orders = answers.iter().filter(|(path, _)| *path == CHECK);
        assert_eq!(orders.count(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_keeps_its_place_until_it_is_sent() {
        let mut scene = Scene::new();
        scene.words.add_permits(4);
        for _ in 0..2 {
            scene.call(BATCH);
        }
        let first = scene.answers.recv().await.unwrap();
        let second = scene.answers.recv().await.unwrap();
        scene.call(BATCH);
        assert_eq!(scene.next(1).await, [(BATCH, false)], "both are still sent");
        drop(first);
        scene.call(BATCH);
        assert_eq!(scene.next(1).await, [(BATCH, true)]);
        drop(second);
    }

    #[tokio::test(start_paused = true)]
    async fn probes_are_answered_whatever_the_load() {
        let mut scene = Scene::new();
        for _ in 0..20 {
            scene.call(CHECK);
        }
        assert_eq!(scene.next(8).await, [(CHECK, false); 8]);
        scene.words.add_permits(13);
        scene.call(HEALTH);
        let worked = scene.next(13).await;
        assert!(worked.iter().all(|(_, worked)| *worked), "{worked:?}");
        assert!(worked.contains(&(HEALTH, true)));
    }

    /// Whoever gives up waiting leaves his place in the queue to others.
    #[tokio::test(start_paused = true)]
    async fn who_goes_away_leaves_the_queue() {
        let mut scene = Scene::new();
        for _ in 0..8 {
            scene.call(CHECK);
        }
        for _ in 0..30 {
            let request = Request::builder().uri(CHECK).body(()).unwrap();
            let waiting = scene.service.call(request);
            let gone = tokio::time::timeout(Duration::from_millis(10), waiting).await;
            assert!(gone.is_err());
        }
        assert_eq!(scene.service.pools.queue.available_permits(), 4);
        scene.words.add_permits(8);
        assert_eq!(scene.next(8).await, [(CHECK, true); 8]);
    }

    /// What one call takes of a [`Busy`] service.
    const TAKES: Duration = Duration::from_millis(200);

    /// A service for which every call is the same work.
    #[derive(Clone)]
    struct Busy;

    impl Service<Request<Receiving<()>>> for Busy {
        type Response = Response<Body>;
        type Error = Infallible;
        type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Request<Receiving<()>>) -> Self::Future {
            Box::pin(async {
                tokio::time::sleep(TAKES).await;
                Ok(Response::new(Body::empty()))
            })
        }
    }

    /// Orders come three times as fast as they can be worked on, batches and screenings as often as
    /// they are let. In virtual time, so that places alone decide and no processor.
    #[tokio::test(start_paused = true)]
    async fn behaviour_17_orders_keep_their_capacity() {
        let limits = LoadLimits {
            queued: 8,
            patience: Duration::from_millis(400),
            ..LIMITS
        };
        let places = u32::try_from(limits.calls).unwrap();
        let service = LoadLayer::new(&limits).layer(Busy);
        let call = move |path: &'static str| {
            let request = Request::builder().uri(path).body(()).unwrap();
            let answering = service.clone().call(request);
            async move {
                let answer = answering.await.unwrap();
                answer.headers().get("grpc-status").is_none()
            }
        };
        let (begin, lasts) = (tokio::time::Instant::now(), Duration::from_secs(20));
        let calls = TaskTracker::new();
        let mut others = Vec::new();
        for path in [BATCH, BATCH, BATCH, SCREEN, SCREEN, DECISION] {
            let call = call.clone();
            others.push(calls.spawn(async move {
                let mut worked = 0;
                while begin.elapsed() < lasts {
                    if call(path).await {
                        worked += 1;
                    } else {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                }
                worked
            }));
        }
        let mut orders = Vec::new();
        let mut due = begin;
        while due < begin + lasts {
            tokio::time::sleep_until(due).await;
            let order = call(CHECK);
            orders.push(calls.spawn(async move { (order.await, due.elapsed()) }));
            due += TAKES / places / 3;
        }
        let (mut worked, mut refused) = (0_u32, 0_u32);
        for order in orders {
            let (answered, took) = order.await.unwrap();
            // Timers go by milliseconds.
            let longest = limits.patience + TAKES + Duration::from_millis(10);
            assert!(took <= longest, "{took:?}");
            *(if answered { &mut worked } else { &mut refused }) += 1;
        }
        let capacity = f64::from(places) * lasts.div_duration_f64(TAKES);
        let share = f64::from(worked) / capacity;
        assert!((0.95..1.05).contains(&share), "{worked} of {capacity}");
        assert!(refused > worked, "{refused}");
        for other in others {
            assert!(other.await.unwrap() > 0, "others are not starved either");
        }
    }

    /// A message of which nothing comes.
    struct Silence;

    impl http_body::Body for Silence {
        type Data = Bytes;
        type Error = Status;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
            Poll::Pending
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_has_to_come_only_where_places_are_short() {
        use http_body::Body as _;
        let pool = Pool::new(16);
        let mut body = Box::pin(Receiving::new(Silence, Some((pool.clone(), Kind::Check))));
        let mut next =
            async || std::future::poll_fn(|context| body.as_mut().poll_frame(context)).await;
        let long = Duration::from_mins(1);
        assert!(tokio::time::timeout(long, next()).await.is_err());
        let places = Arc::clone(&pool.places);
        let _most = places.acquire_many_owned(15).await.unwrap();
        let ended = tokio::time::timeout(long, next()).await.unwrap();
        let error = ended.unwrap().unwrap_err();
        let status = error.downcast_ref::<Status>().unwrap();
        assert_eq!(status.code(), tonic::Code::ResourceExhausted);
    }
}
