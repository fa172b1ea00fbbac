//! Removing decisions that were recorded long ago.
//!
//! A batch takes the lock of those who record decisions, which they share, for itself. Whoever records
//! puts contents first, leaves those that are there already as they are, and then refers to them:
//! without the lock one that he found could go before he does, and the foreign key would refuse what he
//! records. The lock of upkeep comes before, so that a batch never waits for rows that a resealing has
//! changed while everybody who records waits for the batch.
//!
//! Not so safe is an order for a decision that goes: whether it is known is read by the statement that
//! waits for the lock, and so from before it. The foreign key would refuse it, and the next attempt
//! would record the decision anew. But nobody asks for a decision as old as that ([`crate::store::KEPT_AT_LEAST`]),
//! and a round trip more for everybody who records would be a high price.

use sqlx::Connection as _;
use sqlx::postgres::PgConnection;

use super::PostgresStore;
use super::decisions::LOG_LOCK;
use super::errors::store_error;
use super::reseal::{LOCK, UPKEEP_LOCK};
use super::write::PUT_BEGIN;
use crate::store::StoreError;
use crate::store::prune::{ASKERS, Batch, Batches, Counted, Place};

/// Settings of a batch. The first of a run goes through all that the index still holds of what the run
/// before has removed, which takes as long as it does where nothing was vacuumed since. Whoever records
/// waits behind a batch that waits, so that one gives up soon. And plans keep to single rows: a set of
/// all rows of a policy, to find that there is one, would be large.
const PRUNE_SETTINGS: &str = "
SELECT set_config('statement_timeout', '0', TRUE), set_config('lock_timeout', '5s', TRUE),
    set_config('enable_bitmapscan', 'off', TRUE)";

/// From here on others wait.
const PRUNE_LOCK: &str = "
SELECT set_config('statement_timeout', '15s', TRUE), pg_advisory_xact_lock($1)";

/// Counting goes through an index, which takes as long as there is to count.
const PRUNE_COUNT_SETTINGS: &str = "SELECT set_config('statement_timeout', '0', TRUE)";

const PRUNE_POLICY: &str = "
SELECT policy FROM decision WHERE policy < $1 ORDER BY policy DESC, recorded_at DESC LIMIT 1";

const PRUNE_PAGE: &str = "
SELECT decision_id, recorded_at, facts FROM decision
WHERE policy = $1 AND recorded_at >= $2 AND recorded_at < $3
ORDER BY recorded_at
LIMIT $4";

const PRUNE_ORDERS: &str = "
DELETE FROM decision_order
WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM decision_order WHERE decision_id = ANY ($1::TEXT[]) LIMIT $2))";

const PRUNE_CALLERS: &str = "
DELETE FROM decision_caller
WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM decision_caller WHERE decision_id = ANY ($1::TEXT[]) LIMIT $2))";

const PRUNE: &str = "DELETE FROM decision WHERE decision_id = ANY ($1::TEXT[])";

/// Each digest is asked for in both places, as the foreign keys do. Of a policy the newest decision is
/// looked for: the oldest ones have just gone, and the index would be gone through along all that it
/// still holds of them.
pub(super) const PRUNE_CONTENTS: &str = "
DELETE FROM content
WHERE digest = ANY ($1::BYTEA[])
    AND (SELECT TRUE FROM decision WHERE decision.facts = content.digest LIMIT 1) IS NULL
    AND (SELECT TRUE FROM decision WHERE decision.policy = content.digest
        ORDER BY decision.recorded_at DESC LIMIT 1) IS NULL";

const PRUNE_COUNT: &str = "
SELECT count(*), min(recorded_at), max(recorded_at) FROM decision
WHERE policy = $1 AND recorded_at >= $2 AND recorded_at < $3";

/// As they are stored, that is compressed.
const PRUNE_SAMPLE: &str = "
SELECT coalesce(sum(pg_column_size(answer) + pg_column_size(profile)), 0)::BIGINT, count(*)
FROM (SELECT answer, profile FROM decision
    WHERE policy = $1 AND recorded_at >= $2 AND recorded_at < $3
    ORDER BY recorded_at
    LIMIT $4) AS oldest";

impl Batches for PostgresStore {
    async fn policy_before(&self, policy: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        sqlx::query_scalar(PRUNE_POLICY)
            .bind(policy)
            .fetch_optional(&self.writer)
            .await
            .map_err(store_error("look for decisions to remove"))
    }

    async fn remove(&self, place: Place<'_>) -> Result<Batch, StoreError> {
        let error = store_error("remove decisions");
        let mut connection = self.writer.acquire().await.map_err(error)?;
        let beginning = connection.begin_with(PUT_BEGIN);
        let mut transaction = beginning.await.map_err(error)?;
        let batch = remove(&mut transaction, place).await.map_err(error)?;
        if batch.crowded {
            transaction.rollback().await.map_err(error)?;
            return Ok(Batch::crowded());
        }
        transaction.commit().await.map_err(error)?;
        Ok(batch)
    }

    async fn count(&self, place: Place<'_>) -> Result<Counted, StoreError> {
        let error = store_error("count decisions to remove");
        let mut transaction = self.writer.begin().await.map_err(error)?;
        let settings = sqlx::query(PRUNE_COUNT_SETTINGS).execute(&mut *transaction);
        settings.await.map_err(error)?;
        let (count, first, last): (i64, Option<i64>, Option<i64>) = sqlx::query_as(PRUNE_COUNT)
            .bind(place.policy)
            .bind(place.from)
            .bind(place.before)
            .fetch_one(&mut *transaction)
            .await
            .map_err(error)?;
        let (octets, rows): (i64, i64) = sqlx::query_as(PRUNE_SAMPLE)
            .bind(place.policy)
            .bind(place.from)
            .bind(place.before)
            .bind(i64::from(place.most))
            .fetch_one(&mut *transaction)
            .await
            .map_err(error)?;
        transaction.rollback().await.map_err(error)?;
        Ok(Counted {
            decisions: count.cast_unsigned(),
            recorded: first.zip(last),
            sample: (octets.cast_unsigned(), rows.cast_unsigned()),
        })
    }
}

async fn remove(connection: &mut PgConnection, place: Place<'_>) -> Result<Batch, sqlx::Error> {
    for statement in [
        sqlx::query(PRUNE_SETTINGS),
        sqlx::query(LOCK).bind(UPKEEP_LOCK),
    ] {
        statement.execute(&mut *connection).await?;
    }
    // Read before the lock: nobody else removes a decision, or changes what is read of it here.
    let page: Vec<(String, i64, Vec<u8>)> = sqlx::query_as(PRUNE_PAGE)
        .bind(place.policy)
        .bind(place.from)
        .bind(place.before)
        .bind(i64::from(place.most))
        .fetch_all(&mut *connection)
        .await?;
    let (Some(first), Some(last)) = (page.first(), page.last()) else {
        return Ok(Batch::default());
    };
    let recorded = Some((first.1, last.1));
    let lock = sqlx::query(PRUNE_LOCK).bind(LOG_LOCK);
    lock.execute(&mut *connection).await?;
    let ids: Vec<&str> = page.iter().map(|(id, ..)| id.as_str()).collect();
    let orders = sqlx::query(PRUNE_ORDERS).bind(&ids).bind(i64::from(ASKERS));
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
    let mut contents: Vec<&[u8]> = page.iter().map(|(.., facts)| facts.as_slice()).collect();
    contents.push(place.policy);
    let gone = sqlx::query(PRUNE_CONTENTS).bind(contents);
    batch.contents = gone.execute(&mut *connection).await?.rows_affected();
    batch.recorded = recorded;
    batch.more = page.len() >= place.most as usize;
    Ok(batch)
}
