//! Names that stand in labels: a bounded number of each, for the life of the process.
//!
//! They are configured, but for the sources of records, which are named by whoever may write records
//! and come from the store. A name keeps its place when it is taken out of the configuration, so that
//! its series do not become those of another one. **Absent on purpose:** names that other callers send.

use std::borrow::Cow;
use std::sync::{Mutex, PoisonError};

use super::label::{Caller, PolicyVersion, RecordSource};

/// Callers that are told apart; further ones are `other`.
pub const CALLERS: usize = 64;

/// Versions of the policy that are told apart; further ones are `other`.
pub const POLICIES: usize = 16;

/// Sources of records that are told apart; further ones are `other`.
pub const SOURCES: usize = 64;

/// What stands for names that are not told apart.
const OTHER: &str = "other";

static CALLER_NAMES: Names = Names::new(CALLERS);

static POLICY_VERSIONS: Names = Names::new(POLICIES);

static SOURCE_NAMES: Names = Names::new(SOURCES);

/// The label of a caller of the file of callers. Costs a lock: whoever calls keeps it.
#[must_use]
pub fn caller_of(name: &str) -> Caller {
    Caller(CALLER_NAMES.place(name))
}

/// The label of a version of the policy. Costs a lock: whoever calls keeps it.
#[must_use]
pub fn policy_of(version: &str) -> PolicyVersion {
    PolicyVersion(POLICY_VERSIONS.place(version))
}

/// The label of a source of records. Costs a lock.
#[must_use]
pub fn source_of(name: &str) -> RecordSource {
    RecordSource(SOURCE_NAMES.place(name))
}

pub(super) fn caller(place: usize) -> Option<Cow<'static, str>> {
    CALLER_NAMES.name(place)
}

pub(super) fn policy(place: usize) -> Option<Cow<'static, str>> {
    POLICY_VERSIONS.name(place)
}

pub(super) fn source(place: usize) -> Option<Cow<'static, str>> {
    SOURCE_NAMES.name(place)
}

/// Names in the order in which they came, and a place for all others behind them.
struct Names {
    taken: Mutex<Vec<String>>,
    most: usize,
}

impl Names {
    const fn new(most: usize) -> Self {
        Self {
            taken: Mutex::new(Vec::new()),
            most,
        }
    }

    fn place(&self, name: &str) -> usize {
        // Two series with one name would be no exposition.
        if name == OTHER {
            return self.most;
        }
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = taken.iter().position(|taken| taken == name) {
            return place;
        }
        if taken.len() >= self.most {
            return self.most;
        }
        taken.push(name.to_owned());
        taken.len() - 1
    }

    fn name(&self, place: usize) -> Option<Cow<'static, str>> {
        if place == self.most {
            return Some(OTHER.into());
        }
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.get(place).cloned().map(Cow::Owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_names_than_there_may_be() {
        let names = Names::new(2);
        assert_eq!(names.name(0), None);
        assert_eq!(names.place(OTHER), 2);
        assert_eq!((names.place("a"), names.place("b")), (0, 1));
        for name in ["c", "d"] {
            assert_eq!(names.place(name), 2);
        }
        assert_eq!((names.place("b"), names.place("a")), (1, 0));
        assert_eq!(names.name(1).unwrap(), "b");
        assert_eq!(names.name(2).unwrap(), OTHER);
        assert_eq!(names.name(3), None);
    }
}
