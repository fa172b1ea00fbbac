//! Servers that die or freeze under the store.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use icpgate::store::{
    Freshness, NewRecord, PostgresOptions, PostgresStore, Store as _, StoreError,
};
use icpgate_policy::facts::Revision;
use sqlx::postgres::PgConnection;

use super::{PostgresDatabase, execute, fresh, options};
use crate::samples::{at, decision, named, new, registration, service};
use crate::servers::postgres::{Server, Setup};

/// Records of an import's batch, enough to go by COPY.
const BATCH: u32 = 600;

/// Times that the server is killed.
const KILLS: usize = 6;

/// What writers were told is written.
#[derive(Default)]
struct Acknowledged {
    revision: AtomicU64,
    /// Batches of decisions, from 1.
    decisions: AtomicU64,
    ended: AtomicBool,
}

/// Waits until the server does something, as its list of what goes on says.
async fn until(observer: &mut PgConnection, doing: &str) {
    let sql = format!(
        "SELECT EXISTS (SELECT 1 FROM pg_stat_activity
         WHERE application_name = 'icpgate' AND state <> 'idle' AND query LIKE '%{doing}%')"
    );
    loop {
        let seen: bool = sqlx::query_scalar(sqlx::AssertSqlSafe(sql.clone()))
            .fetch_one(&mut *observer)
            .await
            .unwrap();
        if seen {
            break;
        }
    }
}

fn batch(round: u64) -> Vec<NewRecord> {
    (0..BATCH)
        .map(|number| {
            let own = format!("r{round}.s{number}.cn");
            new(service(number, &[&own, "all.cn"]))
        })
        .collect()
}

async fn import(store: Arc<PostgresStore>, said: Arc<Acknowledged>, first: u64) {
    for round in first.. {
        match store.put(batch(round), at(0)).await {
            Ok(written) => said.revision.store(written.revision.0, Ordering::SeqCst),
            Err(_) if said.ended.load(Ordering::SeqCst) => break,
            Err(error) => assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}"),
        }
    }
}

async fn decide(store: Arc<PostgresStore>, said: Arc<Acknowledged>) {
    for number in said.decisions.load(Ordering::SeqCst) + 1.. {
        let decisions = (0..10).map(|place| {
            let id = format!("d{number}.{place}");
            decision(&id, Some(&format!("o{number}")), at(0))
        });
        match store.record_decisions(decisions.collect()).await {
            Ok(()) => said.decisions.store(number, Ordering::SeqCst),
            Err(_) => break,
        }
    }
}

/// Nothing acknowledged is lost, and nothing is half there.
async fn check(database: &PostgresDatabase, said: &Acknowledged) {
    let store = database.store().await;
    let head = store.head().await.unwrap();
    let revision = said.revision.load(Ordering::SeqCst);
    assert!(head.0 >= revision, "{head:?} has lost {revision}");

    let mut sizes: BTreeMap<u64, u32> = BTreeMap::new();
    for change in store.changes((Revision(0), None), u32::MAX).await.unwrap() {
        *sizes.entry(change.revision.0).or_default() += 1;
    }
    let whole: BTreeMap<u64, u32> = (1..=head.0).map(|revision| (revision, BATCH)).collect();
    assert_eq!(sizes, whole, "every revision is there, and whole");
    let found = store
        .find(&[vec![named("all.cn")]], Freshness::Newest)
        .await;
    let found = found.unwrap();
    assert_eq!(found.sets[0].len(), BATCH as usize);
    assert!(
        found.sets[0]
            .iter()
            .all(|fact| fact.provenance.revision == head),
        "every record is of the newest batch"
    );
    assert_eq!(store.counts().await.unwrap()[0].1, u64::from(BATCH));
    let (versions, records, handles): (i64, i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM record_version), (SELECT count(*) FROM record),
             (SELECT count(*) FROM handle)",
    )
    .fetch_one(&mut database.raw().await)
    .await
    .unwrap();
    assert_eq!(
        (versions, records, handles),
        (
            i64::from(BATCH) * head.0.cast_signed(),
            i64::from(BATCH),
            2 * i64::from(BATCH)
        )
    );

    // With their contents and orders, as a replay would want them.
    let recorded: Vec<(i64, i64)> = sqlx::query_as(
        "SELECT substring(split_part(decision_id, '.', 1) FROM 2)::BIGINT AS batch, count(*)
         FROM decision
         JOIN content AS facts ON facts.digest = decision.facts
         JOIN content AS policy ON policy.digest = decision.policy
         JOIN decision_order USING (decision_id)
         GROUP BY batch ORDER BY batch",
    )
    .fetch_all(&mut database.raw().await)
    .await
    .unwrap();
    let batches = said.decisions.load(Ordering::SeqCst).cast_signed();
    let whole = |last: i64| (1..=last).map(|batch| (batch, 10)).collect::<Vec<_>>();
    assert!(
        recorded == whole(batches) || recorded == whole(batches + 1),
        "{batches} batches of ten decisions were acknowledged: {recorded:?}"
    );
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behaviour_15_a_killed_server_loses_nothing_acknowledged_and_halves_nothing() {
    let Some(server) = Server::start(Setup::default()).await else {
        return;
    };
    let database = PostgresDatabase {
        url: server.database().await,
    };
    let commits: String = sqlx::query_scalar("SHOW synchronous_commit")
        .fetch_one(&mut database.raw().await)
        .await
        .unwrap();
    assert_eq!(commits, "on", "an acknowledgement means something");
    let said = Arc::new(Acknowledged::default());
    for round in 0..KILLS {
        let store = Arc::new(database.store().await);
        let mut observer = database.raw().await;
        said.ended.store(false, Ordering::SeqCst);
        let seen = said.revision.load(Ordering::SeqCst);
        let mut writers = tokio::task::JoinSet::new();
        writers.spawn(import(
            Arc::clone(&store),
            Arc::clone(&said),
            round as u64 * 1_000,
        ));
        writers.spawn(decide(Arc::clone(&store), Arc::clone(&said)));
        while said.revision.load(Ordering::SeqCst) < seen + 2 {
            tokio::task::yield_now().await;
        }
        // In the middle of one thing or another.
        let doing = [
            "COPY record_version",
            "INSERT INTO decision",
            "UPDATE record SET",
            "COPY handle",
        ];
        until(&mut observer, doing[round % doing.len()]).await;
        said.ended.store(true, Ordering::SeqCst);
        server.kill();
        writers.join_all().await;
        server.restart();
        check(&database, &said).await;
    }
    assert!(
        said.decisions.load(Ordering::SeqCst) > 0,
        "decisions were recorded"
    );
}

#[tokio::test]
async fn a_frozen_server_releases_its_callers() {
    let Some(server) = Server::start(Setup::default()).await else {
        return;
    };
    let database = PostgresDatabase {
        url: server.database().await,
    };
    let store = database.store().await;
    let record = || vec![new(registration("a.cn", "r"))];
    store.put(record(), at(0)).await.unwrap();
    // One question is on its way when the server freezes.
    let mut raw = database.raw().await;
    execute(
        &mut raw,
        "BEGIN; LOCK TABLE handle IN ACCESS EXCLUSIVE MODE",
    )
    .await;
    let sets = [vec![named("a.cn")]];
    let started = Instant::now();
    let under_way = async {
        let found = store.find(&sets, Freshness::Newest).await;
        (found.map(drop), started.elapsed())
    };
    let freezing = async {
        until(&mut database.raw().await, "WITH RECURSIVE").await;
        server.freeze();
        let started = Instant::now();
        let (put, ping, decided) = tokio::join!(
            store.put(record(), at(1)),
            store.ping(),
            store.record_decisions(vec![decision("d", None, at(0))]),
        );
        assert!(
            matches!(put, Err(StoreError::Unavailable { .. })),
            "{put:?}"
        );
        assert!(
            matches!(ping, Err(StoreError::Unavailable { .. })),
            "{ping:?}"
        );
        assert!(
            matches!(decided, Err(StoreError::Unavailable { .. })),
            "{decided:?}"
        );
        // Waiting for a connection that answers takes 2 s.
        assert!(started.elapsed() < Duration::from_secs(20));
    };
    let ((found, took), ()) = tokio::join!(under_way, freezing);
    assert!(
        matches!(found, Err(StoreError::Unavailable { .. })),
        "{found:?}"
    );
    // A question that is under way takes 8 s.
    assert!(took < Duration::from_secs(30), "{took:?}");
    let opening = PostgresStore::open(&database.url, options()).await;
    assert!(
        matches!(opening, Err(StoreError::Unavailable { .. })),
        "{opening:?}"
    );

    server.thaw();
    execute(&mut raw, "ROLLBACK").await;
    let started = Instant::now();
    while store.find(&sets, Freshness::Newest).await.is_err() {
        assert!(
            started.elapsed() < Duration::from_mins(1),
            "it does not recover"
        );
    }
    store.ping().await.unwrap();
    let written = store.put(vec![new(registration("b.cn", "r"))], at(1)).await;
    assert!(written.unwrap().revision >= Revision(2));
}

/// A connection that has rested for a moment only is used without a sign of life from it.
#[tokio::test]
async fn connections_that_were_ended_at_rest_fail_no_call() {
    let database = fresh().await;
    let store = database.store().await;
    let mut raw = database.raw().await;
    let mut end_all = async || {
        let ended: i64 = sqlx::query_scalar(
            "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity
             WHERE datname = current_database() AND application_name = 'icpgate'",
        )
        .fetch_one(&mut raw)
        .await
        .unwrap();
        assert!(ended > 0);
    };
    let sets = [vec![named("a.cn")]];
    for _ in 0..3 {
        let crowd = (0..8).map(|_| store.find(&sets, Freshness::Newest));
        futures::future::try_join_all(crowd).await.unwrap();
        end_all().await;
        store.find(&sets, Freshness::Newest).await.unwrap();
        end_all().await;
        store.head().await.unwrap();
        end_all().await;
        store
            .record_decisions(vec![decision("d", None, at(0))])
            .await
            .unwrap();
    }
}

/// A caller who goes away in the middle leaves his connection to others, and his place.
#[tokio::test]
async fn questions_given_up_leave_their_places() {
    let database = fresh().await;
    let few = PostgresOptions {
        connections: 2,
        ..options()
    };
    let store = PostgresStore::open(&database.url, few).await.unwrap();
    let sets = [vec![named("a.cn")]];
    for turn in 0..200 {
        let question = store.find(&sets, Freshness::Newest);
        let patience = Duration::from_micros(20 * (turn % 40));
        let _ = tokio::time::timeout(patience, question).await;
    }
    let crowd = (0..20).map(|_| store.find(&sets, Freshness::Newest));
    futures::future::try_join_all(crowd).await.unwrap();
    store.close().await;
    let error = store.find(&sets, Freshness::Newest).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
}
