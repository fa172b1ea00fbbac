//! Imports of many records: bounded memory, and how fast.

use std::fmt::Arguments;
use std::io::Write as _;
use std::time::{Duration, Instant};

use icpgate::store::{NewRecord, Store};
use icpgate_policy::facts::Revision;
use icpgate_policy::records::Record;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{Connection as _, Row as _};

use crate::samples::{
    access, at, credit_code, licence, named, new, registration, service, subject,
};
use crate::sqlite::SqliteFile;

const RECORDS: u32 = 100_000;
const BATCH: u32 = 5_000;

/// Memory that an import of [`RECORDS`] may add, in bytes: the writer's page cache of 64 MiB,
/// two batches, and what the allocator keeps. The records themselves are more than that in a
/// national registry.
const MEMORY_ADDED: u64 = 160 << 20;

fn say(text: Arguments<'_>) {
    writeln!(std::io::stderr(), "{text}").unwrap();
}

fn batch(first: u32) -> Vec<NewRecord> {
    (first..first + BATCH)
        .map(|number| new(service(number, &[&format!("d{number}.cn")])))
        .collect()
}

/// Resident memory in bytes; `None` where the system does not say.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/statm").ok()?;
    status
        .split(' ')
        .nth(1)?
        .parse::<u64>()
        .ok()
        .map(|pages| pages * 4096)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_of_many_records_holds_little_memory() {
    let file = SqliteFile::new();
    let store = file.store().await;
    store.put(batch(0), at(0)).await.unwrap();
    let before = resident();
    let mut busy = Duration::ZERO;
    for first in (0..RECORDS).step_by(BATCH as usize) {
        let records = batch(first);
        let started = Instant::now();
        let written = store.put(records, at(0)).await.unwrap();
        busy += started.elapsed();
        assert_eq!(written.accepted + written.unchanged, u64::from(BATCH));
    }
    if let (Some(before), Some(after)) = (before, resident()) {
        let added = after.saturating_sub(before);
        say(format_args!(
            "{} KiB added by {RECORDS} records",
            added >> 10
        ));
        assert!(added < MEMORY_ADDED, "{added} bytes added");
    }
    say(format_args!(
        "{:.0} records/s",
        f64::from(RECORDS) / busy.as_secs_f64()
    ));
    assert_eq!(
        store.head().await.unwrap(),
        Revision(u64::from(RECORDS / BATCH))
    );
    assert_eq!(store.counts().await.unwrap()[0].1, u64::from(RECORDS));
    let found = store
        .find(&[vec![named(&format!("d{}.cn", RECORDS - 1))]])
        .await
        .unwrap();
    assert_eq!(found.sets[0].len(), 1);
}

/// Rates of an import beside raw inserts of the same rows, and the time of a cold question.
/// Run in release: `cargo test --release --test store -- --ignored --nocapture measure`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures, asserts nothing"]
async fn measure() {
    let file = SqliteFile::new();
    let store = file.store().await;
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
    raw_inserts(&file).await;

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
        let found = store.find(&sets).await.unwrap();
        times.push(started.elapsed());
        assert_eq!(found.sets[0].len(), 5);
    }
    times.sort_unstable();
    say(format_args!(
        "find: p50 {:?}, p99 {:?}",
        times[2_500], times[4_950]
    ));
    let sets: Vec<_> = (0..1000)
        .map(|number| vec![named(&format!("d{number}.cn"))])
        .collect();
    let started = Instant::now();
    store.find(&sets).await.unwrap();
    say(format_args!("find of 1000 sets: {:?}", started.elapsed()));
    let started = Instant::now();
    for _ in 0..1000 {
        store.head().await.unwrap();
    }
    say(format_args!("head: {:?}", started.elapsed() / 1000));
}

/// Inserts the rows of the store into a copy of its tables, one prepared statement a row, in one
/// transaction.
async fn raw_inserts(file: &SqliteFile) {
    let path = file.path().with_extension("raw");
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
    let mut store =
        SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(file.path()))
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
    say(format_args!(
        "{what}: {:.0} records/s",
        f64::from(RECORDS) / busy.as_secs_f64()
    ));
}
