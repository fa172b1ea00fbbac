//! The SQLite engine: the suite of all engines, and its file.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use async_trait::async_trait;
use icpgate::store::{Freshness, SqliteOptions, SqliteStore, Store, StoreError};
use icpgate_policy::codes::RecordKind;
use icpgate_policy::facts::Revision;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use tempfile::TempDir;

use crate::contract::{Engine, Opened, contract_suite};
use crate::samples::{at, called, content, decision, named, new, registration, service};

contract_suite!(fresh);

/// Variable that tells a child process the file to write to.
const CHILD_STORE: &str = "ICPGATE_TEST_CHILD_STORE";

pub(crate) struct SqliteFile {
    folder: TempDir,
}

impl SqliteFile {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("data").join("icpgate.db")
    }

    pub(crate) async fn store(&self) -> SqliteStore {
        SqliteStore::open(&self.path(), options()).await.unwrap()
    }

    /// A connection of somebody who does not know this program.
    async fn raw(&self) -> SqliteConnection {
        connect(&self.path()).await
    }
}

#[async_trait]
impl Engine for SqliteFile {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(self.store().await)
    }

    async fn upkeep(&self, key_id: &str) -> Opened {
        let options = SqliteOptions {
            key_id: key_id.to_owned(),
            ..options()
        };
        Ok(Arc::new(SqliteStore::open(&self.path(), options).await?))
    }

    async fn dump(&self) -> Vec<u8> {
        let mut raw = self.raw().await;
        let tables = "SELECT name FROM sqlite_schema WHERE type = 'table'";
        let tables: Vec<String> = sqlx::query_scalar(tables)
            .fetch_all(&mut raw)
            .await
            .unwrap();
        let mut dump = Vec::new();
        for table in tables {
            let columns = AssertSqlSafe(format!("SELECT name FROM pragma_table_info('{table}')"));
            let columns: Vec<String> = sqlx::query_scalar(columns)
                .fetch_all(&mut raw)
                .await
                .unwrap();
            for column in columns {
                let values = format!(
                    "SELECT CAST(\"{column}\" AS BLOB) FROM \"{table}\" WHERE \"{column}\" IS NOT NULL"
                );
                let values: Vec<Vec<u8>> = sqlx::query_scalar(AssertSqlSafe(values))
                    .fetch_all(&mut raw)
                    .await
                    .unwrap();
                for value in values {
                    dump.extend(value);
                    dump.push(0);
                }
            }
        }
        dump
    }
}

async fn fresh() -> SqliteFile {
    SqliteFile::new()
}

fn options() -> SqliteOptions {
    SqliteOptions {
        migrate: true,
        key_id: "5eed".to_owned(),
    }
}

async fn connect(path: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true);
    SqliteConnection::connect_with(&options).await.unwrap()
}

async fn execute(connection: &mut SqliteConnection, sql: &str) {
    connection.execute(AssertSqlSafe(sql)).await.unwrap();
}

async fn refusal(path: &Path, options: SqliteOptions) -> StoreError {
    SqliteStore::open(path, options)
        .await
        .expect_err("is refused")
}

fn problem(error: StoreError) -> String {
    let StoreError::Unusable { problem, .. } = error else {
        panic!("{error:?}")
    };
    problem
}

#[tokio::test]
async fn another_key_is_refused() {
    let file = SqliteFile::new();
    file.store().await.close().await;
    let options = SqliteOptions {
        key_id: "0ther".to_owned(),
        ..options()
    };
    assert!(matches!(
        refusal(&file.path(), options).await,
        StoreError::KeyChanged { stored, configured } if stored == "5eed" && configured == "0ther"
    ));
    file.store().await.ping().await.unwrap();
}

#[tokio::test]
async fn pending_migrations_are_refused_where_they_may_not_run() {
    let file = SqliteFile::new();
    let waiting = SqliteOptions {
        migrate: false,
        ..options()
    };
    let error = refusal(&file.path(), waiting.clone()).await;
    assert!(
        matches!(error, StoreError::MigrationsPending { pending: 13 }),
        "{error:?}"
    );
    assert!(!file.path().exists(), "no file is made");
    assert!(error.to_string().contains("icpgate migrate"));

    file.store().await.close().await;
    SqliteStore::open(&file.path(), waiting.clone())
        .await
        .unwrap()
        .close()
        .await;
    let mut raw = file.raw().await;
    execute(&mut raw, "DROP INDEX decision_policy").await;
    execute(&mut raw, "DELETE FROM _sqlx_migrations WHERE version = 13").await;
    assert!(matches!(
        refusal(&file.path(), waiting).await,
        StoreError::MigrationsPending { pending: 1 }
    ));
    let store = file.store().await;
    store
        .put(vec![new(registration("a.cn", "r"))], at(0))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_newer_store_is_refused() {
    let file = SqliteFile::new();
    file.store().await.close().await;
    let mut raw = file.raw().await;
    execute(
        &mut raw,
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (15, 'later', TRUE, x'00', 0)",
    )
    .await;
    execute(&mut raw, "DELETE FROM setting WHERE name = 'oldest_form'").await;
    let error = refusal(&file.path(), options()).await;
    assert!(
        matches!(error, StoreError::TooNew { found: 15 }),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_newer_form_that_lets_this_version_work_is_worked_on() {
    let file = SqliteFile::new();
    let before = file.store().await;
    let mut raw = file.raw().await;
    // A newer version has added a column and a table, beside a process of this version.
    let added = [
        "ALTER TABLE decision ADD COLUMN later TEXT",
        "CREATE TABLE later (a TEXT) STRICT",
    ];
    for sql in added {
        execute(&mut raw, sql).await;
    }
    execute(
        &mut raw,
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (14, 'later', TRUE, x'00', 0)",
    )
    .await;
    let works = async |store: &SqliteStore, id: &str| {
        store
            .record_decisions(vec![called(id, "shop", None, at(0))])
            .await
            .unwrap();
    };
    works(&before, "a").await;
    before.close().await;
    let after = file.store().await;
    works(&after, "b").await;
    after.close().await;
    let waiting = SqliteOptions {
        migrate: false,
        ..options()
    };
    let store = SqliteStore::open(&file.path(), waiting).await.unwrap();
    store.close().await;
    // What the newer version says of itself stays as it is.
    execute(
        &mut raw,
        "UPDATE setting SET value = '14' WHERE name = 'oldest_form'",
    )
    .await;
    assert!(matches!(
        refusal(&file.path(), options()).await,
        StoreError::TooNew { found: 14 }
    ));
}

#[tokio::test]
async fn a_migration_that_was_altered_is_refused() {
    let file = SqliteFile::new();
    file.store().await.close().await;
    execute(
        &mut file.raw().await,
        "UPDATE _sqlx_migrations SET checksum = x'00' WHERE version = 3",
    )
    .await;
    let problem = problem(refusal(&file.path(), options()).await);
    assert!(problem.contains("migration 3"), "{problem}");
}

#[tokio::test]
async fn what_is_no_database_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    let text = "not a database, but long enough to be taken for one. ".repeat(40);
    std::fs::write(&path, &text).unwrap();
    let problem = problem(refusal(&path, options()).await);
    assert!(problem.contains("not an SQLite database"), "{problem}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

#[tokio::test]
async fn a_database_of_another_program_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.db");
    let mut raw = connect(&path).await;
    execute(&mut raw, "CREATE TABLE bookmark (url TEXT)").await;
    raw.close().await.unwrap();
    let before = std::fs::read(&path).unwrap();
    let problem = problem(refusal(&path, options()).await);
    assert!(problem.contains("another program"), "{problem}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn a_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let problem = problem(refusal(folder.path(), options()).await);
    assert!(problem.contains("it is a folder"), "{problem}");
}

#[tokio::test]
async fn a_place_where_no_file_can_be_made_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let problem = problem(refusal(&file.join("icpgate.db"), options()).await);
    assert!(
        problem.contains("check its path") || problem.contains("cannot be made"),
        "{problem}"
    );
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_cannot_be_written_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;

    let file = SqliteFile::new();
    file.store().await.close().await;
    std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o400)).unwrap();
    if std::fs::OpenOptions::new()
        .write(true)
        .open(file.path())
        .is_ok()
    {
        // The superuser may write to every file.
        return;
    }
    let problem = problem(refusal(&file.path(), options()).await);
    assert!(problem.contains("write access"), "{problem}");
}

#[tokio::test]
async fn a_damaged_file_is_named_with_its_remedy() {
    let file = SqliteFile::new();
    let store = file.store().await;
    let records = (0..200).map(|number| new(service(number, &[&format!("d{number}.cn")])));
    store.put(records.collect(), at(0)).await.unwrap();
    store.close().await;
    let mut bytes = std::fs::read(file.path()).unwrap();
    let beyond_first_page = 4096;
    bytes[beyond_first_page..].fill(0xa5);
    std::fs::write(file.path(), bytes).unwrap();
    let problem = problem(refusal(&file.path(), options()).await);
    assert!(problem.contains("backup"), "{problem}");
}

#[cfg(unix)]
#[tokio::test]
async fn files_and_folders_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;

    let file = SqliteFile::new();
    let store = file.store().await;
    store
        .put(vec![new(registration("a.cn", "r"))], at(0))
        .await
        .unwrap();
    let rights = |path: PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(rights(file.path().parent().unwrap().to_owned()), 0o700);
    for added in ["", "-wal", "-shm"] {
        let path = format!("{}{added}", file.path().display());
        assert_eq!(rights(path.into()), 0o600, "{added}");
    }
}

#[tokio::test]
async fn names_that_mean_something_to_sqlite_are_names_of_files() {
    let folder = tempfile::tempdir().unwrap();
    for name in [":memory:", "file:x?mode=memory"] {
        let path = folder.path().join(name);
        let store = SqliteStore::open(&path, options()).await.unwrap();
        store
            .put(vec![new(registration("a.cn", "r"))], at(0))
            .await
            .unwrap();
        store.close().await;
        let store = SqliteStore::open(&path, options()).await.unwrap();
        assert_eq!(store.head().await.unwrap(), Revision(1), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_file_may_be_opened_by_many_at_once() {
    let file = SqliteFile::new();
    let mut opening = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let path = file.path();
        opening.spawn(async move { SqliteStore::open(&path, options()).await.map(drop) });
    }
    for opened in opening.join_all().await {
        opened.unwrap();
    }
}

#[tokio::test]
async fn a_failing_put_leaves_nothing() {
    let file = SqliteFile::new();
    let store = file.store().await;
    store
        .put(vec![new(service(1, &["a.cn"]))], at(0))
        .await
        .unwrap();
    let before = store
        .find(&[vec![named("a.cn"), named("b.cn")]], Freshness::Newest)
        .await
        .unwrap();
    let mut raw = file.raw().await;
    for table in ["record_version", "record", "handle", "sync", "revision"] {
        execute(
            &mut raw,
            &format!(
                "CREATE TRIGGER broken BEFORE INSERT ON {table}
                 BEGIN SELECT raise(ABORT, 'broken'); END"
            ),
        )
        .await;
        let records = vec![new(registration("b.cn", "r")), new(service(1, &["b.cn"]))];
        let error = store.put(records, at(1)).await.unwrap_err();
        assert!(
            matches!(error, StoreError::Failed { .. }),
            "{table}: {error:?}"
        );
        assert_eq!(store.head().await.unwrap(), Revision(1), "{table}");
        let after = store
            .find(&[vec![named("a.cn"), named("b.cn")]], Freshness::Newest)
            .await
            .unwrap();
        assert_eq!(after.sets, before.sets, "{table}");
        assert_eq!(after.synced_at, before.synced_at, "{table}");
        assert_eq!(
            store.changes((Revision(1), None), 9).await.unwrap(),
            [],
            "{table}"
        );
        execute(&mut raw, "DROP TRIGGER broken").await;
    }
    let written = store
        .put(vec![new(registration("b.cn", "r"))], at(1))
        .await
        .unwrap();
    assert_eq!(written.revision, Revision(2));
}

#[tokio::test]
async fn a_failing_decision_leaves_none_of_its_batch() {
    let file = SqliteFile::new();
    let store = file.store().await;
    let mut raw = file.raw().await;
    execute(
        &mut raw,
        "CREATE TRIGGER broken BEFORE INSERT ON decision WHEN NEW.decision_id = 'd2'
         BEGIN SELECT raise(ABORT, 'broken'); END",
    )
    .await;
    let batch = ["d1", "d2"].map(|id| decision(id, Some("o"), at(0)));
    store.record_decisions(batch.to_vec()).await.unwrap_err();
    assert_eq!(store.decision("d1").await.unwrap(), None);
}

#[tokio::test]
async fn a_content_is_kept_once() {
    let file = SqliteFile::new();
    let store = file.store().await;
    for number in 0..20 {
        let decision = decision(&format!("d{number}"), None, at(0));
        store
            .record_decisions(vec![decision.clone(), decision])
            .await
            .unwrap();
    }
    // Known already, so its facts are not kept either.
    let mut again = decision("d1", None, at(0));
    again.facts = content("facts that nobody needs");
    store.record_decisions(vec![again]).await.unwrap();
    let contents: i64 = sqlx::query_scalar("SELECT count(*) FROM content")
        .fetch_one(&mut file.raw().await)
        .await
        .unwrap();
    assert_eq!(contents, 2);
}

#[tokio::test]
async fn a_row_of_unknown_form_is_an_error_and_not_an_absence() {
    let file = SqliteFile::new();
    let store = file.store().await;
    store
        .put(vec![new(registration("a.cn", "r"))], at(0))
        .await
        .unwrap();
    execute(
        &mut file.raw().await,
        "UPDATE record_version SET payload = x'ff00'",
    )
    .await;
    let is_inconsistent = |error: &StoreError| {
        matches!(
            error,
            StoreError::Inconsistent { table: "record_version", key, .. } if key == "a.cn"
        )
    };
    let error = store
        .find(&[vec![named("a.cn")]], Freshness::Newest)
        .await
        .unwrap_err();
    assert!(is_inconsistent(&error), "{error:?}");
    let error = store
        .history(RecordKind::Registration, "a.cn")
        .await
        .unwrap_err();
    assert!(is_inconsistent(&error), "{error:?}");
    let error = store
        .put(vec![new(registration("a.cn", "s"))], at(1))
        .await
        .unwrap_err();
    assert!(is_inconsistent(&error), "{error:?}");
    assert_eq!(store.head().await.unwrap(), Revision(1));
}

#[tokio::test]
async fn a_file_locked_for_long_is_unavailable_to_writers_only() {
    let file = SqliteFile::new();
    let store = file.store().await;
    store
        .put(vec![new(registration("a.cn", "r"))], at(0))
        .await
        .unwrap();
    let mut raw = file.raw().await;
    execute(&mut raw, "BEGIN IMMEDIATE").await;
    let mut writing = Box::pin(store.put(vec![new(registration("a.cn", "s"))], at(1)));
    let reading = async {
        for _ in 0..50 {
            let found = store
                .find(&[vec![named("a.cn")]], Freshness::Newest)
                .await
                .unwrap();
            assert_eq!(found.revision, Revision(1));
            store.ping().await.unwrap();
        }
    };
    tokio::select! {
        written = &mut writing => panic!("readers waited for the writer: {written:?}"),
        () = reading => {}
    }
    let written = writing.await;
    assert!(
        matches!(written, Err(StoreError::Unavailable { .. })),
        "{written:?}"
    );
    execute(&mut raw, "ROLLBACK").await;
    store
        .put(vec![new(registration("a.cn", "s"))], at(1))
        .await
        .unwrap();
}

#[tokio::test]
#[expect(
    clippy::disallowed_methods,
    reason = "the test runs itself as a child and says by a variable what to write to"
)]
async fn a_killed_writer_loses_nothing_that_it_acknowledged() {
    if let Ok(path) = std::env::var(CHILD_STORE) {
        return write_until_killed(Path::new(&path)).await;
    }
    let file = SqliteFile::new();
    file.store().await.close().await;
    for round in 0..3_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "sqlite::a_killed_writer_loses_nothing_that_it_acknowledged",
                "--nocapture",
            ])
            .env(CHILD_STORE, file.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut acknowledged = 0;
        let mut seen = 0;
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            if let Some((_, revision)) = line.split_once("acknowledged ") {
                acknowledged = revision.parse::<u64>().unwrap();
                seen += 1;
            }
            if seen == 15 + round * 7 {
                child.kill().unwrap();
                break;
            }
        }
        child.wait().unwrap();
        assert_ne!(acknowledged, 0, "the child wrote");

        let store = file.store().await;
        let head = store.head().await.unwrap();
        assert!(head.0 >= acknowledged, "{head:?} has lost {acknowledged}");
        let changes = store.changes((Revision(0), None), u32::MAX).await.unwrap();
        assert_eq!(changes.len() as u64, head.0 * 50, "nothing is half there");
        let found = store
            .find(&[vec![named("d0.cn")]], Freshness::Newest)
            .await
            .unwrap();
        assert_eq!(found.sets[0][0].provenance.revision, head);
        store.close().await;
    }
}

/// What the child of [`a_killed_writer_loses_nothing_that_it_acknowledged`] does.
async fn write_until_killed(path: &Path) {
    let store = SqliteStore::open(path, options()).await.unwrap();
    // Ends by itself where the parent has gone.
    for round in 0..2000 {
        let registrar = format!("{round} of {}", std::process::id());
        let records = (0..50).map(|number| new(registration(&format!("d{number}.cn"), &registrar)));
        let written = store.put(records.collect(), at(0)).await.unwrap();
        let mut out = std::io::stdout();
        writeln!(out, "acknowledged {}", written.revision.0).unwrap();
        out.flush().unwrap();
    }
}
