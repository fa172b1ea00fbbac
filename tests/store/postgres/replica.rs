//! A read replica: what it answers, and what the primary answers in its place.

use std::time::{Duration, Instant};

use icpgate::store::{Freshness, PostgresOptions, PostgresStore, Store, StoreError};
use icpgate_policy::facts::Revision;
use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Executor as _};

use super::{PostgresDatabase, execute, fresh, options, problem};
use crate::samples::{at, named, new, registration};
use crate::servers::postgres::{Server, Setup};

/// Far beyond what a standby takes to follow.
const PATIENCE: Duration = Duration::from_mins(1);

struct Pair {
    primary: PostgresDatabase,
    replica: Server,
    replica_url: String,
    /// Writes as another process would.
    other: PostgresStore,
    /// Reads where it may.
    store: PostgresStore,
    _server: Server,
}

/// A primary and a standby that follows it, with a store on both.
async fn pair() -> Option<Pair> {
    let server = Server::start(Setup::default()).await?;
    let primary = PostgresDatabase {
        url: server.database().await,
    };
    let other = primary.store().await;
    put(&other, "r0").await;
    let replica = Server::start(Setup {
        primary: Some(server.url()),
        ..Setup::default()
    })
    .await?;
    let (_, database) = primary.url.rsplit_once('/').unwrap();
    let replica_url = replica.url().replace("/postgres", &format!("/{database}"));
    let options = PostgresOptions {
        read_url: Some(replica_url.clone()),
        ..options()
    };
    let store = PostgresStore::open(&primary.url, options).await.unwrap();
    let pair = Pair {
        primary,
        replica,
        replica_url,
        other,
        store,
        _server: server,
    };
    pair.caught_up(Revision(1)).await;
    Some(pair)
}

impl Pair {
    async fn on_replica(&self, sql: &'static str) {
        let mut raw = PgConnection::connect(&self.replica_url).await.unwrap();
        raw.execute(sql).await.unwrap();
    }

    /// Waits until the replica has a revision.
    async fn caught_up(&self, revision: Revision) {
        let started = Instant::now();
        loop {
            let reached = self.store.replica_revision().await.unwrap();
            if reached.is_ok_and(|reached| reached >= revision) {
                break;
            }
            assert!(started.elapsed() < PATIENCE, "the replica does not follow");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn found(&self, freshness: Freshness) -> Revision {
        let found = self.store.find(&[vec![named("a.cn")]], freshness).await;
        let found = found.unwrap();
        assert_eq!(found.sets[0][0].provenance.revision, found.revision);
        found.revision
    }
}

async fn put(store: &dyn Store, registrar: &str) -> Revision {
    let record = new(registration("a.cn", registrar));
    store.put(vec![record], at(0)).await.unwrap().revision
}

#[tokio::test]
async fn a_replica_answers_what_it_may_and_the_primary_the_rest() {
    let Some(pair) = pair().await else { return };
    pair.on_replica("SELECT pg_wal_replay_pause()").await;
    let newest = put(&pair.other, "r1").await;
    assert_eq!(newest, Revision(2));
    assert_eq!(
        pair.found(Freshness::Any).await,
        Revision(1),
        "of the replica, which lags"
    );
    assert_eq!(
        pair.found(Freshness::AtLeast(Revision(1))).await,
        Revision(1)
    );
    assert_eq!(pair.found(Freshness::AtLeast(newest)).await, newest);
    assert_eq!(pair.found(Freshness::Newest).await, newest);
    let ahead = Freshness::AtLeast(Revision(99));
    assert_eq!(pair.found(ahead).await, newest, "for the caller to notice");
    assert_eq!(
        pair.store.touched(Revision(0), 9).await.unwrap().head,
        newest,
        "the log is read from the primary"
    );
    assert_eq!(pair.store.head().await.unwrap(), newest);

    let own = put(&pair.store, "r2").await;
    assert_eq!(
        pair.found(Freshness::Any).await,
        own,
        "whoever wrote reads what was written"
    );
    pair.on_replica("SELECT pg_wal_replay_resume()").await;
    pair.caught_up(own).await;
    assert_eq!(pair.found(Freshness::Any).await, own);
}

#[tokio::test]
async fn a_replica_that_dies_or_freezes_holds_up_nothing_for_long() {
    let Some(pair) = pair().await else { return };
    pair.replica.freeze();
    let newest = put(&pair.other, "r1").await;
    let started = Instant::now();
    for _ in 0..50 {
        assert_eq!(pair.found(Freshness::Any).await, newest);
    }
    // One time-out of a second, and not fifty.
    assert!(started.elapsed() < Duration::from_secs(10));
    pair.replica.thaw();
    pair.replica.kill();
    let newest = put(&pair.other, "r2").await;
    assert_eq!(pair.found(Freshness::Any).await, newest);
    assert!(pair.store.replica_revision().await.unwrap().is_err());
    // A store opens without its replica.
    let options = PostgresOptions {
        read_url: Some(pair.replica_url.clone()),
        ..options()
    };
    let without = PostgresStore::open(&pair.primary.url, options)
        .await
        .unwrap();
    assert_eq!(
        without.find(&[], Freshness::Any).await.unwrap().revision,
        newest
    );
    // And finds it when it is back.
    pair.replica.restart();
    pair.caught_up(newest).await;
    pair.on_replica("SELECT pg_wal_replay_pause()").await;
    put(&pair.other, "r3").await;
    let started = Instant::now();
    while pair.found(Freshness::Any).await != newest {
        assert!(started.elapsed() < PATIENCE, "the replica is not asked");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_database_that_is_no_replica_of_the_store_is_refused_and_never_believed() {
    let (primary, stranger) = (fresh().await, fresh().await);
    put(&stranger.store().await, "of another store").await;
    let with = |url: &str| PostgresOptions {
        read_url: Some(url.to_owned()),
        ..options()
    };
    let error = primary.refusal(with(&stranger.url)).await;
    assert!(problem(error).contains("store.read_url"));

    // Named rightly at first, and another store later.
    let empty = fresh().await;
    let store = PostgresStore::open(&primary.url, with(&empty.url))
        .await
        .unwrap();
    empty.store().await.close().await;
    put(&store, "r0").await;
    put(&empty.store().await, "of another store").await;
    let found = store
        .find(&[vec![named("a.cn")]], Freshness::AtLeast(Revision(1)))
        .await
        .unwrap();
    assert_eq!(found.sets[0][0].value, registration("a.cn", "r0"));
    assert!(matches!(
        store.replica_revision().await,
        Some(Err(StoreError::Unusable { .. }))
    ));
}

#[tokio::test]
async fn health_does_not_wait_for_questions() {
    let database = fresh().await;
    let options = PostgresOptions {
        connections: 2,
        ..options()
    };
    let store = PostgresStore::open(&database.url, options).await.unwrap();
    put(&store, "r0").await;
    let mut raw = database.raw().await;
    execute(
        &mut raw,
        "BEGIN; LOCK TABLE handle IN ACCESS EXCLUSIVE MODE",
    )
    .await;
    let sets = [vec![named("a.cn")]];
    let stuck = futures::future::join_all((0..4).map(|_| store.find(&sets, Freshness::Newest)));
    let healthy = async {
        let waiting = "SELECT count(*) FROM pg_stat_activity
             WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let mut observer = database.raw().await;
        loop {
            let stuck: i64 = sqlx::query_scalar(waiting)
                .fetch_one(&mut observer)
                .await
                .unwrap();
            assert!(stuck <= 2, "no more than were allowed");
            if stuck == 2 {
                break;
            }
        }
        store.ping().await.unwrap();
        store.counts().await.unwrap();
        execute(&mut raw, "ROLLBACK").await;
    };
    let (found, ()) = tokio::join!(stuck, healthy);
    assert!(found.iter().filter(|found| found.is_ok()).count() >= 2);
}
