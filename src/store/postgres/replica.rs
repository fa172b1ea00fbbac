//! A read replica of the database: asked first where its state may do.
//!
//! **Invariant:** what it answers counts only where it is of this store and holds the revision
//! that is wanted. It is never needed: whatever goes wrong with it, the primary answers.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use icpgate_policy::facts::Revision;
use icpgate_policy::records::Handle;
use tokio::time::Instant;

use super::connections::Connections;
use super::{PostgresStore, within};
use crate::store::{Found, Freshness, StoreError, metered};
use crate::telemetry::metrics::label::{Dependency, Operation};
use crate::telemetry::metrics::list::{
    BREAKER, BREAKER_OPENED, DEPENDENCY_DURATION, DEPENDENCY_FAILURES,
};

/// Time that the replica has for an answer, waiting for a connection included. Short beside that
/// of the primary, which comes on top of it.
const ANSWER: Duration = Duration::from_secs(1);

/// Time for which a replica that did not answer is left alone, so that not every question waits
/// for it.
const REST: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Replica {
    pub(super) connections: Connections,
    /// Until when it is left alone; `None` while it answers.
    resting: Mutex<Option<Instant>>,
}

impl Replica {
    pub(super) const fn new(connections: Connections) -> Self {
        Self {
            connections,
            resting: Mutex::new(None),
        }
    }

    fn rests(&self) -> bool {
        let resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        resting.is_some_and(|until| Instant::now() < until)
    }

    /// Notes whether it answered; one line in the log where that has changed.
    fn note(&self, failure: Option<&StoreError>) {
        if let Some(error) = failure {
            DEPENDENCY_FAILURES.inc((Dependency::Replica, metered::failure(error)));
        }
        BREAKER.set_flag((Dependency::Replica,), failure.is_some());
        let until = failure.map(|_| Instant::now() + REST);
        let mut resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        match (failure, resting.is_some()) {
            (Some(error), false) => {
                BREAKER_OPENED.inc((Dependency::Replica,));
                let error: &dyn std::error::Error = error;
                tracing::warn!(
                    error,
                    "the replica of store.read_url does not answer; the primary is asked instead"
                );
            }
            (None, true) => tracing::info!("the replica of store.read_url answers again"),
            (Some(_), true) | (None, false) => {}
        }
        *resting = until;
    }
}

impl PostgresStore {
    /// Newest revision that the read replica has; `None` where the store has no replica.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] where it is no replica of this store; else why it does not answer.
    pub async fn replica_revision(&self) -> Option<Result<Revision, StoreError>> {
        let replica = self.replica.as_ref()?;
        let asking = self.find_sets(&replica.connections, &[]);
        let found = within(ANSWER, "reach the read replica", asking).await;
        Some(found.map(|found| found.revision))
    }

    /// Finds where the freshness allows: in the replica, or in the primary.
    pub(super) async fn find_fresh(
        &self,
        sets: &[Vec<Handle>],
        freshness: Freshness,
    ) -> Result<Found, StoreError> {
        let wanted = match freshness {
            Freshness::Any => Some(Revision(0)),
            Freshness::AtLeast(revision) => Some(revision),
            Freshness::Newest => None,
        };
        if let (Some(replica), Some(wanted)) = (&self.replica, wanted)
            && !replica.rests()
        {
            // Whoever wrote through this store reads what was written.
            let wanted = wanted.max(self.written());
            let asking = self.find_sets(&replica.connections, sets);
            let begun = std::time::Instant::now();
            let found = within(ANSWER, "find records in the replica", asking).await;
            let labels = (Dependency::Replica, Operation::Find);
            DEPENDENCY_DURATION.observe(labels, begun.elapsed());
            match found {
                Ok(found) => {
                    replica.note(None);
                    if found.revision >= wanted {
                        return Ok(found);
                    }
                }
                Err(error) => replica.note(Some(&error)),
            }
        }
        self.find_sets(&self.main, sets).await
    }
}
