//! Writing many records: COPY straight into the tables.
//!
//! Absent is a staging table: the write before is committed and the next one waits, so what is
//! new and what is known is certain before the first row leaves, and the merge is one statement
//! for what is known and no look-up for what is new.

use icpgate_policy::records::Handle;
use sqlx::postgres::PgConnection;

use super::copy::copy;
use crate::store::StoreError;
use crate::store::encoding::Row;
use crate::store::plan::{Holding, Plan, Version, expect_rows};

/// Time-outs of a transaction that writes many records.
pub(super) const PATIENT: &str =
    "SET LOCAL statement_timeout = '2min'; SET LOCAL lock_timeout = '1min'";

const PUT_MANY_REVISION: &str = "
WITH counted AS (
    UPDATE revision_counter SET revision = $1, version = $2
)
INSERT INTO revision (revision, committed_at, first_version) VALUES ($1, $3, $4)
RETURNING pg_notify('icpgate_changed', $1::TEXT)";

const PUT_MANY_VERSIONS: &str = "
COPY record_version (id, revision, kind, key, shown_key, source, observed_at, previous, leads,
    payload)
FROM STDIN (FORMAT binary)";

const PUT_MANY_RECORDS: &str = "COPY record (kind, key, version) FROM STDIN (FORMAT binary)";

const PUT_MANY_HANDLES: &str = "COPY handle (value, version) FROM STDIN (FORMAT binary)";

const PUT_MANY_KNOWN: &str = "
UPDATE record SET version = entry.version
FROM unnest($1::BIGINT[], $2::TEXT[], $3::BIGINT[]) AS entry (kind, key, version)
WHERE record.kind = entry.kind::SMALLINT AND record.key = entry.key";

const PUT_MANY_DROP_HANDLES: &str = "
DELETE FROM handle
USING unnest($1::BYTEA[], $2::BIGINT[]) AS gone (value, version)
WHERE handle.value = gone.value AND handle.version = gone.version";

/// Why a plan could not be written.
pub(super) enum Failure {
    /// The server, or the line to it.
    Sql(sqlx::Error),
    /// The rows that are there are not those that should be.
    Store(StoreError),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Writes a plan. Where this fails or is dropped, the connection may be in the middle of a COPY.
pub(super) async fn write(
    connection: &mut PgConnection,
    plan: &Plan<'_>,
    dropped: &[(Handle, i64)],
    (revision, last, at): (i64, i64, i64),
) -> Result<(), Failure> {
    let newest = plan.versions.last().map_or(last, |version| version.id);
    sqlx::query(PUT_MANY_REVISION)
        .bind(revision)
        .bind(newest)
        .bind(at)
        .bind(last + 1)
        .execute(&mut *connection)
        .await?;
    let versions = copy(
        connection,
        PUT_MANY_VERSIONS,
        10,
        plan.versions.iter(),
        |fields, Version { id, previous, row }| {
            let Row {
                kind,
                key,
                shown_key,
                source,
                observed_at,
                handles: _,
                leads,
                payload,
            } = row;
            fields.bigint(*id);
            fields.bigint(revision);
            fields.smallint(*kind);
            fields.value(key.as_bytes());
            fields.text_or_null(shown_key.as_deref());
            fields.value(source.as_bytes());
            fields.bigint(*observed_at);
            fields.bigint_or_null(*previous);
            fields.handles(leads);
            fields.value(payload);
        },
    );
    expect_rows("record_version", versions.await?, plan.versions.len())?;
    let (known, new): (Vec<Holding<'_>>, Vec<Holding<'_>>) =
        plan.records.iter().partition(|holding| holding.known);
    let records = copy(
        connection,
        PUT_MANY_RECORDS,
        3,
        new.iter(),
        |fields, holding| {
            fields.smallint(holding.kind);
            fields.value(holding.key.as_bytes());
            fields.bigint(holding.version);
        },
    );
    expect_rows("record", records.await?, new.len())?;
    let handles = copy(
        connection,
        PUT_MANY_HANDLES,
        2,
        plan.handles.iter(),
        |fields, (handle, version)| {
            fields.value(handle.as_bytes());
            fields.bigint(*version);
        },
    );
    expect_rows("handle", handles.await?, plan.handles.len())?;
    if !known.is_empty() {
        let replaced = sqlx::query(PUT_MANY_KNOWN)
            .bind(known.iter().map(|holding| holding.kind).collect::<Vec<_>>())
            .bind(known.iter().map(|holding| holding.key).collect::<Vec<_>>())
            .bind(
                known
                    .iter()
                    .map(|holding| holding.version)
                    .collect::<Vec<_>>(),
            )
            .execute(&mut *connection)
            .await?;
        expect_rows("record", replaced.rows_affected(), known.len())?;
        let gone = sqlx::query(PUT_MANY_DROP_HANDLES)
            .bind(
                dropped
                    .iter()
                    .map(|row| row.0.as_bytes())
                    .collect::<Vec<_>>(),
            )
            .bind(dropped.iter().map(|row| row.1).collect::<Vec<_>>())
            .execute(connection)
            .await?;
        expect_rows("handle", gone.rows_affected(), dropped.len())?;
    }
    Ok(())
}
