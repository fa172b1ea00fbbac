//! Facts in the memory of this process.
//!
//! **Invariant:** no more octets than were allowed, whatever is asked for; what is used least
//! goes first.
//! **Absent on purpose:** a judgement whether facts are current, which is for
//! [`Applied`](super::Applied).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use quick_cache::sync::Cache;
use quick_cache::{DefaultHashBuilder, Lifecycle, Weighter};

use super::{Entry, SetKey};
use crate::telemetry::metrics::label::Level;
use crate::telemetry::metrics::list::{CACHE_EVICTIONS, CACHE_REFUSED};

/// Octets that the table adds to an entry: its slot, the key and the counts of the `Arc`.
const OVERHEAD: usize = 96;

/// Octets of a typical entry, from which the table takes its first size.
const TYPICAL: u64 = 2048;

/// Facts in the memory of this process.
#[derive(Debug)]
pub struct LocalCache {
    entries: Cache<SetKey, Arc<Entry>, Size, DefaultHashBuilder, Evictions>,
    older_refused: AtomicU64,
}

/// What the cache holds, for operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalState {
    /// Sets of facts held.
    pub entries: usize,
    /// Octets held.
    pub octets: u64,
    /// Octets allowed.
    pub most_octets: u64,
    /// Puts refused because a newer state was held.
    pub older_refused: u64,
}

#[derive(Clone, Debug)]
struct Size;

/// Counts entries that are pushed out.
#[derive(Clone, Debug)]
struct Evictions;

impl Lifecycle<SetKey, Arc<Entry>> for Evictions {
    type RequestState = ();

    fn on_evict(&self, (): &mut (), _: SetKey, _: Arc<Entry>) {
        CACHE_EVICTIONS.inc((Level::Local,));
    }
}

impl Weighter<SetKey, Arc<Entry>> for Size {
    fn weight(&self, _: &SetKey, entry: &Arc<Entry>) -> u64 {
        (entry.size() + OVERHEAD) as u64
    }
}

impl LocalCache {
    /// An empty cache of at most so many octets.
    #[must_use]
    pub fn new(most_octets: u64) -> Self {
        let typical = usize::try_from(most_octets / TYPICAL).unwrap_or(usize::MAX);
        let hashes = DefaultHashBuilder::default();
        let entries = Cache::with(typical.max(1), most_octets, Size, hashes, Evictions);
        Self {
            entries,
            older_refused: AtomicU64::new(0),
        }
    }

    /// The facts held under a key.
    #[must_use]
    pub fn get(&self, key: &SetKey) -> Option<Arc<Entry>> {
        self.entries.get(key)
    }

    /// Keeps facts, unless those of a newer state are held.
    pub fn put(&self, key: SetKey, entry: &Arc<Entry>) {
        let newer = |held: Arc<Entry>| held.revision > entry.revision;
        if self.entries.peek(&key).is_some_and(newer) {
            self.older_refused.fetch_add(1, Ordering::Relaxed);
            CACHE_REFUSED.inc((Level::Local,));
            return;
        }
        self.entries.insert(key, Arc::clone(entry));
    }

    /// What the cache holds.
    #[must_use]
    pub fn state(&self) -> LocalState {
        LocalState {
            entries: self.entries.len(),
            octets: self.entries.weight(),
            most_octets: self.entries.capacity(),
            older_refused: self.older_refused.load(Ordering::Relaxed),
        }
    }
}
