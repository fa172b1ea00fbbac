//! Listening for announcements, on a line of its own.
//!
//! **Invariant:** an announcement is a hint: it may be missing, late or false. A line that was
//! lost is told, and a line that is new says so, because what was announced in between is gone.

use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _};
use icpgate_policy::facts::Revision;
use redis::aio::{PubSubSink, PubSubStream};
use redis::{Msg, RedisError};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until, timeout};

use super::servers::Servers;

/// Longest time for opening the line, and for the answer to a sign of life.
const PATIENCE: Duration = Duration::from_secs(2);

/// Pause between two signs of life: a server that hangs, or a network that swallows everything,
/// is silent as one that has nothing to tell.
const QUIET: Duration = Duration::from_secs(5);

/// Pause before a line is opened again; doubled with each attempt that fails.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// Longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The line; opened when it is first listened to.
pub(super) struct Subscription(Mutex<State>);

struct State {
    line: Option<Line>,
    /// Attempts since the line was last of use.
    attempts: u32,
    next_attempt: Instant,
}

struct Line {
    sink: PubSubSink,
    stream: PubSubStream,
    /// A sign of life that was asked for. Kept here, because who waits may go and come back.
    sign: Option<BoxFuture<'static, Result<redis::Value, RedisError>>>,
    /// When to ask for a sign of life or, while one is awaited, when to stop waiting for it.
    patient_until: Instant,
}

/// Why the line is lost.
#[derive(Debug)]
pub(super) enum Lost {
    Closed,
    Redis(RedisError),
    Silent,
}

impl Subscription {
    pub(super) fn new() -> Self {
        Self(Mutex::new(State {
            line: None,
            attempts: 0,
            next_attempt: Instant::now(),
        }))
    }

    /// Waits for an announcement; `None` for a line that was just opened. May be dropped at any
    /// time; what was announced meanwhile is kept for the next call.
    pub(super) async fn next(
        &self,
        servers: &Servers,
        channel: &str,
    ) -> Result<Option<Revision>, Lost> {
        let mut state = self.0.lock().await;
        let Some(line) = &mut state.line else {
            sleep_until(state.next_attempt).await;
            let doubled = 1_u32 << state.attempts.min(10);
            let pause = FIRST_PAUSE.saturating_mul(doubled).min(LONGEST_PAUSE);
            state.attempts = state.attempts.saturating_add(1);
            state.next_attempt = Instant::now() + pause;
            let (sink, stream) = match timeout(PATIENCE, servers.listen(channel)).await {
                Ok(Ok(line)) => line.split(),
                Ok(Err(error)) => return Err(Lost::Redis(error)),
                Err(_elapsed) => return Err(Lost::Silent),
            };
            state.line = Some(Line {
                sink,
                stream,
                sign: None,
                patient_until: Instant::now() + QUIET,
            });
            return Ok(None);
        };
        match line.next().await {
            Ok(revision) => {
                state.attempts = 0;
                Ok(revision)
            }
            Err(lost) => {
                state.line = None;
                Err(lost)
            }
        }
    }
}

impl Line {
    async fn next(&mut self) -> Result<Option<Revision>, Lost> {
        loop {
            tokio::select! {
                message = self.stream.next() => {
                    let Some(message) = message else {
                        return Err(Lost::Closed);
                    };
                    let mut newest = revision(&message);
                    // One look at the log answers all that has come in.
                    while let Some(Some(message)) = self.stream.next().now_or_never() {
                        newest = newest.max(revision(&message));
                    }
                    return Ok(newest);
                }
                sign = given(&mut self.sign) => {
                    self.sign = None;
                    self.patient_until = Instant::now() + QUIET;
                    if let Err(error) = sign {
                        return Err(Lost::Redis(error));
                    }
                }
                () = sleep_until(self.patient_until) => {
                    if self.sign.is_some() {
                        return Err(Lost::Silent);
                    }
                    let mut sink = self.sink.clone();
                    self.sign = Some(async move { sink.ping().await }.boxed());
                    self.patient_until = Instant::now() + PATIENCE;
                }
            }
        }
    }
}

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Closed => f.write_str("the server closed it"),
            Self::Redis(error) => error.fmt(f),
            Self::Silent => f.write_str("it did not answer in time"),
        }
    }
}

/// The sign of life once it is there; waits for ever where none was asked for.
async fn given(
    sign: &mut Option<BoxFuture<'static, Result<redis::Value, RedisError>>>,
) -> Result<redis::Value, RedisError> {
    match sign {
        Some(sign) => sign.await,
        None => std::future::pending().await,
    }
}

/// What a message says; one that says nothing known is a hint all the same.
fn revision(message: &Msg) -> Option<Revision> {
    let text = std::str::from_utf8(message.get_payload_bytes()).ok()?;
    text.parse().ok().map(Revision)
}
