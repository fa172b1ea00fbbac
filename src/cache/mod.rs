//! Facts that were read before: in this process, and in a Redis that all replicas share.
//!
//! **Invariant:** a cache never makes an answer older than the change log says: what is kept knows
//! the revision at which it was read and the handles that it hangs on, and before each use these
//! are held against the part of the log that this replica has applied ([`Applied`]). An older set
//! of facts that slips in late is therefore harmless, wherever it comes from.
//! **Absent on purpose:** decisions. They are worked out from facts at the time of the question,
//! so that a change of policy or of the day needs no invalidation.
//! Start at [`Applied`].

mod applied;
mod local;
mod shared;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use icpgate_policy::codes::RecordKind;
use icpgate_policy::facts::{Fact, NameFacts, Revision};
use icpgate_policy::records::{Handle, Record};
use jiff::Timestamp;

pub use applied::{Applied, Standing};
pub use local::{LocalCache, LocalState};
pub use shared::{
    NoFacts, SharedCache, SharedError, SharedIdentity, SharedMode, SharedOptions, SharedState,
};

/// Key of a set of facts: a digest of the handles that were asked for.
///
/// 128 bits of BLAKE3 over the handles in their order, each behind its length, so that no two
/// questions meet, however their names are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SetKey([u8; 16]);

/// What the store said about one set of handles.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// The records, sorted by kind and key.
    pub records: Vec<Fact<Record>>,
    /// When each kind was last synced.
    pub synced_at: Vec<(RecordKind, Timestamp)>,
    /// Newest revision of the state that was read.
    pub revision: Revision,
    /// When it was read.
    pub as_of: Timestamp,
}

/// Facts about one set of handles, ready for use.
#[derive(Debug)]
pub struct Entry {
    /// The facts.
    pub facts: Arc<NameFacts>,
    /// Newest revision of the state that was read.
    pub revision: Revision,
    /// When it was read.
    pub as_of: Timestamp,
    /// From here on it is read anew, although the log tells of no change.
    pub expires_at: Timestamp,
    /// Marks of the handles asked for and of those that the records lead to.
    marks: Box<[u64]>,
    /// Revision up to which the log is known to touch none of the marks.
    holds_through: AtomicU64,
    /// Made when it is first asked for: most facts are used often, or never.
    digest: OnceLock<FactsDigest>,
}

/// A digest of facts: equal facts have equal ones.
pub type FactsDigest = [u8; 32];

impl SetKey {
    /// The key of a set of handles.
    #[must_use]
    pub fn of(handles: &[Handle]) -> Self {
        let mut hasher = blake3::Hasher::new();
        for handle in handles {
            let bytes = handle.as_bytes();
            hasher.update(&(bytes.len() as u64).to_le_bytes());
            hasher.update(bytes);
        }
        let mut key = [0; 16];
        hasher.finalize_xof().fill(&mut key);
        Self(key)
    }

    /// The digest.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl Entry {
    /// Takes facts in, with the [`marks`] of what they hang on.
    #[must_use]
    pub fn new(
        facts: Arc<NameFacts>,
        marks: Box<[u64]>,
        revision: Revision,
        as_of: Timestamp,
        expires_at: Timestamp,
    ) -> Self {
        Self {
            facts,
            revision,
            as_of,
            expires_at,
            marks,
            holds_through: AtomicU64::new(revision.0),
            digest: OnceLock::new(),
        }
    }

    /// Octets that the entry takes, its facts included, about.
    #[must_use]
    pub fn size(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.marks) + self.facts.size()
    }

    /// Digest of the facts.
    #[must_use]
    pub fn digest(&self) -> FactsDigest {
        *self.digest.get_or_init(|| digest(&self.facts))
    }

    fn holds_through(&self) -> Revision {
        Revision(self.holds_through.load(Ordering::Acquire))
    }

    fn hold_through(&self, revision: Revision) {
        self.holds_through.fetch_max(revision.0, Ordering::AcqRel);
    }
}

/// Marks of everything that facts hang on: the handles that were asked for, and those that the
/// records found lead to. A write that touches none of them leaves the facts as they are.
#[must_use]
pub fn marks(handles: &[Handle], records: &[Fact<Record>]) -> Box<[u64]> {
    let mut marks: Vec<u64> = handles.iter().map(mark).collect();
    for record in records {
        marks.extend(record.value.leads_to().iter().map(mark));
    }
    marks.sort_unstable();
    marks.dedup();
    marks.into_boxed_slice()
}

/// Digest of facts that are in no entry; as [`Entry::digest`].
#[must_use]
pub fn digest(facts: &NameFacts) -> FactsDigest {
    // Facts have no value that refuses to be encoded.
    let bytes = postcard::to_stdvec(facts).unwrap_or_default();
    *blake3::hash(&bytes).as_bytes()
}

/// Mark of a handle: 64 bits of its digest. Two handles with one mark cost a needless read.
fn mark(handle: &Handle) -> u64 {
    let mut mark = [0; 8];
    blake3::Hasher::new()
        .update(handle.as_bytes())
        .finalize_xof()
        .fill(&mut mark);
    u64::from_le_bytes(mark)
}
