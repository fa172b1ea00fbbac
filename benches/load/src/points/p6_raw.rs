//! Raw writes of the rows that an import wrote: `COPY` into PostgreSQL, and prepared inserts in
//! one transaction into `SQLite`, straight on its library.
//!
//! Tables and indexes are those of the product, rows and their order as the import wrote them.
//! Reading the rows is not timed.

use std::fs::File;
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use futures::TryStreamExt as _;
use rusqlite::types::Value;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};

/// Tables that an import fills, with the order in which it does.
const TABLES: [(&str, &str); 3] = [
    ("record_version", "id"),
    ("record", "version"),
    ("handle", "version"),
];
/// Rows that are read at once.
const AT_ONCE: usize = 10_000;
/// Bytes that are sent at once.
const CHUNK: usize = 256 << 10;
/// How the product opens a file.
const PRAGMAS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
                       PRAGMA cache_size = -65536;";

/// What a raw write did.
#[derive(Clone, Copy, Debug)]
pub(super) struct Raw {
    /// Rows written.
    pub(super) rows: u64,
    /// How long it took.
    pub(super) elapsed: Duration,
}

/// Writes the rows of a store into another file, which is not there yet.
pub(super) fn insert(store: &Path, into: &Path) -> anyhow::Result<Raw> {
    let source = rusqlite::Connection::open(store)?;
    let target = rusqlite::Connection::open(into)?;
    target.execute_batch(PRAGMAS)?;
    for (table, _) in TABLES {
        let mut made = source.prepare(
            "SELECT sql FROM sqlite_master WHERE tbl_name = ?1 AND sql IS NOT NULL
             ORDER BY type = 'index'",
        )?;
        for sql in made.query_map([table], |row| row.get::<_, String>(0))? {
            target.execute_batch(&sql?)?;
        }
    }
    let mut raw = Raw {
        rows: 0,
        elapsed: Duration::ZERO,
    };
    let start = Instant::now();
    target.execute_batch("BEGIN")?;
    raw.elapsed += start.elapsed();
    for (table, order) in TABLES {
        let mut select = source.prepare(&format!("SELECT * FROM {table} ORDER BY {order}"))?;
        let columns = select.column_count();
        let values = vec!["?"; columns].join(", ");
        let mut insert = target.prepare(&format!("INSERT INTO {table} VALUES ({values})"))?;
        let mut rows = select.query([])?;
        loop {
            let mut read: Vec<Vec<Value>> = Vec::with_capacity(AT_ONCE);
            while read.len() < AT_ONCE
                && let Some(row) = rows.next()?
            {
                read.push(
                    (0..columns)
                        .map(|at| row.get(at))
                        .collect::<Result<_, _>>()?,
                );
            }
            if read.is_empty() {
                break;
            }
            raw.rows += read.len() as u64;
            let start = Instant::now();
            for row in &read {
                insert.execute(rusqlite::params_from_iter(row))?;
            }
            raw.elapsed += start.elapsed();
        }
    }
    let start = Instant::now();
    target.execute_batch("COMMIT")?;
    raw.elapsed += start.elapsed();
    Ok(raw)
}

/// Takes the rows of a database into files of a folder, as `COPY` has them.
pub(super) async fn copy_out(url: &str, folder: &Path) -> anyhow::Result<u64> {
    let mut connection = PgConnection::connect(url).await?;
    let mut rows = 0;
    for (table, order) in TABLES {
        let select = format!("SELECT * FROM {table} ORDER BY {order}");
        let out = format!("COPY ({select}) TO STDOUT (FORMAT binary)");
        let mut file = File::create(file(folder, table))?;
        let mut parts = connection.copy_out_raw(&out).await?;
        while let Some(part) = parts.try_next().await? {
            file.write_all(&part)?;
        }
        drop(parts);
        let count = format!("SELECT count(*) FROM {table}");
        let count: i64 = sqlx::query_scalar(AssertSqlSafe(count))
            .fetch_one(&mut connection)
            .await?;
        rows += u64::try_from(count)?;
    }
    Ok(rows)
}

/// Copies the rows in the files into copies of the tables, with their indexes, in one transaction.
pub(super) async fn copy_in(url: &str, folder: &Path, rows: u64) -> anyhow::Result<Raw> {
    let mut connection = PgConnection::connect(url).await?;
    for (table, _) in TABLES {
        let make = format!(
            "DROP TABLE IF EXISTS raw_{table}; CREATE TABLE raw_{table} (LIKE {table} INCLUDING ALL)"
        );
        connection
            .execute(sqlx::raw_sql(AssertSqlSafe(make)))
            .await?;
    }
    let mut elapsed = Duration::ZERO;
    let mut transaction = connection.begin().await?;
    for (table, _) in TABLES {
        let into = format!("COPY raw_{table} FROM STDIN (FORMAT binary)");
        let mut file = File::open(file(folder, table))?;
        let start = Instant::now();
        let mut copy = transaction.copy_in_raw(&into).await?;
        elapsed += start.elapsed();
        loop {
            let mut chunk = Vec::with_capacity(CHUNK);
            Read::take(&mut file, CHUNK as u64).read_to_end(&mut chunk)?;
            if chunk.is_empty() {
                break;
            }
            let start = Instant::now();
            copy.send(chunk).await?;
            elapsed += start.elapsed();
        }
        let start = Instant::now();
        copy.finish().await?;
        elapsed += start.elapsed();
    }
    let start = Instant::now();
    transaction.commit().await?;
    elapsed += start.elapsed();
    for (table, _) in TABLES {
        let drop = format!("DROP TABLE raw_{table}");
        connection
            .execute(AssertSqlSafe(drop))
            .await
            .context("drop the copies")?;
    }
    Ok(Raw { rows, elapsed })
}

fn file(folder: &Path, table: &str) -> PathBuf {
    folder.join(format!("{table}.copy"))
}
