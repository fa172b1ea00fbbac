//! What an operator does with a whole store: sealing it under the next key, erasing what is held
//! about a person, and removing decisions that were recorded long ago.
//!
//! **Invariant:** sealing and erasing are one transaction each: until it is committed readers see the
//! state before, and where it breaks off nothing has changed. Decisions are removed in many, each of
//! which leaves a whole store. Memory does not grow with the store.

use async_trait::async_trait;
use icpgate_policy::codes::RecordKind;
use icpgate_policy::facts::Revision;
use icpgate_policy::identity::{Resealer, SealedCertificate};
use icpgate_policy::numbers::SubjectNumber;
use icpgate_policy::records::RecordDomain;
use jiff::{SignedDuration, Timestamp};

use super::{Store, StoreError};

/// The next key.
#[derive(Debug)]
pub struct Reseal<'a> {
    /// Seals what is sealed under the keys before.
    pub key: &'a Resealer,
    /// Fingerprint of the keys with this one, as the store keeps it.
    pub key_id: &'a str,
}

/// What is being worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Versions of records.
    Records,
    /// Recorded decisions.
    Decisions,
}

/// How far the work has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// On what.
    pub stage: Stage,
    /// How many of them are done.
    pub done: u64,
}

/// What was sealed anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resealed {
    /// Versions of records that hold sealed values.
    pub versions: u64,
    /// Questions and facts of recorded decisions that hold sealed values.
    pub decisions: u64,
    /// The revision that this took.
    pub revision: Revision,
}

/// What is to be erased.
#[derive(Clone, Debug)]
pub struct Erase {
    /// About whom.
    pub whom: Whom,
    /// Whether blocks of the provider's own list go too. Those of the authority's stay while they
    /// are in force.
    pub provider_blocks: bool,
}

/// About whom something is to be erased.
#[derive(Clone, Debug)]
pub enum Whom {
    /// The holder of a certificate.
    Person(SealedCertificate),
    /// The subject of a number, whole.
    Subject(SubjectNumber),
    /// The registrant of a domain, and whoever applied for it.
    Domain(RecordDomain),
}

/// What was erased, or would be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// Records that go, by kind.
    pub records: Vec<(RecordKind, u64)>,
    /// Records of which the person goes and the rest stays, by kind.
    pub changed: Vec<(RecordKind, u64)>,
    /// Records that stay, by kind and shown key, because another duty asks for them.
    pub kept: Vec<(RecordKind, String)>,
    /// Numbers of the subjects among those that go.
    pub subjects: Vec<String>,
    /// Numbers of the services among them.
    pub services: Vec<String>,
    /// Versions of all of these, old ones too.
    pub versions: u64,
    /// Recorded decisions whose facts, or whose applicant, go. The decisions stay.
    pub decisions: u64,
    /// The revision that this took; `None` where nothing was erased.
    pub revision: Option<Revision>,
}

/// Age below which no decision is removed. Far above all for which one may still be at work: an answer
/// stands for 24 hours at most and is recorded for each order until then, facts let a re-check be
/// answered for 72 hours, and callers ask why they were refused for days. And whoever prunes by
/// mistake keeps the last month.
pub const KEPT_AT_LEAST: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Which decisions are removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prune {
    // INVARIANT: KEPT_AT_LEAST or longer ago.
    before: Timestamp,
}

impl Prune {
    /// Those that were recorded before an instant; `None` where it is less than [`KEPT_AT_LEAST`] ago.
    #[must_use]
    pub fn before_instant(before: Timestamp, now: Timestamp) -> Option<Self> {
        (now.duration_since(before) >= KEPT_AT_LEAST).then_some(Self { before })
    }

    /// Decisions that were recorded at this instant or later stay.
    #[must_use]
    pub fn before(&self) -> Timestamp {
        self.before
    }
}

/// When the first and the last of some decisions were recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aged {
    /// The first.
    pub first: Timestamp,
    /// The last.
    pub last: Timestamp,
}

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Decisions.
    pub decisions: u64,
    /// Orders that asked for them.
    pub orders: u64,
    /// Callers who did, once for each order.
    pub callers: u64,
    /// Facts and policies that no decision refers to any more.
    pub contents: u64,
    /// When the decisions were recorded; `None`: there are none.
    pub recorded: Option<Aged>,
}

/// What would be removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prunable {
    /// Decisions.
    pub decisions: u64,
    /// When they were recorded; `None`: there are none.
    pub recorded: Option<Aged>,
    /// Octets that they take, roughly, worked out from some of them; without orders, callers and
    /// facts.
    pub octets: u64,
}

/// The upkeep of a store.
#[async_trait]
pub trait Upkeep: Store {
    /// Seals under one key more: every version of every record, the handles, and the questions and
    /// facts of recorded decisions, which keep their identifiers. It takes a revision without a
    /// version. This store, and all others that were open before, are of no more use afterwards:
    /// they answer [`StoreError::KeyReplaced`].
    ///
    /// Others may read and record decisions meanwhile; whoever writes records waits, and is refused
    /// where it takes long. `progress` is told from time to time.
    ///
    /// # Errors
    /// Nothing has changed; or else the error says that only the file could not be cleared of what was
    /// replaced, which stays legible in it.
    async fn reseal(
        &self,
        reseal: Reseal<'_>,
        at: Timestamp,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<Resealed, StoreError>;

    /// Erases what is held about somebody, in all versions and in the log of decisions; where `done`
    /// is false, it is looked for and left. It takes a revision without a version, so that every
    /// cache forgets what it holds. The change log keeps the places of what went.
    ///
    /// # Errors
    /// Nothing has changed; or else the error says that only the file could not be cleared of what was
    /// replaced, which stays legible in it.
    async fn erase(&self, erase: &Erase, done: bool, at: Timestamp) -> Result<Erased, StoreError>;

    /// Removes decisions that were recorded long ago, with their orders and callers, and the facts and
    /// policies that no other decision refers to. In many small transactions, oldest first for each
    /// policy: others go on meanwhile, and record decisions between two of them. It may be dropped at
    /// any moment, and called again. `progress` is told after each.
    ///
    /// # Errors
    /// What `progress` was told of is gone, and nothing else has changed.
    async fn prune(
        &self,
        prune: Prune,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<Pruned, StoreError>;

    /// What [`Upkeep::prune`] would remove.
    async fn prunable(&self, prune: Prune) -> Result<Prunable, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_young_can_be_pruned() {
        let now = Timestamp::UNIX_EPOCH;
        let youngest = now - KEPT_AT_LEAST;
        let prune = Prune::before_instant(youngest, now).unwrap();
        assert_eq!(prune.before(), youngest);
        let younger = youngest + SignedDuration::from_micros(1);
        let later = now + SignedDuration::from_hours(1);
        for young in [younger, now, later] {
            assert_eq!(Prune::before_instant(young, now), None, "{young}");
        }
    }
}
