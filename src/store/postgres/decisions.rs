//! The decision log: what was answered, and everything that replays it.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Row as _};

use super::PostgresStore;
use super::errors::store_error;
use crate::store::{NewDecision, RecordedDecision, StoreError, encoding, still_sealed};

/// Number of the advisory lock between those who record decisions, who share it, and whoever seals
/// them anew: "icpglog" in ASCII.
pub(super) const LOG_LOCK: i64 = 29_664_206_977_265_511;

/// Takes the lock too, which is held until the transaction ends: what is recorded is seen by whoever
/// gets it next, and whatever he has committed is seen by the statements after this one.
const RECORD_DECISIONS_KNOWN: &str = "
SELECT NULL::TEXT FROM (SELECT pg_advisory_xact_lock_shared($2)) AS held
UNION ALL
SELECT decision_id FROM decision WHERE decision_id = ANY ($1::TEXT[])";

const RECORD_DECISIONS_CONTENT: &str = "
INSERT INTO content (digest, bytes)
SELECT * FROM unnest($1::BYTEA[], $2::BYTEA[])
ON CONFLICT (digest) DO NOTHING";

const RECORD_DECISIONS: &str = "
INSERT INTO decision (decision_id, answer, profile, facts, policy, decided_at, recorded_at)
SELECT * FROM unnest($1::TEXT[], $2::BYTEA[], $3::BYTEA[], $4::BYTEA[], $5::BYTEA[], $6::BIGINT[],
    $7::BIGINT[])
WHERE $8 IS NULL OR $8 = (SELECT value FROM setting WHERE name = 'key_id')
ON CONFLICT (decision_id) DO NOTHING";

const RECORD_DECISIONS_KEY: &str = "SELECT value FROM setting WHERE name = 'key_id'";

const RECORD_DECISIONS_ORDERS: &str = "
INSERT INTO decision_order (decision_id, order_id, recorded_at)
SELECT * FROM unnest($1::TEXT[], $2::TEXT[], $3::BIGINT[])
ON CONFLICT (decision_id, order_id) DO NOTHING";

const RECORD_DECISIONS_CALLERS: &str = "
INSERT INTO decision_caller (decision_id, caller, order_id, recorded_at)
SELECT * FROM unnest($1::TEXT[], $2::TEXT[], $3::TEXT[], $4::BIGINT[])
ON CONFLICT (decision_id, caller, order_id) DO NOTHING";

/// One statement, therefore one snapshot and one round trip.
const DECISION: &str = "
SELECT decision.answer, decision.profile, facts.bytes AS facts, policy.bytes AS policy,
    decision.decided_at,
    ARRAY(SELECT order_id FROM decision_order WHERE decision_id = $1
        ORDER BY recorded_at, order_id) AS orders,
    ARRAY(SELECT recorded_at FROM decision_order WHERE decision_id = $1
        ORDER BY recorded_at, order_id) AS ordered_at,
    ARRAY(SELECT caller FROM decision_caller WHERE decision_id = $1
        ORDER BY recorded_at, caller, order_id) AS callers,
    ARRAY(SELECT order_id FROM decision_caller WHERE decision_id = $1
        ORDER BY recorded_at, caller, order_id) AS caller_orders,
    ARRAY(SELECT recorded_at FROM decision_caller WHERE decision_id = $1
        ORDER BY recorded_at, caller, order_id) AS called_at
FROM decision
JOIN content AS facts ON facts.digest = decision.facts
JOIN content AS policy ON policy.digest = decision.policy
WHERE decision.decision_id = $1";

impl PostgresStore {
    pub(super) async fn write_decisions(
        &self,
        decisions: Vec<NewDecision>,
    ) -> Result<(), StoreError> {
        let error = store_error("record decisions");
        let mut connection = self.main.asked().await.map_err(error)?;
        let mut transaction = connection.begin().await.map_err(error)?;
        let recorded = record(&mut transaction, &decisions, &self.key_id).await;
        still_sealed(&recorded.map_err(error)?, &self.key_id)?;
        transaction.commit().await.map_err(error)?;
        connection.give_back();
        Ok(())
    }

    pub(super) async fn read_decision(
        &self,
        decision_id: &str,
    ) -> Result<Option<RecordedDecision>, StoreError> {
        let error = store_error("read a decision");
        let mut connection = self.main.asked().await.map_err(error)?;
        let query = sqlx::query(DECISION).bind(decision_id);
        let row = query.fetch_optional(&mut *connection).await;
        let row = row.map_err(error)?;
        connection.give_back();
        let Some(row) = row else {
            return Ok(None);
        };
        let orders: Vec<String> = row.try_get("orders").map_err(error)?;
        let ordered_at: Vec<i64> = row.try_get("ordered_at").map_err(error)?;
        let orders: Result<_, StoreError> = orders
            .into_iter()
            .zip(ordered_at)
            .map(|(order_id, at)| {
                let at = encoding::instant("decision_order", decision_id, at)?;
                Ok((order_id, at))
            })
            .collect();
        let callers: Vec<String> = row.try_get("callers").map_err(error)?;
        let caller_orders: Vec<String> = row.try_get("caller_orders").map_err(error)?;
        let called_at: Vec<i64> = row.try_get("called_at").map_err(error)?;
        let callers: Result<_, StoreError> = callers
            .into_iter()
            .zip(caller_orders)
            .zip(called_at)
            .map(|((caller, order_id), at)| {
                encoding::recorded_caller(decision_id, caller, order_id, at)
            })
            .collect();
        let decided_at = row.try_get("decided_at").map_err(error)?;
        Ok(Some(RecordedDecision {
            answer: row.try_get("answer").map_err(error)?,
            profile: row.try_get("profile").map_err(error)?,
            facts: row.try_get("facts").map_err(error)?,
            policy: row.try_get("policy").map_err(error)?,
            decided_at: encoding::instant("decision", decision_id, decided_at)?,
            orders: orders?,
            callers: callers?,
        }))
    }
}

/// Records decisions, one statement a table. Rows go in in the order of their keys, so that two
/// writers who share some wait for each other, and never each for the other. Returns the fingerprint
/// under which the store is sealed; where it is another, nothing more is written.
async fn record(
    connection: &mut PgConnection,
    decisions: &[NewDecision],
    key_id: &str,
) -> Result<String, sqlx::Error> {
    let ids: BTreeSet<&str> = decisions.iter().map(|new| &*new.decision_id).collect();
    let known: Vec<Option<String>> = sqlx::query_scalar(RECORD_DECISIONS_KNOWN)
        .bind(Vec::from_iter(ids))
        .bind(LOG_LOCK)
        .fetch_all(&mut *connection)
        .await?;
    let known: HashSet<&str> = known.iter().flatten().map(String::as_str).collect();
    let mut new: BTreeMap<&str, &NewDecision> = BTreeMap::new();
    let mut contents: BTreeMap<&[u8], &[u8]> = BTreeMap::new();
    let mut orders: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    let mut callers: BTreeMap<(&str, &str, &str), i64> = BTreeMap::new();
    for decision in decisions {
        let id = decision.decision_id.as_str();
        if !known.contains(id) && !new.contains_key(id) {
            new.insert(id, decision);
            for content in [&decision.facts, &decision.policy] {
                contents.insert(&content.digest, &content.bytes);
            }
        }
        let at = decision.recorded_at.as_microsecond();
        if let Some(order_id) = &decision.order_id {
            orders.entry((id, order_id)).or_insert(at);
        }
        if let Some(caller) = &decision.caller {
            let order_id = decision.order_id.as_deref().unwrap_or_default();
            callers.entry((id, caller, order_id)).or_insert(at);
        }
    }
    if !new.is_empty() {
        let (digests, bytes): (Vec<&[u8]>, Vec<&[u8]>) = contents.into_iter().unzip();
        let query = sqlx::query(RECORD_DECISIONS_CONTENT)
            .bind(digests)
            .bind(bytes);
        query.execute(&mut *connection).await?;
        let new = || new.values();
        let sealed = decisions.iter().any(|new| !new.facts.bytes.is_empty());
        let written = sqlx::query(RECORD_DECISIONS)
            .bind(new().map(|new| &*new.decision_id).collect::<Vec<_>>())
            .bind(new().map(|new| &*new.answer).collect::<Vec<_>>())
            .bind(new().map(|new| &*new.profile).collect::<Vec<_>>())
            .bind(new().map(|new| &new.facts.digest[..]).collect::<Vec<_>>())
            .bind(new().map(|new| &new.policy.digest[..]).collect::<Vec<_>>())
            .bind(
                new()
                    .map(|new| new.decided_at.as_microsecond())
                    .collect::<Vec<_>>(),
            )
            .bind(
                new()
                    .map(|new| new.recorded_at.as_microsecond())
                    .collect::<Vec<_>>(),
            )
            .bind(sealed.then_some(key_id))
            .execute(&mut *connection)
            .await?;
        // Either somebody else was faster with all of them, or the key is another one.
        if sealed && written.rows_affected() == 0 {
            let stored: String = sqlx::query_scalar(RECORD_DECISIONS_KEY)
                .fetch_one(&mut *connection)
                .await?;
            if stored != key_id {
                return Ok(stored);
            }
        }
    }
    if !orders.is_empty() {
        sqlx::query(RECORD_DECISIONS_ORDERS)
            .bind(orders.keys().map(|key| key.0).collect::<Vec<_>>())
            .bind(orders.keys().map(|key| key.1).collect::<Vec<_>>())
            .bind(orders.values().copied().collect::<Vec<_>>())
            .execute(&mut *connection)
            .await?;
    }
    if !callers.is_empty() {
        sqlx::query(RECORD_DECISIONS_CALLERS)
            .bind(callers.keys().map(|key| key.0).collect::<Vec<_>>())
            .bind(callers.keys().map(|key| key.1).collect::<Vec<_>>())
            .bind(callers.keys().map(|key| key.2).collect::<Vec<_>>())
            .bind(callers.values().copied().collect::<Vec<_>>())
            .execute(&mut *connection)
            .await?;
    }
    Ok(key_id.to_owned())
}
