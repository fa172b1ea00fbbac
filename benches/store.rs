//! Rates of the engines beside raw writes of the same rows: `cargo bench --bench store`.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench prints, and ends where something is wrong"
)]

use std::path::Path;
use std::time::{Duration, Instant};

use futures::TryStreamExt as _;
use icpgate::store::{
    Freshness, NewRecord, PostgresOptions, PostgresStore, SqliteOptions, SqliteStore, Store,
};
use icpgate_policy::records::Record;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{Connection as _, Row as _};

#[expect(dead_code, reason = "the tests of the store use more of it")]
#[path = "../tests/store/samples.rs"]
mod samples;
#[expect(dead_code, reason = "the tests of the store use more of it")]
#[path = "../tests/servers"]
mod servers {
    pub(crate) mod postgres;
}

use samples::{access, at, credit_code, licence, named, new, registration, service, subject};

const RECORDS: u32 = 100_000;
const BATCH: u32 = 5_000;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(measure());
}

fn batch(first: u32) -> Vec<NewRecord> {
    (first..first + BATCH)
        .map(|number| new(service(number, &[&format!("d{number}.cn")])))
        .collect()
}

async fn measure() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("icpgate.sqlite");
    let options = SqliteOptions {
        migrate: true,
        key_id: "bench".to_owned(),
    };
    println!("SQLite");
    let store = SqliteStore::open(&file, options).await.unwrap();
    imports(&store).await;
    raw_inserts(&file).await;
    questions(&store).await;

    println!("PostgreSQL");
    let url = servers::postgres::database().await;
    let options = PostgresOptions {
        key_id: "bench".to_owned(),
        ..PostgresOptions::default()
    };
    let store = PostgresStore::open(&url, options).await.unwrap();
    imports(&store).await;
    raw_copies(&url).await;
    questions(&store).await;
}

/// Rates of imports.
async fn imports(store: &dyn Store) {
    for (what, registrar) in [("new", "a"), ("unchanged", "a"), ("replaced", "b")] {
        let mut busy = Duration::ZERO;
        for first in (0..RECORDS).step_by(BATCH as usize) {
            let mut records = batch(first);
            for new in &mut records {
                if let Record::Service(service) = &mut new.record {
                    service.name = registrar.into();
                }
            }
            let started = Instant::now();
            store.put(records, at(0)).await.unwrap();
            busy += started.elapsed();
        }
        report(what, busy);
    }
}

/// Times of cold questions.
async fn questions(store: &dyn Store) {
    let other: Vec<NewRecord> = (0..RECORDS / 10)
        .flat_map(|number| {
            [
                subject(number, number, &[]),
                access(number, "we"),
                licence(number, credit_code(number)),
                registration(&format!("d{number}.cn"), "r"),
            ]
        })
        .map(new)
        .collect();
    store.put(other, at(0)).await.unwrap();
    let mut times = Vec::new();
    for number in 0..5_000 {
        let domain = format!("d{}.cn", number * 7919 % (RECORDS / 10));
        let sets = [vec![named(&domain), named(&format!("www.{domain}"))]];
        let started = Instant::now();
        let found = store.find(&sets, Freshness::Newest).await.unwrap();
        times.push(started.elapsed());
        assert_eq!(found.sets[0].len(), 5);
    }
    times.sort_unstable();
    println!("find: p50 {:?}, p99 {:?}", times[2_500], times[4_950]);
    let sets: Vec<_> = (0..1000)
        .map(|number| vec![named(&format!("d{number}.cn"))])
        .collect();
    let started = Instant::now();
    store.find(&sets, Freshness::Newest).await.unwrap();
    println!("find of 1000 sets: {:?}", started.elapsed());
    let started = Instant::now();
    for _ in 0..1000 {
        store.head().await.unwrap();
    }
    println!("head: {:?}", started.elapsed() / 1000);
    let mut times = Vec::new();
    for number in 0..500 {
        let record = vec![new(registration(&format!("e{number}.cn"), "r"))];
        let started = Instant::now();
        store.put(record, at(0)).await.unwrap();
        times.push(started.elapsed());
    }
    times.sort_unstable();
    println!("put of one: p50 {:?}, p99 {:?}", times[250], times[495]);
}

/// Copies the first versions of the store into copies of its tables, with their keys, in one
/// transaction. The text of the rows is made before.
async fn raw_copies(url: &str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let mut tables = Vec::new();
    for (table, rows) in [
        (
            "record_version",
            "SELECT * FROM record_version WHERE id <= 100000 ORDER BY id",
        ),
        ("record", "SELECT * FROM record ORDER BY kind, key"),
        ("handle", "SELECT * FROM handle ORDER BY value, version"),
    ] {
        let make = format!("CREATE TABLE raw_{table} (LIKE {table} INCLUDING ALL)");
        sqlx::raw_sql(sqlx::AssertSqlSafe(make))
            .execute(&mut connection)
            .await
            .unwrap();
        let out = format!("COPY ({rows}) TO STDOUT (FORMAT binary)");
        let parts = connection.copy_out_raw(&out).await.unwrap();
        let parts: Vec<_> = parts.try_collect().await.unwrap();
        tables.push((table, parts.concat()));
    }
    let started = Instant::now();
    let mut transaction = connection.begin().await.unwrap();
    for (table, bytes) in tables {
        let into = format!("COPY raw_{table} FROM STDIN (FORMAT binary)");
        let mut copy = transaction.copy_in_raw(&into).await.unwrap();
        for part in bytes.chunks(64 << 10) {
            copy.send(part).await.unwrap();
        }
        copy.finish().await.unwrap();
    }
    transaction.commit().await.unwrap();
    report("raw COPY", started.elapsed());
}

/// Inserts the rows of the store into a copy of its tables, one prepared statement a row, in one
/// transaction.
async fn raw_inserts(file: &Path) {
    let path = file.with_extension("raw");
    let options = SqliteConnectOptions::new()
        .filename(&path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("cache_size", "-65536");
    let mut raw = SqliteConnection::connect_with(&options).await.unwrap();
    for table in ["0003_record_version", "0004_record", "0005_handle"] {
        let sql = format!(
            "{}/migrations/sqlite/{table}.sql",
            env!("CARGO_MANIFEST_DIR")
        );
        let sql = std::fs::read_to_string(sql).unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
            .execute(&mut raw)
            .await
            .unwrap();
    }
    let mut store = SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(file))
        .await
        .unwrap();
    let rows = sqlx::query(
        "SELECT id, revision, kind, key, source, observed_at, leads, payload
         FROM record_version ORDER BY id LIMIT 100000",
    )
    .fetch_all(&mut store)
    .await
    .unwrap();
    let started = Instant::now();
    let mut transaction = raw.begin().await.unwrap();
    for row in &rows {
        let id: i64 = row.get(0);
        let key: &str = row.get(3);
        sqlx::query(
            "INSERT INTO record_version
                (id, revision, kind, key, source, observed_at, leads, payload)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )
        .bind(id)
        .bind(row.get::<i64, _>(1))
        .bind(row.get::<i64, _>(2))
        .bind(key)
        .bind(row.get::<&str, _>(4))
        .bind(row.get::<i64, _>(5))
        .bind(row.get::<Option<&str>, _>(6))
        .bind(row.get::<&[u8], _>(7))
        .execute(&mut *transaction)
        .await
        .unwrap();
        sqlx::query("INSERT INTO record (kind, key, version) VALUES (?1, ?2, ?3)")
            .bind(row.get::<i64, _>(2))
            .bind(key)
            .bind(id)
            .execute(&mut *transaction)
            .await
            .unwrap();
        sqlx::query("INSERT INTO handle (value, version) VALUES (?1, ?2)")
            .bind(named(&format!("d{}.cn", id - 1)).as_bytes())
            .bind(id)
            .execute(&mut *transaction)
            .await
            .unwrap();
    }
    transaction.commit().await.unwrap();
    report("raw prepared inserts, one by one", started.elapsed());
}

fn report(what: &str, busy: Duration) {
    println!(
        "{what}: {:.0} records/s",
        f64::from(RECORDS) / busy.as_secs_f64()
    );
}
