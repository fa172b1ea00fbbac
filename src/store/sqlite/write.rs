//! Writing records: one transaction, one revision.
//!
//! What is written is worked out by [`plan`].

use std::collections::BTreeMap;
use std::pin::pin;
use std::task::Poll;

use icpgate_policy::records::Handle;
use jiff::Timestamp;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteConnection};
use sqlx::{Row as _, Sqlite};

use super::SqliteStore;
use super::read::revision;
use crate::store::encoding::{self, Row};
use crate::store::plan::{Plan, Stored, Version, dropped_handles, expect_rows, plan, sources};
use crate::store::{NewRecord, StoreError, Written, still_sealed};

/// Repeats the places of one row.
macro_rules! rows {
    (1, $row:literal) => {
        $row
    };
    (8, $row:literal) => {
        rows!(eight of $row)
    };
    (64, $row:literal) => {
        rows!(eight of rows!(8, $row))
    };
    (512, $row:literal) => {
        rows!(eight of rows!(64, $row))
    };
    (eight of $($rows:tt)+) => {
        concat!(
            $($rows)+, ",", $($rows)+, ",", $($rows)+, ",", $($rows)+, ",",
            $($rows)+, ",", $($rows)+, ",", $($rows)+, ",", $($rows)+
        )
    };
}

/// One statement for 512 rows, for 64, for 8 and for one: a trip to the thread of the connection
/// costs as much as several rows. They insert OR FAIL, because the transaction is given up whole on
/// any error: the database need not note how to take back a part of a statement, which is a sixth
/// of the time of an import into a large store.
macro_rules! for_rows {
    ($before:literal, $row:literal, $after:literal) => {
        [
            (512, concat!($before, rows!(512, $row), $after)),
            (64, concat!($before, rows!(64, $row), $after)),
            (8, concat!($before, rows!(8, $row), $after)),
            (1, concat!($before, rows!(1, $row), $after)),
        ]
    };
}

type ForRows = [(usize, &'static str); 4];

type Bound<'q> = Query<'q, Sqlite, SqliteArguments>;

pub(super) const PUT_HEAD: &str = "
SELECT coalesce(max(revision), 0), (SELECT coalesce(max(id), 0) FROM record_version),
    (SELECT value FROM setting WHERE name = 'key_id')
FROM revision";

/// Takes a kind and a JSON array of keys.
const PUT_LOOK_UP: &str = "
SELECT record.key, version.id, version.source, version.payload
FROM json_each(?2) AS wanted
CROSS JOIN record ON record.kind = ?1 AND record.key = wanted.value
CROSS JOIN record_version AS version ON version.id = record.version";

pub(super) const PUT_REVISION: &str = "
INSERT INTO revision (revision, committed_at, first_version) VALUES (?1, ?2, ?3)";

const PUT_VERSIONS: ForRows = for_rows!(
    "INSERT OR FAIL INTO record_version (id, revision, kind, key, shown_key, source, observed_at,
        previous, leads, payload)
    VALUES ",
    "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    ""
);

const PUT_RECORDS: ForRows = for_rows!(
    "INSERT OR FAIL INTO record (kind, key, version) VALUES ",
    "(?, ?, ?)",
    " ON CONFLICT (kind, key) DO UPDATE SET version = excluded.version"
);

const PUT_DROP_HANDLES: ForRows = for_rows!(
    "DELETE FROM handle WHERE (value, version) IN (VALUES ",
    "(?, ?)",
    ")"
);

const PUT_HANDLES: ForRows = for_rows!(
    "INSERT OR FAIL INTO handle (value, version) VALUES ",
    "(?, ?)",
    ""
);

/// The instant never goes back: the clocks of two writers may differ.
const PUT_SYNC: &str = "
INSERT INTO sync (kind, synced_at, records) VALUES (?1, ?2, ?3)
ON CONFLICT (kind) DO UPDATE SET
    synced_at = max(synced_at, excluded.synced_at),
    records = records + excluded.records";

/// As [`PUT_SYNC`].
const PUT_SOURCE: &str = "
INSERT INTO source_sync (source, synced_at) VALUES (?1, ?2)
ON CONFLICT (source) DO UPDATE SET synced_at = max(synced_at, excluded.synced_at)";

/// For the test of their plans.
#[cfg(test)]
pub(super) const STATEMENTS: [&str; 10] = [
    PUT_HEAD,
    PUT_LOOK_UP,
    PUT_REVISION,
    PUT_SYNC,
    PUT_SOURCE,
    PUT_VERSIONS[0].1,
    PUT_RECORDS[0].1,
    PUT_HANDLES[0].1,
    PUT_DROP_HANDLES[0].1,
    PUT_DROP_HANDLES[3].1,
];

impl SqliteStore {
    pub(super) async fn put_records(
        &self,
        records: Vec<NewRecord>,
        at: Timestamp,
    ) -> Result<Written, StoreError> {
        let error = self.error("put records");
        let at = at.as_microsecond();
        let rows = encoding::rows(records).await?;
        let mut transaction = self
            .writer
            .begin_with("BEGIN IMMEDIATE")
            .await
            .map_err(&error)?;
        let (head, last, key_id): (i64, i64, String) = sqlx::query_as(PUT_HEAD)
            .fetch_one(&mut *transaction)
            .await
            .map_err(&error)?;
        still_sealed(&key_id, &self.key_id)?;
        let stored = look_up(&mut transaction, &rows).await.map_err(&error)?;
        let plan = plan(&rows, &stored, last + 1);
        let new_head = if plan.versions.is_empty() {
            head
        } else {
            head + 1
        };
        if !plan.versions.is_empty() {
            let dropped = dropped_handles(&plan)?;
            write(&mut transaction, &plan, new_head, at)
                .await
                .map_err(&error)?;
            let gone = for_rows(
                &mut transaction,
                PUT_DROP_HANDLES,
                &dropped,
                |query, row| query.bind(row.0.as_bytes()).bind(row.1),
            );
            expect_rows("handle", gone.await.map_err(&error)?, dropped.len())?;
        }
        for (kind, added) in &plan.added {
            let query = sqlx::query(PUT_SYNC).bind(kind).bind(at).bind(added);
            query.execute(&mut *transaction).await.map_err(&error)?;
        }
        for source in sources(&rows) {
            let query = sqlx::query(PUT_SOURCE).bind(source).bind(at);
            query.execute(&mut *transaction).await.map_err(&error)?;
        }
        transaction.commit().await.map_err(&error)?;
        if new_head > head {
            self.signs.give();
        }
        Ok(Written {
            revision: revision(new_head),
            accepted: plan.versions.len() as u64,
            unchanged: plan.unchanged,
        })
    }
}

/// Reads the versions that hold for the keys of a write, one statement a kind.
async fn look_up(
    connection: &mut SqliteConnection,
    rows: &[Row],
) -> Result<Vec<Stored>, sqlx::Error> {
    let mut keys: BTreeMap<i64, Vec<&str>> = BTreeMap::new();
    for row in rows {
        keys.entry(row.kind).or_default().push(&row.key);
    }
    let mut stored = Vec::new();
    for (kind, mut keys) in keys {
        // Neighbours in the tree are read together.
        keys.sort_unstable();
        keys.dedup();
        let keys =
            serde_json::to_string(&keys).map_err(|error| sqlx::Error::Encode(error.into()))?;
        let found = sqlx::query(PUT_LOOK_UP)
            .bind(kind)
            .bind(keys)
            .fetch_all(&mut *connection)
            .await?;
        for row in found {
            stored.push(Stored {
                kind,
                key: row.try_get(0)?,
                version: row.try_get(1)?,
                source: row.try_get(2)?,
                payload: row.try_get(3)?,
            });
        }
    }
    Ok(stored)
}

async fn write(
    connection: &mut SqliteConnection,
    plan: &Plan<'_>,
    revision: i64,
    at: i64,
) -> Result<(), sqlx::Error> {
    let first = plan.versions.first().map(|version| version.id);
    let query = sqlx::query(PUT_REVISION)
        .bind(revision)
        .bind(at)
        .bind(first);
    query.execute(&mut *connection).await?;
    for_rows(
        connection,
        PUT_VERSIONS,
        &plan.versions,
        |query, Version { id, previous, row }| {
            query
                .bind(id)
                .bind(revision)
                .bind(row.kind)
                .bind(&row.key)
                .bind(&row.shown_key)
                .bind(&*row.source)
                .bind(row.observed_at)
                .bind(previous)
                .bind(leads_json(&row.leads))
                .bind(&row.payload)
        },
    )
    .await?;
    for_rows(connection, PUT_RECORDS, &plan.records, |query, holding| {
        query
            .bind(holding.kind)
            .bind(holding.key)
            .bind(holding.version)
    })
    .await?;
    for_rows(
        connection,
        PUT_HANDLES,
        &plan.handles,
        |query, (handle, version)| query.bind(handle.as_bytes()).bind(version),
    )
    .await?;
    Ok(())
}

/// Runs a statement over rows, as many at once as it takes; returns the rows affected. While the
/// thread of the connection runs one, the values of the next are bound here.
async fn for_rows<T>(
    connection: &mut SqliteConnection,
    statement: ForRows,
    rows: &[T],
    bind: impl for<'q> Fn(Bound<'q>, &T) -> Bound<'q>,
) -> Result<u64, sqlx::Error> {
    let mut rest = rows;
    let mut take = || {
        statement.into_iter().find_map(|(size, sql)| {
            let (now, later) = rest.split_at_checked(size)?;
            rest = later;
            Some(now.iter().fold(sqlx::query(sql), &bind))
        })
    };
    let mut affected = 0;
    let mut next = take();
    while let Some(query) = next {
        let mut running = pin!(query.execute(&mut *connection));
        let begun = futures::poll!(running.as_mut());
        next = take();
        let done = match begun {
            Poll::Ready(done) => done,
            Poll::Pending => running.await,
        };
        affected += done?.rows_affected();
    }
    Ok(affected)
}

pub(super) fn leads_json(leads: &[Handle]) -> Option<String> {
    (!leads.is_empty()).then(|| encoding::handles_json(leads))
}
