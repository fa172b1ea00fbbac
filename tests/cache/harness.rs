//! A shared cache to test with.

use std::cell::RefCell;
use std::io::Write;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

use icpgate::cache::{
    SetKey, SharedCache, SharedIdentity, SharedMode, SharedOptions, SharedState, Snapshot,
};
use tokio_util::task::TaskTracker;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Time-out of requests that are to be answered: long, because a machine may be busy.
pub(crate) const AMPLE: Duration = Duration::from_secs(20);

/// Time-out as a provider sets it.
pub(crate) const SHORT: Duration = Duration::from_millis(30);

/// How long something may take to come about.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// How often it is looked at.
pub(crate) const LOOK: Duration = Duration::from_millis(5);

thread_local! {
    static LOGGED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What is logged on the thread of a test, on which its tasks run too.
pub(crate) struct Log(());

struct Sink;

static NAMESPACES: AtomicU32 = AtomicU32::new(0);

/// Options for one server, with an identity that no other test has.
pub(crate) fn options(url: &str) -> SharedOptions {
    let store = format!(
        "{} {}",
        std::process::id(),
        NAMESPACES.fetch_add(1, Ordering::Relaxed)
    );
    SharedOptions {
        urls: vec![url.to_owned()],
        mode: SharedMode::Standalone,
        timeout: AMPLE,
        ca_file: None,
        keep_for: Duration::from_mins(1),
        identity: SharedIdentity::derive(b"a key for tests, known to all", &store),
    }
}

pub(crate) fn open(options: SharedOptions) -> SharedCache {
    SharedCache::new(options, TaskTracker::new()).unwrap()
}

/// One server and patience.
pub(crate) fn cache(url: &str) -> SharedCache {
    open(options(url))
}

pub(crate) async fn put(cache: &SharedCache, key: SetKey, facts: Snapshot) {
    cache.put(&[(key, Arc::new(facts))]).await;
}

pub(crate) async fn get(cache: &SharedCache, key: SetKey) -> Option<Snapshot> {
    let mut found = cache.get(&[key]).await;
    assert_eq!(found.len(), 1);
    found.remove(0)
}

/// Revision of the facts that are kept.
pub(crate) async fn kept(cache: &SharedCache, key: SetKey) -> Option<u64> {
    get(cache, key).await.map(|facts| facts.revision.0)
}

/// Asks, as callers do, until something holds.
pub(crate) async fn until(
    cache: &SharedCache,
    key: SetKey,
    what: &str,
    holds: impl Fn(&SharedState, Option<&Snapshot>) -> bool,
) {
    let start = Instant::now();
    loop {
        let found = get(cache, key).await;
        let state = cache.state();
        if holds(&state, found.as_ref()) {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "waited for {what}: {state:?}");
        tokio::time::sleep(LOOK).await;
    }
}

/// Asks until Redis is in use.
pub(crate) async fn until_used(cache: &SharedCache) {
    let key = super::samples::key("nobody.asks.for.this");
    until(cache, key, "Redis to be in use", |state, _| state.in_use).await;
}

/// Asks until Redis is not in use.
pub(crate) async fn until_unused(cache: &SharedCache) {
    let key = super::samples::key("nobody.asks.for.this");
    until(cache, key, "Redis to be out of use", |state, _| {
        !state.in_use
    })
    .await;
}

/// Puts until what was put is found.
pub(crate) async fn until_kept(cache: &SharedCache, key: SetKey, facts: Snapshot) {
    let start = Instant::now();
    loop {
        put(cache, key, facts.clone()).await;
        if get(cache, key).await.is_some() {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "{:?}", cache.state());
        tokio::time::sleep(LOOK).await;
    }
}

impl Log {
    pub(crate) fn start() -> Self {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            tracing_subscriber::fmt()
                .with_ansi(false)
                // As the program does.
                .with_env_filter("redis=off,info")
                .with_writer(|| Sink)
                .finish()
                .init();
        });
        Self(())
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        let Self(()) = self;
        let text = LOGGED.with_borrow(|logged| String::from_utf8(logged.clone()).unwrap());
        text.lines().map(str::to_owned).collect()
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOGGED.with_borrow_mut(|logged| logged.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
