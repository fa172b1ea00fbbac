//! Revisions in commit order, and what would happen without.
//!
//! A follower of the log reads what is beyond the last number that it has seen. It misses nothing
//! only if a number that becomes visible later is never the smaller one.

use std::sync::Arc;

use icpgate::store::{Freshness, Store as _};
use icpgate_policy::facts::Revision;
use sqlx::postgres::PgConnection;

use super::{PostgresDatabase, execute, fresh};
use crate::samples::{at, named, new, registration};

/// Makes every second commit of a revision take long, after its number was handed out: the ones
/// between overtake it if anything lets them.
const SLOW_COMMITS: &str = "
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN PERFORM pg_sleep(0.02 * (NEW.revision % 2)); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON revision DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION slow()";

async fn numbers(follower: &mut PgConnection, after: i64) -> Vec<i64> {
    sqlx::query_scalar("SELECT number FROM written WHERE number > $1 ORDER BY number")
        .bind(after)
        .fetch_all(follower)
        .await
        .unwrap()
}

/// What a follower sees of two writes, of which the second one is done first if it can be.
async fn followed(database: &PostgresDatabase, next_number: &str) -> Vec<i64> {
    let (mut one, mut other) = (database.raw().await, database.raw().await);
    let mut follower = database.raw().await;
    execute(&mut one, "CREATE TABLE written (number BIGINT)").await;
    let write = format!("INSERT INTO written {next_number}");
    execute(&mut one, "BEGIN").await;
    execute(&mut one, &write).await;
    // Given up where it has to wait for the first: then it comes after it.
    execute(&mut other, "SET lock_timeout = '200ms'; BEGIN").await;
    let overtook = sqlx::raw_sql(sqlx::AssertSqlSafe(write.clone()))
        .execute(&mut other)
        .await;
    execute(
        &mut other,
        if overtook.is_ok() {
            "COMMIT"
        } else {
            "ROLLBACK"
        },
    )
    .await;
    let mut seen = numbers(&mut follower, 0).await;
    execute(&mut one, "COMMIT").await;
    if overtook.is_err() {
        execute(&mut other, &write).await;
    }
    seen.extend(numbers(&mut follower, seen.last().copied().unwrap_or(0)).await);
    seen
}

#[tokio::test]
async fn a_sequence_would_lose_a_write_and_the_locked_row_does_not() {
    let database = fresh().await;
    let mut raw = database.raw().await;
    execute(&mut raw, "CREATE SEQUENCE numbers").await;
    let lost = followed(&database, "SELECT nextval('numbers')").await;
    assert_eq!(lost, [2], "the follower has seen 2 and never looks for 1");

    execute(
        &mut raw,
        "DROP TABLE written; CREATE TABLE counter (number BIGINT);
         INSERT INTO counter VALUES (0);
         CREATE FUNCTION next() RETURNS BIGINT LANGUAGE sql
         AS 'UPDATE counter SET number = number + 1 RETURNING number'",
    )
    .await;
    let all = followed(&database, "SELECT next()").await;
    assert_eq!(all, [1, 2], "the second write waits for the first");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_misses_nothing_whoever_commits_slowly() {
    const WRITERS: u32 = 4;
    const PUTS: u32 = 12;
    let database = fresh().await;
    let store = Arc::new(database.store().await);
    execute(&mut database.raw().await, SLOW_COMMITS).await;
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let store = database.store().await;
        writers.spawn(async move {
            for put in 0..PUTS {
                let record = new(registration(&format!("d{put}.w{writer}.cn"), "r"));
                store.put(vec![record], at(0)).await.unwrap();
            }
        });
    }
    let follower = Arc::clone(&store);
    let following = async move {
        let (mut after, mut seen) = (Revision(0), Vec::new());
        while after < Revision(u64::from(WRITERS * PUTS)) {
            let touched = follower.touched(after, 3).await.unwrap();
            let found = follower.find(&[], Freshness::Newest).await.unwrap();
            assert!(found.revision >= touched.head);
            seen.extend(touched.handles);
            after = touched.through;
        }
        seen
    };
    let (seen, _) = tokio::join!(following, writers.join_all());
    let revisions: Vec<u64> = seen.iter().map(|(revision, _)| revision.0).collect();
    assert_eq!(
        revisions,
        (1..=u64::from(WRITERS * PUTS)).collect::<Vec<_>>()
    );
    let mut handles: Vec<_> = seen.into_iter().flat_map(|(_, handles)| handles).collect();
    handles.sort_unstable();
    let mut expected: Vec<_> = (0..WRITERS)
        .flat_map(|writer| (0..PUTS).map(move |put| named(&format!("d{put}.w{writer}.cn"))))
        .collect();
    expected.sort_unstable();
    assert_eq!(handles, expected);
}
