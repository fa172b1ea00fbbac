//! Sealing the whole store under the next key: one transaction.
//!
//! Pages are read by their keys and written before the next is read, so that memory stays bounded;
//! what is not committed yet is in the write-ahead log, which grows by what is rewritten.

use std::collections::HashSet;

use icpgate_policy::identity::Resealer;
use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection as _, Row as _};

use super::SqliteStore;
use super::read::revision;
use super::write::{PUT_HEAD, PUT_REVISION, leads_json};
use crate::store::encoding::Contents;
use crate::store::reseal::{self, Counter, PAGE, SEALED_KINDS};
use crate::store::{Progress, Reseal, Resealed, Stage, StoreError, still_sealed};

/// Writes the file anew, without what was replaced: that stays legible in it else, in the gaps
/// between rows and pages. Then the log beside it, which holds it too, is emptied.
const TIDY: [&str; 2] = ["VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"];

/// Handles of holders are made from digests; the versions that hold have new ones made.
const DROP_HANDLES: &str = "
DELETE FROM handle WHERE value >= x'68' AND value < x'69' OR value >= x'6f' AND value < x'70'";

/// Takes the last version seen, a JSON array of kinds and a limit.
const VERSIONS: &str = "
SELECT version.id, version.kind, version.key, version.payload, record.version AS holding
FROM record_version AS version
LEFT JOIN record ON record.kind = version.kind AND record.key = version.key
WHERE version.id > ?1 AND version.kind IN (SELECT value FROM json_each(?2))
ORDER BY version.id
LIMIT ?3";

const VERSION: &str = "
UPDATE record_version SET key = ?2, shown_key = ?3, leads = ?4, payload = ?5 WHERE id = ?1";

/// Keys of some kinds hold a digest.
const RECORD: &str = "UPDATE record SET key = ?3 WHERE kind = ?1 AND key = ?2";

const HANDLE: &str = "INSERT INTO handle (value, version) VALUES (?1, ?2)";

const POLICIES: &str = "SELECT DISTINCT policy FROM decision";

const CONTENTS: &str = "
SELECT digest, bytes FROM content WHERE digest > ?1 ORDER BY digest LIMIT ?2";

const CONTENT: &str = "UPDATE content SET bytes = ?2 WHERE digest = ?1";

const PROFILES: &str = "
SELECT decision_id, profile FROM decision WHERE decision_id > ?1 ORDER BY decision_id LIMIT ?2";

const PROFILE: &str = "UPDATE decision SET profile = ?2 WHERE decision_id = ?1";

const KEY: &str = "UPDATE setting SET value = ?1 WHERE name = 'key_id'";

impl SqliteStore {
    pub(super) async fn reseal_all(
        &self,
        reseal: Reseal<'_>,
        at: Timestamp,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<Resealed, StoreError> {
        let error = self.error("seal the store anew");
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
            key: reseal.key,
            error: &error,
        };
        let versions = work.versions(progress).await?;
        let decisions = work.decisions(progress).await?;
        for statement in [
            sqlx::query(PUT_REVISION)
                .bind(head + 1)
                .bind(at.as_microsecond())
                .bind(last + 1),
            sqlx::query(KEY).bind(reseal.key_id),
        ] {
            statement.execute(&mut *transaction).await.map_err(&error)?;
        }
        transaction.commit().await.map_err(&error)?;
        self.signs.give();
        self.tidy(&mut connection).await?;
        Ok(Resealed {
            versions,
            decisions,
            revision: revision(head + 1),
        })
    }
}

impl SqliteStore {
    /// Leaves nothing in the file of what was replaced.
    ///
    /// # Errors
    /// What was replaced may still be there; all else is done.
    pub(super) async fn tidy(&self, connection: &mut SqliteConnection) -> Result<(), StoreError> {
        for statement in TIDY {
            let done = sqlx::query(statement).execute(&mut *connection).await;
            done.map_err(self.error("clear the file of what was replaced (the rest is done)"))?;
        }
        Ok(())
    }
}

/// The transaction on its way.
struct Work<'w, E> {
    connection: &'w mut SqliteConnection,
    key: &'w Resealer,
    error: &'w E,
}

impl<E: Fn(sqlx::Error) -> StoreError> Work<'_, E> {
    async fn versions(
        &mut self,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<u64, StoreError> {
        let error = self.error;
        let mut counter = Counter::new(Stage::Records, progress);
        let mut resealed = 0;
        let mut after = 0_i64;
        let kinds = serde_json::to_string(&SEALED_KINDS).unwrap_or_default();
        sqlx::query(DROP_HANDLES)
            .execute(&mut *self.connection)
            .await
            .map_err(error)?;
        loop {
            let page = sqlx::query(VERSIONS)
                .bind(after)
                .bind(&kinds)
                .bind(PAGE)
                .fetch_all(&mut *self.connection)
                .await
                .map_err(error)?;
            for row in &page {
                let id: i64 = row.try_get("id").map_err(error)?;
                let kind: i64 = row.try_get("kind").map_err(error)?;
                let key: &str = row.try_get("key").map_err(error)?;
                let payload: &[u8] = row.try_get("payload").map_err(error)?;
                let holding: Option<i64> = row.try_get("holding").map_err(error)?;
                after = id;
                let Some(contents) = reseal::version(self.key, key, payload)? else {
                    continue;
                };
                resealed += 1;
                self.version(id, kind, key, &contents, holding == Some(id))
                    .await
                    .map_err(error)?;
            }
            if !counter.add(page.len()) {
                return Ok(resealed);
            }
        }
    }

    async fn version(
        &mut self,
        id: i64,
        kind: i64,
        key: &str,
        contents: &Contents,
        holds: bool,
    ) -> Result<(), sqlx::Error> {
        sqlx::query(VERSION)
            .bind(id)
            .bind(&contents.key)
            .bind(&contents.shown_key)
            .bind(leads_json(&contents.leads))
            .bind(&contents.payload)
            .execute(&mut *self.connection)
            .await?;
        if !holds {
            return Ok(());
        }
        if contents.key != key {
            sqlx::query(RECORD)
                .bind(kind)
                .bind(key)
                .bind(&contents.key)
                .execute(&mut *self.connection)
                .await?;
        }
        let handles = contents.handles.iter();
        for handle in handles.filter(|handle| handle.is_of_holder()) {
            sqlx::query(HANDLE)
                .bind(handle.as_bytes())
                .bind(id)
                .execute(&mut *self.connection)
                .await?;
        }
        Ok(())
    }

    /// The identifiers of contents and decisions stay: they were made from what is sealed under the
    /// keys before, and name it for ever.
    async fn decisions(
        &mut self,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<u64, StoreError> {
        let error = self.error;
        let mut counter = Counter::new(Stage::Decisions, progress);
        let mut resealed = 0;
        let policies: Vec<Vec<u8>> = sqlx::query_scalar(POLICIES)
            .fetch_all(&mut *self.connection)
            .await
            .map_err(error)?;
        let policies: HashSet<Vec<u8>> = policies.into_iter().collect();
        let mut after = Vec::new();
        loop {
            let page: Vec<(Vec<u8>, Vec<u8>)> = sqlx::query_as(CONTENTS)
                .bind(&after)
                .bind(PAGE)
                .fetch_all(&mut *self.connection)
                .await
                .map_err(error)?;
            let (length, last) = (page.len(), page.last().map(|(digest, _)| digest.clone()));
            for (digest, bytes) in page {
                if policies.contains(&digest) {
                    continue;
                }
                if let Some(bytes) = reseal::facts(self.key, &bytes)? {
                    resealed += 1;
                    let query = sqlx::query(CONTENT).bind(digest).bind(bytes);
                    query.execute(&mut *self.connection).await.map_err(error)?;
                }
            }
            after = last.unwrap_or_default();
            if !counter.add(length) {
                break;
            }
        }
        let mut after = String::new();
        loop {
            let page: Vec<(String, Vec<u8>)> = sqlx::query_as(PROFILES)
                .bind(&after)
                .bind(PAGE)
                .fetch_all(&mut *self.connection)
                .await
                .map_err(error)?;
            let (length, last) = (page.len(), page.last().map(|(id, _)| id.clone()));
            for (id, bytes) in page {
                if let Some(bytes) = reseal::profile(self.key, &id, &bytes)? {
                    resealed += 1;
                    let query = sqlx::query(PROFILE).bind(id).bind(bytes);
                    query.execute(&mut *self.connection).await.map_err(error)?;
                }
            }
            after = last.unwrap_or_default();
            if !counter.add(length) {
                return Ok(resealed);
            }
        }
    }
}
