//! Questions and writes read by keys, however many records there are.

use icpgate::store::{
    Freshness, KEPT_AT_LEAST, NewDecision, PostgresStore, Prune, Store as _, Upkeep as _,
};
use icpgate_policy::codes::RecordKind;
use icpgate_policy::facts::Revision;
use sqlx::postgres::PgConnection;

use super::{PostgresDatabase, fresh};
use crate::samples::{
    access, at, content, credit_code, decision, licence, named, new, registration, service, subject,
};

const NUMBERS: u32 = 3_000;

/// Rows of a table that was read from, whole or by an index.
type Reads = (String, i64, i64);

/// Runs something on a store of its own, and returns what was read for it from tables that grow.
/// The server counts when a connection ends.
async fn reads<T>(
    database: &PostgresDatabase,
    what: impl AsyncFnOnce(&PostgresStore) -> T,
) -> Vec<Reads> {
    let mut raw = database.raw().await;
    let store = database.store().await;
    let before = counted(&mut raw).await;
    what(&store).await;
    store.close().await;
    let gone = "SELECT count(*) = 0 FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'icpgate'";
    loop {
        let gone: bool = sqlx::query_scalar(gone).fetch_one(&mut raw).await.unwrap();
        if gone {
            break;
        }
    }
    let after = counted(&mut raw).await;
    before
        .into_iter()
        .zip(after)
        .map(|(before, after)| {
            assert_eq!(before.0, after.0);
            (after.0, after.1 - before.1, after.2 - before.2)
        })
        .collect()
}

async fn counted(raw: &mut PgConnection) -> Vec<Reads> {
    sqlx::query_as(
        "SELECT relname::TEXT, seq_tup_read, coalesce(idx_tup_fetch, 0) FROM pg_stat_user_tables
         WHERE relname IN ('record_version', 'record', 'handle', 'revision', 'content', 'decision',
             'decision_order', 'decision_caller')
         ORDER BY relname",
    )
    .fetch_all(raw)
    .await
    .unwrap()
}

#[tokio::test]
async fn nothing_reads_a_table_that_grows() {
    let database = fresh().await;
    let store = database.store().await;
    for first in (0..NUMBERS).step_by(500) {
        let records = (first..first + 500).flat_map(|number| {
            [
                new(subject(number, number, &[])),
                new(service(number, &[&format!("d{number}.cn")])),
                new(access(number, "we")),
                new(licence(number, credit_code(number))),
                new(registration(&format!("d{number}.cn"), "r")),
            ]
        });
        store.put(records.collect(), at(0)).await.unwrap();
    }
    for number in 0..300 {
        let record = new(registration(&format!("e{number}.cn"), "r"));
        store.put(vec![record], at(0)).await.unwrap();
    }
    let decisions = (0..2_000).map(|number| decision(&format!("d{number}"), Some("o"), at(0)));
    store.record_decisions(decisions.collect()).await.unwrap();
    let old = (0..100).map(|number| NewDecision {
        facts: content(&format!("facts {number}")),
        ..decision(&format!("old{number}"), Some("o"), at(-1))
    });
    store.record_decisions(old.collect()).await.unwrap();
    let head = store.head().await.unwrap();
    store.close().await;

    let few = |what: &str, reads: Vec<Reads>, most: i64| {
        for (table, whole, by_index) in reads {
            assert_eq!(whole, 0, "{what} reads {table} whole");
            assert!(by_index <= most, "{what} reads {by_index} rows of {table}");
        }
    };
    let find = reads(&database, async |store| {
        let found = store.find(&[vec![named("d7.cn")]], Freshness::Newest).await;
        assert_eq!(found.unwrap().sets[0].len(), 5);
    });
    few("find", find.await, 30);
    let changes = reads(&database, async |store| {
        let changes = store.changes((Revision(3), Some(2)), 20).await;
        assert_eq!(changes.unwrap().len(), 20);
    });
    few("changes", changes.await, 60);
    let touched = reads(&database, async |store| {
        let touched = store.touched(Revision(head.0 - 200), 50).await.unwrap();
        assert_eq!(touched.handles.len(), 50);
    });
    few("touched", touched.await, 150);
    let before = reads(&database, async |store| {
        store.revision_before(100).await.unwrap()
    });
    few("revision_before", before.await, 5);
    let history = reads(&database, async |store| {
        store
            .history(RecordKind::Registration, "d7.cn")
            .await
            .unwrap()
    });
    few("history", history.await, 10);
    let answered = reads(&database, async |store| {
        assert!(store.decision("d77").await.unwrap().is_some());
    });
    few("decision", answered.await, 10);
    let recorded = reads(&database, async |store| {
        let decisions = ["d77", "new"].map(|id| decision(id, Some("p"), at(1)));
        store.record_decisions(decisions.to_vec()).await.unwrap();
    });
    few("record_decisions", recorded.await, 20);
    let put = reads(&database, async |store| {
        let record = new(service(7, &["moved.cn"]));
        store.put(vec![record], at(1)).await.unwrap();
    });
    few("put", put.await, 20);
    let bulk = reads(&database, async |store| {
        let records = (0..400).map(|number| new(service(number, &[&format!("f{number}.cn")])));
        let written = store.put(records.collect(), at(2)).await.unwrap();
        assert_eq!(written.accepted, 400);
    });
    few("a put of many", bulk.await, 2_500);
    let pruned = reads(&database, async |store| {
        let now = at(0) + KEPT_AT_LEAST;
        let prune = Prune::before_instant(at(0), now).unwrap();
        let would = store.prunable(prune).await.unwrap();
        let done = store.prune(prune, &|_| {}).await.unwrap();
        assert_eq!((would.decisions, done.decisions), (100, 100));
        assert_eq!((done.orders, done.contents), (100, 100));
    });
    few("prune", pruned.await, 1_000);
    let others = reads(&database, async |store| {
        store.ping().await.unwrap();
        store.counts().await.unwrap();
        store.head().await.unwrap();
    });
    few("health", others.await, 5);
}
