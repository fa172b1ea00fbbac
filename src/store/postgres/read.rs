//! What is read: records by their handles, their history and the change log.

use futures::TryStreamExt as _;
use icpgate_policy::codes::RecordKind;
use icpgate_policy::facts::{Fact, Provenance, Revision};
use icpgate_policy::records::{Handle, Record};
use jiff::Timestamp;
use sqlx::Row as _;
use sqlx::postgres::{PgConnection, PgRow};

use super::PostgresStore;
use super::connections::Connections;
use super::errors::{store_error, unusable};
use crate::store::touched::{Entry, Gathered};
use crate::store::{ChangeEntry, Found, MOST_SOURCES, StoreError, Touched, encoding, still_sealed};

/// One statement, therefore one snapshot and one round trip. It takes places of sets and handles,
/// and a limit that is none: behind a limit that is not known a plan that is made once expects a
/// tenth of the rows, here one, and without it ten, which times the leads comes to tables of
/// megabytes that every question would have to clear. The row of place -1 is about the store: the
/// head, the kinds with their syncs, which store it is, and as source the fingerprint of its keys.
const FIND: &str = "
WITH RECURSIVE reached (place, version) AS (
    SELECT asked.place, handle.version
    FROM (SELECT * FROM unnest($1::BIGINT[], $2::BYTEA[]) LIMIT $3) AS asked (place, value)
    JOIN handle ON handle.value = asked.value
    UNION
    SELECT reached.place, handle.version
    FROM reached
    JOIN record_version AS here ON here.id = reached.version AND here.leads IS NOT NULL
    JOIN handle ON handle.value = ANY (here.leads)
)
SELECT -1::BIGINT AS place, '' AS key,
    (SELECT value FROM setting WHERE name = 'key_id') AS source, 0::BIGINT AS observed_at,
    counter.revision, 0::BIGINT AS committed_at, NULL::BYTEA AS payload,
    ARRAY(SELECT kind::BIGINT FROM sync ORDER BY kind) AS kinds,
    ARRAY(SELECT synced_at FROM sync ORDER BY kind) AS syncs,
    counter.store::TEXT AS store
FROM revision_counter AS counter
UNION ALL
SELECT reached.place, found.key, found.source, found.observed_at, found.revision,
    (SELECT committed_at FROM revision WHERE revision = found.revision), found.payload,
    NULL, NULL, NULL
FROM reached
JOIN record_version AS found ON found.id = reached.version";

const HEAD: &str = "SELECT revision FROM revision_counter";

/// Starts at the place after the one seen, or at the next revision, whichever comes first.
/// Identifiers in a revision have no gap, so the place is a difference.
const CHANGES: &str = "
SELECT entry.revision, entry.id - revision.first_version AS place, entry.kind::BIGINT AS kind,
    coalesce(entry.shown_key, entry.key) AS shown_key, entry.source, revision.committed_at
FROM record_version AS entry
JOIN revision ON revision.revision = entry.revision
WHERE entry.id >= least(
    coalesce((SELECT first_version FROM revision WHERE revision = $1) + $2 + 1, $3),
    coalesce((SELECT first_version FROM revision WHERE revision > $1 ORDER BY revision LIMIT 1), $3)
)
ORDER BY entry.id
LIMIT $4";

/// Takes a revision, the limit and the greatest identifier. The row without a revision tells
/// through which one the others go, and the head; its key is the fingerprint of the keys. Version `first + limit` lies in the revision
/// that is the last, or begins the first one that is not read.
const TOUCHED: &str = "
WITH first (id) AS (
    SELECT first_version FROM revision WHERE revision > $1 ORDER BY revision LIMIT 1
), last (id, through) AS (
    SELECT first.id, coalesce(
        (SELECT limiting.revision - (limiting.first_version = entry.id)::INT
            FROM record_version AS entry
            JOIN revision AS limiting ON limiting.revision = entry.revision
            WHERE entry.id = first.id + $2),
        (SELECT revision FROM revision_counter))
    FROM first
), span (id, beyond) AS (
    SELECT last.id,
        coalesce((SELECT first_version FROM revision WHERE revision = last.through + 1), $3)
    FROM last
)
SELECT NULL::BIGINT AS revision,
    (SELECT value FROM setting WHERE name = 'key_id') AS key, NULL::BYTEA AS payload, NULL::BYTEA AS before,
    counter.revision AS head, (SELECT through FROM last) AS through
FROM revision_counter AS counter
UNION ALL
SELECT entry.revision, entry.key, entry.payload, past.payload, NULL, NULL
FROM span
JOIN record_version AS entry ON entry.id >= span.id AND entry.id < span.beyond
LEFT JOIN record_version AS past ON past.id = entry.previous";

/// Identifiers have no gap, so the newest versions are those after a difference.
const REVISION_BEFORE: &str = "
SELECT coalesce(
    (SELECT revision FROM record_version WHERE id = (SELECT version FROM revision_counter) - $1), 0)";

const HISTORY: &str = "
WITH RECURSIVE past (version) AS (
    SELECT version FROM record WHERE kind = $1::SMALLINT AND key = $2
    UNION ALL
    SELECT later.previous
    FROM past
    JOIN record_version AS later ON later.id = past.version
    WHERE later.previous IS NOT NULL
)
SELECT found.kind, found.key, found.source, found.observed_at, found.revision,
    revision.committed_at, found.payload
FROM past
JOIN record_version AS found ON found.id = past.version
JOIN revision ON revision.revision = found.revision
ORDER BY found.id";

/// Reads the keys of a kind in their order, through the key of the table.
const PAGE: &str = "
SELECT record.key, found.payload
FROM record
JOIN record_version AS found ON found.id = record.version
WHERE record.kind = $1::SMALLINT AND record.key > $2
ORDER BY record.key
LIMIT $3";

const COUNTS: &str = "SELECT kind::BIGINT, records FROM sync ORDER BY kind";

const SOURCE_SYNCS: &str = "
SELECT source, synced_at FROM source_sync ORDER BY synced_at DESC, source LIMIT $1";

impl PostgresStore {
    /// Finds in a database. An error where that is not this store.
    pub(super) async fn find_sets(
        &self,
        connections: &Connections,
        sets: &[Vec<Handle>],
    ) -> Result<Found, StoreError> {
        let error = store_error("find records");
        let mut connection = connections.any().await.map_err(error)?;
        match self.find_over(&mut connection, sets).await {
            Err(StoreError::Unavailable { source, .. }) if connection.was_dead(&source) => {
                connection.abandon();
            }
            Err(failure) => return Err(failure),
            Ok(found) => {
                connection.give_back();
                return Ok(found);
            }
        }
        // Boxed, for it is large and rare.
        let again = Box::pin(async move {
            let mut connection = connections.asked().await.map_err(error)?;
            let found = self.find_over(&mut connection, sets).await?;
            connection.give_back();
            Ok(found)
        });
        again.await
    }

    async fn find_over(
        &self,
        connection: &mut PgConnection,
        sets: &[Vec<Handle>],
    ) -> Result<Found, StoreError> {
        let error = store_error("find records");
        let (places, handles): (Vec<i64>, Vec<&[u8]>) = (0_i64..)
            .zip(sets)
            .flat_map(|(place, set)| set.iter().map(move |handle| (place, handle.as_bytes())))
            .unzip();
        let mut revision_found = Revision(0);
        let mut synced_at = Vec::new();
        let mut sets_found: Vec<Vec<(String, Fact<Record>)>> = vec![Vec::new(); sets.len()];
        let mut rows = sqlx::query(FIND)
            .bind(places)
            .bind(handles)
            .bind(i64::MAX)
            .fetch(connection);
        while let Some(row) = rows.try_next().await.map_err(error)? {
            let place: i64 = row.try_get("place").map_err(error)?;
            if let Ok(place) = usize::try_from(place) {
                if let Some(set) = sets_found.get_mut(place) {
                    set.push((row.try_get("key").map_err(error)?, fact(&row, error)?));
                }
            } else {
                self.is_this(row.try_get("store").map_err(error)?)?;
                still_sealed(row.try_get("source").map_err(error)?, &self.key_id)?;
                revision_found = revision(row.try_get("revision").map_err(error)?);
                let kinds: Vec<i64> = row.try_get("kinds").map_err(error)?;
                let syncs: Vec<i64> = row.try_get("syncs").map_err(error)?;
                for (number, at) in kinds.into_iter().zip(syncs) {
                    let kind = encoding::kind("sync", number)?;
                    synced_at.push((kind, encoding::instant("sync", kind.as_str(), at)?));
                }
            }
        }
        synced_at.sort_unstable();
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

    /// Checks that an answer comes from this store, and not from one that the address of a
    /// replica leads to by mistake: its answers would be wrong ones.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] where it does not.
    pub(super) fn is_this(&self, store: &str) -> Result<(), StoreError> {
        if store == self.store {
            Ok(())
        } else {
            Err(unusable(
                "the database of a replica",
                "it is not a replica of this store; name one in `store.read_url`",
            ))
        }
    }

    pub(super) async fn read_head(&self) -> Result<Revision, StoreError> {
        let error = store_error("read the newest revision");
        let mut connection = self.main.asked().await.map_err(error)?;
        let head = sqlx::query_scalar(HEAD).fetch_one(&mut *connection).await;
        let head = head.map_err(error)?;
        connection.give_back();
        Ok(revision(head))
    }

    pub(super) async fn read_changes(
        &self,
        (after, place): (Revision, Option<u32>),
        limit: u32,
    ) -> Result<Vec<ChangeEntry>, StoreError> {
        let error = store_error("read changes");
        let mut connection = self.main.asked().await.map_err(error)?;
        let rows = sqlx::query(CHANGES)
            .bind(i64::try_from(after.0).unwrap_or(i64::MAX))
            .bind(place.map(i64::from))
            .bind(i64::MAX)
            .bind(i64::from(limit))
            .fetch_all(&mut *connection)
            .await
            .map_err(error)?;
        connection.give_back();
        rows.iter().map(|row| change(row, error)).collect()
    }

    pub(super) async fn read_touched(
        &self,
        after: Revision,
        limit: u32,
    ) -> Result<Touched, StoreError> {
        let error = store_error("read what was touched");
        let mut gathered = Gathered::default();
        let (mut through, mut head) = (Revision(0), Revision(0));
        let mut connection = self.main.asked().await.map_err(error)?;
        let mut rows = sqlx::query(TOUCHED)
            .bind(i64::try_from(after.0).unwrap_or(i64::MAX))
            .bind(i64::from(limit.max(1)))
            .bind(i64::MAX)
            .fetch(&mut *connection);
        while let Some(row) = rows.try_next().await.map_err(error)? {
            let written: Option<i64> = row.try_get("revision").map_err(error)?;
            match written.map(revision) {
                Some(revision) => gathered.add(&Entry {
                    revision,
                    key: row.try_get("key").map_err(error)?,
                    payload: row.try_get("payload").map_err(error)?,
                    before: row.try_get("before").map_err(error)?,
                })?,
                None => {
                    still_sealed(row.try_get("key").map_err(error)?, &self.key_id)?;
                    head = revision(row.try_get("head").map_err(error)?);
                    let last: Option<i64> = row.try_get("through").map_err(error)?;
                    through = last.map_or(head, revision);
                }
            }
        }
        drop(rows);
        connection.give_back();
        Ok(gathered.finish(after, through, head))
    }

    pub(super) async fn read_revision_before(&self, versions: u64) -> Result<Revision, StoreError> {
        let error = store_error("look for an earlier revision");
        let mut connection = self.main.asked().await.map_err(error)?;
        let found = sqlx::query_scalar(REVISION_BEFORE)
            .bind(i64::try_from(versions).unwrap_or(i64::MAX))
            .fetch_one(&mut *connection)
            .await
            .map_err(error)?;
        connection.give_back();
        Ok(revision(found))
    }

    pub(super) async fn read_history(
        &self,
        kind: RecordKind,
        key: &str,
    ) -> Result<Vec<Fact<Record>>, StoreError> {
        let error = store_error("read the history of a record");
        let mut connection = self.main.asked().await.map_err(error)?;
        let rows = sqlx::query(HISTORY)
            .bind(encoding::kind_number(kind))
            .bind(key)
            .fetch_all(&mut *connection)
            .await
            .map_err(error)?;
        connection.give_back();
        let whole = rows.iter().filter(|row| !is_erased(row));
        whole.map(|row| fact(row, error)).collect()
    }

    pub(super) async fn read_counts(&self) -> Result<Vec<(RecordKind, u64)>, StoreError> {
        let counts: Vec<(i64, i64)> = sqlx::query_as(COUNTS)
            .fetch_all(&self.service)
            .await
            .map_err(store_error("count records"))?;
        counts
            .into_iter()
            .map(|(kind, records)| Ok((encoding::kind("sync", kind)?, records.cast_unsigned())))
            .collect()
    }

    pub(super) async fn read_source_syncs(&self) -> Result<Vec<(String, Timestamp)>, StoreError> {
        let rows: Vec<(String, i64)> = sqlx::query_as(SOURCE_SYNCS)
            .bind(i64::from(MOST_SOURCES))
            .fetch_all(&self.service)
            .await
            .map_err(store_error("read when sources wrote"))?;
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
            .bind(i64::from(limit))
            .fetch_all(&self.service)
            .await
            .map_err(store_error("read a page of records"))?;
        encoding::page(rows)
    }

    pub(super) async fn ping_server(&self) -> Result<(), StoreError> {
        let head: Result<i64, _> = sqlx::query_scalar(HEAD).fetch_one(&self.service).await;
        head.map(drop).map_err(store_error("reach the store"))
    }
}

/// Number of a revision in the rows, which is never negative.
pub(super) const fn revision(number: i64) -> Revision {
    Revision(number.cast_unsigned())
}

fn is_erased(row: &PgRow) -> bool {
    row.try_get::<&[u8], _>("payload")
        .is_ok_and(|payload| payload == encoding::ERASED_RECORD)
}

fn fact(
    row: &PgRow,
    error: impl Fn(sqlx::Error) -> StoreError,
) -> Result<Fact<Record>, StoreError> {
    const TABLE: &str = "record_version";
    let key: &str = row.try_get("key").map_err(&error)?;
    let source: &str = row.try_get("source").map_err(&error)?;
    let observed_at = row.try_get("observed_at").map_err(&error)?;
    let committed_at = row.try_get("committed_at").map_err(&error)?;
    Ok(Fact {
        value: encoding::record(TABLE, key, row.try_get("payload").map_err(&error)?)?,
        provenance: Provenance {
            source: source.into(),
            observed_at: encoding::instant(TABLE, key, observed_at)?,
            revision: revision(row.try_get("revision").map_err(&error)?),
            committed_at: encoding::instant("revision", key, committed_at)?,
        },
    })
}

fn change(
    row: &PgRow,
    error: impl Fn(sqlx::Error) -> StoreError,
) -> Result<ChangeEntry, StoreError> {
    let shown_key: String = row.try_get("shown_key").map_err(&error)?;
    let committed_at = row.try_get("committed_at").map_err(&error)?;
    let place: i64 = row.try_get("place").map_err(&error)?;
    Ok(ChangeEntry {
        revision: revision(row.try_get("revision").map_err(&error)?),
        place: u32::try_from(place).map_err(|_| StoreError::Inconsistent {
            table: "record_version",
            key: shown_key.clone(),
            problem: format!("{place} is no place within a revision"),
        })?,
        kind: encoding::kind("record_version", row.try_get("kind").map_err(&error)?)?,
        source: row.try_get("source").map_err(&error)?,
        committed_at: encoding::instant("revision", &shown_key, committed_at)?,
        shown_key,
    })
}
