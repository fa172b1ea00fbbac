//! What is read: records by their handles, their history and the change log.

use futures::TryStreamExt as _;
use icpgate_policy::codes::RecordKind;
use icpgate_policy::facts::{Fact, Provenance, Revision};
use icpgate_policy::records::{Handle, Record};
use jiff::Timestamp;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::SqliteStore;
use crate::store::touched::{Entry, Gathered};
use crate::store::{ChangeEntry, Found, MOST_SOURCES, StoreError, Touched, encoding, still_sealed};

/// One statement, therefore one snapshot and one trip to the thread of the connection. It takes
/// a JSON array of arrays of handles. The row of place -1 is about the store: its key is a JSON
/// array of kinds with their syncs, its source the fingerprint of the keys, its revision the head. One row, because every row wakes the
/// reader; without an order, because sorting here would hold the rows back. CROSS JOIN fixes the
/// order of the loops: always from handles to versions.
const FIND: &str = "
WITH RECURSIVE reached (place, version) AS (
    SELECT asked.key, handle.version
    FROM json_each(?1) AS asked
    CROSS JOIN json_each(asked.value) AS wanted
    CROSS JOIN handle ON handle.value = unhex(wanted.value)
    UNION
    SELECT reached.place, handle.version
    FROM reached
    CROSS JOIN record_version AS here ON here.id = reached.version AND here.leads IS NOT NULL
    CROSS JOIN json_each(here.leads) AS wanted
    CROSS JOIN handle ON handle.value = unhex(wanted.value)
)
SELECT -1 AS place, (SELECT json_group_array(json_array(kind, synced_at)) FROM sync) AS key,
    (SELECT value FROM setting WHERE name = 'key_id') AS source, 0 AS observed_at,
    coalesce(max(revision), 0) AS revision, 0 AS committed_at,
    NULL AS payload
FROM revision
UNION ALL
SELECT reached.place, found.key, found.source, found.observed_at, found.revision,
    revision.committed_at, found.payload
FROM reached
CROSS JOIN record_version AS found ON found.id = reached.version
CROSS JOIN revision ON revision.revision = found.revision";

const HEAD: &str = "SELECT coalesce(max(revision), 0) FROM revision";

/// Starts at the place after the one seen, or at the next revision, whichever comes first.
/// Identifiers in a revision have no gap, so the place is a difference.
const CHANGES: &str = "
SELECT entry.revision, entry.id - revision.first_version AS place, entry.kind,
    coalesce(entry.shown_key, entry.key) AS shown_key, entry.source, revision.committed_at
FROM record_version AS entry
CROSS JOIN revision ON revision.revision = entry.revision
WHERE entry.id >= min(
    coalesce((SELECT first_version FROM revision WHERE revision = ?1) + ?2 + 1, ?3),
    coalesce((SELECT first_version FROM revision WHERE revision > ?1 ORDER BY revision LIMIT 1), ?3)
)
ORDER BY entry.id
LIMIT ?4";

/// Takes a revision, the limit and the greatest identifier. The row without a revision tells
/// through which one the others go, and the head; its key is the fingerprint of the keys. Version `first + limit` lies in the revision
/// that is the last, or begins the first one that is not read.
const TOUCHED: &str = "
WITH first (id) AS (
    SELECT first_version FROM revision WHERE revision > ?1 ORDER BY revision LIMIT 1
), last (id, through) AS (
    SELECT first.id, coalesce(
        (SELECT limiting.revision - (limiting.first_version = entry.id)
            FROM record_version AS entry
            CROSS JOIN revision AS limiting ON limiting.revision = entry.revision
            WHERE entry.id = first.id + ?2),
        (SELECT max(revision) FROM revision))
    FROM first
), span (id, beyond) AS (
    SELECT last.id,
        coalesce((SELECT first_version FROM revision WHERE revision = last.through + 1), ?3)
    FROM last
)
SELECT NULL AS revision, (SELECT value FROM setting WHERE name = 'key_id') AS key, NULL AS payload, NULL AS before,
    (SELECT coalesce(max(revision), 0) FROM revision) AS head, (SELECT through FROM last) AS through
UNION ALL
SELECT entry.revision, entry.key, entry.payload, past.payload, NULL, NULL
FROM span
CROSS JOIN record_version AS entry ON entry.id >= span.id AND entry.id < span.beyond
LEFT JOIN record_version AS past ON past.id = entry.previous";

/// Identifiers have no gap, so the newest versions are those after a difference.
const REVISION_BEFORE: &str = "
SELECT coalesce(
    (SELECT revision FROM record_version WHERE id = (SELECT max(id) FROM record_version) - ?1), 0)";

const HISTORY: &str = "
WITH RECURSIVE past (version) AS (
    SELECT version FROM record WHERE kind = ?1 AND key = ?2
    UNION ALL
    SELECT later.previous
    FROM past
    CROSS JOIN record_version AS later ON later.id = past.version
    WHERE later.previous IS NOT NULL
)
SELECT found.kind, found.key, found.source, found.observed_at, found.revision,
    revision.committed_at, found.payload
FROM past
CROSS JOIN record_version AS found ON found.id = past.version
CROSS JOIN revision ON revision.revision = found.revision
ORDER BY found.id";

const ID: &str = "SELECT value FROM setting WHERE name = 'store_id'";

/// Reads the keys of a kind in their order, through the key of the table.
const PAGE: &str = "
SELECT record.key, found.payload
FROM record
CROSS JOIN record_version AS found ON found.id = record.version
WHERE record.kind = ?1 AND record.key > ?2
ORDER BY record.key
LIMIT ?3";

const COUNTS: &str = "SELECT kind, records FROM sync ORDER BY kind";

const SOURCE_SYNCS: &str = "
SELECT source, synced_at FROM source_sync ORDER BY synced_at DESC, source LIMIT ?1";

/// For the test of their plans.
#[cfg(test)]
pub(super) const STATEMENTS: [&str; 9] = [
    FIND,
    HEAD,
    CHANGES,
    TOUCHED,
    REVISION_BEFORE,
    HISTORY,
    PAGE,
    COUNTS,
    SOURCE_SYNCS,
];

impl SqliteStore {
    pub(super) async fn find_sets(&self, sets: &[Vec<Handle>]) -> Result<Found, StoreError> {
        let error = self.error("find records");
        let mut revision_found = Revision(0);
        let mut synced_at = Vec::new();
        let mut sets_found: Vec<Vec<(String, Fact<Record>)>> = vec![Vec::new(); sets.len()];
        let mut rows = sqlx::query(FIND).bind(asked(sets)).fetch(&self.readers);
        while let Some(row) = rows.try_next().await.map_err(&error)? {
            let place: i64 = row.try_get("place").map_err(&error)?;
            if let Ok(place) = usize::try_from(place) {
                if let Some(set) = sets_found.get_mut(place) {
                    set.push((row.try_get("key").map_err(&error)?, fact(&row, &error)?));
                }
            } else {
                still_sealed(row.try_get("source").map_err(&error)?, &self.key_id)?;
                revision_found = revision(row.try_get("revision").map_err(&error)?);
                synced_at = syncs(row.try_get("key").map_err(&error)?)?;
            }
        }
        let in_order = |mut set: Vec<(String, Fact<Record>)>| {
            set.sort_unstable_by(|(a_key, a), (b_key, b)| {
                (a.value.kind(), a_key).cmp(&(b.value.kind(), b_key))
            });
            set.into_iter().map(|(_, fact)| fact).collect()
        };
        Ok(Found {
            sets: sets_found.into_iter().map(in_order).collect(),
            revision: revision_found,
            synced_at,
        })
    }

    pub(super) async fn read_head(&self) -> Result<Revision, StoreError> {
        let head = sqlx::query_scalar(HEAD).fetch_one(&self.readers).await;
        head.map(revision)
            .map_err(self.error("read the newest revision"))
    }

    pub(super) async fn read_changes(
        &self,
        (after, place): (Revision, Option<u32>),
        limit: u32,
    ) -> Result<Vec<ChangeEntry>, StoreError> {
        let error = self.error("read changes");
        let rows = sqlx::query(CHANGES)
            .bind(i64::try_from(after.0).unwrap_or(i64::MAX))
            .bind(place)
            .bind(i64::MAX)
            .bind(limit)
            .fetch_all(&self.readers)
            .await
            .map_err(&error)?;
        rows.iter().map(|row| change(row, &error)).collect()
    }

    pub(super) async fn read_touched(
        &self,
        after: Revision,
        limit: u32,
    ) -> Result<Touched, StoreError> {
        let error = self.error("read what was touched");
        let mut gathered = Gathered::default();
        let (mut through, mut head) = (Revision(0), Revision(0));
        let mut rows = sqlx::query(TOUCHED)
            .bind(i64::try_from(after.0).unwrap_or(i64::MAX))
            .bind(i64::from(limit.max(1)))
            .bind(i64::MAX)
            .fetch(&self.readers);
        while let Some(row) = rows.try_next().await.map_err(&error)? {
            let written: Option<i64> = row.try_get("revision").map_err(&error)?;
            match written.map(revision) {
                Some(revision) => gathered.add(&Entry {
                    revision,
                    key: row.try_get("key").map_err(&error)?,
                    payload: row.try_get("payload").map_err(&error)?,
                    before: row.try_get("before").map_err(&error)?,
                })?,
                None => {
                    still_sealed(row.try_get("key").map_err(&error)?, &self.key_id)?;
                    head = revision(row.try_get("head").map_err(&error)?);
                    let last: Option<i64> = row.try_get("through").map_err(&error)?;
                    through = last.map_or(head, revision);
                }
            }
        }
        Ok(gathered.finish(after, through, head))
    }

    pub(super) async fn read_revision_before(&self, versions: u64) -> Result<Revision, StoreError> {
        let found = sqlx::query_scalar(REVISION_BEFORE)
            .bind(i64::try_from(versions).unwrap_or(i64::MAX))
            .fetch_one(&self.readers)
            .await;
        found
            .map(revision)
            .map_err(self.error("look for an earlier revision"))
    }

    pub(super) async fn read_history(
        &self,
        kind: RecordKind,
        key: &str,
    ) -> Result<Vec<Fact<Record>>, StoreError> {
        let error = self.error("read the history of a record");
        let rows = sqlx::query(HISTORY)
            .bind(encoding::kind_number(kind))
            .bind(key)
            .fetch_all(&self.readers)
            .await
            .map_err(&error)?;
        let whole = rows.iter().filter(|row| !is_erased(row));
        whole.map(|row| fact(row, &error)).collect()
    }

    pub(super) async fn read_id(&self) -> Result<String, StoreError> {
        let id = sqlx::query_scalar(ID).fetch_one(&self.readers).await;
        id.map_err(self.error("read the identity of the store"))
    }

    pub(super) async fn read_counts(&self) -> Result<Vec<(RecordKind, u64)>, StoreError> {
        let counts: Vec<(i64, i64)> = sqlx::query_as(COUNTS)
            .fetch_all(&self.service)
            .await
            .map_err(self.error("count records"))?;
        counts
            .into_iter()
            .map(|(kind, records)| Ok((encoding::kind("sync", kind)?, records.cast_unsigned())))
            .collect()
    }

    pub(super) async fn read_source_syncs(&self) -> Result<Vec<(String, Timestamp)>, StoreError> {
        let rows: Vec<(String, i64)> = sqlx::query_as(SOURCE_SYNCS)
            .bind(MOST_SOURCES)
            .fetch_all(&self.service)
            .await
            .map_err(self.error("read when sources wrote"))?;
        encoding::source_syncs(rows)
    }

    pub(super) async fn read_page(
        &self,
        kind: RecordKind,
        after: &str,
        limit: u32,
    ) -> Result<Vec<(String, Record)>, StoreError> {
        let rows: Vec<(String, Vec<u8>)> = sqlx::query_as(PAGE)
            .bind(encoding::kind_number(kind))
            .bind(after)
            .bind(limit)
            .fetch_all(&self.service)
            .await
            .map_err(self.error("read a page of records"))?;
        encoding::page(rows)
    }

    pub(super) async fn ping_file(&self) -> Result<(), StoreError> {
        let head: Result<i64, _> = sqlx::query_scalar(HEAD).fetch_one(&self.service).await;
        head.map(drop).map_err(self.error("reach the store"))
    }
}

/// Number of a revision in the rows, which is never negative.
pub(super) const fn revision(number: i64) -> Revision {
    Revision(number.cast_unsigned())
}

fn asked(sets: &[Vec<Handle>]) -> String {
    let sets: Vec<String> = sets.iter().map(|set| encoding::handles_json(set)).collect();
    format!("[{}]", sets.join(","))
}

/// Reads the syncs of [`FIND`], in the order of the kinds.
fn syncs(json: &str) -> Result<Vec<(RecordKind, Timestamp)>, StoreError> {
    let rows: Vec<(i64, i64)> =
        serde_json::from_str(json).map_err(|error| StoreError::Inconsistent {
            table: "sync",
            key: String::new(),
            problem: error.to_string(),
        })?;
    let mut syncs = Vec::with_capacity(rows.len());
    for (number, at) in rows {
        let kind = encoding::kind("sync", number)?;
        syncs.push((kind, encoding::instant("sync", kind.as_str(), at)?));
    }
    syncs.sort_unstable();
    Ok(syncs)
}

fn is_erased(row: &SqliteRow) -> bool {
    row.try_get::<&[u8], _>("payload")
        .is_ok_and(|payload| payload == encoding::ERASED_RECORD)
}

fn fact(
    row: &SqliteRow,
    error: &impl Fn(sqlx::Error) -> StoreError,
) -> Result<Fact<Record>, StoreError> {
    const TABLE: &str = "record_version";
    let key: &str = row.try_get("key").map_err(error)?;
    let source: &str = row.try_get("source").map_err(error)?;
    let observed_at = row.try_get("observed_at").map_err(error)?;
    let committed_at = row.try_get("committed_at").map_err(error)?;
    Ok(Fact {
        value: encoding::record(TABLE, key, row.try_get("payload").map_err(error)?)?,
        provenance: Provenance {
            source: source.into(),
            observed_at: encoding::instant(TABLE, key, observed_at)?,
            revision: revision(row.try_get("revision").map_err(error)?),
            committed_at: encoding::instant("revision", key, committed_at)?,
        },
    })
}

fn change(
    row: &SqliteRow,
    error: &impl Fn(sqlx::Error) -> StoreError,
) -> Result<ChangeEntry, StoreError> {
    let shown_key: String = row.try_get("shown_key").map_err(error)?;
    let committed_at = row.try_get("committed_at").map_err(error)?;
    Ok(ChangeEntry {
        revision: revision(row.try_get("revision").map_err(error)?),
        place: row.try_get("place").map_err(error)?,
        kind: encoding::kind("record_version", row.try_get("kind").map_err(error)?)?,
        source: row.try_get("source").map_err(error)?,
        committed_at: encoding::instant("revision", &shown_key, committed_at)?,
        shown_key,
    })
}
