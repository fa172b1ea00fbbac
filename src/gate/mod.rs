//! The use cases: check, batch, records, and the log of decisions.
//!
//! **Invariant:** a store that does not answer makes an answer indeterminate, never a denial and
//! never an allowance.
//! **Absent on purpose:** transport, SQL, and anything that reads a clock other than through
//! [`Clock`].
//! Start at [`Gate::check`].

mod check;
mod log;
mod records;
mod render;
mod replay;

use std::sync::Arc;

use arc_swap::ArcSwap;
use icpgate_policy::codes::RecordKind;
use icpgate_policy::facts::{Entitlement, Missing, Why};
use icpgate_policy::policy::Policy;
use jiff::{SignedDuration, Timestamp};

use crate::clock::Clock;
use crate::intake::{Intake, Question, Violation};
use crate::store::{Content, Store, StoreError};

pub use check::Answer;
pub use log::{LogFailure, LogWorker};
pub use records::{Changes, KnownDomain, Page};
pub use render::render;
pub use replay::{ReplayError, replay};

/// What the gate is made of.
pub struct Gate {
    store: Arc<dyn Store>,
    policy: ArcSwap<ActivePolicy>,
    intake: Arc<Intake>,
    clock: Arc<dyn Clock>,
    completeness: Completeness,
    log: log::LogHandle,
}

/// A policy with the content under which decisions refer to it.
#[derive(Debug)]
pub struct ActivePolicy {
    /// The policy.
    pub policy: Policy,
    content: Content,
}

/// For which kinds of records a missing one is known to be absent.
#[derive(Clone, Debug)]
pub struct Completeness {
    /// Kinds for which the registry is complete (`records.complete_for`).
    pub complete_for: Vec<RecordKind>,
    /// Longest time since the last sync of a kind (`records.max_sync_age`); `None`: no limit.
    pub max_sync_age: Option<SignedDuration>,
}

/// What can go wrong in a use case.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// The question or the records are malformed.
    #[error("malformed request")]
    Malformed(Vec<Violation>),
    /// No recorded decision has the identifier.
    #[error("no decision is recorded under `{0}`")]
    NoSuchDecision(String),
    /// The log of decisions cannot take more now.
    #[error("the decision log is full")]
    LogFull,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The decision could not be made durable.
    #[error(transparent)]
    Log(#[from] LogFailure),
    /// A recorded decision cannot be read.
    #[error("read decision `{decision_id}`: {problem}")]
    Unreadable {
        /// Its identifier.
        decision_id: String,
        /// What is wrong.
        problem: String,
    },
}

impl ActivePolicy {
    /// Prepares a policy for use.
    ///
    /// # Errors
    ///
    /// If its source cannot be encoded.
    pub fn new(policy: Policy) -> Result<Self, postcard::Error> {
        let bytes = postcard::to_stdvec(&policy.source)?;
        let content = content(bytes);
        Ok(Self { policy, content })
    }
}

impl Gate {
    /// Puts the parts together. The worker writes the log of decisions; it is to be run until it
    /// ends, which it does once the gate is dropped and everything is written.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        policy: ActivePolicy,
        intake: Arc<Intake>,
        clock: Arc<dyn Clock>,
        completeness: Completeness,
    ) -> (Self, LogWorker) {
        let (log, worker) = log::decision_log(Arc::clone(&store), Arc::clone(&clock));
        let policy = ArcSwap::from_pointee(policy);
        (
            Self {
                store,
                policy,
                intake,
                clock,
                completeness,
                log,
            },
            worker,
        )
    }

    /// The edge through which records and questions enter.
    #[must_use]
    pub fn intake(&self) -> &Arc<Intake> {
        &self.intake
    }

    /// The store, for imports.
    #[must_use]
    pub fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// The clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Name, version and fingerprint of the policy in force.
    #[must_use]
    pub fn policy_version(&self) -> Arc<str> {
        Arc::clone(&self.policy.load().policy.version)
    }

    /// Parses a question.
    ///
    /// # Errors
    ///
    /// [`GateError::Malformed`] with everything that is wrong with it.
    pub fn question(
        &self,
        wire: crate::proto::v1::CheckProvisioningRequest,
    ) -> Result<Question, GateError> {
        self.intake
            .question(wire, self.clock.now())
            .map_err(GateError::Malformed)
    }
}

impl Completeness {
    /// What a missing record of each kind means, by when each was last synced.
    #[must_use]
    pub fn entitlement(&self, synced_at: &[(RecordKind, Timestamp)]) -> Entitlement {
        let mut entitlement = Entitlement::unknown(Why::NotComplete);
        for kind in &self.complete_for {
            let missing = match self.max_sync_age {
                None => Missing::Absent { until: None },
                Some(age) => synced_at.iter().find(|(synced, _)| synced == kind).map_or(
                    Missing::Unknown(Why::SyncTooOld),
                    |(_, at)| Missing::Absent {
                        until: Some(at.saturating_add(age).unwrap_or(Timestamp::MAX)),
                    },
                ),
            };
            entitlement.set(*kind, missing);
        }
        entitlement
    }
}

fn content(bytes: Vec<u8>) -> Content {
    Content {
        digest: *blake3::hash(&bytes).as_bytes(),
        bytes: bytes.into(),
    }
}
