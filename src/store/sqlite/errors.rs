//! What SQLite's errors mean for the caller: later, never, or mend the file.

use std::path::Path;

use crate::store::StoreError;

/// Sorts an error by what its reader can do about it. Result codes: sqlite.org/rescode.html; the
/// low byte is the primary code.
pub(super) fn store_error(path: &Path, action: &'static str, source: sqlx::Error) -> StoreError {
    match primary_code(&source) {
        // BUSY, LOCKED, NOMEM, IOERR, CANTOPEN (out of file descriptors), PROTOCOL (race for
        // the write-ahead log).
        Some(5 | 6 | 7 | 10 | 14 | 15) => return StoreError::Unavailable { action, source },
        Some(code) => {
            if let Some(problem) = problem(code) {
                return unusable(path, problem);
            }
        }
        None => {}
    }
    if matches!(
        source,
        sqlx::Error::Io(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
    ) {
        StoreError::Unavailable { action, source }
    } else {
        StoreError::Failed { action, source }
    }
}

/// As [`store_error`], while the file is being opened: what cannot be opened then is wrong in
/// itself.
pub(super) fn open_error(path: &Path, action: &'static str, source: sqlx::Error) -> StoreError {
    match primary_code(&source) {
        Some(14) => unusable(
            path,
            "SQLite cannot open it; check that its folder exists, that this user may write in \
             it, and that no folder has its name with `-wal` or `-shm` added",
        ),
        Some(_) | None => store_error(path, action, source),
    }
}

/// The file cannot be used as a store; `problem` says why and what to do.
pub(super) fn unusable(path: &Path, problem: impl Into<String>) -> StoreError {
    StoreError::Unusable {
        path: path.display().to_string(),
        problem: problem.into(),
    }
}

/// Problems of the file itself, each with its remedy.
const fn problem(code: i32) -> Option<&'static str> {
    match code {
        // READONLY
        8 => Some("it cannot be written; give this user write access to it and to its folder"),
        // CORRUPT
        11 => Some("it is damaged; restore it from a backup"),
        // FULL
        13 => Some("the disk is full; free some space and repeat what failed"),
        // NOTADB
        26 => Some("it is not an SQLite database; name another file, or move this one away"),
        _ => None,
    }
}

fn primary_code(error: &sqlx::Error) -> Option<i32> {
    let code = error.as_database_error()?.code()?;
    code.parse::<i32>().ok().map(|code| code & 0xff)
}

#[cfg(test)]
mod tests {
    use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
    use sqlx::{Connection as _, Executor as _};

    use super::*;

    async fn failure(options: SqliteConnectOptions, sql: &'static str) -> StoreError {
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        let source = connection.execute(sqlx::raw_sql(sql)).await.unwrap_err();
        store_error(Path::new("a.db"), "try", source)
    }

    fn file(folder: &tempfile::TempDir) -> SqliteConnectOptions {
        SqliteConnectOptions::new()
            .filename(folder.path().join("a.db"))
            .create_if_missing(true)
    }

    #[tokio::test]
    async fn a_full_disk_is_named_with_its_remedy() {
        let folder = tempfile::tempdir().unwrap();
        // A limit of the file stands in for one of the disk: SQLite reports both alike.
        let options = file(&folder).pragma("max_page_count", "4");
        let sql = "CREATE TABLE a (b); INSERT INTO a VALUES (zeroblob(100000))";
        let error = failure(options, sql).await;
        assert!(error.to_string().contains("free some space"), "{error}");
    }

    #[tokio::test]
    async fn a_file_that_may_not_be_written_is_named_with_its_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let error = failure(
            file(&folder).pragma("query_only", "ON"),
            "CREATE TABLE a (b)",
        )
        .await;
        assert!(error.to_string().contains("write access"), "{error}");
    }

    #[tokio::test]
    async fn what_may_pass_is_unavailable_and_the_rest_has_failed() {
        let folder = tempfile::tempdir().unwrap();
        let error = failure(file(&folder), "CREATE TABLE a (b UNIQUE); SELECT c FROM a").await;
        assert!(
            matches!(error, StoreError::Failed { action: "try", .. }),
            "{error:?}"
        );
        let sql = "INSERT INTO a VALUES (1); INSERT INTO a VALUES (1)";
        let error = failure(file(&folder), sql).await;
        assert!(matches!(error, StoreError::Failed { .. }), "{error:?}");

        let mut other = SqliteConnection::connect_with(&file(&folder))
            .await
            .unwrap();
        other.execute("BEGIN EXCLUSIVE").await.unwrap();
        let hasty = file(&folder).busy_timeout(std::time::Duration::ZERO);
        let error = failure(hasty, "DELETE FROM a").await;
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
        for source in [sqlx::Error::PoolTimedOut, sqlx::Error::PoolClosed] {
            let error = store_error(Path::new("a.db"), "try", source);
            assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
        }
    }
}
