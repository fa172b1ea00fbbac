//! The server engine: a `PostgreSQL` database that any number of replicas share.
//!
//! **Invariant:** a write locks the row of the newest revision until it commits, so revisions are
//! handed out in commit order, and a reader who saw one has seen all before it.
//! **Absent on purpose:** read replicas, which lag behind the revisions that callers hold; text
//! of the password in any error.
//! Start at [`PostgresStore::open`]; the statements are in `read`, `write` and `decisions`.

mod decisions;
mod errors;
mod open;
mod read;
mod write;

use std::time::Duration;

use async_trait::async_trait;
use icpgate_policy::codes::RecordKind;
use icpgate_policy::facts::{Fact, Revision};
use icpgate_policy::records::{Handle, Record};
use jiff::Timestamp;
use sqlx::PgPool;

use super::{
    ChangeEntry, Found, NewDecision, NewRecord, RecordedDecision, Store, StoreError, Written,
};

/// Time after which a read is given up, waiting for a connection included. The server ends the
/// statement by its own time-out before; this one holds where the server does not answer at all.
const READ: Duration = Duration::from_secs(8);

/// As [`READ`], for a write: a bulk write may wait for that of another replica.
const WRITE: Duration = Duration::from_secs(45);

/// How to open a store.
#[derive(Clone, Debug)]
pub struct PostgresOptions {
    /// Runs pending migrations. Else a store that needs it is refused.
    pub migrate: bool,
    /// Fingerprint of the key under which personal data is hashed. The first one opens the store
    /// for good.
    pub key_id: String,
}

/// A store in a `PostgreSQL` database.
///
/// Several may be open on one database, in one process or in many.
#[derive(Debug)]
pub struct PostgresStore {
    /// For questions and decisions.
    main: PgPool,
    /// For [`Store::put`]. One connection: the writes of all processes stand in one queue anyway,
    /// and a crowd of writers must not hold the connections that questions need.
    writer: PgPool,
    /// For [`Store::ping`] and [`Store::counts`], so that a flood of questions does not make the
    /// store look dead.
    service: PgPool,
}

impl PostgresStore {
    /// Opens the store in the database of an address, such as
    /// `postgres://icpgate:secret@db.example/icpgate?sslmode=verify-full`.
    ///
    /// The parameters are those of libpq that sqlx knows. `sslmode=verify-full` checks the
    /// certificate of the server and its name, against the authorities of the system or those of
    /// the file in `sslrootcert`; the default, `prefer`, checks neither. Every other database
    /// setting may come in `options`, such as `options=-csearch_path%3Dicpgate`.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] where the address is none, the server refuses this user or the
    /// database is one of another program, [`StoreError::MigrationsPending`] where migrations are
    /// pending and were told not to run, [`StoreError::TooNew`] where a newer version wrote it,
    /// [`StoreError::KeyChanged`] where it was made with another key, [`StoreError::Unavailable`]
    /// where the server does not answer.
    pub async fn open(url: &str, options: PostgresOptions) -> Result<Self, StoreError> {
        open::open(url, &options).await
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn find(&self, sets: &[Vec<Handle>]) -> Result<Found, StoreError> {
        within(READ, "find records", self.find_sets(sets)).await
    }

    async fn put(&self, records: Vec<NewRecord>, at: Timestamp) -> Result<Written, StoreError> {
        within(WRITE, "put records", self.put_records(records, at)).await
    }

    async fn head(&self) -> Result<Revision, StoreError> {
        within(READ, "read the newest revision", self.read_head()).await
    }

    async fn changes(
        &self,
        after: (Revision, Option<u32>),
        limit: u32,
    ) -> Result<Vec<ChangeEntry>, StoreError> {
        within(READ, "read changes", self.read_changes(after, limit)).await
    }

    async fn history(&self, kind: RecordKind, key: &str) -> Result<Vec<Fact<Record>>, StoreError> {
        let history = self.read_history(kind, key);
        within(READ, "read the history of a record", history).await
    }

    async fn record_decisions(&self, decisions: Vec<NewDecision>) -> Result<(), StoreError> {
        within(WRITE, "record decisions", self.write_decisions(decisions)).await
    }

    async fn decision(&self, decision_id: &str) -> Result<Option<RecordedDecision>, StoreError> {
        within(READ, "read a decision", self.read_decision(decision_id)).await
    }

    async fn counts(&self) -> Result<Vec<(RecordKind, u64)>, StoreError> {
        within(READ, "count records", self.read_counts()).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        within(READ, "reach the store", self.ping_server()).await
    }

    async fn close(&self) {
        self.main.close().await;
        self.service.close().await;
        self.writer.close().await;
    }
}

/// Gives up what a dead peer or a cut line would hold for ever: the drivers' time-outs are about
/// waiting for a connection, and the server's need a server.
async fn within<T>(
    limit: Duration,
    action: &'static str,
    work: impl Future<Output = Result<T, StoreError>> + Send,
) -> Result<T, StoreError> {
    match tokio::time::timeout(limit, work).await {
        Ok(done) => done,
        Err(elapsed) => Err(StoreError::Unavailable {
            action,
            source: sqlx::Error::Io(elapsed.into()),
        }),
    }
}
