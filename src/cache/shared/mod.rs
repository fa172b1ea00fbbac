//! Facts that all replicas share, in a Redis.
//!
//! **Invariant:** nobody who asks gets an error or waits longer than the time-out. What Redis does
//! not say in time, says in a form that is not known, or says about somebody else's facts, is not
//! there; while the breaker is open, Redis is not asked.
//! **Invariant:** facts never replace newer ones, nor those that were invalidated later: Redis
//! compares the revisions itself, in one step with the write.
//! **Absent on purpose:** truth. A set of facts in Redis may be older than the store; who uses it
//! holds its revision against the change log. And Redis is never waited for in order to write.
//! Start at [`SharedCache::get`].

mod breaker;
mod link;
mod servers;
mod shards;
mod subscription;
mod value;

use std::hash::{BuildHasher as _, RandomState};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use icpgate_policy::facts::Revision;
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::task::TaskTracker;

use breaker::{Breaker, Generation, Look, Permit};
use link::{Answered, Failure, INVALIDATE, Link, PUT, Text, Write};
use servers::Servers;
use subscription::Subscription;
pub use value::{NoFacts, SharedIdentity};

use super::{SetKey, Snapshot};
use crate::telemetry::metrics::label::{Dependency, Failure as FailureLabel, Level, Operation};
use crate::telemetry::metrics::list::{
    BREAKER, BREAKER_OPENED, CACHE_REFUSED, CACHE_UNREADABLE, DEPENDENCY_DURATION,
    DEPENDENCY_FAILURES, DEPENDENCY_SHED,
};

/// Longest time for looking after a server: connecting, with TLS and Sentinels, and a write.
/// Nobody waits for it.
const LOOK: Duration = Duration::from_secs(3);

/// Failures in a row that open the breaker. Each costs a caller the time-out; fewer would open it
/// for a hiccup.
const FAILURES: u32 = 5;

/// Requests at once. A server that hangs holds these for the time-out; further ones go without.
const IN_FLIGHT: usize = 1024;

/// Time for which a marker refuses older facts: far more than a load that began before the
/// invalidation can take, even from a database replica that lags.
const MARKED_FOR: Duration = Duration::from_mins(10);

/// Values that are read or written between two points at which other tasks may run.
const CODED_AT_ONCE: usize = 64;

/// Redis as it is configured.
#[derive(Clone)]
pub struct SharedOptions {
    /// Addresses, `redis://` or `rediss://` for TLS: of the server, of the Sentinels, or of some
    /// nodes of the cluster. May hold passwords.
    pub urls: Vec<String>,
    /// How the servers are arranged.
    pub mode: SharedMode,
    /// Time after which a request is given up.
    pub timeout: Duration,
    /// Authorities whose certificates are taken, in PEM form; `None`: those of the system.
    pub ca_file: Option<PathBuf>,
    /// Time after which facts are forgotten.
    pub keep_for: Duration,
    /// Whose facts they are.
    pub identity: SharedIdentity,
}

/// How the servers of Redis are arranged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SharedMode {
    /// Redis Cluster.
    Cluster,
    /// A master and replicas that Sentinels watch over.
    Sentinel {
        /// Name under which the Sentinels know the master.
        service: String,
    },
    /// One server.
    Standalone,
}

/// What the shared cache has been through, for operators.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SharedState {
    /// Whether Redis is in use: the breaker is closed. False before Redis is first asked.
    pub in_use: bool,
    /// Times that the breaker opened.
    pub opened: u64,
    /// Sets of facts that were found.
    pub hits: u64,
    /// Sets of facts that were not found, for whatever reason.
    pub misses: u64,
    /// Values that were damaged, in an unknown form, or not of this installation.
    pub unreadable: u64,
    /// Requests that were not answered in time.
    pub timeouts: u64,
    /// Requests that failed otherwise.
    pub errors: u64,
    /// Requests that were not made, because too many were under way.
    pub shed: u64,
    /// Puts that were refused: newer facts or a later invalidation were there.
    pub refused_puts: u64,
}

/// What can go wrong with the shared cache where it is not simply a miss.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SharedError {
    /// An address cannot be used. It is not repeated: it may hold a password.
    #[error("read address {place} of redis.urls: {problem}")]
    Address {
        /// Which one, from 1.
        place: usize,
        /// What is wrong, and the remedy.
        problem: &'static str,
    },
    /// The file of authorities cannot be used.
    #[error("read the authorities in `{file}` (key redis.ca_file): {problem}")]
    Authorities {
        /// The file.
        file: String,
        /// What is wrong.
        problem: String,
    },
    /// The line for announcements is lost.
    #[error("listen for announcements on Redis: {problem}")]
    Deaf {
        /// Why.
        problem: String,
    },
    /// Redis cannot be used now.
    #[error("use Redis at {servers}: {problem}")]
    Unusable {
        /// Its addresses, without users and passwords.
        servers: String,
        /// Why not.
        problem: String,
    },
}

/// Facts that all replicas share.
#[derive(Clone)]
pub struct SharedCache {
    inner: Arc<Inner>,
}

struct Inner {
    servers: Servers,
    identity: SharedIdentity,
    timeout: Duration,
    /// In milliseconds.
    keep_for: AtomicU64,
    breaker: Breaker<Link>,
    jitter: u64,
    tasks: TaskTracker,
    /// Changes whenever a look has ended.
    looked: watch::Sender<()>,
    in_flight: Semaphore,
    subscription: Subscription,
    told: AtomicU8,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    opened: AtomicU64,
    hits: AtomicU64,
    misses: AtomicU64,
    unreadable: AtomicU64,
    timeouts: AtomicU64,
    errors: AtomicU64,
    shed: AtomicU64,
    refused_puts: AtomicU64,
}

/// What the log was last told of Redis.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Told {
    Nothing,
    InUse,
    NotInUse,
}

/// The right to make a request, and what it goes over.
struct Going<'c> {
    link: Link,
    generation: Generation,
    _permit: SemaphorePermit<'c>,
}

impl SharedCache {
    /// Takes Redis into use. Connects to nothing: that happens when it is first needed, on `tasks`.
    ///
    /// # Errors
    ///
    /// [`SharedError::Address`] and [`SharedError::Authorities`] for what cannot be right,
    /// whatever the state of the servers.
    pub fn new(options: SharedOptions, tasks: TaskTracker) -> Result<Self, SharedError> {
        let SharedOptions {
            urls,
            mode,
            timeout,
            ca_file,
            keep_for,
            identity,
        } = options;
        let servers = Servers::new(&urls, &mode, ca_file.as_deref(), timeout)?;
        // Two processes that lose Redis together are not to come back together.
        let jitter = RandomState::new().hash_one(0);
        let inner = Inner {
            servers,
            identity,
            timeout,
            keep_for: AtomicU64::new(millis(keep_for)),
            breaker: Breaker::new(LOOK, jitter, FAILURES),
            jitter,
            tasks,
            looked: watch::Sender::new(()),
            in_flight: Semaphore::new(IN_FLIGHT),
            subscription: Subscription::new(),
            told: AtomicU8::new(Told::Nothing as u8),
            counts: Counts::default(),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Sets the time after which facts are forgotten that are put from now on.
    pub fn keep_for(&self, time: Duration) {
        self.inner.keep_for.store(millis(time), Ordering::Relaxed);
    }

    /// The facts of each key, in the order of the keys; `None` where there are none. One round
    /// trip for all keys; of a cluster, one to each node.
    pub async fn get(&self, keys: &[SetKey]) -> Vec<Option<Snapshot>> {
        let found = if keys.is_empty() {
            Vec::new()
        } else {
            self.find(keys).await
        };
        let hits = found.iter().flatten().count();
        add(&self.inner.counts.hits, hits);
        add(&self.inner.counts.misses, keys.len() - hits);
        found
    }

    /// Keeps facts, each unless newer ones are there or it was invalidated later. Best effort.
    pub async fn put(&self, entries: &[(SetKey, Arc<Snapshot>)]) {
        let identity = &self.inner.identity;
        let mut writes = Vec::with_capacity(entries.len());
        for (place, (key, snapshot)) in entries.iter().enumerate() {
            pause_between(place).await;
            if let Some(value) = identity.value(key, snapshot) {
                writes.push(Write {
                    key: identity.key(key),
                    bucket: SharedIdentity::bucket_of(key),
                    value,
                });
            }
        }
        let keep_for = Duration::from_millis(self.inner.keep_for.load(Ordering::Relaxed));
        let kept = self.write(Operation::Set, &PUT, &writes, keep_for).await;
        let refused = kept.iter().filter(|kept| **kept == Some(false)).count();
        add(&self.inner.counts.refused_puts, refused);
        CACHE_REFUSED.add((Level::Shared,), refused as u64);
    }

    /// Forgets the facts of keys that are older than a revision, and refuses such facts for a
    /// while. Best effort: what is not reached is found out by its revision.
    pub async fn invalidate(&self, keys: &[SetKey], revision: Revision) {
        let marker = value::marker(revision);
        let writes: Vec<Write> = keys
            .iter()
            .map(|key| Write {
                key: self.inner.identity.key(key),
                bucket: SharedIdentity::bucket_of(key),
                value: marker.clone(),
            })
            .collect();
        self.write(Operation::Invalidate, &INVALIDATE, &writes, MARKED_FOR)
            .await;
    }

    /// Tells the other replicas that a revision is there. Best effort.
    pub async fn announce(&self, revision: Revision) {
        let Some(going) = self.go().await else {
            return;
        };
        let channel = self.inner.identity.channel();
        let text = revision.0.to_string();
        let telling = going.link.publish(&channel, &text, self.inner.timeout);
        let told = timed(Operation::Announce, telling).await;
        self.inner.report(&going, told.is_ok(), told.err().as_ref());
    }

    /// Waits for an announcement, by whomever, and returns its revision. `None`: listening has
    /// only begun, or what was said is not known; there may be any change. May be dropped while
    /// it waits.
    ///
    /// # Errors
    ///
    /// [`SharedError::Deaf`] where the line is lost or cannot be had. The next call opens it again,
    /// after a pause that grows with each attempt.
    pub async fn changed(&self) -> Result<Option<Revision>, SharedError> {
        let inner = &*self.inner;
        let channel = inner.identity.channel();
        let next = inner.subscription.next(&inner.servers, &channel).await;
        next.map_err(|lost| SharedError::Deaf {
            problem: lost.to_string(),
        })
    }

    /// Looks after Redis on a line of its own, whatever the breaker says.
    ///
    /// # Errors
    ///
    /// [`SharedError::Unusable`] with the reason.
    pub async fn check(&self) -> Result<(), SharedError> {
        let opened = self.inner.open().await;
        opened.map(|_| ()).map_err(|failure| SharedError::Unusable {
            servers: self.inner.servers.shown(),
            problem: failure.to_string(),
        })
    }

    /// Finds out whether Redis can be used, as a question would, where nobody asks one: so that the
    /// first caller does not pay for it, and that operators see what is so.
    pub async fn look_after(&self) {
        let key = [self.inner.identity.probe_key(0)];
        // A failure that may pass opens the breaker when there are several in a row.
        for _ in 0..FAILURES {
            // Where the breaker is open, going has begun a look if it is time for one.
            let Some(going) = self.go().await else {
                return;
            };
            let getting = going.link.get(&key, |_| 0, self.inner.timeout);
            let answered = timed(Operation::Ping, getting).await;
            self.inner.report_all(&going, &answered);
            if answered.failure.is_none() {
                return;
            }
        }
    }

    /// Shows whether it is in use, for whoever asks for metrics.
    pub fn observe(&self) {
        BREAKER.set_flag((Dependency::Redis,), !self.inner.breaker.is_closed());
    }

    /// What it has been through.
    #[must_use]
    pub fn state(&self) -> SharedState {
        let counts = &self.inner.counts;
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        SharedState {
            in_use: self.inner.breaker.is_closed(),
            opened: read(&counts.opened),
            hits: read(&counts.hits),
            misses: read(&counts.misses),
            unreadable: read(&counts.unreadable),
            timeouts: read(&counts.timeouts),
            errors: read(&counts.errors),
            shed: read(&counts.shed),
            refused_puts: read(&counts.refused_puts),
        }
    }

    async fn find(&self, keys: &[SetKey]) -> Vec<Option<Snapshot>> {
        let inner = &*self.inner;
        let mut found = vec![None; keys.len()];
        let Some(going) = self.go().await else {
            return found;
        };
        let names: Vec<String> = keys.iter().map(|key| inner.identity.key(key)).collect();
        let bucket = |place: usize| {
            keys.get(place)
                .map(SharedIdentity::bucket_of)
                .unwrap_or_default()
        };
        let getting = going.link.get(&names, bucket, inner.timeout);
        let answered = timed(Operation::Get, getting).await;
        inner.report_all(&going, &answered);
        drop(going);
        let values = answered.results.iter().zip(keys);
        for (place, (slot, (value, key))) in found.iter_mut().zip(values).enumerate() {
            pause_between(place).await;
            let Some(value) = value else {
                continue;
            };
            match inner.identity.facts(key, value) {
                Ok(snapshot) => *slot = Some(snapshot),
                Err(NoFacts::Invalidated) => {}
                Err(NoFacts::Damaged | NoFacts::OtherForm) => {
                    add(&inner.counts.unreadable, 1);
                    CACHE_UNREADABLE.inc(());
                }
            }
        }
        found
    }

    async fn write(
        &self,
        operation: Operation,
        script: &Text,
        writes: &[Write],
        expiry: Duration,
    ) -> Vec<Option<bool>> {
        if writes.is_empty() {
            return Vec::new();
        }
        let Some(going) = self.go().await else {
            return Vec::new();
        };
        let inner = &*self.inner;
        let answered = timed(
            operation,
            going.link.run(script, writes, expiry, inner.timeout),
        )
        .await;
        inner.report_all(&going, &answered);
        answered.results
    }

    /// The way to Redis, if there is one now.
    async fn go(&self) -> Option<Going<'_>> {
        let inner = &*self.inner;
        let Ok(permit) = inner.in_flight.try_acquire() else {
            add(&inner.counts.shed, 1);
            DEPENDENCY_SHED.inc((Dependency::Redis,));
            return None;
        };
        let mut looked = None;
        loop {
            match inner.breaker.ask() {
                Permit::Use(link, generation) => {
                    return Some(Going {
                        link,
                        generation,
                        _permit: permit,
                    });
                }
                Permit::Look(look) => {
                    let inner = Arc::clone(&self.inner);
                    self.inner
                        .tasks
                        .spawn(async move { inner.look(look).await });
                }
                Permit::Pass => return None,
                Permit::Starting(since) => {
                    let until = since + inner.timeout;
                    if Instant::now() >= until {
                        return None;
                    }
                    match &mut looked {
                        // Asked again after listening, or the end of the look could be missed.
                        None => looked = Some(inner.looked.subscribe()),
                        Some(looked) => {
                            let _ = timeout_at(until, looked.changed()).await;
                        }
                    }
                }
            }
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl std::fmt::Debug for SharedCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharedCache")
            .field("servers", &self.inner.servers.shown())
            .field("identity", &self.inner.identity)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for SharedOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharedOptions")
            .field("mode", &self.mode)
            .field("timeout", &self.timeout)
            .field("ca_file", &self.ca_file)
            .field("keep_for", &self.keep_for)
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

impl Inner {
    async fn look(&self, look: Look) {
        let opened = timed(Operation::Ping, self.open()).await;
        let (link, failure) = match opened {
            Ok(link) => (Some(link), None),
            Err(failure) => (None, Some(failure)),
        };
        if self.breaker.settle(&look, link) {
            match failure {
                None => self.tell_in_use(),
                Some(failure) => self.tell_not_in_use(&failure),
            }
        }
        self.looked.send_replace(());
    }

    /// A line over which Redis takes what is written.
    async fn open(&self) -> Result<Link, Failure> {
        let opening = async {
            let link = self
                .servers
                .connect(&self.identity, &self.tasks, self.jitter)
                .await?;
            link.probe(&self.identity.probe_key(0)).await?;
            Ok(link)
        };
        match timeout(LOOK, opening).await {
            Ok(opened) => opened.map_err(Failure::Redis),
            Err(_elapsed) => Err(Failure::TimedOut),
        }
    }

    fn report_all<T>(&self, going: &Going<'_>, answered: &Answered<T>) {
        self.report(going, answered.any, answered.failure.as_ref());
    }

    fn report(&self, going: &Going<'_>, any: bool, failure: Option<&Failure>) {
        let Some(failure) = failure else {
            if any {
                self.breaker.succeeded(going.generation);
            }
            return;
        };
        match failure {
            Failure::Skipped => {}
            Failure::TimedOut => {
                add(&self.counts.timeouts, 1);
                DEPENDENCY_FAILURES.inc((Dependency::Redis, FailureLabel::Timeout));
            }
            Failure::Redis(_) => {
                add(&self.counts.errors, 1);
                DEPENDENCY_FAILURES.inc((Dependency::Redis, FailureLabel::Failed));
            }
        }
        let severity = failure.severity(&going.link);
        if any && severity == breaker::Severity::Transient {
            self.breaker.succeeded(going.generation);
        } else if self.breaker.failed(going.generation, severity) {
            add(&self.counts.opened, 1);
            BREAKER_OPENED.inc((Dependency::Redis,));
            self.tell_not_in_use(failure);
        }
    }

    fn tell_in_use(&self) {
        if self.tell(Told::InUse) {
            let servers = self.servers.shown();
            tracing::info!(%servers, "using Redis at {servers}");
        }
    }

    fn tell_not_in_use(&self, failure: &Failure) {
        if self.tell(Told::NotInUse) {
            let servers = self.servers.shown();
            tracing::warn!(
                %servers,
                "doing without Redis at {servers} until it can be used: {failure}"
            );
        }
    }

    /// Whether this is news.
    fn tell(&self, told: Told) -> bool {
        self.told.swap(told as u8, Ordering::Relaxed) != told as u8
    }
}

async fn timed<T>(operation: Operation, request: impl Future<Output = T>) -> T {
    let begun = std::time::Instant::now();
    let answered = request.await;
    DEPENDENCY_DURATION.observe((Dependency::Redis, operation), begun.elapsed());
    answered
}

fn add(count: &AtomicU64, more: usize) {
    count.fetch_add(more as u64, Ordering::Relaxed);
}

/// Lets other tasks run now and then while many values are read or written.
async fn pause_between(place: usize) {
    if place % CODED_AT_ONCE == CODED_AT_ONCE - 1 {
        tokio::task::yield_now().await;
    }
}
