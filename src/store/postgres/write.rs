//! Writing records: one transaction, one revision. What is written is worked out by [`plan`].
//!
//! The rows of a small write travel as arrays, one a column, in one statement: the fewest round
//! trips. Those of a large one go by COPY, in [`bulk`].

use icpgate_policy::records::Handle;
use jiff::Timestamp;
use sqlx::pool::PoolConnection;
use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Postgres, Row as _};

use super::bulk::Failure;
use super::errors::store_error;
use super::read::revision;
use super::{PostgresStore, bulk};
use crate::store::encoding::{self, Row};
use crate::store::plan::{Plan, Stored, dropped_handles, expect_rows, plan, sources};
use crate::store::{NewRecord, StoreError, Written, still_sealed};

/// Versions from which on a write goes by COPY.
pub(super) const MANY: usize = 256;

/// The isolation is named because the server may have another default: a write that waited for
/// the one before must then see it.
pub(super) const PUT_BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

/// Waits for the write before, and holds up the next one. A sequence would not do: it hands out
/// 7 and 8 to two writes at once, 8 may commit first, and a reader who has seen 8 would never
/// look for 7.
pub(super) const PUT_LOCK: &str = "SELECT revision, version FROM revision_counter FOR UPDATE";

/// As [`PUT_LOOK_UP`], a statement of its own after the lock.
pub(super) const PUT_KEY: &str = "SELECT value FROM setting WHERE name = 'key_id'";

/// Takes kinds and keys. A statement of its own after the lock: its snapshot has to hold what the
/// write before has committed.
const PUT_LOOK_UP: &str = "
SELECT version.kind::BIGINT, version.key, version.id, version.source, version.payload
FROM unnest($1::BIGINT[], $2::TEXT[]) AS wanted (kind, key)
JOIN record ON record.kind = wanted.kind::SMALLINT AND record.key = wanted.key
JOIN record_version AS version ON version.id = record.version";

/// Everything that a revision adds and drops. Leads come as the text of an array: an array of
/// arrays would have to be a rectangle. The sign to other processes goes out when the write commits;
/// commits that give one wait for each other, as writes do anyway.
const PUT: &str = "
WITH counted AS (
    UPDATE revision_counter SET revision = $1, version = $2
), numbered AS (
    INSERT INTO revision (revision, committed_at, first_version) VALUES ($1, $3, $4)
    RETURNING pg_notify('icpgate_changed', $1::TEXT)
), versions AS (
    INSERT INTO record_version (id, revision, kind, key, shown_key, source, observed_at, previous,
        leads, payload)
    SELECT entry.id, $1, entry.kind, entry.key, entry.shown_key, entry.source, entry.observed_at,
        entry.previous, entry.leads::BYTEA[], entry.payload
    FROM unnest($5::BIGINT[], $6::BIGINT[], $7::TEXT[], $8::TEXT[], $9::TEXT[], $10::BIGINT[],
        $11::BIGINT[], $12::TEXT[], $13::BYTEA[])
        AS entry (id, kind, key, shown_key, source, observed_at, previous, leads, payload)
), records AS (
    INSERT INTO record (kind, key, version)
    SELECT entry.kind, entry.key, entry.version
    FROM unnest($14::BIGINT[], $15::TEXT[], $16::BIGINT[]) AS entry (kind, key, version)
    ON CONFLICT (kind, key) DO UPDATE SET version = excluded.version
), handles AS (
    INSERT INTO handle (value, version)
    SELECT entry.value, entry.version
    FROM unnest($17::BYTEA[], $18::BIGINT[]) AS entry (value, version)
)
DELETE FROM handle
USING unnest($19::BYTEA[], $20::BIGINT[]) AS gone (value, version)
WHERE handle.value = gone.value AND handle.version = gone.version";

/// Instants never go back: the clocks of two writers may differ.
const PUT_SYNC: &str = "
WITH sources AS (
    INSERT INTO source_sync (source, synced_at)
    SELECT entry.source, $1 FROM unnest($4::TEXT[]) AS entry (source)
    ON CONFLICT (source) DO UPDATE SET
        synced_at = greatest(source_sync.synced_at, excluded.synced_at)
)
INSERT INTO sync (kind, synced_at, records)
SELECT entry.kind, $1, entry.added FROM unnest($2::BIGINT[], $3::BIGINT[]) AS entry (kind, added)
ON CONFLICT (kind) DO UPDATE SET
    synced_at = greatest(sync.synced_at, excluded.synced_at),
    records = sync.records + excluded.records";

impl PostgresStore {
    pub(super) async fn put_records(
        &self,
        records: Vec<NewRecord>,
        at: Timestamp,
    ) -> Result<Written, StoreError> {
        let error = store_error("put records");
        let at = at.as_microsecond();
        let rows = encoding::rows(records).await?;
        let mut borrowed = Borrowed {
            connection: self.writer.acquire().await.map_err(error)?,
            close: false,
        };
        let beginning = borrowed.connection.begin_with(PUT_BEGIN);
        let mut transaction = beginning.await.map_err(error)?;
        if rows.len() >= MANY {
            let patient = sqlx::raw_sql(bulk::PATIENT).execute(&mut *transaction);
            patient.await.map_err(error)?;
        }
        let (head, last): (i64, i64) = sqlx::query_as(PUT_LOCK)
            .fetch_one(&mut *transaction)
            .await
            .map_err(error)?;
        let key_id: String = sqlx::query_scalar(PUT_KEY)
            .fetch_one(&mut *transaction)
            .await
            .map_err(error)?;
        still_sealed(&key_id, &self.key_id)?;
        let stored = look_up(&mut transaction, &rows).await.map_err(error)?;
        let plan = plan(&rows, &stored, last + 1);
        let mut new_head = head;
        if !plan.versions.is_empty() {
            new_head += 1;
            let dropped = dropped_handles(&plan)?;
            let place = (new_head, last, at);
            if plan.versions.len() < MANY {
                let gone = write(&mut transaction, &plan, &dropped, place).await;
                expect_rows("handle", gone.map_err(error)?, dropped.len())?;
            } else {
                borrowed.close = true;
                let written = bulk::write(&mut transaction, &plan, &dropped, place).await;
                written.map_err(|failure| match failure {
                    Failure::Sql(source) => error(source),
                    Failure::Store(error) => error,
                })?;
            }
        }
        if !plan.added.is_empty() {
            let (kinds, added): (Vec<i64>, Vec<i64>) = plan.added.iter().unzip();
            sqlx::query(PUT_SYNC)
                .bind(at)
                .bind(kinds)
                .bind(added)
                .bind(sources(&rows))
                .execute(&mut *transaction)
                .await
                .map_err(error)?;
        }
        transaction.commit().await.map_err(error)?;
        borrowed.close = false;
        Ok(Written {
            revision: revision(new_head),
            accepted: plan.versions.len() as u64,
            unchanged: plan.unchanged,
        })
    }
}

/// The connection of a write.
struct Borrowed {
    connection: PoolConnection<Postgres>,
    /// Whether it may be in the middle of a COPY, and is of no more use where the write ends now:
    /// the next one would take what is left of this one's answers for its own.
    close: bool,
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        if self.close {
            self.connection.close_on_drop();
        }
    }
}

/// Reads the versions that hold for the keys of a write.
async fn look_up(connection: &mut PgConnection, rows: &[Row]) -> Result<Vec<Stored>, sqlx::Error> {
    let mut wanted: Vec<(i64, &str)> = rows.iter().map(|row| (row.kind, &*row.key)).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let (kinds, keys): (Vec<i64>, Vec<&str>) = wanted.into_iter().unzip();
    let query = sqlx::query(PUT_LOOK_UP).bind(kinds).bind(keys);
    let found = query.fetch_all(connection).await?;
    let stored = found.into_iter().map(|row| {
        Ok(Stored {
            kind: row.try_get(0)?,
            key: row.try_get(1)?,
            version: row.try_get(2)?,
            source: row.try_get(3)?,
            payload: row.try_get(4)?,
        })
    });
    stored.collect()
}

/// Writes a small plan; returns the number of handles dropped.
async fn write(
    connection: &mut PgConnection,
    plan: &Plan<'_>,
    dropped: &[(Handle, i64)],
    (revision, last, at): (i64, i64, i64),
) -> Result<u64, sqlx::Error> {
    let newest = plan.versions.last().map_or(last, |version| version.id);
    let (versions, records) = (&plan.versions, &plan.records);
    let rows = || versions.iter().map(|version| version.row);
    let done = sqlx::query(PUT)
        .bind(revision)
        .bind(newest)
        .bind(at)
        .bind(last + 1)
        .bind(versions.iter().map(|new| new.id).collect::<Vec<_>>())
        .bind(rows().map(|row| row.kind).collect::<Vec<_>>())
        .bind(rows().map(|row| &*row.key).collect::<Vec<_>>())
        .bind(
            rows()
                .map(|row| row.shown_key.as_deref())
                .collect::<Vec<_>>(),
        )
        .bind(rows().map(|row| &*row.source).collect::<Vec<_>>())
        .bind(rows().map(|row| row.observed_at).collect::<Vec<_>>())
        .bind(versions.iter().map(|new| new.previous).collect::<Vec<_>>())
        .bind(rows().map(|row| leads_text(&row.leads)).collect::<Vec<_>>())
        .bind(rows().map(|row| &*row.payload).collect::<Vec<_>>())
        .bind(records.iter().map(|row| row.kind).collect::<Vec<_>>())
        .bind(records.iter().map(|row| row.key).collect::<Vec<_>>())
        .bind(records.iter().map(|row| row.version).collect::<Vec<_>>())
        .bind(
            plan.handles
                .iter()
                .map(|row| row.0.as_bytes())
                .collect::<Vec<_>>(),
        )
        .bind(plan.handles.iter().map(|row| row.1).collect::<Vec<_>>())
        .bind(
            dropped
                .iter()
                .map(|row| row.0.as_bytes())
                .collect::<Vec<_>>(),
        )
        .bind(dropped.iter().map(|row| row.1).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}

/// The text of an array of bytes, such as `{"\\x6e61","\\x6eb4"}`.
pub(super) fn leads_text(leads: &[Handle]) -> Option<String> {
    if leads.is_empty() {
        return None;
    }
    let mut text = String::new();
    for handle in leads {
        text.push_str(if text.is_empty() {
            r#"{"\\x"#
        } else {
            r#","\\x"#
        });
        encoding::push_hex(&mut text, handle.as_bytes());
        text.push('"');
    }
    text.push('}');
    Some(text)
}
