//! Takes connections and serves calls on them, within bounds and for a bounded time.
//!
//! Tonic's own server bounds neither connections nor the time until a peer speaks, and drops calls
//! when connections age; this one hands connections to hyper itself.
//! **Invariant:** nothing that a peer does ends the loop. A connection ends in order, unless its
//! peer has been told to leave and does not, does not greet, or does not take its answers.
//! **Absent on purpose:** HTTP/1.
//! Start at [`serve`].

mod calls;
mod io;
mod places;
mod vigil;

use std::convert::Infallible;
use std::hash::{BuildHasher as _, RandomState};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::body::Body;

use crate::auth::Acceptor;
use crate::telemetry::metrics::label::Unserved;
use crate::telemetry::metrics::list::{
    CONNECTIONS, CONNECTIONS_ENDED, CONNECTIONS_FAILED, CONNECTIONS_TAKEN, CONNECTIONS_UNSERVED,
};
use calls::{Calls, Entrance};
use io::{Counted, Octets};
use places::{Place, Places};
use vigil::{Bounds, LAST_BYTES_WITHIN, Signs, Verdict, Vigil};

/// Shortest and longest pause after a connection could not be taken.
const PAUSE: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// Connections that are taken when a listener is closed: those that its queue holds, which is 1024
/// where the system allows as much.
const QUEUE: usize = 1024;

/// How often it is logged, at most, that connections are turned away.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// Bounds on connections.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// Most connections (`limits.max_connections`).
    pub connections: usize,
    /// Most connections from one address (`limits.max_connections_per_address`).
    pub per_address: usize,
    /// Most calls at once on one connection (`limits.max_streams_per_connection`).
    pub streams: u32,
    /// Most octets of the headers of one call (`limits.max_header_bytes`).
    pub headers: u32,
    /// Longest frame, in octets (`limits.max_frame_bytes`).
    pub frame: u32,
    /// Most calls that may be withdrawn before they were looked at (`limits.max_pending_resets`).
    pub resets: usize,
    /// Time until a peer has greeted, encryption and all (`limits.handshake_timeout`).
    pub handshake: Duration,
    /// Time without a call after which a connection ends (`limits.idle_timeout`).
    pub idle: Duration,
    /// Age at which a connection ends (`limits.connection_age`), a tenth more or less.
    pub age: Duration,
    /// Silence after which a peer is asked for a sign of life (`limits.keepalive_interval`).
    pub keepalive_every: Duration,
    /// How long the sign of life may take (`limits.keepalive_timeout`).
    pub keepalive_within: Duration,
    /// Longest time of a call that is no stream (`limits.call_timeout`). The same again is given to
    /// the peer to take the answer.
    pub call: Duration,
}

/// When serving ends.
#[derive(Clone, Debug)]
pub(super) struct End {
    /// No connection is taken any more, and those that are open are asked to leave.
    pub(super) leave: CancellationToken,
    /// Connections are closed.
    pub(super) drop: CancellationToken,
}

/// Serves calls on the connections of a listener until they have ended after `end.leave`.
pub(super) async fn serve<S>(
    listener: TcpListener,
    acceptor: Acceptor,
    services: S,
    limits: ConnectionLimits,
    end: End,
) where
    S: Services,
{
    let places = Places::new(limits.connections, limits.per_address);
    let open = TaskTracker::new();
    let jitter = RandomState::new();
    let mut taken: u64 = 0;
    let mut pause = PAUSE.0;
    let mut told = Told::default();
    let mut beyond_told = Told::default();
    let mut take = |stream, address: SocketAddr| {
        let place = match places.take(address.ip()) {
            Ok(place) => place,
            Err(beyond) => {
                CONNECTIONS_UNSERVED.inc((beyond.label(),));
                return beyond_told.tell(|more| {
                    let key = beyond.key();
                    tracing::warn!(key, more, peer = %address, "a connection is beyond `{key}`");
                });
            }
        };
        taken = taken.wrapping_add(1);
        CONNECTIONS_TAKEN.inc(());
        #[expect(clippy::cast_precision_loss, reason = "a jitter needs no precision")]
        let jitter = jitter.hash_one(taken) as f64 / u64::MAX as f64;
        let attending = attend(
            Taken {
                stream,
                address,
                jitter,
                _place: place,
                _counted: Open::one(),
            },
            acceptor.clone(),
            services.clone(),
            limits,
            end.clone(),
        );
        open.spawn(attending);
    };
    loop {
        let connection = tokio::select! {
            biased;
            () = end.leave.cancelled() => break,
            () = end.drop.cancelled() => break,
            connection = listener.accept() => connection,
        };
        let (stream, address) = match connection {
            Ok(connection) => connection,
            Err(error) if of_the_peer(&error) => continue,
            Err(error) => {
                CONNECTIONS_FAILED.inc(());
                // Files have run out, as a rule. Those who wait are taken when some are closed.
                told.tell(|more| cannot_take(&error, more));
                tokio::select! {
                    () = end.leave.cancelled() => break,
                    () = sleep(pause) => {}
                }
                pause = (pause * 2).min(PAUSE.1);
                continue;
            }
        };
        pause = PAUSE.0;
        take(stream, address);
    }
    // Whoever the system has let in already believes to be connected, and may have sent a call. Closing
    // the listener would cut him off.
    for (stream, address) in let_in(listener) {
        take(stream, address);
    }
    // Whoever comes now is refused by the system and goes elsewhere.
    open.close();
    open.wait().await;
}

/// Connections that wait in the queue of a listener, which is closed.
fn let_in(listener: TcpListener) -> Vec<(TcpStream, SocketAddr)> {
    let Ok(listener) = listener.into_std() else {
        return Vec::new();
    };
    let mut waiting = Vec::new();
    while waiting.len() < QUEUE {
        match listener.accept() {
            Ok((stream, address)) => {
                let stream = stream.set_nonblocking(true).map(|()| stream);
                if let Ok(stream) = stream.and_then(TcpStream::from_std) {
                    waiting.push((stream, address));
                }
            }
            Err(error) if of_the_peer(&error) => {}
            // It does not block: nobody waits any more.
            Err(_) => break,
        }
    }
    waiting
}

/// What answers the calls.
pub(super) trait Services:
    tower::Service<
        Request<Incoming>,
        Response = Response<Body>,
        Error = Infallible,
        Future: Send + 'static,
    > + Clone
    + Send
    + Sync
    + 'static
{
}

impl<S> Services for S where
    S: tower::Service<
            Request<Incoming>,
            Response = Response<Body>,
            Error = Infallible,
            Future: Send + 'static,
        > + Clone
        + Send
        + Sync
        + 'static
{
}

/// A connection that was taken.
struct Taken {
    stream: TcpStream,
    address: SocketAddr,
    jitter: f64,
    _place: Place,
    _counted: Open,
}

/// Counts a connection while it is open.
struct Open;

impl Open {
    fn one() -> Self {
        CONNECTIONS.up(());
        Self
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        CONNECTIONS.down(());
    }
}

/// Serves one connection to its end.
async fn attend<S>(
    taken: Taken,
    acceptor: Acceptor,
    services: S,
    limits: ConnectionLimits,
    end: End,
) where
    S: Services,
{
    let began = Instant::now();
    let address = taken.address;
    // Without it headers and message leave apart, and the second waits for the client's delayed
    // acknowledgement of the first: 40 ms for a call.
    if let Err(error) = taken.stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection was gone before it was served");
        return;
    }
    let accepting = timeout(limits.handshake, acceptor.accept(taken.stream, address));
    let accepted = tokio::select! {
        biased;
        () = end.drop.cancelled() => return,
        accepted = accepting => accepted,
        () = left_alone(&end.leave) => return,
    };
    let (io, peer) = match accepted {
        Ok(Ok(accepted)) => accepted,
        Ok(Err(error)) => {
            let error: &dyn std::error::Error = &error;
            tracing::debug!(error, peer = %address, "a connection was refused");
            CONNECTIONS_UNSERVED.inc((Unserved::Refused,));
            return;
        }
        Err(_) => {
            tracing::debug!(peer = %address, "a connection did not greet in time");
            CONNECTIONS_UNSERVED.inc((Unserved::Handshake,));
            return;
        }
    };
    let calls = Calls::default();
    let vigil = {
        let bounds = Bounds {
            greeting: limits.handshake,
            idle: limits.idle,
            age: limits.age,
            call: limits.call,
        };
        Vigil::new(bounds, taken.jitter, began)
    };
    let entrance = Entrance {
        services,
        peer,
        calls: calls.clone(),
    };
    drive(io, entrance, vigil, limits, end, address).await;
    // What still runs learns from the dropped connection that nobody waits for it.
    calls.ended().await;
}

/// Waits until those have had their time who were about to greet when serving ended.
async fn left_alone(leave: &CancellationToken) {
    leave.cancelled().await;
    sleep(LAST_BYTES_WITHIN).await;
}

/// Reads calls from a connection until it ends or is ended.
async fn drive<I, S>(
    io: I,
    entrance: Entrance<S>,
    mut vigil: Vigil,
    limits: ConnectionLimits,
    end: End,
    address: SocketAddr,
) where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Services,
{
    let calls = entrance.calls.clone();
    let read = Arc::new(Octets::default());
    let io = TokioIo::new(Counted::new(io, Arc::clone(&read)));
    let mut serving = pin!(builder(&limits, calls.clone()).serve_connection(io, entrance));
    let mut next_span = Instant::now() + limits.call;
    let mut ending = false;
    loop {
        tokio::select! {
            served = &mut serving => {
                if let Err(error) = served {
                    let error: &dyn std::error::Error = &error;
                    tracing::debug!(error, peer = %address, "a connection broke");
                }
                return;
            }
            () = end.drop.cancelled() => return,
            () = end.leave.cancelled(), if !ending => {
                ending = true;
                vigil.ending(Instant::now());
                serving.as_mut().graceful_shutdown();
            }
            () = sleep(vigil.pace()) => {
                let now = Instant::now();
                let turn = now >= next_span;
                if turn {
                    next_span = now + limits.call;
                }
                let signs = Signs {
                    read: read.so_far(),
                    begun: calls.begun(),
                    running: calls.running(),
                    overdue: turn && calls.next_span(),
                };
                match vigil.look(signs, now) {
                    Verdict::Stay => {}
                    Verdict::Leave(why) => {
                        CONNECTIONS_ENDED.inc((why.label(),));
                        tracing::debug!(peer = %address, "a connection is asked to leave: {why}");
                        serving.as_mut().graceful_shutdown();
                    }
                    Verdict::Close(why) => {
                        CONNECTIONS_ENDED.inc((why.label(),));
                        tracing::debug!(
                            calls = signs.running,
                            peer = %address,
                            "a connection is closed: {why}"
                        );
                        return;
                    }
                }
            }
        }
    }
}

fn builder(limits: &ConnectionLimits, calls: Calls) -> http2::Builder<Calls> {
    let mut builder = http2::Builder::new(calls);
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(limits.keepalive_every)
        .keep_alive_timeout(limits.keepalive_within)
        .max_concurrent_streams(limits.streams)
        .max_frame_size(limits.frame)
        .max_header_list_size(limits.headers)
        .max_pending_accept_reset_streams(limits.resets)
        // Nobody reads it, and it is made anew every second.
        .auto_date_header(false);
    builder
}

/// Whether the connection that was to be taken has gone, and not the means to take it.
fn of_the_peer(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset
            | ErrorKind::Interrupted
    )
}

fn cannot_take(error: &(dyn std::error::Error + 'static), more: u64) {
    tracing::error!(error, more, "connections cannot be taken");
}

/// Keeps the log from being filled by what happens a thousand times a second.
#[derive(Default)]
struct Told {
    last: Option<Instant>,
    since: u64,
}

impl Told {
    /// Calls `tell` with how often there was nothing told since the last time.
    fn tell(&mut self, tell: impl FnOnce(u64)) {
        let now = Instant::now();
        let due = self
            .last
            .is_none_or(|last| now.saturating_duration_since(last) >= TOLD_EVERY);
        if due {
            tell(self.since);
            self.last = Some(now);
            self.since = 0;
        } else {
            self.since += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use hyper_util::rt::TokioExecutor;
    use tower::service_fn;

    use super::*;

    const LIMITS: ConnectionLimits = ConnectionLimits {
        connections: 100,
        per_address: 100,
        streams: 10,
        headers: 16 * 1024,
        frame: 16 * 1024,
        resets: 10,
        handshake: Duration::from_secs(10),
        idle: Duration::from_mins(5),
        age: Duration::from_mins(10),
        keepalive_every: Duration::from_secs(30),
        keepalive_within: Duration::from_secs(10),
        call: Duration::from_secs(30),
    };

    async fn answer(_: Request<Incoming>) -> Result<Response<Body>, Infallible> {
        Ok(Response::new(Body::empty()))
    }

    /// The system lets connections in before anybody takes them; closing the listener would break
    /// those, with calls on them.
    #[tokio::test]
    async fn who_waits_in_the_queue_is_answered_although_serving_ends() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut streams = Vec::new();
        for _ in 0..20 {
            streams.push(TcpStream::connect(address).await.unwrap());
        }
        let end = End {
            leave: CancellationToken::new(),
            drop: CancellationToken::new(),
        };
        end.leave.cancel();
        let serving = serve(listener, Acceptor::plain(), service_fn(answer), LIMITS, end);
        let calls = streams.into_iter().map(|stream| async {
            let io = TokioIo::new(stream);
            let executor = TokioExecutor::new();
            let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, io)
                .await
                .unwrap();
            let request = Request::post("http://gate/call")
                .body(Body::empty())
                .unwrap();
            let call = async move { sender.send_request(request).await.unwrap().status() };
            let (status, ended) = futures::join!(call, connection);
            assert_eq!(status, http::StatusCode::OK);
            ended.unwrap();
        });
        futures::join!(serving, futures::future::join_all(calls));
        assert!(TcpStream::connect(address).await.is_err());
    }
}
