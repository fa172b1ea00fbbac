//! Removing decisions that were recorded long ago.
//!
//! A batch begins as every write does, with the lock of the file: nobody records a decision while it is
//! worked out which contents are referred to no more.

use sqlx::sqlite::SqliteConnection;

use super::SqliteStore;
use crate::store::prune::{ASKERS, Batch, Batches, Counted, Place};
use crate::store::{StoreError, encoding};

const PRUNE_POLICY: &str = "
SELECT policy FROM decision WHERE policy < ?1 ORDER BY policy DESC LIMIT 1";

const PRUNE_PAGE: &str = "
SELECT decision_id, recorded_at, facts FROM decision
WHERE policy = ?1 AND recorded_at >= ?2 AND recorded_at < ?3
ORDER BY recorded_at
LIMIT ?4";

/// Takes a JSON array of identifiers and a limit.
const PRUNE_ORDERS: &str = "
DELETE FROM decision_order
WHERE (decision_id, order_id) IN (
    SELECT decision_order.decision_id, decision_order.order_id
    FROM json_each(?1) AS going
    CROSS JOIN decision_order ON decision_order.decision_id = going.value
    LIMIT ?2)";

/// As [`PRUNE_ORDERS`].
const PRUNE_CALLERS: &str = "
DELETE FROM decision_caller
WHERE (decision_id, caller, order_id) IN (
    SELECT decision_caller.decision_id, decision_caller.caller, decision_caller.order_id
    FROM json_each(?1) AS going
    CROSS JOIN decision_caller ON decision_caller.decision_id = going.value
    LIMIT ?2)";

const PRUNE: &str = "
DELETE FROM decision WHERE decision_id IN (SELECT value FROM json_each(?1))";

/// Takes a JSON array of hexadecimal digests. Each is asked for in both places, as the foreign keys do.
pub(super) const PRUNE_CONTENTS: &str = "
DELETE FROM content
WHERE digest IN (SELECT unhex(value) FROM json_each(?1))
    AND NOT EXISTS (SELECT 1 FROM decision WHERE decision.facts = content.digest)
    AND NOT EXISTS (SELECT 1 FROM decision WHERE decision.policy = content.digest)";

const PRUNE_COUNT: &str = "
SELECT count(*), min(recorded_at), max(recorded_at) FROM decision
WHERE policy = ?1 AND recorded_at >= ?2 AND recorded_at < ?3";

const PRUNE_SAMPLE: &str = "
SELECT coalesce(sum(length(answer) + length(profile)), 0), count(*)
FROM (SELECT answer, profile FROM decision
    WHERE policy = ?1 AND recorded_at >= ?2 AND recorded_at < ?3
    ORDER BY recorded_at
    LIMIT ?4)";

/// For the test of their plans.
#[cfg(test)]
pub(super) const STATEMENTS: [&str; 7] = [
    PRUNE_POLICY,
    PRUNE_PAGE,
    PRUNE_ORDERS,
    PRUNE_CALLERS,
    PRUNE,
    PRUNE_CONTENTS,
    PRUNE_COUNT,
];

impl Batches for SqliteStore {
    async fn policy_before(&self, policy: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        sqlx::query_scalar(PRUNE_POLICY)
            .bind(policy)
            .fetch_optional(&self.readers)
            .await
            .map_err(self.error("look for decisions to remove"))
    }

    async fn remove(&self, place: Place<'_>) -> Result<Batch, StoreError> {
        let error = self.error("remove decisions");
        let beginning = self.writer.begin_with("BEGIN IMMEDIATE");
        let mut transaction = beginning.await.map_err(&error)?;
        let batch = remove(&mut transaction, place).await.map_err(&error)?;
        if batch.crowded {
            transaction.rollback().await.map_err(&error)?;
            return Ok(Batch::crowded());
        }
        transaction.commit().await.map_err(&error)?;
        Ok(batch)
    }

    async fn count(&self, place: Place<'_>) -> Result<Counted, StoreError> {
        let error = self.error("count decisions to remove");
        let (count, first, last): (i64, Option<i64>, Option<i64>) = sqlx::query_as(PRUNE_COUNT)
            .bind(place.policy)
            .bind(place.from)
            .bind(place.before)
            .fetch_one(&self.readers)
            .await
            .map_err(&error)?;
        let (octets, rows): (i64, i64) = sqlx::query_as(PRUNE_SAMPLE)
            .bind(place.policy)
            .bind(place.from)
            .bind(place.before)
            .bind(place.most)
            .fetch_one(&self.readers)
            .await
            .map_err(&error)?;
        Ok(Counted {
            decisions: count.cast_unsigned(),
            recorded: first.zip(last),
            sample: (octets.cast_unsigned(), rows.cast_unsigned()),
        })
    }
}

async fn remove(connection: &mut SqliteConnection, place: Place<'_>) -> Result<Batch, sqlx::Error> {
    let page: Vec<(String, i64, Vec<u8>)> = sqlx::query_as(PRUNE_PAGE)
        .bind(place.policy)
        .bind(place.from)
        .bind(place.before)
        .bind(place.most)
        .fetch_all(&mut *connection)
        .await?;
    let (Some(first), Some(last)) = (page.first(), page.last()) else {
        return Ok(Batch::default());
    };
    let recorded = Some((first.1, last.1));
    let ids: Vec<&str> = page.iter().map(|(id, ..)| id.as_str()).collect();
    let ids = serde_json::to_string(&ids).map_err(|error| sqlx::Error::Encode(error.into()))?;
    let orders = sqlx::query(PRUNE_ORDERS).bind(&ids).bind(ASKERS);
    let orders = orders.execute(&mut *connection).await?.rows_affected();
    let left = u64::from(ASKERS).saturating_sub(orders).cast_signed();
    let callers = sqlx::query(PRUNE_CALLERS).bind(&ids).bind(left);
    let callers = callers.execute(&mut *connection).await?.rows_affected();
    let mut batch = Batch {
        orders,
        callers,
        more: true,
        ..Batch::default()
    };
    if orders + callers >= u64::from(ASKERS) {
        batch.crowded = page.len() > 1;
        return Ok(batch);
    }
    let gone = sqlx::query(PRUNE).bind(&ids);
    batch.decisions = gone.execute(&mut *connection).await?.rows_affected();
    let mut contents = String::from("[\"");
    encoding::push_hex(&mut contents, place.policy);
    for (.., facts) in &page {
        contents.push_str("\",\"");
        encoding::push_hex(&mut contents, facts);
    }
    contents.push_str("\"]");
    let gone = sqlx::query(PRUNE_CONTENTS).bind(contents);
    batch.contents = gone.execute(&mut *connection).await?.rows_affected();
    batch.recorded = recorded;
    batch.more = page.len() >= place.most as usize;
    Ok(batch)
}
