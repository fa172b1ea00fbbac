//! Imports of many records in bounded memory. How fast they are is measured by the bench `store`.

use std::fmt::Arguments;
use std::io::Write as _;
use std::process::Command;

use icpgate::store::{Freshness, NewRecord, PostgresOptions, PostgresStore, Store};
use icpgate_policy::facts::Revision;

use crate::samples::{at, named, new, service};
use crate::servers::postgres::database;
use crate::sqlite::SqliteFile;

const RECORDS: u32 = 100_000;
const BATCH: u32 = 20_000;

/// Variable that tells a test that it is the child.
const CHILD: &str = "ICPGATE_TEST_ALONE";

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

/// Runs a test of this file in a process of its own: other tests take memory too. Returns whether
/// this is that process.
#[expect(
    clippy::disallowed_methods,
    reason = "the test runs itself as a child and says by a variable that it is one"
)]
fn is_alone(test: &str) -> bool {
    if std::env::var_os(CHILD).is_some() {
        return true;
    }
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("bulk::{test}"), "--nocapture"])
        .env(CHILD, "")
        .status();
    assert!(status.unwrap().success());
    false
}

async fn import(store: &dyn Store) {
    store.put(batch(0), at(0)).await.unwrap();
    let before = resident();
    for first in (0..RECORDS).step_by(BATCH as usize) {
        let written = store.put(batch(first), at(0)).await.unwrap();
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
    assert_eq!(
        store.head().await.unwrap(),
        Revision(u64::from(RECORDS / BATCH))
    );
    assert_eq!(store.counts().await.unwrap()[0].1, u64::from(RECORDS));
    let sets = [vec![named(&format!("d{}.cn", RECORDS - 1))]];
    let found = store.find(&sets, Freshness::Newest).await.unwrap();
    assert_eq!(found.sets[0].len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_into_sqlite_holds_little_memory() {
    if is_alone("an_import_into_sqlite_holds_little_memory") {
        import(&SqliteFile::new().store().await).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_into_postgres_holds_little_memory() {
    if is_alone("an_import_into_postgres_holds_little_memory") {
        let url = database().await;
        let store = PostgresStore::open(&url, PostgresOptions::default()).await;
        import(&store.unwrap()).await;
    }
}
