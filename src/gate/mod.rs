//! The use cases: check, batch, records, and the log of decisions.
//!
//! **Invariant:** a store that does not answer makes an answer indeterminate, never a denial and
//! never an allowance.
//! **Absent on purpose:** transport, SQL, and anything that reads a clock other than through
//! [`Clock`].
//! Start at [`Gate::check`].

mod answer;
mod check;
mod facts;
mod follow;
mod loads;
mod log;
mod memo;
mod observe;
mod policy;
mod readiness;
mod records;
mod render;
mod replay;
mod survey;
mod tally;
mod turns;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use arc_swap::ArcSwap;
use icpgate_policy::codes::RecordKind;
use icpgate_policy::facts::{Entitlement, Missing, Why};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::intake::{Intake, Question, Violation};
use crate::store::{Store, StoreError};

use facts::Sources;
use follow::Following;
use memo::Memo;
use turns::Turns;

pub use answer::{Answer, DecisionId, Served};
pub use facts::{CacheBounds, Caches};
pub use follow::FollowError;
pub use log::{LogFailure, LogWorker};
pub use policy::{ActivePolicy, PolicyRefusal, keep_for, problems};
pub use readiness::{Readiness, Ready};
pub use records::{Changes, KnownDomain, Page};
pub use render::{render, respond};
pub use replay::{ReplayError, replay};
pub use turns::{Bulk, Pressed};

/// What the gate is made of.
pub struct Gate {
    store: Arc<dyn Store>,
    sources: Sources,
    following: tokio::sync::Mutex<Following>,
    /// Whether the store gives no signs of writes.
    deaf: AtomicBool,
    policy: ArcSwap<ActivePolicy>,
    /// Whether the policy last seen could not be used.
    policy_refused: AtomicBool,
    /// `None`: equal questions are answered one by one.
    memo: Option<Memo>,
    /// Follows the policy, whose suffixes it needs.
    intake: ArcSwap<Intake>,
    clock: Arc<dyn Clock>,
    log: log::LogHandle,
    tasks: TaskTracker,
    turns: Turns,
    contact: watch::Sender<Contact>,
}

/// Where the facts of an answer came from, the nearest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ServedFrom {
    /// The memory of this process.
    LocalCache,
    /// The cache that all replicas share.
    SharedCache,
    /// The store.
    Store,
}

/// Whether a replica is in contact with its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contact {
    /// It has not seen the end of the change log yet.
    Beginning,
    /// It sees the end of the change log.
    Held,
    /// The store does not answer: answers are stale or indeterminate, as the policy allows.
    Lost,
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

impl Gate {
    /// Puts the parts together; what outlives a call runs on `tasks`. The worker writes the log of decisions; it is to be run until it
    /// ends, which it does once the gate is dropped and everything is written.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        policy: ActivePolicy,
        intake: Arc<Intake>,
        clock: Arc<dyn Clock>,
        caches: Caches,
        tasks: TaskTracker,
    ) -> (Self, LogWorker) {
        let memo = caches.answers.map(Memo::new);
        let sources = Sources::new(
            Arc::clone(&store),
            caches,
            Arc::clone(&clock),
            tasks.clone(),
        );
        let (log, worker) = log::decision_log(Arc::clone(&store), Arc::clone(&clock));
        tally::policy_in_force(&policy, clock.now());
        let policy = ArcSwap::from_pointee(policy);
        (
            Self {
                store,
                sources,
                following: tokio::sync::Mutex::default(),
                deaf: AtomicBool::new(false),
                policy,
                policy_refused: AtomicBool::new(false),
                memo,
                intake: ArcSwap::new(intake),
                clock,
                log,
                tasks,
                turns: Turns::new(processors()),
                contact: watch::Sender::new(Contact::Beginning),
            },
            worker,
        )
    }

    /// The edge through which records and questions enter, as it stands now.
    #[must_use]
    pub fn intake(&self) -> Arc<Intake> {
        self.intake.load_full()
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// Whether this replica is in contact with its store, and each change of that. It is told by what follows
    /// the change log; looking at it asks nobody.
    #[must_use]
    pub fn contact(&self) -> watch::Receiver<Contact> {
        self.contact.subscribe()
    }

    /// Waits for what callers have left running: loads, and what they tell the shared cache. Bounded
    /// by the time-outs of both.
    pub async fn settle(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// The clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
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
            .load()
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

/// Processors that this process may use.
fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
