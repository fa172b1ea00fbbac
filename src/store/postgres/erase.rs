//! Erasing what is held about a person: one transaction. What goes is worked out by [`erase()`].
//!
//! No record is written meanwhile, and no decision recorded from when the log is searched. What is
//! recorded next comes from processes that may still hold the facts, for as long as they are behind
//! the change log.

use icpgate_policy::records::Handle;
use jiff::Timestamp;
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;

use super::PostgresStore;
use super::decisions::LOG_LOCK;
use super::errors::store_error;
use super::prune::PRUNE_CONTENTS;
use super::read::revision;
use super::reseal::{EMPTY_REVISION, LOCK, SETTINGS, UPKEEP_LOCK};
use super::write::{PUT_BEGIN, PUT_KEY, PUT_LOCK, leads_text};
use crate::store::encoding::{self, Contents};
use crate::store::erase::{Asked, Found, Rows, Trace, erase};
use crate::store::{Erase, Erased, StoreError, still_sealed};

/// It looks at every version there is: there is no index by persons.
const HOLDING: &str = "
SELECT version.id, version.kind::BIGINT, version.key, version.payload,
    coalesce(record.version = version.id, FALSE)
FROM record_version AS version
LEFT JOIN record ON record.kind = version.kind AND record.key = version.key
WHERE EXISTS (
    SELECT 1 FROM unnest($1::BYTEA[]) AS sought (value)
    WHERE position(sought.value IN version.payload) > 0)";

const VERSIONS: &str = "
WITH RECURSIVE past (version) AS (
    SELECT version FROM record WHERE kind = $1::SMALLINT AND key = $2
    UNION ALL
    SELECT later.previous
    FROM past
    JOIN record_version AS later ON later.id = past.version
    WHERE later.previous IS NOT NULL
)
SELECT found.id, found.kind::BIGINT, found.key, found.payload,
    found.id = (SELECT version FROM record WHERE kind = $1::SMALLINT AND key = $2)
FROM past
JOIN record_version AS found ON found.id = past.version";

const UNDER: &str = "
SELECT found.kind::BIGINT, found.key
FROM handle
JOIN record_version AS found ON found.id = handle.version
WHERE handle.value = $1";

/// The name in place of the key is that of no record.
const BLANK: &str = "
UPDATE record_version SET key = 'erased', shown_key = NULL, leads = NULL, payload = $2
WHERE id = $1";

const REWRITE: &str = "
UPDATE record_version SET leads = $2::TEXT::BYTEA[], payload = $3 WHERE id = $1";

const RELEASE_RECORD: &str = "DELETE FROM record WHERE kind = $1::BIGINT::SMALLINT AND key = $2";

const RELEASE_HANDLE: &str = "DELETE FROM handle WHERE value = $1 AND version = $2";

const RELEASE_COUNT: &str = "
UPDATE sync SET records = records - 1 WHERE kind = $1::BIGINT::SMALLINT";

const EMPTY_FACTS: &str = "
UPDATE content SET bytes = ''
WHERE EXISTS (
    SELECT 1 FROM unnest($1::BYTEA[], $2::BYTEA[]) AS sought (one, other)
    WHERE position(sought.one IN content.bytes) > 0
        AND position(sought.other IN content.bytes) > 0)
RETURNING digest";

const ANSWERS: &str = "
SELECT decision_id, answer FROM decision WHERE facts = ANY ($1::BYTEA[])";

const QUESTIONS: &str = "
SELECT decision_id, profile, answer FROM decision
WHERE EXISTS (
    SELECT 1 FROM unnest($1::BYTEA[]) AS sought (value)
    WHERE position(sought.value IN decision.profile) > 0)";

const SET_ANSWER: &str = "UPDATE decision SET answer = $2 WHERE decision_id = $1";

const NO_FACTS: &str = "
INSERT INTO content (digest, bytes) VALUES ($1, '') ON CONFLICT (digest) DO NOTHING";

const FACTS: &str = "SELECT facts FROM decision WHERE decision_id = $1";

const SET_QUESTION: &str = "UPDATE decision SET profile = $2, facts = $3 WHERE decision_id = $1";

impl PostgresStore {
    pub(super) async fn erase_traces(
        &self,
        whom: &Erase,
        done: bool,
        at: Timestamp,
    ) -> Result<Erased, StoreError> {
        let error = store_error("erase what is held about a person");
        let mut connection = self.writer.acquire().await.map_err(error)?;
        let beginning = connection.begin_with(PUT_BEGIN);
        let mut transaction = beginning.await.map_err(error)?;
        let settings = sqlx::query(SETTINGS).execute(&mut *transaction);
        settings.await.map_err(error)?;
        let lock = sqlx::query(LOCK).bind(UPKEEP_LOCK);
        lock.execute(&mut *transaction).await.map_err(error)?;
        let (head, last): (i64, i64) = sqlx::query_as(PUT_LOCK)
            .fetch_one(&mut *transaction)
            .await
            .map_err(error)?;
        let key_id: String = sqlx::query_scalar(PUT_KEY)
            .fetch_one(&mut *transaction)
            .await
            .map_err(error)?;
        still_sealed(&key_id, &self.key_id)?;
        let mut erased = erase(&mut Work(&mut transaction), whom, at).await?;
        if !done || (erased.versions == 0 && erased.decisions == 0) {
            transaction.rollback().await.map_err(error)?;
            return Ok(erased);
        }
        sqlx::query(EMPTY_REVISION)
            .bind(head + 1)
            .bind(at.as_microsecond())
            .bind(last + 1)
            .execute(&mut *transaction)
            .await
            .map_err(error)?;
        transaction.commit().await.map_err(error)?;
        erased.revision = Some(revision(head + 1));
        Ok(erased)
    }
}

/// The transaction on its way.
struct Work<'w>(&'w mut PgConnection);

type Version = (i64, i64, String, Vec<u8>, bool);

fn error(source: sqlx::Error) -> StoreError {
    store_error("erase what is held about a person")(source)
}

impl Rows for Work<'_> {
    async fn holding(&mut self, any: &[Vec<u8>]) -> Result<Vec<Found>, StoreError> {
        let found: Vec<Version> = sqlx::query_as(HOLDING)
            .bind(any)
            .fetch_all(&mut *self.0)
            .await
            .map_err(error)?;
        Ok(found.into_iter().map(version).collect())
    }

    async fn versions(&mut self, kind: i64, key: &str) -> Result<Vec<Found>, StoreError> {
        let found: Vec<Version> = sqlx::query_as(VERSIONS)
            .bind(kind)
            .bind(key)
            .fetch_all(&mut *self.0)
            .await
            .map_err(error)?;
        Ok(found.into_iter().map(version).collect())
    }

    async fn under(&mut self, handle: &Handle) -> Result<Vec<(i64, String)>, StoreError> {
        sqlx::query_as(UNDER)
            .bind(handle.as_bytes())
            .fetch_all(&mut *self.0)
            .await
            .map_err(error)
    }

    async fn blank(&mut self, id: i64) -> Result<(), StoreError> {
        let query = sqlx::query(BLANK).bind(id).bind(encoding::ERASED_RECORD);
        let done = query.execute(&mut *self.0).await;
        done.map(drop).map_err(error)
    }

    async fn rewrite(&mut self, id: i64, contents: &Contents) -> Result<(), StoreError> {
        let query = sqlx::query(REWRITE)
            .bind(id)
            .bind(leads_text(&contents.leads))
            .bind(&contents.payload);
        let done = query.execute(&mut *self.0).await;
        done.map(drop).map_err(error)
    }

    async fn release(&mut self, version: &Found, handles: &[Handle]) -> Result<(), StoreError> {
        for handle in handles {
            let query = sqlx::query(RELEASE_HANDLE)
                .bind(handle.as_bytes())
                .bind(version.id);
            query.execute(&mut *self.0).await.map_err(error)?;
        }
        for query in [
            sqlx::query(RELEASE_RECORD)
                .bind(version.kind)
                .bind(&version.key),
            sqlx::query(RELEASE_COUNT).bind(version.kind),
        ] {
            query.execute(&mut *self.0).await.map_err(error)?;
        }
        Ok(())
    }

    async fn lock_log(&mut self) -> Result<(), StoreError> {
        let lock = sqlx::query(LOCK).bind(LOG_LOCK);
        lock.execute(&mut *self.0).await.map(drop).map_err(error)
    }

    async fn empty_facts(&mut self, traces: &[Trace]) -> Result<Vec<Vec<u8>>, StoreError> {
        let (one, other): (Vec<Vec<u8>>, Vec<Vec<u8>>) = traces.iter().cloned().unzip();
        sqlx::query_scalar(EMPTY_FACTS)
            .bind(one)
            .bind(other)
            .fetch_all(&mut *self.0)
            .await
            .map_err(error)
    }

    async fn answers(&mut self, facts: &[Vec<u8>]) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        sqlx::query_as(ANSWERS)
            .bind(facts)
            .fetch_all(&mut *self.0)
            .await
            .map_err(error)
    }

    async fn questions(&mut self, any: &[Vec<u8>]) -> Result<Vec<Asked>, StoreError> {
        sqlx::query_as(QUESTIONS)
            .bind(any)
            .fetch_all(&mut *self.0)
            .await
            .map_err(error)
    }

    async fn set_answer(&mut self, decision_id: &str, answer: Vec<u8>) -> Result<(), StoreError> {
        let query = sqlx::query(SET_ANSWER).bind(decision_id).bind(answer);
        let done = query.execute(&mut *self.0).await;
        done.map(drop).map_err(error)
    }

    async fn set_question(
        &mut self,
        decision_id: &str,
        profile: Vec<u8>,
    ) -> Result<(), StoreError> {
        let nothing = blake3::hash(b"");
        let facts: Vec<u8> = sqlx::query_scalar(FACTS)
            .bind(decision_id)
            .fetch_one(&mut *self.0)
            .await
            .map_err(error)?;
        for query in [
            sqlx::query(NO_FACTS).bind(&nothing.as_bytes()[..]),
            sqlx::query(SET_QUESTION)
                .bind(decision_id)
                .bind(profile)
                .bind(&nothing.as_bytes()[..]),
            sqlx::query(PRUNE_CONTENTS).bind(vec![facts]),
        ] {
            query.execute(&mut *self.0).await.map_err(error)?;
        }
        Ok(())
    }
}

fn version((id, kind, key, payload, holds): Version) -> Found {
    Found {
        id,
        kind,
        key,
        payload,
        holds,
    }
}
