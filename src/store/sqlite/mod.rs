//! The embedded engine: one SQLite file, nothing else to run.
//!
//! **Invariant:** a write that was acknowledged survives a crash of the process, of the machine
//! and of its power supply. All writes, of every process on the file, stand in one queue, so
//! revisions are handed out in commit order.
//! **Absent on purpose:** in-memory stores; a pool would give each connection its own. Signs from
//! other processes: SQLite has no line between processes, so [`Store::changed`] tells of writes of
//! this process only, and what another one wrote (an import by hand) is found by looking at the
//! log from time to time.
//! Start at [`SqliteStore::open`]; the statements are in `read`, `write` and `decisions`.

mod backup;
mod decisions;
mod erase;
mod errors;
mod open;
mod prune;
mod read;
mod reseal;
mod signs;
mod write;

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use icpgate_policy::codes::RecordKind;
use icpgate_policy::facts::{Fact, Revision};
use icpgate_policy::records::{Handle, Record};
use jiff::Timestamp;
use sqlx::SqlitePool;

pub use backup::backup as backup_sqlite;

use super::{
    ChangeEntry, Erase, Erased, Found, Freshness, NewDecision, NewRecord, PoolView, Progress,
    Prunable, Prune, Pruned, RecordedDecision, Reseal, Resealed, Store, StoreError, Touched,
    Upkeep, Written,
};
use crate::telemetry::metrics::label::Pool;

/// How to open a store.
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    /// Runs pending migrations, and makes the file where there is none. Else a store that needs
    /// it is refused.
    pub migrate: bool,
    /// Fingerprint of the key under which personal data is hashed. The first one opens the store
    /// for good.
    pub key_id: String,
}

/// A store in an SQLite file.
///
/// Several may be open on one file, in one process or in many: an import by hand may run beside
/// a server.
#[derive(Debug)]
pub struct SqliteStore {
    /// The file, for error messages.
    path: PathBuf,
    /// Fingerprint of the keys of this process.
    key_id: Box<str>,
    /// The only connection that writes; SQLite has one writer at a time anyway, and waiting for
    /// a connection is fairer than polling for a lock.
    writer: SqlitePool,
    readers: SqlitePool,
    /// For [`Store::ping`] and [`Store::counts`], so that a flood of questions does not make the
    /// store look dead.
    service: SqlitePool,
    /// For [`Store::changed`].
    signs: signs::Signs,
}

impl SqliteStore {
    /// Opens the store in a file.
    ///
    /// A file that is made is readable by its owner only, and so are folders made for it.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] where the file is no store of this program or cannot be written,
    /// [`StoreError::MigrationsPending`] where migrations are pending and were told not to run,
    /// [`StoreError::TooNew`] where a newer version wrote it, [`StoreError::KeyChanged`] where it
    /// was made with another key, [`StoreError::Unavailable`] where it is locked for long.
    pub async fn open(path: &Path, options: SqliteOptions) -> Result<Self, StoreError> {
        open::open(path, &options).await
    }

    /// Context for errors of SQLite.
    fn error(&self, action: &'static str) -> impl Fn(sqlx::Error) -> StoreError + '_ {
        move |source| errors::store_error(&self.path, action, source)
    }
}

#[async_trait]
impl Store for SqliteStore {
    /// Always from the newest committed state, whatever freshness is asked for: there is one
    /// file, and a reader that begins after a commit sees it.
    async fn find(&self, sets: &[Vec<Handle>], _: Freshness) -> Result<Found, StoreError> {
        self.find_sets(sets).await
    }

    async fn put(&self, records: Vec<NewRecord>, at: Timestamp) -> Result<Written, StoreError> {
        self.put_records(records, at).await
    }

    async fn head(&self) -> Result<Revision, StoreError> {
        self.read_head().await
    }

    async fn changes(
        &self,
        after: (Revision, Option<u32>),
        limit: u32,
    ) -> Result<Vec<ChangeEntry>, StoreError> {
        self.read_changes(after, limit).await
    }

    async fn touched(&self, after: Revision, limit: u32) -> Result<Touched, StoreError> {
        self.read_touched(after, limit).await
    }

    async fn revision_before(&self, versions: u64) -> Result<Revision, StoreError> {
        self.read_revision_before(versions).await
    }

    async fn changed(&self) -> Result<Option<Revision>, StoreError> {
        let sign = self.signs.next();
        let sign = self.readers.close_event().do_until(sign).await;
        sign.map(|()| None).map_err(self.error("wait for changes"))
    }

    async fn history(&self, kind: RecordKind, key: &str) -> Result<Vec<Fact<Record>>, StoreError> {
        self.read_history(kind, key).await
    }

    async fn record_decisions(&self, decisions: Vec<NewDecision>) -> Result<(), StoreError> {
        self.write_decisions(decisions).await
    }

    async fn decision(&self, decision_id: &str) -> Result<Option<RecordedDecision>, StoreError> {
        self.read_decision(decision_id).await
    }

    async fn id(&self) -> Result<String, StoreError> {
        self.read_id().await
    }

    async fn counts(&self) -> Result<Vec<(RecordKind, u64)>, StoreError> {
        self.read_counts().await
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
        self.read_page(kind, after, limit).await
    }

    fn pools(&self) -> Vec<PoolView> {
        let view = |label, pool: &SqlitePool| {
            let idle = u32::try_from(pool.num_idle()).unwrap_or(u32::MAX);
            PoolView {
                pool: label,
                used: pool.size().saturating_sub(idle),
                idle,
                most: pool.options().get_max_connections(),
            }
        };
        vec![
            view(Pool::Main, &self.readers),
            view(Pool::Writer, &self.writer),
            view(Pool::Service, &self.service),
        ]
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.ping_file().await
    }

    async fn close(&self) {
        self.readers.close().await;
        self.service.close().await;
        // Last, so that it folds the write-ahead log into the file.
        self.writer.close().await;
    }
}

#[async_trait]
impl Upkeep for SqliteStore {
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

#[cfg(test)]
mod tests {
    use sqlx::Row as _;

    use super::*;

    #[tokio::test]
    async fn no_statement_scans_a_table_that_grows() {
        let folder = tempfile::tempdir().unwrap();
        let options = SqliteOptions {
            migrate: true,
            key_id: String::new(),
        };
        let store = SqliteStore::open(&folder.path().join("icpgate.db"), options)
            .await
            .unwrap();
        let statements = read::STATEMENTS
            .into_iter()
            .chain(write::STATEMENTS)
            .chain(decisions::STATEMENTS)
            .chain(prune::STATEMENTS);
        for statement in statements {
            let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
            let plan = sqlx::query(explain).fetch_all(&store.writer).await.unwrap();
            for step in plan {
                let step: String = step.get("detail");
                let scans = [
                    "revision",
                    "record",
                    "record_version",
                    "entry",
                    "found",
                    "here",
                    "later",
                    "version",
                    "handle",
                    "content",
                    "facts",
                    "policy",
                    "decision",
                    "decision_order",
                    "decision_caller",
                ]
                .iter()
                .any(|table| {
                    step == format!("SCAN {table}") || step.starts_with(&format!("SCAN {table} "))
                });
                assert!(!scans, "{step} in {statement}");
            }
        }
    }
}
