//! What this replica has applied of the change log, and what of the facts it holds that leaves.
//!
//! **Invariant:** facts count as current only if the log, from the revision at which they were
//! read to the newest that this replica has applied, touches none of the handles they hang on, and
//! if the replica looked at the end of the log a short while ago. Where that cannot be shown, they
//! do not count as current.
//! **Absent on purpose:** a list of what is cached, by handle. Entries are held against the log
//! when they are used; so an entry costs eight octets a handle, the shared cache needs no order to
//! forget anything, and a load that began before a write is found out when it ends.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use icpgate_policy::facts::Revision;
use icpgate_policy::records::Handle;
use jiff::{SignedDuration, Timestamp};

use super::{Entry, mark};

/// How facts stand to the part of the log that was applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing that they hang on was touched.
    Holds,
    /// Something was.
    Outdated,
    /// They are older than what is remembered of the log.
    Unknown,
}

/// The part of the change log that this replica has applied.
#[derive(Debug)]
pub struct Applied {
    /// Through which revision.
    revision: AtomicU64,
    /// When the replica last began to look and then saw the end of the log, in microseconds.
    confirmed_at: AtomicI64,
    /// Whether the last look failed.
    lost: AtomicBool,
    /// Whether something has happened since the last look that makes another one necessary.
    doubted: AtomicBool,
    /// Revision that this replica knows of: of its own newest write.
    expected: AtomicU64,
    /// How long a look counts.
    max_lag: SignedDuration,
    touched: RwLock<Touched>,
    /// Marks that one generation holds.
    generation: usize,
}

/// Marks by the newest revision that touched them; the older of two generations is forgotten
/// when the younger is full, so that memory stays bounded.
#[derive(Debug)]
struct Touched {
    young: HashMap<u64, Revision>,
    old: HashMap<u64, Revision>,
    /// Newest revision in the young generation, and in the old.
    newest: (Revision, Revision),
    /// Touches up to here may be forgotten.
    floor: Revision,
}

impl Applied {
    /// Nothing is applied yet; the log is remembered from `from` on. `remembered` is the number of
    /// touched handles to remember at least, a few dozen octets each.
    #[must_use]
    pub fn new(max_lag: Duration, remembered: usize) -> Self {
        Self {
            revision: AtomicU64::new(0),
            confirmed_at: AtomicI64::new(i64::MIN),
            lost: AtomicBool::new(false),
            doubted: AtomicBool::new(false),
            expected: AtomicU64::new(0),
            max_lag: SignedDuration::try_from(max_lag).unwrap_or(SignedDuration::MAX),
            touched: RwLock::new(Touched {
                young: HashMap::new(),
                old: HashMap::new(),
                newest: (Revision(0), Revision(0)),
                floor: Revision(0),
            }),
            generation: remembered.max(1),
        }
    }

    /// Through which revision the log is applied.
    #[must_use]
    pub fn revision(&self) -> Revision {
        Revision(self.revision.load(Ordering::Acquire))
    }

    /// Begins at a revision, in the first place or anew: touches up to it are not known.
    pub fn begin(&self, from: Revision) {
        let mut touched = self.write();
        touched.floor = touched.floor.max(from);
        self.revision.fetch_max(from.0, Ordering::AcqRel);
    }

    /// Takes in what writes touched, up to and with `through`.
    pub fn apply(&self, handles: &[(Revision, Vec<Handle>)], through: Revision) {
        // Marks are worked out before readers have to wait.
        let marks: Vec<(u64, Revision)> = handles
            .iter()
            .flat_map(|(revision, handles)| handles.iter().map(|handle| (mark(handle), *revision)))
            .collect();
        let mut touched = self.write();
        for (mark, revision) in marks {
            if touched.young.len() >= self.generation {
                touched.floor = touched.floor.max(touched.newest.1);
                touched.newest.1 = touched.newest.0;
                touched.old = std::mem::take(&mut touched.young);
            }
            touched.newest.0 = touched.newest.0.max(revision);
            let newest = touched.young.entry(mark).or_insert(revision);
            *newest = revision.max(*newest);
        }
        // While readers wait, so that none finds the new revision with the old marks.
        self.revision.fetch_max(through.0, Ordering::AcqRel);
    }

    /// The end of the log was seen by a look that began at `at`.
    pub fn confirm(&self, at: Timestamp) {
        self.confirmed_at
            .fetch_max(at.as_microsecond(), Ordering::AcqRel);
        self.lost.store(false, Ordering::Release);
        self.doubted.store(false, Ordering::Release);
    }

    /// The line to the store was lost: nothing counts as current until a look succeeds.
    pub fn doubt(&self) {
        self.doubted.store(true, Ordering::Release);
    }

    /// A look failed: nothing counts as current until one succeeds.
    ///
    /// Returns whether the one before had succeeded.
    pub fn lose(&self) -> bool {
        !self.lost.swap(true, Ordering::AcqRel)
    }

    /// This replica wrote a revision: nothing counts as current before it is applied.
    pub fn expect(&self, revision: Revision) {
        self.expected.fetch_max(revision.0, Ordering::AcqRel);
    }

    /// The revision of this replica's own newest write, while it is not applied.
    #[must_use]
    pub fn missing(&self) -> Option<Revision> {
        let expected = Revision(self.expected.load(Ordering::Acquire));
        (expected > self.revision()).then_some(expected)
    }

    /// Whether the last look at the log failed.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }

    /// Whether facts that hold count as current.
    #[must_use]
    pub fn is_current(&self, now: Timestamp) -> bool {
        if self.is_lost() || self.doubted.load(Ordering::Acquire) || self.missing().is_some() {
            return false;
        }
        let age = now.duration_since(self.confirmed_at());
        // After the clock was set back the age is not known until the next look.
        !age.is_negative() && age <= self.max_lag
    }

    /// When the end of the log was last seen.
    #[must_use]
    pub fn confirmed_at(&self) -> Timestamp {
        Timestamp::from_microsecond(self.confirmed_at.load(Ordering::Acquire))
            .unwrap_or(Timestamp::MIN)
    }

    /// How an entry stands to the log.
    #[must_use]
    pub fn standing(&self, entry: &Entry) -> Standing {
        let through = entry.holds_through();
        if through >= self.revision() {
            return Standing::Holds;
        }
        let touched = self.touched.read().unwrap_or_else(PoisonError::into_inner);
        // Under the lock: what is applied later is not in the marks yet.
        let applied = self.revision();
        if through < touched.floor {
            return Standing::Unknown;
        }
        let outdated = entry
            .marks
            .iter()
            .any(|mark| touched.newest(*mark).is_some_and(|at| at > through));
        if outdated {
            return Standing::Outdated;
        }
        entry.hold_through(applied);
        Standing::Holds
    }

    /// The last instant at which an entry is known to have been right; `None` where it is not
    /// known to hold.
    #[must_use]
    pub fn right_at(&self, entry: &Entry) -> Option<Timestamp> {
        match self.standing(entry) {
            Standing::Holds => Some(entry.as_of.max(self.confirmed_at())),
            Standing::Outdated | Standing::Unknown => None,
        }
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Touched> {
        self.touched.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Touched {
    fn newest(&self, mark: u64) -> Option<Revision> {
        self.young.get(&mark).max(self.old.get(&mark)).copied()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use icpgate_policy::facts::{Entitlement, NameFacts};

    use super::*;

    const LAG: Duration = Duration::from_secs(2);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn handle(name: &str) -> Handle {
        Handle::name(name)
    }

    fn entry(names: &[&str], revision: u64) -> Entry {
        let handles: Vec<Handle> = names.iter().map(|name| handle(name)).collect();
        Entry::new(
            Arc::new(NameFacts::empty(Entitlement::complete())),
            super::super::marks(&handles, &[]),
            Revision(revision),
            at(0),
            at(3600),
        )
    }

    fn write(applied: &Applied, revision: u64, names: &[&str]) {
        let handles = names.iter().map(|name| handle(name)).collect();
        applied.apply(&[(Revision(revision), handles)], Revision(revision));
    }

    #[test]
    fn what_a_write_touches_is_outdated_and_nothing_else() {
        let applied = Applied::new(LAG, 1000);
        let (one, both, other) = (
            entry(&["a.cn"], 1),
            entry(&["a.cn", "b.cn"], 1),
            entry(&["c.cn"], 1),
        );
        write(&applied, 2, &["b.cn", "d.cn"]);
        assert_eq!(applied.standing(&one), Standing::Holds);
        assert_eq!(applied.standing(&both), Standing::Outdated);
        assert_eq!(applied.standing(&other), Standing::Holds);
        // What was read after the write is not touched by it.
        assert_eq!(applied.standing(&entry(&["b.cn"], 2)), Standing::Holds);
        write(&applied, 3, &["a.cn"]);
        assert_eq!(applied.standing(&one), Standing::Outdated);
        assert_eq!(applied.standing(&other), Standing::Holds);
        // Outdated for good, whatever is asked later.
        assert_eq!(applied.standing(&both), Standing::Outdated);
        assert_eq!(applied.right_at(&both), None);
    }

    /// Behaviour 8: a load that began before a write is found out although it ends after it.
    #[test]
    fn behaviour_08_what_was_read_before_a_write_is_outdated_when_it_comes_after_it() {
        let applied = Applied::new(LAG, 1000);
        write(&applied, 7, &["a.cn"]);
        assert_eq!(applied.standing(&entry(&["a.cn"], 6)), Standing::Outdated);
        assert_eq!(applied.standing(&entry(&["a.cn"], 7)), Standing::Holds);
    }

    #[test]
    fn what_is_older_than_the_memory_of_the_log_is_not_trusted() {
        let applied = Applied::new(LAG, 10);
        let old = entry(&["kept.cn"], 0);
        let young = entry(&["kept.cn"], 30);
        for revision in 1..=40 {
            write(&applied, revision, &[&format!("n{revision}.cn")]);
        }
        assert_eq!(applied.standing(&old), Standing::Unknown);
        assert_eq!(applied.standing(&young), Standing::Holds);
        let touched = applied.touched.read().unwrap();
        assert!(touched.young.len() + touched.old.len() <= 20);
    }

    #[test]
    fn before_the_place_where_it_began_nothing_is_known() {
        let applied = Applied::new(LAG, 10);
        applied.begin(Revision(5));
        assert_eq!(applied.standing(&entry(&["a.cn"], 4)), Standing::Unknown);
        assert_eq!(applied.standing(&entry(&["a.cn"], 5)), Standing::Holds);
    }

    #[test]
    fn a_look_counts_for_a_while_and_a_failed_one_ends_it() {
        let applied = Applied::new(LAG, 10);
        assert!(!applied.is_current(at(0)), "nothing was looked at yet");
        assert!(!applied.is_lost(), "nothing has failed yet");
        applied.confirm(at(0));
        assert!(applied.is_current(at(0)));
        assert!(applied.is_current(at(2)));
        assert!(!applied.is_current(at(3)), "too long ago");
        assert!(!applied.is_current(at(-1)), "the clock was set back");
        assert!(applied.lose(), "the first failure after a success");
        assert!(!applied.lose());
        assert!(!applied.is_current(at(0)));
        applied.confirm(at(1));
        assert!(applied.is_current(at(1)));
        applied.doubt();
        assert!(!applied.is_current(at(1)));
        assert!(!applied.is_lost(), "a doubt is no failure");
        applied.confirm(at(1));
        assert!(applied.is_current(at(1)));
    }

    #[test]
    fn an_own_write_is_waited_for() {
        let applied = Applied::new(LAG, 10);
        applied.confirm(at(0));
        applied.expect(Revision(3));
        assert!(!applied.is_current(at(0)));
        assert_eq!(applied.missing(), Some(Revision(3)));
        write(&applied, 3, &["a.cn"]);
        assert!(applied.is_current(at(0)));
        assert_eq!(applied.missing(), None);
    }
}
