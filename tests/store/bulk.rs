//! Imports of many records in bounded memory. How fast they are is measured by the bench `store`.

use std::fmt::Arguments;
use std::io::Write as _;

use icpgate::store::{Freshness, NewRecord, Store as _};
use icpgate_policy::facts::Revision;

use crate::samples::{at, named, new, service};
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
    let found = store
        .find(
            &[vec![named(&format!("d{}.cn", RECORDS - 1))]],
            Freshness::Newest,
        )
        .await
        .unwrap();
    assert_eq!(found.sets[0].len(), 1);
}
