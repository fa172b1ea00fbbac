//! Where facts come from: this process, the shared cache, the store, and, while the store does not
//! answer, what is held from before.
//!
//! **Invariant:** facts that are not shown to be current are used only when the store was asked
//! and did not answer, only as old as the policy allows for the purpose, and are said to be stale.

use std::sync::Arc;
use std::time::Duration;

use icpgate_policy::facts::{NameFacts, Revision};
use icpgate_policy::records::Handle;
use jiff::{SignedDuration, Timestamp};
use tokio_util::task::TaskTracker;

use super::loads::{LoadError, Loading, Loads, ToLoad};
use super::{Completeness, ServedFrom, tally};
use crate::cache::{
    Applied, Entry, FactsDigest, LocalCache, SetKey, SharedCache, Snapshot, Standing, marks,
};
use crate::clock::Clock;
use crate::store::{Freshness, Store};
use crate::telemetry::call::{self, Part};
use crate::telemetry::metrics::label::Level;
use crate::telemetry::metrics::list::{CACHE_INVALIDATIONS, CACHE_MISSES};
use crate::telemetry::seldom::Seldom;

/// How long the store is waited for where facts are held that may stand in for its answer.
const PATIENCE: Duration = Duration::from_millis(250);

static AWAY: Seldom = Seldom::new(1, Duration::from_secs(10));

/// The caches of a process and what they are held against.
pub struct Caches {
    /// In this process; `None`: there is none.
    pub local: Option<LocalCache>,
    /// On Redis; `None`: there is none.
    pub shared: Option<SharedCache>,
    /// Octets of answers that are kept for equal questions; `None`: none are.
    pub answers: Option<u64>,
    /// The part of the change log that was applied.
    pub applied: Applied,
    /// Bounds of use and of loads.
    pub bounds: CacheBounds,
    /// What a missing record means.
    pub completeness: Completeness,
}

/// Bounds on the use of held facts, and on loads.
#[derive(Clone, Copy, Debug)]
pub struct CacheBounds {
    /// How long facts are used before they are read anew, although the log tells of no change.
    pub ttl: Duration,
    /// The same where no filing is known.
    pub absent_ttl: Duration,
    /// How long a load may take.
    pub load_timeout: Duration,
    /// Loads that may read at once.
    pub max_loads: usize,
}

/// How new facts must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// Current as far as this replica knows.
    Current,
    /// From a state that holds a revision.
    AtLeast(Revision),
    /// From the newest state of the primary, read now.
    Newest,
}

/// A set of facts that is needed; it has at least one handle.
pub(super) struct Want {
    pub(super) handles: Vec<Handle>,
    pub(super) need: Need,
    /// How old held facts may be where the store does not answer; `None`: they will not do.
    pub(super) stale_for: Option<SignedDuration>,
}

/// Facts with what the caller has to know of them.
#[derive(Clone, Debug)]
pub(super) struct Fetched {
    pub(super) facts: Arc<NameFacts>,
    pub(super) digest: FactsDigest,
    pub(super) from: ServedFrom,
    /// A revision that the facts are not older than.
    pub(super) revision: Revision,
    /// The last instant at which they were right for certain, where they are stale.
    pub(super) stale_since: Option<Timestamp>,
}

/// No facts: the store did not answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Missed {
    /// Whether facts are held that are too old, or that will not do.
    pub(super) held: bool,
}

/// Where facts come from.
pub(super) struct Sources {
    pub(super) caches: Arc<Caches>,
    loads: Loads,
    clock: Arc<dyn Clock>,
    tasks: TaskTracker,
}

/// A set on its way.
struct Sought {
    key: SetKey,
    want: Want,
    /// Facts that are held and hold as far as is known, current or not.
    held: Option<(Arc<Entry>, ServedFrom)>,
    /// Whether the shared cache was asked.
    asked_shared: bool,
    end: Option<Result<Fetched, Missed>>,
}

impl Caches {
    /// Makes facts of a snapshot.
    pub(super) fn entry(&self, handles: &[Handle], snapshot: Snapshot) -> Entry {
        let marks = marks(handles, &snapshot.records);
        let entitlement = self.completeness.entitlement(&snapshot.synced_at);
        let ends_at = entitlement.ends_at().unwrap_or(Timestamp::MAX);
        let facts = NameFacts::collect(snapshot.records, entitlement);
        let ttl = if facts.services.is_empty() && facts.subjects.is_empty() {
            self.bounds.absent_ttl
        } else {
            self.bounds.ttl
        };
        let expires_at = snapshot
            .as_of
            .saturating_add(ttl)
            .unwrap_or(Timestamp::MAX)
            .min(ends_at);
        Entry::new(
            Arc::new(facts),
            marks,
            snapshot.revision,
            snapshot.as_of,
            expires_at,
        )
    }

    /// Keeps facts in this process if they still hold; tells whether they do.
    pub(super) fn keep(&self, key: SetKey, entry: &Arc<Entry>) -> bool {
        let holds = self.applied.standing(entry) == Standing::Holds;
        if holds && let Some(local) = &self.local {
            local.put(key, entry);
        }
        holds
    }
}

impl Sources {
    pub(super) fn new(
        store: Arc<dyn Store>,
        caches: Caches,
        clock: Arc<dyn Clock>,
        tasks: TaskTracker,
    ) -> Self {
        let caches = Arc::new(caches);
        let loads = Loads::new(
            store,
            Arc::clone(&caches),
            Arc::clone(&clock),
            tasks.clone(),
        );
        Self {
            caches,
            loads,
            clock,
            tasks,
        }
    }

    /// Facts that this process holds and that are current; the way without waiting.
    pub(super) fn at_hand(&self, key: &SetKey, need: Need, now: Timestamp) -> Option<Fetched> {
        let applied = &self.caches.applied;
        if !self.cacheable(need) || !applied.is_current(now) {
            return None;
        }
        let entry = self.caches.local.as_ref()?.get(key)?;
        if !self.current(&entry, now) {
            return None;
        }
        tally::used(Level::Local, &entry, now);
        Some(fetched(&entry, ServedFrom::LocalCache, applied.revision()))
    }

    /// Fetches sets, in their order: one round trip to each source for all that it is asked for.
    pub(super) async fn fetch(&self, wants: Vec<Want>) -> Vec<Result<Fetched, Missed>> {
        let now = self.clock.now();
        let looking = call::begin_traced(Part::Local, "look");
        let mut sought: Vec<Sought> = wants.into_iter().map(|want| self.seek(want, now)).collect();
        drop(looking);
        let applied = &self.caches.applied;
        if applied.is_lost() {
            // The follower of the log has found the store away, and goes on asking it. Where held
            // facts will do, callers need not ask as well, and wait.
            self.stand_in(&mut sought, now);
            self.ask_shared(&mut sought, now, |sought| sought.want.stale_for.is_some())
                .await;
            self.stand_in(&mut sought, now);
        } else if applied.is_current(now) {
            self.ask_shared(&mut sought, now, |sought| self.cacheable(sought.want.need))
                .await;
        }
        self.ask_store(&mut sought).await;
        // Only now, so that an outage of the store makes no load on the shared cache where it is
        // not needed.
        self.ask_shared(&mut sought, now, |sought| !sought.asked_shared)
            .await;
        sought
            .into_iter()
            .map(|mut sought| {
                sought
                    .end
                    .take()
                    .unwrap_or_else(|| self.last_resort(&sought, now))
            })
            .collect()
    }

    /// What this process holds.
    fn seek(&self, want: Want, now: Timestamp) -> Sought {
        let key = SetKey::of(&want.handles);
        let mut sought = Sought {
            key,
            want,
            held: None,
            asked_shared: false,
            end: None,
        };
        sought.end = self.at_hand(&key, sought.want.need, now).map(Ok);
        if sought.end.is_none()
            && let Some(local) = &self.caches.local
        {
            CACHE_MISSES.inc((Level::Local,));
            let entry = local.get(&key);
            if entry.as_ref().is_some_and(|entry| self.outdated(entry)) {
                CACHE_INVALIDATIONS.inc((Level::Local,));
            }
            sought.held = entry
                .filter(|entry| self.caches.applied.right_at(entry).is_some())
                .map(|entry| (entry, ServedFrom::LocalCache));
        }
        sought
    }

    /// Asks the shared cache for what is missing.
    async fn ask_shared(
        &self,
        sought: &mut [Sought],
        now: Timestamp,
        which: impl Fn(&Sought) -> bool,
    ) {
        let Some(shared) = &self.caches.shared else {
            return;
        };
        let mut missing: Vec<&mut Sought> = sought
            .iter_mut()
            .filter(|sought| sought.end.is_none() && which(sought))
            .collect();
        if missing.is_empty() {
            return;
        }
        let keys: Vec<SetKey> = missing.iter().map(|sought| sought.key).collect();
        let asking = call::begin(Part::Shared, "GET");
        let snapshots = shared.get(&keys).await;
        drop(asking);
        let asked = keys.len();
        let mut hits = 0;
        let mut outdated = Vec::new();
        for (sought, snapshot) in missing.iter_mut().zip(snapshots) {
            sought.asked_shared = true;
            let Some(snapshot) = snapshot else {
                continue;
            };
            let entry = Arc::new(self.caches.entry(&sought.want.handles, snapshot));
            // An older state than the one held is of no use.
            let newer = sought
                .held
                .as_ref()
                .is_none_or(|(held, _)| entry.revision > held.revision);
            if !newer || self.caches.applied.right_at(&entry).is_none() {
                outdated.push(sought.key);
                continue;
            }
            self.caches.keep(sought.key, &entry);
            let applied = &self.caches.applied;
            if self.cacheable(sought.want.need)
                && applied.is_current(now)
                && self.current(&entry, now)
            {
                let from = ServedFrom::SharedCache;
                tally::used(Level::Shared, &entry, now);
                hits += 1;
                sought.end = Some(Ok(fetched(&entry, from, applied.revision())));
            }
            sought.held = Some((entry, ServedFrom::SharedCache));
        }
        CACHE_MISSES.add((Level::Shared,), (asked - hits) as u64);
        if !outdated.is_empty() {
            CACHE_INVALIDATIONS.add((Level::Shared,), outdated.len() as u64);
            // A replica that has not applied the log so far could still put them back.
            let (shared, applied) = (shared.clone(), self.caches.applied.revision());
            self.tasks
                .spawn(async move { shared.invalidate(&outdated, applied).await });
        }
    }

    /// Asks the store for what is missing.
    async fn ask_store(&self, sought: &mut [Sought]) {
        let missing: Vec<&mut Sought> = sought
            .iter_mut()
            .filter(|sought| sought.end.is_none())
            .collect();
        if missing.is_empty() {
            return;
        }
        let mut again = Vec::new();
        let mut asking = call::begin(Part::Store, "find facts");
        let loaded = self.load(missing, |need| self.freshness(need)).await;
        asking.failed = loaded.iter().any(|(_, loaded)| loaded.is_err());
        drop(asking);
        for (sought, loaded) in loaded {
            match loaded {
                // The load had begun before a write that is applied by now, or a replica of the
                // database lags behind.
                Ok(entry) if !self.serves(&entry, sought.want.need) => again.push(sought),
                Ok(entry) => {
                    sought.end = Some(Ok(fetched(&entry, ServedFrom::Store, entry.revision)));
                }
                Err(error) => away(&error),
            }
        }
        let applied = self.caches.applied.revision();
        let newest = self.caches.applied.missing().unwrap_or(applied);
        let at_least = |need| match need {
            Need::AtLeast(revision) => Freshness::AtLeast(revision.max(newest)),
            Need::Current | Need::Newest => Freshness::AtLeast(newest),
        };
        if again.is_empty() {
            return;
        }
        let mut asking = call::begin(Part::Store, "find facts");
        let loaded = self.load(again, at_least).await;
        asking.failed = loaded.iter().any(|(_, loaded)| loaded.is_err());
        drop(asking);
        for (sought, loaded) in loaded {
            match loaded {
                // Read after the question came, from a state as new as the log was: right, even if
                // the next write has come already.
                Ok(entry) => {
                    sought.end = Some(Ok(fetched(&entry, ServedFrom::Store, entry.revision)));
                }
                Err(error) => away(&error),
            }
        }
    }

    /// Loads sets, those of one freshness together, and waits for them: not long where something
    /// is held that may stand in.
    async fn load<'q>(
        &self,
        missing: Vec<&'q mut Sought>,
        freshness: impl Fn(Need) -> Freshness,
    ) -> Vec<(&'q mut Sought, Result<Arc<Entry>, LoadError>)> {
        let mut groups: Vec<(Freshness, Vec<(usize, ToLoad)>)> = Vec::new();
        for (at, sought) in missing.iter().enumerate() {
            let freshness = freshness(sought.want.need);
            let to_load = ToLoad {
                key: sought.key,
                handles: sought.want.handles.clone(),
            };
            match groups.iter_mut().find(|(group, _)| *group == freshness) {
                Some((_, sets)) => sets.push((at, to_load)),
                None => groups.push((freshness, vec![(at, to_load)])),
            }
        }
        let mut loadings: Vec<Option<Loading>> = vec![None; missing.len()];
        for (freshness, sets) in groups {
            let (places, sets): (Vec<usize>, Vec<ToLoad>) = sets.into_iter().unzip();
            for (at, loading) in places.into_iter().zip(self.loads.load(sets, freshness)) {
                if let Some(place) = loadings.get_mut(at) {
                    *place = Some(loading);
                }
            }
        }
        let now = self.clock.now();
        let waits = missing.into_iter().zip(loadings).map(|(sought, loading)| {
            let stands_in = self.stale(sought, now).is_some();
            async move {
                let loaded = match loading {
                    None => Err(LoadError::Ended),
                    Some(loading) if stands_in => {
                        match tokio::time::timeout(PATIENCE, loading).await {
                            Ok(loaded) => loaded,
                            Err(_) => Err(LoadError::Late(PATIENCE)),
                        }
                    }
                    Some(loading) => loading.await,
                };
                (sought, loaded)
            }
        });
        futures::future::join_all(waits).await
    }

    /// Whether caches may answer at all.
    fn cacheable(&self, need: Need) -> bool {
        match need {
            Need::Current => true,
            Need::AtLeast(revision) => self.caches.applied.revision() >= revision,
            Need::Newest => false,
        }
    }

    fn freshness(&self, need: Need) -> Freshness {
        match (need, self.caches.applied.missing()) {
            (Need::Newest, _) => Freshness::Newest,
            (Need::AtLeast(revision), written) => {
                Freshness::AtLeast(revision.max(written.unwrap_or_default()))
            }
            (Need::Current, Some(written)) => Freshness::AtLeast(written),
            (Need::Current, None) => Freshness::Any,
        }
    }

    /// Whether what a load has found is new enough.
    fn serves(&self, entry: &Entry, need: Need) -> bool {
        let applied = &self.caches.applied;
        match need {
            // Read from the primary after the question came.
            Need::Newest => true,
            Need::Current | Need::AtLeast(_) => {
                applied.standing(entry) == Standing::Holds
                    && applied
                        .missing()
                        .is_none_or(|written| entry.revision >= written)
            }
        }
    }

    /// Whether the log tells that an entry is wrong by now.
    fn outdated(&self, entry: &Entry) -> bool {
        self.caches.applied.standing(entry) == Standing::Outdated
    }

    /// Whether an entry, of which the log is applied to the end, may be used without reading.
    fn current(&self, entry: &Entry, now: Timestamp) -> bool {
        self.caches.applied.standing(entry) == Standing::Holds
            && (entry.as_of..entry.expires_at).contains(&now)
    }

    /// What is held, if it is young enough to be used while the store does not answer.
    fn stale(&self, sought: &Sought, now: Timestamp) -> Option<Fetched> {
        let longest = sought.want.stale_for?;
        if !self.cacheable(sought.want.need) {
            return None;
        }
        let (entry, from) = sought.held.as_ref()?;
        let applied = &self.caches.applied;
        // Nobody is told an older state than the one that he has just written here.
        if applied.missing().is_some() {
            return None;
        }
        let right_at = applied.right_at(entry)?;
        // An age below zero after the clock was set back says as little as one that is too high.
        let age = now.duration_since(right_at).abs();
        (age < longest).then(|| Fetched {
            stale_since: Some(right_at),
            ..fetched(entry, *from, applied.revision())
        })
    }

    /// Takes what is held where it may be used while the store does not answer.
    fn stand_in(&self, sought: &mut [Sought], now: Timestamp) {
        for sought in sought.iter_mut().filter(|sought| sought.end.is_none()) {
            sought.end = self.stale(sought, now).map(Ok);
            if sought.end.is_some() {
                tally::stale(sought.held.as_ref().map(|(_, from)| *from));
            }
        }
    }

    fn last_resort(&self, sought: &Sought, now: Timestamp) -> Result<Fetched, Missed> {
        let stale = self.stale(sought, now);
        if stale.is_some() {
            tally::stale(sought.held.as_ref().map(|(_, from)| *from));
        }
        stale.ok_or(Missed {
            held: sought.held.is_some(),
        })
    }
}

fn fetched(entry: &Entry, from: ServedFrom, applied: Revision) -> Fetched {
    Fetched {
        facts: Arc::clone(&entry.facts),
        digest: entry.digest(),
        from,
        revision: applied.max(entry.revision),
        stale_since: None,
    }
}

/// Tells of a store that does not answer. That it is lost is an error, which what follows its change
/// log tells once; of those who ask it meanwhile, only now and then.
pub(super) fn away(error: &(dyn std::error::Error + 'static)) {
    AWAY.tell(|more| {
        tracing::warn!(error, more, "the store did not answer");
    });
}
