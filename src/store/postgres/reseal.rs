//! Sealing the whole store under the next key: one transaction.
//!
//! It holds the row of the newest revision from its beginning, as a write does, so that no record is
//! written meanwhile. Decisions are recorded meanwhile: they are gone through twice, the second time,
//! for those that have come since, while nobody may record any.

use std::collections::HashSet;

use icpgate_policy::identity::Resealer;
use jiff::Timestamp;
use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Row as _};

use super::PostgresStore;
use super::decisions::LOG_LOCK;
use super::errors::store_error;
use super::read::revision;
use super::write::{PUT_BEGIN, PUT_KEY, PUT_LOCK, leads_text};
use crate::store::reseal::{self, Counter, PAGE, SEALED_KINDS};
use crate::store::{Progress, Reseal, Resealed, Stage, StoreError, still_sealed};

/// Settings of this transaction alone. It lasts as long as it does; whoever holds up its beginning,
/// such as an import, has time to end.
pub(super) const SETTINGS: &str = "
SELECT set_config('statement_timeout', '0', TRUE),
    set_config('idle_in_transaction_session_timeout', '60s', TRUE),
    set_config('lock_timeout', '60s', TRUE)";

/// Those whose work was seen, so that none is sealed twice.
const DONE: [&str; 2] = [
    "CREATE TEMPORARY TABLE resealed_content (digest BYTEA PRIMARY KEY) ON COMMIT DROP",
    "CREATE TEMPORARY TABLE resealed_decision (decision_id TEXT COLLATE \"C\" PRIMARY KEY)
     ON COMMIT DROP",
];

/// Handles of holders are made from digests; the versions that hold have new ones made.
const DROP_HANDLES: &str = "
DELETE FROM handle
WHERE value >= '\\x68' AND value < '\\x69' OR value >= '\\x6f' AND value < '\\x70'";

/// Takes the last version seen, kinds and a limit.
const VERSIONS: &str = "
SELECT version.id, version.kind::BIGINT AS kind, version.key, version.payload,
    coalesce(record.version = version.id, FALSE) AS holds
FROM record_version AS version
LEFT JOIN record ON record.kind = version.kind AND record.key = version.key
WHERE version.id > $1 AND version.kind::BIGINT = ANY ($2::BIGINT[])
ORDER BY version.id
LIMIT $3";

/// Takes versions with all that is new of them.
const VERSION: &str = "
UPDATE record_version AS version
SET key = entry.key, shown_key = entry.shown_key, leads = entry.leads::BYTEA[],
    payload = entry.payload
FROM unnest($1::BIGINT[], $2::TEXT[], $3::TEXT[], $4::TEXT[], $5::BYTEA[])
    AS entry (id, key, shown_key, leads, payload)
WHERE version.id = entry.id";

/// Keys of some kinds hold a digest. Takes kinds, keys as they were, and keys as they are.
const RECORD: &str = "
UPDATE record SET key = entry.next
FROM unnest($1::BIGINT[], $2::TEXT[], $3::TEXT[]) AS entry (kind, key, next)
WHERE record.kind = entry.kind::SMALLINT AND record.key = entry.key";

const HANDLE: &str = "
INSERT INTO handle (value, version) SELECT * FROM unnest($1::BYTEA[], $2::BIGINT[])";

pub(super) const LOCK: &str = "SELECT pg_advisory_xact_lock($1)";

/// Number of the advisory lock among those who do upkeep, one after the other: "icpgkeep" in ASCII.
/// It is taken first: who waits for it holds up nobody.
pub(super) const UPKEEP_LOCK: i64 = 7_594_036_986_162_537_840;

const POLICIES: &str = "SELECT DISTINCT policy FROM decision";

const CONTENTS: &str = "
SELECT digest, bytes FROM content
WHERE digest > $1
    AND NOT EXISTS (SELECT 1 FROM resealed_content AS done WHERE done.digest = content.digest)
ORDER BY digest
LIMIT $2";

const CONTENTS_DONE: &str = "INSERT INTO resealed_content SELECT unnest($1::BYTEA[])";

const CONTENT: &str = "
UPDATE content SET bytes = entry.bytes
FROM unnest($1::BYTEA[], $2::BYTEA[]) AS entry (digest, bytes)
WHERE content.digest = entry.digest";

const PROFILES: &str = "
SELECT decision_id, profile FROM decision
WHERE decision_id > $1
    AND NOT EXISTS (
        SELECT 1 FROM resealed_decision AS done WHERE done.decision_id = decision.decision_id)
ORDER BY decision_id
LIMIT $2";

const PROFILES_DONE: &str = "INSERT INTO resealed_decision SELECT unnest($1::TEXT[])";

const PROFILE: &str = "
UPDATE decision SET profile = entry.profile
FROM unnest($1::TEXT[], $2::BYTEA[]) AS entry (decision_id, profile)
WHERE decision.decision_id = entry.decision_id";

const KEY: &str = "UPDATE setting SET value = $1 WHERE name = 'key_id'";

/// A revision without a version, and a sign.
pub(super) const EMPTY_REVISION: &str = "
WITH counted AS (
    UPDATE revision_counter SET revision = $1
)
INSERT INTO revision (revision, committed_at, first_version) VALUES ($1, $2, $3)
RETURNING pg_notify('icpgate_changed', '')";

impl PostgresStore {
    pub(super) async fn reseal_all(
        &self,
        reseal: Reseal<'_>,
        at: Timestamp,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<Resealed, StoreError> {
        let error = store_error("seal the store anew");
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
        for statement in DONE.into_iter().chain([DROP_HANDLES]) {
            let query = sqlx::query(statement).execute(&mut *transaction);
            query.await.map_err(error)?;
        }
        let versions = reseal_versions(&mut transaction, reseal.key, progress).await?;
        let mut counter = Counter::new(Stage::Decisions, progress);
        let mut decisions = reseal_log(&mut transaction, reseal.key, &mut counter).await?;
        let lock = sqlx::query(LOCK).bind(LOG_LOCK);
        lock.execute(&mut *transaction).await.map_err(error)?;
        decisions += reseal_log(&mut transaction, reseal.key, &mut counter).await?;
        for statement in [
            sqlx::query(EMPTY_REVISION)
                .bind(head + 1)
                .bind(at.as_microsecond())
                .bind(last + 1),
            sqlx::query(KEY).bind(reseal.key_id),
        ] {
            let executed = statement.execute(&mut *transaction).await;
            executed.map_err(error)?;
        }
        transaction.commit().await.map_err(error)?;
        Ok(Resealed {
            versions,
            decisions,
            revision: revision(head + 1),
        })
    }
}

async fn reseal_versions(
    connection: &mut PgConnection,
    key: &Resealer,
    progress: &(dyn Fn(Progress) + Send + Sync),
) -> Result<u64, StoreError> {
    let error = store_error("seal records anew");
    let mut counter = Counter::new(Stage::Records, progress);
    let mut resealed = 0;
    let mut after = 0_i64;
    loop {
        let page = sqlx::query(VERSIONS)
            .bind(after)
            .bind(SEALED_KINDS)
            .bind(i64::from(PAGE))
            .fetch_all(&mut *connection)
            .await
            .map_err(error)?;
        let mut ids = Vec::with_capacity(page.len());
        let mut contents = Vec::with_capacity(page.len());
        let mut keys: Vec<(i64, &str, usize)> = Vec::new();
        let mut handles: Vec<(Vec<u8>, i64)> = Vec::new();
        for row in &page {
            after = row.try_get("id").map_err(error)?;
            let record_key: &str = row.try_get("key").map_err(error)?;
            let payload = row.try_get("payload").map_err(error)?;
            let Some(new) = reseal::version(key, record_key, payload)? else {
                continue;
            };
            if row.try_get("holds").map_err(error)? {
                if new.key != record_key {
                    let kind = row.try_get("kind").map_err(error)?;
                    keys.push((kind, record_key, contents.len()));
                }
                let of_holders = new.handles.iter().filter(|handle| handle.is_of_holder());
                handles.extend(of_holders.map(|handle| (handle.as_bytes().to_vec(), after)));
            }
            ids.push(after);
            contents.push(new);
        }
        resealed += contents.len() as u64;
        let written = sqlx::query(VERSION)
            .bind(&ids)
            .bind(contents.iter().map(|new| &*new.key).collect::<Vec<_>>())
            .bind(
                contents
                    .iter()
                    .map(|new| new.shown_key.as_deref())
                    .collect::<Vec<_>>(),
            )
            .bind(
                contents
                    .iter()
                    .map(|new| leads_text(&new.leads))
                    .collect::<Vec<_>>(),
            )
            .bind(contents.iter().map(|new| &*new.payload).collect::<Vec<_>>())
            .execute(&mut *connection);
        written.await.map_err(error)?;
        if !keys.is_empty() {
            let next = keys.iter().map(|(_, _, at)| contents.get(*at));
            let next: Vec<&str> = next.flatten().map(|new| &*new.key).collect();
            let query = sqlx::query(RECORD)
                .bind(keys.iter().map(|row| row.0).collect::<Vec<_>>())
                .bind(keys.iter().map(|row| row.1).collect::<Vec<_>>())
                .bind(next);
            query.execute(&mut *connection).await.map_err(error)?;
        }
        if !handles.is_empty() {
            let (values, versions): (Vec<Vec<u8>>, Vec<i64>) = handles.into_iter().unzip();
            let query = sqlx::query(HANDLE).bind(values).bind(versions);
            query.execute(&mut *connection).await.map_err(error)?;
        }
        if !counter.add(page.len()) {
            return Ok(resealed);
        }
    }
}

/// The identifiers of contents and decisions stay: they were made from what is sealed under the keys
/// before, and name it for ever.
async fn reseal_log(
    connection: &mut PgConnection,
    key: &Resealer,
    counter: &mut Counter<'_>,
) -> Result<u64, StoreError> {
    let error = store_error("seal decisions anew");
    let mut resealed = 0;
    let policies: Vec<Vec<u8>> = sqlx::query_scalar(POLICIES)
        .fetch_all(&mut *connection)
        .await
        .map_err(error)?;
    let policies: HashSet<Vec<u8>> = policies.into_iter().collect();
    let mut after = Vec::new();
    loop {
        let page: Vec<(Vec<u8>, Vec<u8>)> = sqlx::query_as(CONTENTS)
            .bind(&after)
            .bind(i64::from(PAGE))
            .fetch_all(&mut *connection)
            .await
            .map_err(error)?;
        let length = page.len();
        let (mut digests, mut changed, mut facts) = (Vec::new(), Vec::new(), Vec::new());
        for (digest, bytes) in page {
            if !policies.contains(&digest)
                && let Some(bytes) = reseal::facts(key, &bytes)?
            {
                changed.push(digest.clone());
                facts.push(bytes);
            }
            digests.push(digest);
        }
        resealed += changed.len() as u64;
        after = digests.last().cloned().unwrap_or_default();
        for query in [
            sqlx::query(CONTENT).bind(changed).bind(facts),
            sqlx::query(CONTENTS_DONE).bind(digests),
        ] {
            query.execute(&mut *connection).await.map_err(error)?;
        }
        if !counter.add(length) {
            break;
        }
    }
    let mut after = String::new();
    loop {
        let page: Vec<(String, Vec<u8>)> = sqlx::query_as(PROFILES)
            .bind(&after)
            .bind(i64::from(PAGE))
            .fetch_all(&mut *connection)
            .await
            .map_err(error)?;
        let length = page.len();
        let (mut ids, mut changed, mut profiles) = (Vec::new(), Vec::new(), Vec::new());
        for (id, bytes) in page {
            if let Some(bytes) = reseal::profile(key, &id, &bytes)? {
                changed.push(id.clone());
                profiles.push(bytes);
            }
            ids.push(id);
        }
        resealed += changed.len() as u64;
        after = ids.last().cloned().unwrap_or_default();
        for query in [
            sqlx::query(PROFILE).bind(changed).bind(profiles),
            sqlx::query(PROFILES_DONE).bind(ids),
        ] {
            query.execute(&mut *connection).await.map_err(error)?;
        }
        if !counter.add(length) {
            return Ok(resealed);
        }
    }
}
