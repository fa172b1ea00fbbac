//! Erasing what is held about a person: one transaction. What goes is worked out by [`erase()`].

use icpgate_policy::records::Handle;
use jiff::Timestamp;
use sqlx::Connection as _;
use sqlx::sqlite::SqliteConnection;

use super::SqliteStore;
use super::prune::PRUNE_CONTENTS;
use super::read::revision;
use super::write::{PUT_HEAD, PUT_REVISION, leads_json};
use crate::store::encoding::{self, Contents};
use crate::store::erase::{Asked, Found, Rows, Trace, erase};
use crate::store::{Erase, Erased, StoreError, still_sealed};

/// Takes a JSON array of hexadecimal values. It looks at every version there is: there is no index
/// by persons.
const HOLDING: &str = "
SELECT version.id, version.kind, version.key, version.payload,
    coalesce(record.version = version.id, FALSE)
FROM record_version AS version
LEFT JOIN record ON record.kind = version.kind AND record.key = version.key
WHERE EXISTS (
    SELECT 1 FROM json_each(?1) AS sought WHERE instr(version.payload, unhex(sought.value)) > 0)";

const VERSIONS: &str = "
WITH RECURSIVE past (version) AS (
    SELECT version FROM record WHERE kind = ?1 AND key = ?2
    UNION ALL
    SELECT later.previous
    FROM past
    CROSS JOIN record_version AS later ON later.id = past.version
    WHERE later.previous IS NOT NULL
)
SELECT found.id, found.kind, found.key, found.payload,
    found.id = (SELECT version FROM record WHERE kind = ?1 AND key = ?2)
FROM past
CROSS JOIN record_version AS found ON found.id = past.version";

const UNDER: &str = "
SELECT found.kind, found.key
FROM handle
CROSS JOIN record_version AS found ON found.id = handle.version
WHERE handle.value = ?1";

/// The name in place of the key is that of no record.
const BLANK: &str = "
UPDATE record_version SET key = 'erased', shown_key = NULL, leads = NULL, payload = ?2
WHERE id = ?1";

const REWRITE: &str = "UPDATE record_version SET leads = ?2, payload = ?3 WHERE id = ?1";

const RELEASE_RECORD: &str = "DELETE FROM record WHERE kind = ?1 AND key = ?2";

const RELEASE_HANDLE: &str = "DELETE FROM handle WHERE value = ?1 AND version = ?2";

const RELEASE_COUNT: &str = "UPDATE sync SET records = records - 1 WHERE kind = ?1";

/// Takes a JSON array of pairs of hexadecimal values.
const EMPTY_FACTS: &str = "
UPDATE content SET bytes = x''
WHERE EXISTS (
    SELECT 1 FROM json_each(?1) AS sought
    WHERE instr(content.bytes, unhex(sought.value ->> 0)) > 0
        AND instr(content.bytes, unhex(sought.value ->> 1)) > 0)
RETURNING digest";

const ANSWERS: &str = "
SELECT decision_id, answer FROM decision
WHERE facts IN (SELECT unhex(value) FROM json_each(?1))";

const QUESTIONS: &str = "
SELECT decision_id, profile, answer FROM decision
WHERE EXISTS (
    SELECT 1 FROM json_each(?1) AS sought WHERE instr(decision.profile, unhex(sought.value)) > 0)";

const SET_ANSWER: &str = "UPDATE decision SET answer = ?2 WHERE decision_id = ?1";

const NO_FACTS: &str = "
INSERT INTO content (digest, bytes) VALUES (?1, x'') ON CONFLICT (digest) DO NOTHING";

const FACTS: &str = "SELECT facts FROM decision WHERE decision_id = ?1";

const SET_QUESTION: &str = "UPDATE decision SET profile = ?2, facts = ?3 WHERE decision_id = ?1";

impl SqliteStore {
    pub(super) async fn erase_traces(
        &self,
        whom: &Erase,
        done: bool,
        at: Timestamp,
    ) -> Result<Erased, StoreError> {
        let error = self.error("erase what is held about a person");
        let mut connection = self.writer.acquire().await.map_err(&error)?;
        let beginning = connection.begin_with("BEGIN IMMEDIATE").await;
        let mut transaction = beginning.map_err(&error)?;
        let (head, last, key_id): (i64, i64, String) = sqlx::query_as(PUT_HEAD)
            .fetch_one(&mut *transaction)
            .await
            .map_err(&error)?;
        still_sealed(&key_id, &self.key_id)?;
        let mut work = Work {
            connection: &mut transaction,
            error: &error,
        };
        let mut erased = erase(&mut work, whom, at).await?;
        if !done {
            transaction.rollback().await.map_err(&error)?;
            return Ok(erased);
        }
        if erased.versions > 0 || erased.decisions > 0 {
            sqlx::query(PUT_REVISION)
                .bind(head + 1)
                .bind(at.as_microsecond())
                .bind(last + 1)
                .execute(&mut *transaction)
                .await
                .map_err(&error)?;
            transaction.commit().await.map_err(&error)?;
            self.signs.give();
            erased.revision = Some(revision(head + 1));
        } else {
            transaction.rollback().await.map_err(&error)?;
        }
        // Where nothing was found too: whoever says it again may do so because this had failed.
        self.tidy(&mut connection).await?;
        Ok(erased)
    }
}

/// The transaction on its way.
struct Work<'w, E> {
    connection: &'w mut SqliteConnection,
    error: &'w E,
}

type Version = (i64, i64, String, Vec<u8>, bool);

impl<E: Fn(sqlx::Error) -> StoreError + Sync> Rows for Work<'_, E> {
    async fn holding(&mut self, any: &[Vec<u8>]) -> Result<Vec<Found>, StoreError> {
        let found: Vec<Version> = sqlx::query_as(HOLDING)
            .bind(json(any))
            .fetch_all(&mut *self.connection)
            .await
            .map_err(self.error)?;
        Ok(found.into_iter().map(version).collect())
    }

    async fn versions(&mut self, kind: i64, key: &str) -> Result<Vec<Found>, StoreError> {
        let found: Vec<Version> = sqlx::query_as(VERSIONS)
            .bind(kind)
            .bind(key)
            .fetch_all(&mut *self.connection)
            .await
            .map_err(self.error)?;
        Ok(found.into_iter().map(version).collect())
    }

    async fn under(&mut self, handle: &Handle) -> Result<Vec<(i64, String)>, StoreError> {
        sqlx::query_as(UNDER)
            .bind(handle.as_bytes())
            .fetch_all(&mut *self.connection)
            .await
            .map_err(self.error)
    }

    async fn blank(&mut self, id: i64) -> Result<(), StoreError> {
        let query = sqlx::query(BLANK).bind(id).bind(encoding::ERASED_RECORD);
        let done = query.execute(&mut *self.connection).await;
        done.map(drop).map_err(self.error)
    }

    async fn rewrite(&mut self, id: i64, contents: &Contents) -> Result<(), StoreError> {
        let query = sqlx::query(REWRITE)
            .bind(id)
            .bind(leads_json(&contents.leads))
            .bind(&contents.payload);
        let done = query.execute(&mut *self.connection).await;
        done.map(drop).map_err(self.error)
    }

    async fn release(&mut self, version: &Found, handles: &[Handle]) -> Result<(), StoreError> {
        for handle in handles {
            let query = sqlx::query(RELEASE_HANDLE)
                .bind(handle.as_bytes())
                .bind(version.id);
            let done = query.execute(&mut *self.connection).await;
            done.map_err(self.error)?;
        }
        for query in [
            sqlx::query(RELEASE_RECORD)
                .bind(version.kind)
                .bind(&version.key),
            sqlx::query(RELEASE_COUNT).bind(version.kind),
        ] {
            let done = query.execute(&mut *self.connection).await;
            done.map_err(self.error)?;
        }
        Ok(())
    }

    async fn lock_log(&mut self) -> Result<(), StoreError> {
        // Whoever writes, writes alone.
        Ok(())
    }

    async fn empty_facts(&mut self, traces: &[Trace]) -> Result<Vec<Vec<u8>>, StoreError> {
        let pairs: Vec<String> = traces
            .iter()
            .map(|(one, other)| json(&[one.clone(), other.clone()]))
            .collect();
        sqlx::query_scalar(EMPTY_FACTS)
            .bind(format!("[{}]", pairs.join(",")))
            .fetch_all(&mut *self.connection)
            .await
            .map_err(self.error)
    }

    async fn answers(&mut self, facts: &[Vec<u8>]) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        sqlx::query_as(ANSWERS)
            .bind(json(facts))
            .fetch_all(&mut *self.connection)
            .await
            .map_err(self.error)
    }

    async fn questions(&mut self, any: &[Vec<u8>]) -> Result<Vec<Asked>, StoreError> {
        sqlx::query_as(QUESTIONS)
            .bind(json(any))
            .fetch_all(&mut *self.connection)
            .await
            .map_err(self.error)
    }

    async fn set_answer(&mut self, decision_id: &str, answer: Vec<u8>) -> Result<(), StoreError> {
        let query = sqlx::query(SET_ANSWER).bind(decision_id).bind(answer);
        let done = query.execute(&mut *self.connection).await;
        done.map(drop).map_err(self.error)
    }

    async fn set_question(
        &mut self,
        decision_id: &str,
        profile: Vec<u8>,
    ) -> Result<(), StoreError> {
        let nothing = blake3::hash(b"");
        let facts: Vec<u8> = sqlx::query_scalar(FACTS)
            .bind(decision_id)
            .fetch_one(&mut *self.connection)
            .await
            .map_err(self.error)?;
        for query in [
            sqlx::query(NO_FACTS).bind(&nothing.as_bytes()[..]),
            sqlx::query(SET_QUESTION)
                .bind(decision_id)
                .bind(profile)
                .bind(&nothing.as_bytes()[..]),
            sqlx::query(PRUNE_CONTENTS).bind(json(&[facts])),
        ] {
            let done = query.execute(&mut *self.connection).await;
            done.map_err(self.error)?;
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

/// Values as a JSON array of hexadecimal texts.
fn json(values: &[Vec<u8>]) -> String {
    let mut json = String::from("[");
    for (place, value) in values.iter().enumerate() {
        json.push_str(if place == 0 { "\"" } else { ",\"" });
        encoding::push_hex(&mut json, value);
        json.push('"');
    }
    json.push(']');
    json
}
