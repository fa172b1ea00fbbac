//! A store whose requests are counted and timed, whatever the engine.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use icpgate_policy::codes::RecordKind;
use icpgate_policy::facts::{Fact, Revision};
use icpgate_policy::records::{Handle, Record};
use jiff::Timestamp;

use super::{
    ChangeEntry, Found, Freshness, NewDecision, NewRecord, PoolView, RecordedDecision, Store,
    StoreError, Touched, Written,
};
use crate::telemetry::metrics::label::{Dependency, Failure, Operation, PoolState};
use crate::telemetry::metrics::list::{DEPENDENCY_DURATION, DEPENDENCY_FAILURES, POOL, POOL_LIMIT};

/// Counts and times what is asked of a store.
pub struct MeteredStore {
    inner: Arc<dyn Store>,
    engine: Dependency,
}

impl MeteredStore {
    /// Puts it around a store of an engine.
    #[must_use]
    pub fn new(inner: Arc<dyn Store>, engine: Dependency) -> Self {
        Self { inner, engine }
    }

    async fn timed<T>(
        &self,
        operation: Operation,
        asking: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let begun = Instant::now();
        let answered = asking.await;
        DEPENDENCY_DURATION.observe((self.engine, operation), begun.elapsed());
        if let Err(error) = &answered {
            DEPENDENCY_FAILURES.inc((self.engine, failure(error)));
        }
        answered
    }
}

/// Shows the pools of connections, for whoever asks for metrics.
pub fn observe_pools(pools: &[PoolView]) {
    for view in pools {
        POOL.set_count((view.pool, PoolState::Used), u64::from(view.used));
        POOL.set_count((view.pool, PoolState::Idle), u64::from(view.idle));
        POOL_LIMIT.set_count((view.pool,), u64::from(view.most));
    }
}

/// How a request failed.
pub(super) fn failure(error: &StoreError) -> Failure {
    match error {
        StoreError::Unavailable { source, .. } => {
            let is_late = matches!(source, sqlx::Error::PoolTimedOut)
                || matches!(source, sqlx::Error::Io(error)
                    if error.kind() == std::io::ErrorKind::TimedOut);
            if is_late {
                Failure::Timeout
            } else {
                Failure::Unavailable
            }
        }
        StoreError::Failed { .. }
        | StoreError::Inconsistent { .. }
        | StoreError::KeyChanged { .. }
        | StoreError::KeyReplaced { .. }
        | StoreError::MigrationsPending { .. }
        | StoreError::TooNew { .. }
        | StoreError::Unusable { .. } => Failure::Failed,
    }
}

#[async_trait]
impl Store for MeteredStore {
    async fn find(&self, sets: &[Vec<Handle>], freshness: Freshness) -> Result<Found, StoreError> {
        self.timed(Operation::Find, self.inner.find(sets, freshness))
            .await
    }

    async fn put(&self, records: Vec<NewRecord>, at: Timestamp) -> Result<Written, StoreError> {
        self.timed(Operation::Put, self.inner.put(records, at))
            .await
    }

    async fn head(&self) -> Result<Revision, StoreError> {
        self.timed(Operation::Head, self.inner.head()).await
    }

    async fn changes(
        &self,
        after: (Revision, Option<u32>),
        limit: u32,
    ) -> Result<Vec<ChangeEntry>, StoreError> {
        self.timed(Operation::Changes, self.inner.changes(after, limit))
            .await
    }

    async fn touched(&self, after: Revision, limit: u32) -> Result<Touched, StoreError> {
        self.timed(Operation::Touched, self.inner.touched(after, limit))
            .await
    }

    async fn revision_before(&self, versions: u64) -> Result<Revision, StoreError> {
        self.timed(Operation::Touched, self.inner.revision_before(versions))
            .await
    }

    /// Not timed: it waits for what somebody else does.
    async fn changed(&self) -> Result<Option<Revision>, StoreError> {
        self.inner.changed().await
    }

    async fn history(&self, kind: RecordKind, key: &str) -> Result<Vec<Fact<Record>>, StoreError> {
        self.timed(Operation::History, self.inner.history(kind, key))
            .await
    }

    async fn record_decisions(&self, decisions: Vec<NewDecision>) -> Result<(), StoreError> {
        let recording = self.inner.record_decisions(decisions);
        self.timed(Operation::RecordDecisions, recording).await
    }

    async fn decision(&self, decision_id: &str) -> Result<Option<RecordedDecision>, StoreError> {
        self.timed(Operation::Decision, self.inner.decision(decision_id))
            .await
    }

    async fn id(&self) -> Result<String, StoreError> {
        self.inner.id().await
    }

    async fn counts(&self) -> Result<Vec<(RecordKind, u64)>, StoreError> {
        self.timed(Operation::Survey, self.inner.counts()).await
    }

    async fn source_syncs(&self) -> Result<Vec<(String, Timestamp)>, StoreError> {
        self.timed(Operation::Survey, self.inner.source_syncs())
            .await
    }

    async fn page(
        &self,
        kind: RecordKind,
        after: &str,
        limit: u32,
    ) -> Result<Vec<(String, Record)>, StoreError> {
        self.timed(Operation::Survey, self.inner.page(kind, after, limit))
            .await
    }

    fn pools(&self) -> Vec<PoolView> {
        self.inner.pools()
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.timed(Operation::Ping, self.inner.ping()).await
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_apart() {
        let unavailable = |source| StoreError::Unavailable {
            action: "find records",
            source,
        };
        let io = |kind: std::io::ErrorKind| unavailable(sqlx::Error::Io(kind.into()));
        for (error, expected) in [
            (unavailable(sqlx::Error::PoolTimedOut), Failure::Timeout),
            (io(std::io::ErrorKind::TimedOut), Failure::Timeout),
            (
                io(std::io::ErrorKind::ConnectionReset),
                Failure::Unavailable,
            ),
            (unavailable(sqlx::Error::PoolClosed), Failure::Unavailable),
            (StoreError::TooNew { found: 3 }, Failure::Failed),
        ] {
            assert_eq!(failure(&error), expected, "{error:?}");
        }
    }
}
