//! Reading facts from the store: once for each set of handles however many ask, and apart from the
//! deadlines of those who ask.
//!
//! **Invariant:** a load runs in a task of its own, within a time-out of its own; a caller who goes
//! away takes nothing with him. No more loads read at once than were allowed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt as _, Shared};
use icpgate_policy::records::Handle;
use jiff::Timestamp;
use tokio::sync::{Semaphore, oneshot};
use tokio_util::task::TaskTracker;

use super::facts::Caches;
use crate::cache::{Entry, SetKey, Snapshot};
use crate::clock::Clock;
use crate::store::{Freshness, Store, StoreError};
use crate::telemetry::metrics::label::LoadEnd;
use crate::telemetry::metrics::list::{COALESCED, LOAD_DURATION, LOADS};

/// Why a load gave no facts.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum LoadError {
    /// The store said so.
    #[error(transparent)]
    Store(Arc<StoreError>),
    /// The store said nothing in time.
    #[error("read facts: the store did not answer within {} ms", .0.as_millis())]
    Late(Duration),
    /// The process is ending.
    #[error("read facts: the service is ending")]
    Ended,
}

/// What comes of a load.
pub(super) type Loaded = Result<Arc<Entry>, LoadError>;

/// A load that any number of callers wait for.
pub(super) type Loading = Shared<BoxFuture<'static, Loaded>>;

/// One set to load.
pub(super) struct ToLoad {
    pub(super) key: SetKey,
    pub(super) handles: Vec<Handle>,
}

/// Loads under way, and how they are made.
pub(super) struct Loads {
    store: Arc<dyn Store>,
    caches: Arc<Caches>,
    clock: Arc<dyn Clock>,
    permits: Arc<Semaphore>,
    timeout: Duration,
    tasks: TaskTracker,
    running: Arc<Mutex<HashMap<SetKey, Running>>>,
}

struct Running {
    freshness: Freshness,
    loading: Loading,
}

impl Loads {
    pub(super) fn new(
        store: Arc<dyn Store>,
        caches: Arc<Caches>,
        clock: Arc<dyn Clock>,
        tasks: TaskTracker,
    ) -> Self {
        let (permits, timeout) = (caches.bounds.max_loads, caches.bounds.load_timeout);
        Self {
            store,
            caches,
            clock,
            permits: Arc::new(Semaphore::new(permits.max(1))),
            timeout,
            tasks,
            running: Arc::default(),
        }
    }

    /// Loads sets, in their order; those that are not under way already in one round trip.
    pub(super) fn load(&self, sets: Vec<ToLoad>, freshness: Freshness) -> Vec<Loading> {
        let mut own = Vec::new();
        let mut senders = Vec::new();
        let mut loadings = Vec::with_capacity(sets.len());
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        for set in sets {
            if let Some(here) = running.get(&set.key)
                && serves(here.freshness, freshness)
            {
                COALESCED.inc(());
                loadings.push(here.loading.clone());
                continue;
            }
            let (sender, receiver) = oneshot::channel();
            let loading = receiver
                .map(|loaded| loaded.unwrap_or(Err(LoadError::Ended)))
                .boxed()
                .shared();
            running.insert(
                set.key,
                Running {
                    freshness,
                    loading: loading.clone(),
                },
            );
            senders.push((set.key, sender, loading.clone()));
            own.push(set);
            loadings.push(loading);
        }
        drop(running);
        if !own.is_empty() {
            self.start(own, senders, freshness);
        }
        loadings
    }

    fn start(
        &self,
        sets: Vec<ToLoad>,
        senders: Vec<(SetKey, oneshot::Sender<Loaded>, Loading)>,
        freshness: Freshness,
    ) {
        let (store, caches, clock) = (
            Arc::clone(&self.store),
            Arc::clone(&self.caches),
            Arc::clone(&self.clock),
        );
        let (permits, running, timeout) = (
            Arc::clone(&self.permits),
            Arc::clone(&self.running),
            self.timeout,
        );
        self.tasks.spawn(async move {
            LOADS.up(());
            let begun = std::time::Instant::now();
            let reading = read(&*store, &caches, &*clock, &permits, &sets, freshness);
            let read = match tokio::time::timeout(timeout, reading).await {
                Ok(read) => read,
                Err(_) => Err(LoadError::Late(timeout)),
            };
            let end = match &read {
                Ok(_) => LoadEnd::Read,
                Err(LoadError::Late(_)) => LoadEnd::Late,
                Err(LoadError::Ended | LoadError::Store(_)) => LoadEnd::Failed,
            };
            LOAD_DURATION.observe((end,), begun.elapsed());
            LOADS.down(());
            let mut to_share = Vec::new();
            let mut loaded: Vec<Loaded> = Vec::with_capacity(sets.len());
            match read {
                Ok(read) => {
                    for (set, (entry, snapshot)) in sets.iter().zip(read) {
                        if caches.keep(set.key, &entry) {
                            to_share.extend(snapshot.map(|snapshot| (set.key, snapshot)));
                        }
                        loaded.push(Ok(entry));
                    }
                }
                Err(error) => loaded.resize(sets.len(), Err(error)),
            }
            // What asks from here on finds the cache; what waits is answered before the shared
            // cache is.
            forget(&running, &senders);
            for ((_, sender, _), loaded) in senders.into_iter().zip(loaded) {
                // Whoever waited may have gone.
                let _ = sender.send(loaded);
            }
            if let Some(shared) = &caches.shared
                && !to_share.is_empty()
            {
                shared.put(&to_share).await;
            }
        });
    }
}

/// Whether a load with one freshness answers a question for another. What a load finds is held
/// against the log afterwards, so one that began earlier serves where any state will do.
fn serves(running: Freshness, wanted: Freshness) -> bool {
    match (running, wanted) {
        (_, Freshness::Any) => true,
        (Freshness::AtLeast(running), Freshness::AtLeast(wanted)) => running >= wanted,
        // The newest state when the load began need not be the newest now.
        (Freshness::Any | Freshness::Newest, Freshness::AtLeast(_)) | (_, Freshness::Newest) => {
            false
        }
    }
}

fn forget(
    running: &Mutex<HashMap<SetKey, Running>>,
    ended: &[(SetKey, oneshot::Sender<Loaded>, Loading)],
) {
    let mut running = running.lock().unwrap_or_else(PoisonError::into_inner);
    for (key, _, loading) in ended {
        // A later load for the same set stays.
        if running
            .get(key)
            .is_some_and(|here| here.loading.ptr_eq(loading))
        {
            running.remove(key);
        }
    }
}

/// An entry for this process, and the snapshot for the shared cache where there is one.
type Read = (Arc<Entry>, Option<Arc<Snapshot>>);

async fn read(
    store: &dyn Store,
    caches: &Caches,
    clock: &dyn Clock,
    permits: &Semaphore,
    sets: &[ToLoad],
    freshness: Freshness,
) -> Result<Vec<Read>, LoadError> {
    let _permit = permits.acquire().await.map_err(|_| LoadError::Ended)?;
    let handles: Vec<Vec<Handle>> = sets.iter().map(|set| set.handles.clone()).collect();
    // Before the read: what it finds is at least as new.
    let as_of: Timestamp = clock.now();
    let found = store
        .find(&handles, freshness)
        .await
        .map_err(|error| LoadError::Store(Arc::new(error)))?;
    let mut read = Vec::with_capacity(sets.len());
    for (set, records) in sets.iter().zip(found.sets) {
        let snapshot = Snapshot {
            records,
            synced_at: found.synced_at.clone(),
            revision: found.revision,
            as_of,
        };
        let shared = caches.shared.as_ref().map(|_| Arc::new(snapshot.clone()));
        read.push((Arc::new(caches.entry(&set.handles, snapshot)), shared));
    }
    Ok(read)
}
