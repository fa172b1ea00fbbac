//! The server engine: a `PostgreSQL` database that any number of replicas share.
//!
//! **Invariant:** a write locks the row of the newest revision until it commits, so revisions are
//! handed out in commit order, and a reader who saw one has seen all before it.
//! **Absent on purpose:** text of the password in any error.
//! Start at [`PostgresStore::open`]; the statements are in `read`, `write` and `decisions`.

mod bulk;
mod connections;
mod copy;
mod decisions;
mod erase;
mod errors;
mod line;
mod open;
mod prune;
mod read;
mod replica;
mod reseal;
mod write;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use icpgate_policy::codes::RecordKind;
use icpgate_policy::facts::{Fact, Revision};
use icpgate_policy::records::{Handle, Record};
use jiff::Timestamp;
use sqlx::PgPool;

use super::{
    ChangeEntry, Erase, Erased, Found, Freshness, NewDecision, NewRecord, PoolView, Progress,
    Prunable, Prune, Pruned, RecordedDecision, Reseal, Resealed, Store, StoreError, Touched,
    Upkeep, Written,
};
use crate::telemetry::metrics::label::Pool;

/// Time after which a read is given up, waiting for a connection included. The server ends the
/// statement by its own time-out before; this one holds where the server does not answer at all.
const READ: Duration = Duration::from_secs(8);

/// As [`READ`], for a write: it may wait for that of another replica.
const WRITE: Duration = Duration::from_secs(25);

/// As [`WRITE`], for one of many records: with more pages than fit into memory it goes at the pace of
/// the disk.
const WRITE_MANY: Duration = Duration::from_secs(210);

/// Connections of a process for questions and decisions, where nothing else is said. A server
/// takes 100 by default, so that several replicas fit; a question takes one for less than a
/// millisecond.
const CONNECTIONS: u32 = 16;

/// How to open a store.
#[derive(Clone)]
pub struct PostgresOptions {
    /// Runs pending migrations. Else a store that needs it is refused.
    pub migrate: bool,
    /// Fingerprint of the key under which personal data is hashed. The first one opens the store
    /// for good.
    pub key_id: String,
    /// Address of a read replica of the database, for questions whose [`Freshness`] allows one.
    /// The store opens and works without it: while it does not answer, the primary is asked.
    pub read_url: Option<String>,
    /// Most connections for questions and decisions, to the primary and to the replica each. On
    /// top of them come up to four to the primary: for writes, for health, for signs of changes.
    pub connections: u32,
}

impl Default for PostgresOptions {
    /// Migrates, with no key, no replica and the usual number of connections.
    fn default() -> Self {
        Self {
            migrate: true,
            key_id: String::new(),
            read_url: None,
            connections: CONNECTIONS,
        }
    }
}

/// Without the address of the replica, which may hold a password.
impl std::fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            migrate,
            key_id,
            read_url,
            connections,
        } = self;
        f.debug_struct("PostgresOptions")
            .field("migrate", migrate)
            .field("key_id", key_id)
            .field("read_url", &read_url.as_ref().map(|_| "(hidden)"))
            .field("connections", connections)
            .finish()
    }
}

/// A store in a `PostgreSQL` database.
///
/// Several may be open on one database, in one process or in many.
#[derive(Debug)]
pub struct PostgresStore {
    /// For questions and decisions.
    main: connections::Connections,
    /// For [`Store::put`]. One connection: the writes of all processes stand in one queue anyway,
    /// and a crowd of writers must not hold the connections that questions need.
    writer: PgPool,
    /// For [`Store::ping`] and [`Store::counts`], so that a flood of questions does not make the
    /// store look dead.
    service: PgPool,
    /// For [`Store::changed`].
    line: line::Line,
    /// For questions that it may answer.
    replica: Option<replica::Replica>,
    /// Tells this store from others.
    store: String,
    /// Fingerprint of the keys of this process.
    key_id: Box<str>,
    /// Newest revision that was written through this store.
    written: AtomicU64,
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

    fn written(&self) -> Revision {
        Revision(self.written.load(Ordering::Acquire))
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn find(&self, sets: &[Vec<Handle>], freshness: Freshness) -> Result<Found, StoreError> {
        within(READ, "find records", self.find_fresh(sets, freshness)).await
    }

    async fn put(&self, records: Vec<NewRecord>, at: Timestamp) -> Result<Written, StoreError> {
        let limit = if records.len() < write::MANY {
            WRITE
        } else {
            WRITE_MANY
        };
        let written = within(limit, "put records", self.put_records(records, at)).await?;
        self.written.fetch_max(written.revision.0, Ordering::AcqRel);
        Ok(written)
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

    async fn touched(&self, after: Revision, limit: u32) -> Result<Touched, StoreError> {
        let touched = self.read_touched(after, limit);
        within(READ, "read what was touched", touched).await
    }

    async fn revision_before(&self, versions: u64) -> Result<Revision, StoreError> {
        let before = self.read_revision_before(versions);
        within(READ, "look for an earlier revision", before).await
    }

    async fn changed(&self) -> Result<Option<Revision>, StoreError> {
        self.line.next().await
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

    async fn id(&self) -> Result<String, StoreError> {
        Ok(self.store.clone())
    }

    async fn counts(&self) -> Result<Vec<(RecordKind, u64)>, StoreError> {
        within(READ, "count records", self.read_counts()).await
    }

    async fn source_syncs(&self) -> Result<Vec<(String, Timestamp)>, StoreError> {
        self.read_source_syncs().await
    }

    async fn page(
        &self,
        kind: RecordKind,
        after: &str,
        limit: u32,
    ) -> Result<Vec<(String, Record)>, StoreError> {
        let page = self.read_page(kind, after, limit);
        within(READ, "read a page of records", page).await
    }

    fn pools(&self) -> Vec<PoolView> {
        let replica = self.replica.as_ref();
        let replica = replica.map(|replica| replica.connections.view());
        let mut pools = vec![
            self.main.view(),
            pool_view(Pool::Writer, &self.writer),
            pool_view(Pool::Service, &self.service),
        ];
        pools.extend(replica);
        pools
    }

    async fn ping(&self) -> Result<(), StoreError> {
        within(READ, "reach the store", self.ping_server()).await
    }

    async fn close(&self) {
        self.line.close().await;
        if let Some(replica) = &self.replica {
            replica.connections.close().await;
        }
        self.main.close().await;
        self.service.close().await;
        self.writer.close().await;
    }
}

#[async_trait]
impl Upkeep for PostgresStore {
    async fn reseal(
        &self,
        reseal: Reseal<'_>,
        at: Timestamp,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<Resealed, StoreError> {
        self.reseal_all(reseal, at, progress).await
    }

    async fn erase(&self, erase: &Erase, done: bool, at: Timestamp) -> Result<Erased, StoreError> {
        self.erase_traces(erase, done, at).await
    }

    async fn prune(
        &self,
        prune: Prune,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<Pruned, StoreError> {
        super::prune::prune(self, prune, progress).await
    }

    async fn prunable(&self, prune: Prune) -> Result<Prunable, StoreError> {
        super::prune::prunable(self, prune).await
    }
}

/// How the connections of a pool of the driver are used.
fn pool_view(label: Pool, pool: &PgPool) -> PoolView {
    let idle = u32::try_from(pool.num_idle()).unwrap_or(u32::MAX);
    PoolView {
        pool: label,
        used: pool.size().saturating_sub(idle),
        idle,
        most: pool.options().get_max_connections(),
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
