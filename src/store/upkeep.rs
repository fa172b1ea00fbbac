//! What an operator does with a whole store: sealing it under the next key, and erasing what is held
//! about a person.
//!
//! **Invariant:** each is one transaction: until it is committed readers see the state before, and
//! where it breaks off nothing has changed. Memory does not grow with the store.

use async_trait::async_trait;
use icpgate_policy::codes::RecordKind;
use icpgate_policy::facts::Revision;
use icpgate_policy::identity::{Resealer, SealedCertificate};
use icpgate_policy::numbers::SubjectNumber;
use icpgate_policy::records::RecordDomain;
use jiff::Timestamp;

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
}
