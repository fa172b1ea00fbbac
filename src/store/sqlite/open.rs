//! Opening a store: the file, its connections, its migrations and its key.
//!
//! **Invariant:** a file that is not a store of this program is left exactly as it was.

use std::fs::{DirBuilder, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use sqlx::migrate::{Migrate, MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Connection as _, SqlSafeStr as _, SqlitePool};

use super::errors::{open_error, unusable};
use super::signs::Signs;
use super::{SqliteOptions, SqliteStore};
use crate::store::StoreError;
use crate::store::form::{OLDEST_FORM, may_work};

/// Time for which a reader waits for a connection.
const ACQUIRE: Duration = Duration::from_secs(2);

/// Time for which a write waits for one of this process, and then for one of another. Longer than
/// [`ACQUIRE`]: a batch of an import takes seconds where the store is larger than memory, SQLite
/// polls for the lock, and the gaps that an import by hand leaves between its batches are short.
const BUSY: Duration = Duration::from_secs(5);

/// Size above which a write-ahead log is cut after a checkpoint, in bytes.
const LOG_LIMIT: &str = "67108864";

/// Pages of the write-ahead log after which they are put into the file (32 MiB). What an import
/// touches again and again until then is put there once.
const LOG_PAGES: &str = "8192";

/// Page cache of the writer, in KiB (negative, as SQLite wants it). Imports touch keys and
/// handles at random places.
const WRITER_CACHE: &str = "-65536";

/// Page cache of each reader, in KiB. Small: the operating system caches the file.
const READER_CACHE: &str = "-8192";

/// Statement texts with their places filled: `put` has three of each.
const STATEMENTS: usize = 32;

/// Marks the file as a store of this program: "icpg" in ASCII.
const APPLICATION_ID: i64 = 0x6963_7067;

const OPEN_MARK: &str = "PRAGMA application_id = 1768124519";

const OPEN_MARKED: &str = "PRAGMA application_id";

const OPEN_TABLES: &str = "SELECT count(*) FROM sqlite_schema";

const OPEN_KEY: &str = "SELECT value FROM setting WHERE name = 'key_id'";

const OPEN_SET_KEY: &str = "INSERT INTO setting (name, value) VALUES ('key_id', ?1)";

const OPEN_OLDEST: &str = "SELECT value FROM setting WHERE name = 'oldest_form'";

const OPEN_SET_OLDEST: &str = "
INSERT INTO setting (name, value) VALUES ('oldest_form', ?1)
ON CONFLICT (name) DO UPDATE SET value = excluded.value";

/// Migrations in their order. One statement a file; a file is never edited after a release.
const MIGRATIONS: [(i64, &str, &str); 13] = [
    (
        1,
        "setting",
        include_str!("../../../migrations/sqlite/0001_setting.sql"),
    ),
    (
        2,
        "revision",
        include_str!("../../../migrations/sqlite/0002_revision.sql"),
    ),
    (
        3,
        "record_version",
        include_str!("../../../migrations/sqlite/0003_record_version.sql"),
    ),
    (
        4,
        "record",
        include_str!("../../../migrations/sqlite/0004_record.sql"),
    ),
    (
        5,
        "handle",
        include_str!("../../../migrations/sqlite/0005_handle.sql"),
    ),
    (
        6,
        "sync",
        include_str!("../../../migrations/sqlite/0006_sync.sql"),
    ),
    (
        7,
        "content",
        include_str!("../../../migrations/sqlite/0007_content.sql"),
    ),
    (
        8,
        "decision",
        include_str!("../../../migrations/sqlite/0008_decision.sql"),
    ),
    (
        9,
        "decision_order",
        include_str!("../../../migrations/sqlite/0009_decision_order.sql"),
    ),
    (
        10,
        "decision_caller",
        include_str!("../../../migrations/sqlite/0010_decision_caller.sql"),
    ),
    (
        11,
        "source_sync",
        include_str!("../../../migrations/sqlite/0011_source_sync.sql"),
    ),
    (
        12,
        "decision_facts",
        include_str!("../../../migrations/sqlite/0012_decision_facts.sql"),
    ),
    (
        13,
        "decision_policy",
        include_str!("../../../migrations/sqlite/0013_decision_policy.sql"),
    ),
];

/// Table in which sqlx keeps what it has applied.
const MIGRATION_TABLE: &str = "_sqlx_migrations";

static MIGRATOR: LazyLock<Migrator> = LazyLock::new(|| {
    let migrations = MIGRATIONS.iter().map(|&(number, name, sql)| {
        Migration::new(
            number,
            name.into(),
            MigrationType::Simple,
            sql.into_sql_str(),
            false,
        )
    });
    let mut migrator = Migrator::with_migrations(migrations.collect());
    // Those of a newer version, where it lets this one work.
    migrator.set_ignore_missing(true);
    migrator
});

pub(super) async fn open(path: &Path, options: &SqliteOptions) -> Result<SqliteStore, StoreError> {
    let path = prepare_file(path, options.migrate)?;
    let plain = SqliteConnectOptions::new()
        .filename(&path)
        .busy_timeout(BUSY);
    refuse_foreign(&path, &plain).await?;

    // Write-ahead log: readers and the writer do not wait for each other.
    // FULL: the log reaches the disk before a commit returns. With NORMAL a power cut takes back
    // commits that were acknowledged, and with them a revision that a caller may hold as token.
    let connect = plain
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .pragma("journal_size_limit", LOG_LIMIT)
        .pragma("wal_autocheckpoint", LOG_PAGES)
        .statement_cache_capacity(STATEMENTS);

    let writing = connect.clone().pragma("cache_size", WRITER_CACHE);
    let writer = pool(&path, 1, BUSY, writing).await?;
    prepare_schema(&path, &writer, options).await?;

    let reading = connect
        .pragma("query_only", "ON")
        .pragma("cache_size", READER_CACHE);
    let readers = std::thread::available_parallelism().map_or(2, |cores| cores.get().clamp(2, 8));
    let readers = u32::try_from(readers).unwrap_or(2);
    let readers = pool(&path, readers, ACQUIRE, reading.clone()).await?;
    let service = pool(&path, 1, ACQUIRE, reading).await?;
    Ok(SqliteStore {
        signs: Signs::join(&path),
        key_id: options.key_id.as_str().into(),
        path,
        writer,
        readers,
        service,
    })
}

/// Checks the file, or makes it. Returns its absolute path: names such as `:memory:` and
/// `file:…` have a meaning of their own for SQLite.
fn prepare_file(path: &Path, make: bool) -> Result<PathBuf, StoreError> {
    let refuse = |problem: String| unusable(path, problem);
    let absolute = std::path::absolute(path)
        .map_err(|error| refuse(format!("it has no absolute path: {error}")))?;
    match std::fs::metadata(&absolute) {
        Ok(metadata) if metadata.is_dir() => {
            Err(refuse("it is a folder; name a file in it".to_owned()))
        }
        Ok(_) => match OpenOptions::new().read(true).write(true).open(&absolute) {
            Ok(_) => Ok(absolute),
            Err(error) => Err(refuse(format!(
                "it cannot be opened for writing: {error}; give this user read and write access"
            ))),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => {
            if make {
                make_file(&absolute).map_err(|error| {
                    refuse(format!(
                        "it cannot be made: {error}; name a file in a folder that this user may \
                         write in"
                    ))
                })?;
                Ok(absolute)
            } else {
                Err(StoreError::MigrationsPending {
                    pending: MIGRATIONS.len(),
                })
            }
        }
        Err(error) => Err(refuse(format!(
            "it cannot be reached: {error}; check its path"
        ))),
    }
}

/// Makes an empty file for its owner only; SQLite gives its companions the same rights.
fn make_file(path: &Path) -> std::io::Result<()> {
    let mut folder = DirBuilder::new();
    folder.recursive(true);
    let mut file = OpenOptions::new();
    file.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
        folder.mode(0o700);
        file.mode(0o600);
    }
    if let Some(parent) = path.parent() {
        folder.create(parent)?;
    }
    match file.open(path) {
        Ok(_) => Ok(()),
        // Another process was faster.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Refuses what is no database, and databases of other programs, before anything is changed:
/// turning on the write-ahead log writes to the file.
pub(super) async fn refuse_foreign(
    path: &Path,
    options: &SqliteConnectOptions,
) -> Result<(), StoreError> {
    let error = |source| open_error(path, "open the store", source);
    let mut connection = SqliteConnection::connect_with(options)
        .await
        .map_err(error)?;
    // Tables first: whoever makes them marks the file in the same transaction, so that tables
    // that are seen are never seen without the mark.
    let tables: i64 = sqlx::query_scalar(OPEN_TABLES)
        .fetch_one(&mut connection)
        .await
        .map_err(error)?;
    let mark: i64 = sqlx::query_scalar(OPEN_MARKED)
        .fetch_one(&mut connection)
        .await
        .map_err(error)?;
    connection.close().await.map_err(error)?;
    // Unmarked and empty: new, or left behind by a process that was killed before it had marked
    // the file.
    if mark == APPLICATION_ID || (mark == 0 && tables == 0) {
        Ok(())
    } else {
        Err(unusable(
            path,
            "it is a database of another program; name another file",
        ))
    }
}

async fn pool(
    path: &Path,
    connections: u32,
    patience: Duration,
    options: SqliteConnectOptions,
) -> Result<SqlitePool, StoreError> {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .min_connections(connections)
        .acquire_timeout(patience)
        .idle_timeout(None)
        .max_lifetime(None)
        // A file does not hang up.
        .test_before_acquire(false)
        .connect_with(options)
        .await
        .map_err(|source| open_error(path, "open the store", source))
}

/// Brings the schema up to date and checks the key. One transaction, so that of two processes
/// that start at once one finds the work of the other.
async fn prepare_schema(
    path: &Path,
    writer: &SqlitePool,
    options: &SqliteOptions,
) -> Result<(), StoreError> {
    let error = |source| open_error(path, "prepare the store", source);
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await.map_err(error)?;
    migrate(path, &mut transaction, options.migrate).await?;
    let stored: Option<String> = sqlx::query_scalar(OPEN_KEY)
        .fetch_optional(&mut *transaction)
        .await
        .map_err(error)?;
    match stored {
        Some(stored) if stored != options.key_id => {
            return Err(StoreError::KeyChanged {
                stored,
                configured: options.key_id.clone(),
            });
        }
        Some(_) => {}
        None => {
            sqlx::query(OPEN_SET_KEY)
                .bind(&options.key_id)
                .execute(&mut *transaction)
                .await
                .map_err(error)?;
        }
    }
    transaction.commit().await.map_err(error)
}

async fn migrate(
    path: &Path,
    connection: &mut SqliteConnection,
    allowed: bool,
) -> Result<(), StoreError> {
    let error = |source| migrate_error(path, source);
    connection
        .ensure_migrations_table(MIGRATION_TABLE)
        .await
        .map_err(error)?;
    let applied = connection
        .list_applied_migrations(MIGRATION_TABLE)
        .await
        .map_err(error)?;
    let newest_known = MIGRATIONS
        .iter()
        .map(|(number, ..)| *number)
        .max()
        .unwrap_or(0);
    let newest = applied
        .iter()
        .map(|migration| migration.version)
        .max()
        .unwrap_or(0);
    if newest > newest_known {
        let oldest: Option<String> = sqlx::query_scalar(OPEN_OLDEST)
            .fetch_optional(&mut *connection)
            .await
            .map_err(|source| open_error(path, "read the form of the store", source))?;
        if !may_work(newest_known, newest, oldest.as_deref()) {
            return Err(StoreError::TooNew { found: newest });
        }
    }
    let pending = MIGRATIONS
        .iter()
        .filter(|(number, ..)| applied.iter().all(|migration| migration.version != *number))
        .count();
    if pending > 0 && !allowed {
        return Err(StoreError::MigrationsPending { pending });
    }
    MIGRATOR
        .run_direct(None, &mut *connection, false)
        .await
        .map_err(error)?;
    if pending > 0 {
        let error = |source| open_error(path, "mark the store", source);
        sqlx::query(OPEN_MARK)
            .execute(&mut *connection)
            .await
            .map_err(error)?;
        sqlx::query(OPEN_SET_OLDEST)
            .bind(OLDEST_FORM.to_string())
            .execute(connection)
            .await
            .map_err(error)?;
    }
    Ok(())
}

fn migrate_error(path: &Path, error: MigrateError) -> StoreError {
    if let MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _) = error {
        return open_error(path, "migrate the store", source);
    }
    unusable(path, format!("{error}; restore the store from a backup"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_are_those_of_the_folder() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        let known: Vec<String> = MIGRATIONS
            .iter()
            .map(|(number, name, _)| format!("{number:04}_{name}.sql"))
            .collect();
        assert_eq!(files, known);
    }

    #[test]
    fn the_oldest_form_is_one_that_there_is() {
        assert!(MIGRATIONS.iter().any(|(number, ..)| *number == OLDEST_FORM));
    }

    #[test]
    fn the_mark_is_the_same_where_it_is_written_and_read() {
        assert!(OPEN_MARK.ends_with(&APPLICATION_ID.to_string()));
    }
}
