//! The decision log: what was answered, and everything that replays it.

use std::collections::HashSet;

use jiff::Timestamp;
use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;

use super::SqliteStore;
use crate::store::{Content, NewDecision, RecordedDecision, StoreError, encoding, still_sealed};

const RECORD_DECISIONS_KNOWN: &str =
    "SELECT EXISTS (SELECT 1 FROM decision WHERE decision_id = ?1)";

const RECORD_DECISIONS_KEY: &str = "SELECT value FROM setting WHERE name = 'key_id'";

const RECORD_DECISIONS_CONTENT: &str = "
INSERT INTO content (digest, bytes) VALUES (?1, ?2) ON CONFLICT (digest) DO NOTHING";

const RECORD_DECISIONS: &str = "
INSERT INTO decision (decision_id, answer, profile, facts, policy, decided_at, recorded_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

const RECORD_DECISIONS_ORDER: &str = "
INSERT INTO decision_order (decision_id, order_id, recorded_at) VALUES (?1, ?2, ?3)
ON CONFLICT (decision_id, order_id) DO NOTHING";

const RECORD_DECISIONS_CALLER: &str = "
INSERT INTO decision_caller (decision_id, caller, order_id, recorded_at) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (decision_id, caller, order_id) DO NOTHING";

const DECISION: &str = "
SELECT decision.answer, decision.profile, facts.bytes AS facts, policy.bytes AS policy,
    decision.decided_at
FROM decision
CROSS JOIN content AS facts ON facts.digest = decision.facts
CROSS JOIN content AS policy ON policy.digest = decision.policy
WHERE decision.decision_id = ?1";

const DECISION_ORDERS: &str = "
SELECT order_id, recorded_at FROM decision_order WHERE decision_id = ?1
ORDER BY recorded_at, order_id";

const DECISION_CALLERS: &str = "
SELECT caller, order_id, recorded_at FROM decision_caller WHERE decision_id = ?1
ORDER BY recorded_at, caller, order_id";

/// For the test of their plans.
#[cfg(test)]
pub(super) const STATEMENTS: [&str; 9] = [
    RECORD_DECISIONS_KEY,
    RECORD_DECISIONS_KNOWN,
    RECORD_DECISIONS_CONTENT,
    RECORD_DECISIONS,
    RECORD_DECISIONS_ORDER,
    RECORD_DECISIONS_CALLER,
    DECISION,
    DECISION_ORDERS,
    DECISION_CALLERS,
];

impl SqliteStore {
    pub(super) async fn write_decisions(
        &self,
        decisions: Vec<NewDecision>,
    ) -> Result<(), StoreError> {
        let error = self.error("record decisions");
        let mut transaction = self
            .writer
            .begin_with("BEGIN IMMEDIATE")
            .await
            .map_err(&error)?;
        let key_id: String = sqlx::query_scalar(RECORD_DECISIONS_KEY)
            .fetch_one(&mut *transaction)
            .await
            .map_err(&error)?;
        if decisions.iter().any(|new| !new.facts.bytes.is_empty()) {
            still_sealed(&key_id, &self.key_id)?;
        }
        let mut contents = HashSet::new();
        for decision in &decisions {
            record(&mut transaction, decision, &mut contents)
                .await
                .map_err(&error)?;
        }
        transaction.commit().await.map_err(&error)
    }

    pub(super) async fn read_decision(
        &self,
        decision_id: &str,
    ) -> Result<Option<RecordedDecision>, StoreError> {
        let error = self.error("read a decision");
        let mut snapshot = self.readers.begin().await.map_err(&error)?;
        let query = sqlx::query(DECISION).bind(decision_id);
        let Some(row) = query.fetch_optional(&mut *snapshot).await.map_err(&error)? else {
            return Ok(None);
        };
        let orders: Vec<(String, i64)> = sqlx::query_as(DECISION_ORDERS)
            .bind(decision_id)
            .fetch_all(&mut *snapshot)
            .await
            .map_err(&error)?;
        let orders: Result<Vec<(String, Timestamp)>, StoreError> = orders
            .into_iter()
            .map(|(order_id, at)| {
                Ok((
                    order_id,
                    encoding::instant("decision_order", decision_id, at)?,
                ))
            })
            .collect();
        let callers: Vec<(String, String, i64)> = sqlx::query_as(DECISION_CALLERS)
            .bind(decision_id)
            .fetch_all(&mut *snapshot)
            .await
            .map_err(&error)?;
        let callers: Result<_, StoreError> = callers
            .into_iter()
            .map(|(caller, order_id, at)| {
                encoding::recorded_caller(decision_id, caller, order_id, at)
            })
            .collect();
        let decided_at = row.try_get("decided_at").map_err(&error)?;
        Ok(Some(RecordedDecision {
            answer: row.try_get("answer").map_err(&error)?,
            profile: row.try_get("profile").map_err(&error)?,
            facts: row.try_get("facts").map_err(&error)?,
            policy: row.try_get("policy").map_err(&error)?,
            decided_at: encoding::instant("decision", decision_id, decided_at)?,
            orders: orders?,
            callers: callers?,
        }))
    }
}

/// Records one decision. `contents` are the digests that this transaction has written.
async fn record(
    connection: &mut SqliteConnection,
    decision: &NewDecision,
    contents: &mut HashSet<[u8; 32]>,
) -> Result<(), sqlx::Error> {
    let recorded_at = decision.recorded_at.as_microsecond();
    let known: bool = sqlx::query_scalar(RECORD_DECISIONS_KNOWN)
        .bind(&decision.decision_id)
        .fetch_one(&mut *connection)
        .await?;
    if !known {
        for Content { digest, bytes } in [&decision.facts, &decision.policy] {
            if contents.insert(*digest) {
                let query = sqlx::query(RECORD_DECISIONS_CONTENT)
                    .bind(&digest[..])
                    .bind(&**bytes);
                query.execute(&mut *connection).await?;
            }
        }
        sqlx::query(RECORD_DECISIONS)
            .bind(&decision.decision_id)
            .bind(&decision.answer)
            .bind(&decision.profile)
            .bind(&decision.facts.digest[..])
            .bind(&decision.policy.digest[..])
            .bind(decision.decided_at.as_microsecond())
            .bind(recorded_at)
            .execute(&mut *connection)
            .await?;
    }
    if let Some(order_id) = &decision.order_id {
        sqlx::query(RECORD_DECISIONS_ORDER)
            .bind(&decision.decision_id)
            .bind(order_id)
            .bind(recorded_at)
            .execute(&mut *connection)
            .await?;
    }
    if let Some(caller) = &decision.caller {
        sqlx::query(RECORD_DECISIONS_CALLER)
            .bind(&decision.decision_id)
            .bind(caller)
            .bind(decision.order_id.as_deref().unwrap_or_default())
            .bind(recorded_at)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}
