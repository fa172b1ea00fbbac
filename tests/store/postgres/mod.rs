//! The `PostgreSQL` engine: the suite of all engines, and its server.

mod faults;
mod order;
mod plans;
mod replica;
mod tls;
mod upkeep;

use std::sync::Arc;

use async_trait::async_trait;
use icpgate::store::{Freshness, PostgresOptions, PostgresStore, Store, StoreError};
use icpgate_policy::codes::RecordKind;
use icpgate_policy::facts::Revision;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};

use crate::contract::{Engine, Opened, contract_suite};
use crate::samples::{at, called, content, decision, named, new, registration, service};
use crate::servers::postgres::database;

contract_suite!(fresh);

struct PostgresDatabase {
    url: String,
}

impl PostgresDatabase {
    async fn store(&self) -> PostgresStore {
        PostgresStore::open(&self.url, options()).await.unwrap()
    }

    /// A connection of somebody who does not know this program.
    async fn raw(&self) -> PgConnection {
        PgConnection::connect(&self.url).await.unwrap()
    }

    async fn refusal(&self, options: PostgresOptions) -> StoreError {
        PostgresStore::open(&self.url, options)
            .await
            .expect_err("is refused")
    }
}

#[async_trait]
impl Engine for PostgresDatabase {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(self.store().await)
    }

    async fn upkeep(&self, key_id: &str) -> Opened {
        let options = PostgresOptions {
            key_id: key_id.to_owned(),
            ..options()
        };
        Ok(Arc::new(PostgresStore::open(&self.url, options).await?))
    }

    async fn dump(&self) -> Vec<u8> {
        let mut raw = self.raw().await;
        let columns = "SELECT table_name::TEXT, column_name::TEXT, data_type::TEXT
            FROM information_schema.columns WHERE table_schema = 'public'";
        let columns: Vec<(String, String, String)> =
            sqlx::query_as(columns).fetch_all(&mut raw).await.unwrap();
        let mut dump = Vec::new();
        for (table, column, form) in columns {
            let value = match form.as_str() {
                "bytea" => format!("\"{column}\""),
                _ => format!("convert_to(\"{column}\"::TEXT, 'UTF8')"),
            };
            let values = format!("SELECT {value} FROM \"{table}\" WHERE \"{column}\" IS NOT NULL");
            let values: Vec<Vec<u8>> = sqlx::query_scalar(AssertSqlSafe(values))
                .fetch_all(&mut raw)
                .await
                .unwrap();
            for value in values {
                dump.extend(value);
                dump.push(0);
            }
        }
        dump
    }
}

async fn fresh() -> PostgresDatabase {
    PostgresDatabase {
        url: database().await,
    }
}

fn options() -> PostgresOptions {
    PostgresOptions {
        key_id: "5eed".to_owned(),
        ..PostgresOptions::default()
    }
}

async fn execute(connection: &mut PgConnection, sql: &str) {
    connection
        .execute(sqlx::raw_sql(AssertSqlSafe(sql)))
        .await
        .unwrap();
}

fn problem(error: StoreError) -> String {
    let StoreError::Unusable { problem, .. } = error else {
        panic!("{error:?}")
    };
    problem
}

/// Statements that make every insert into a table fail.
fn broken(table: &str, when: &str) -> String {
    format!(
        "CREATE OR REPLACE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql
         AS $$ BEGIN RAISE 'broken'; END $$;
         CREATE TRIGGER broken BEFORE INSERT ON {table} FOR EACH ROW {when}
         EXECUTE FUNCTION broken()"
    )
}

#[tokio::test]
async fn another_key_is_refused() {
    let database = fresh().await;
    database.store().await.close().await;
    let options = PostgresOptions {
        key_id: "0ther".to_owned(),
        ..options()
    };
    assert!(matches!(
        database.refusal(options).await,
        StoreError::KeyChanged { stored, configured } if stored == "5eed" && configured == "0ther"
    ));
    database.store().await.ping().await.unwrap();
}

#[tokio::test]
async fn pending_migrations_are_refused_where_they_may_not_run() {
    let database = fresh().await;
    let waiting = PostgresOptions {
        migrate: false,
        ..options()
    };
    let error = database.refusal(waiting.clone()).await;
    assert!(
        matches!(error, StoreError::MigrationsPending { pending: 13 }),
        "{error:?}"
    );
    let mut raw = database.raw().await;
    let tables: i64 =
        sqlx::query_scalar("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
            .fetch_one(&mut raw)
            .await
            .unwrap();
    assert_eq!(tables, 0, "no table is made");

    database.store().await.close().await;
    PostgresStore::open(&database.url, waiting.clone())
        .await
        .unwrap()
        .close()
        .await;
    execute(&mut raw, "DROP INDEX decision_policy").await;
    execute(&mut raw, "DELETE FROM _sqlx_migrations WHERE version = 13").await;
    assert!(matches!(
        database.refusal(waiting).await,
        StoreError::MigrationsPending { pending: 1 }
    ));
    let store = database.store().await;
    store
        .put(vec![new(registration("a.cn", "r"))], at(0))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_newer_store_is_refused() {
    let database = fresh().await;
    database.store().await.close().await;
    let mut raw = database.raw().await;
    execute(
        &mut raw,
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (15, 'later', TRUE, '', 0)",
    )
    .await;
    execute(&mut raw, "DELETE FROM setting WHERE name = 'oldest_form'").await;
    let error = database.refusal(options()).await;
    assert!(
        matches!(error, StoreError::TooNew { found: 15 }),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_newer_form_that_lets_this_version_work_is_worked_on() {
    let database = fresh().await;
    let before = database.store().await;
    let mut raw = database.raw().await;
    // A newer version has added a column and a table, beside a process of this version.
    for sql in [
        "ALTER TABLE decision ADD COLUMN later TEXT",
        "CREATE TABLE later (a TEXT)",
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (14, 'later', TRUE, '', 0)",
    ] {
        execute(&mut raw, sql).await;
    }
    let works = async |store: &PostgresStore, id: &str| {
        store
            .record_decisions(vec![called(id, "shop", None, at(0))])
            .await
            .unwrap();
    };
    works(&before, "a").await;
    before.close().await;
    let after = database.store().await;
    works(&after, "b").await;
    after.close().await;
    // What the newer version says of itself stays as it is.
    execute(
        &mut raw,
        "UPDATE setting SET value = '14' WHERE name = 'oldest_form'",
    )
    .await;
    let error = database.refusal(options()).await;
    assert!(
        matches!(error, StoreError::TooNew { found: 14 }),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_migration_that_was_altered_is_refused() {
    let database = fresh().await;
    database.store().await.close().await;
    execute(
        &mut database.raw().await,
        "UPDATE _sqlx_migrations SET checksum = '' WHERE version = 3",
    )
    .await;
    let problem = problem(database.refusal(options()).await);
    assert!(problem.contains("migration 3"), "{problem}");
}

#[tokio::test]
async fn a_database_of_another_program_is_refused_and_left_alone() {
    let database = fresh().await;
    let mut raw = database.raw().await;
    execute(&mut raw, "CREATE TABLE bookmark (url TEXT)").await;
    let problem = problem(database.refusal(options()).await);
    assert!(problem.contains("another program"), "{problem}");
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT tablename::TEXT FROM pg_tables WHERE schemaname = 'public'")
            .fetch_all(&mut raw)
            .await
            .unwrap();
    assert_eq!(tables, ["bookmark"]);
}

#[tokio::test]
async fn what_is_not_there_is_refused_with_its_remedy_and_without_the_password() {
    let database = fresh().await;
    let (server, _) = database.url.rsplit_once('/').unwrap();
    let server = server.replace("icpgate@", "icpgate:hunter2@");
    let missing = format!("{server}/no_such_database");
    let refused = PostgresStore::open(&missing, options()).await.unwrap_err();
    let told = format!("{refused} {refused:?}");
    assert!(
        told.contains("createdb") && !told.contains("hunter2"),
        "{told}"
    );

    let nobody = server.replace("icpgate:", "nobody:") + "/postgres";
    let refused = PostgresStore::open(&nobody, options()).await.unwrap_err();
    assert!(problem(refused).contains("check user and password"));
}

#[tokio::test]
async fn verification_is_not_skipped_where_it_is_asked_for() {
    let database = fresh().await;
    for mode in ["verify-full", "verify-ca", "require"] {
        let url = format!("{}&sslmode={mode}", database.url);
        let refused = PostgresStore::open(&url, options()).await.unwrap_err();
        assert!(problem(refused).contains("sslmode"), "{mode}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let url = format!("postgres://icpgate:hunter2@127.0.0.1:{port}/x");
    let error = PostgresStore::open(&url, options()).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("hunter2"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_database_may_be_opened_by_many_at_once() {
    let database = fresh().await;
    let mut opening = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let url = database.url.clone();
        opening.spawn(async move { PostgresStore::open(&url, options()).await.map(drop) });
    }
    for opened in opening.join_all().await {
        opened.unwrap();
    }
}

#[tokio::test]
async fn a_user_who_may_not_make_tables_serves_a_migrated_store() {
    let database = fresh().await;
    database.store().await.close().await;
    let role = format!(
        "{}_user",
        database.url.rsplit_once('/').unwrap().1.replace('?', "")
    );
    let mut raw = database.raw().await;
    execute(
        &mut raw,
        &format!(
            "CREATE ROLE {role} LOGIN; REVOKE CREATE ON SCHEMA public FROM public;
             GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}"
        ),
    )
    .await;
    let url = format!("{}&user={role}", database.url);
    let store = PostgresStore::open(&url, options()).await.unwrap();
    store
        .put(vec![new(registration("a.cn", "r"))], at(0))
        .await
        .unwrap();
    store.close().await;
    execute(&mut raw, &format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
}

#[tokio::test]
async fn a_failing_put_leaves_nothing() {
    let database = fresh().await;
    let store = database.store().await;
    store
        .put(vec![new(service(1, &["a.cn"]))], at(0))
        .await
        .unwrap();
    let sets = [vec![named("a.cn"), named("b.cn")]];
    let before = store.find(&sets, Freshness::Newest).await.unwrap();
    let mut raw = database.raw().await;
    for table in ["record_version", "record", "handle", "sync", "revision"] {
        execute(&mut raw, &broken(table, "")).await;
        let records = vec![new(registration("b.cn", "r")), new(service(1, &["b.cn"]))];
        let error = store.put(records, at(1)).await.unwrap_err();
        assert!(
            matches!(error, StoreError::Failed { .. }),
            "{table}: {error:?}"
        );
        assert_eq!(store.head().await.unwrap(), Revision(1), "{table}");
        let after = store.find(&sets, Freshness::Newest).await.unwrap();
        assert_eq!(after.sets, before.sets, "{table}");
        assert_eq!(after.synced_at, before.synced_at, "{table}");
        let changes = store.changes((Revision(1), None), 9).await.unwrap();
        assert_eq!(changes, [], "{table}");
        execute(&mut raw, &format!("DROP TRIGGER broken ON {table}")).await;
    }
    let written = store
        .put(vec![new(registration("b.cn", "r"))], at(1))
        .await
        .unwrap();
    assert_eq!(written.revision, Revision(2));
}

#[tokio::test]
async fn a_failing_decision_leaves_none_of_its_batch() {
    let database = fresh().await;
    let store = database.store().await;
    let when = "WHEN (NEW.decision_id = 'd2')";
    execute(&mut database.raw().await, &broken("decision", when)).await;
    let batch = ["d1", "d2"].map(|id| decision(id, Some("o"), at(0)));
    store.record_decisions(batch.to_vec()).await.unwrap_err();
    assert_eq!(store.decision("d1").await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn decisions_of_many_writers_do_not_wait_for_each_other_in_a_ring() {
    let database = fresh().await;
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..6 {
        let store = database.store().await;
        writers.spawn(async move {
            for round in 0..20 {
                let mut batch: Vec<_> = (0..10)
                    .map(|number| {
                        let id = format!("d{round}-{number}");
                        let mut decision = decision(&id, Some("o"), at(0));
                        decision.facts = content(&format!("facts {round}-{number}"));
                        decision
                    })
                    .collect();
                if writer % 2 == 0 {
                    batch.reverse();
                }
                store.record_decisions(batch).await.unwrap();
            }
        });
    }
    writers.join_all().await;
    let store = database.store().await;
    assert_eq!(
        store.decision("d7-3").await.unwrap().unwrap().orders.len(),
        1
    );
}

#[tokio::test]
async fn a_content_is_kept_once() {
    let database = fresh().await;
    let store = database.store().await;
    for number in 0..20 {
        let decision = decision(&format!("d{number}"), None, at(0));
        store
            .record_decisions(vec![decision.clone(), decision])
            .await
            .unwrap();
    }
    // Known already, so its facts are not kept either.
    let mut again = decision("d1", None, at(0));
    again.facts = content("facts that nobody needs");
    store.record_decisions(vec![again]).await.unwrap();
    let contents: i64 = sqlx::query_scalar("SELECT count(*) FROM content")
        .fetch_one(&mut database.raw().await)
        .await
        .unwrap();
    assert_eq!(contents, 2);
}

#[tokio::test]
async fn a_row_of_unknown_form_is_an_error_and_not_an_absence() {
    let database = fresh().await;
    let store = database.store().await;
    store
        .put(vec![new(registration("a.cn", "r"))], at(0))
        .await
        .unwrap();
    execute(
        &mut database.raw().await,
        r"UPDATE record_version SET payload = '\xff00'",
    )
    .await;
    let is_inconsistent = |error: &StoreError| {
        matches!(
            error,
            StoreError::Inconsistent { table: "record_version", key, .. } if key == "a.cn"
        )
    };
    let error = store
        .find(&[vec![named("a.cn")]], Freshness::Newest)
        .await
        .unwrap_err();
    assert!(is_inconsistent(&error), "{error:?}");
    let error = store
        .history(RecordKind::Registration, "a.cn")
        .await
        .unwrap_err();
    assert!(is_inconsistent(&error), "{error:?}");
    let error = store
        .put(vec![new(registration("a.cn", "s"))], at(1))
        .await
        .unwrap_err();
    assert!(is_inconsistent(&error), "{error:?}");
    assert_eq!(store.head().await.unwrap(), Revision(1));
}

#[tokio::test]
async fn connections_that_the_server_ends_are_replaced() {
    let database = fresh().await;
    let store = database.store().await;
    store
        .put(vec![new(registration("a.cn", "r"))], at(0))
        .await
        .unwrap();
    let mut raw = database.raw().await;
    // Holds the writer up, so that its connection is ended in the middle of a write.
    execute(&mut raw, "BEGIN").await;
    execute(&mut raw, "SELECT * FROM revision_counter FOR UPDATE").await;
    let mut writing = Box::pin(store.put(vec![new(registration("a.cn", "s"))], at(1)));
    let mut observer = database.raw().await;
    let waiting = async {
        loop {
            let waits: bool = sqlx::query_scalar(
                "SELECT EXISTS (SELECT 1 FROM pg_stat_activity
                 WHERE datname = current_database() AND wait_event_type = 'Lock')",
            )
            .fetch_one(&mut observer)
            .await
            .unwrap();
            if waits {
                break;
            }
        }
        // Readers and the health check do not wait for a writer.
        let found = store
            .find(&[vec![named("a.cn")]], Freshness::Newest)
            .await
            .unwrap();
        assert_eq!(found.revision, Revision(1));
        store.ping().await.unwrap();
        let ended: i64 = sqlx::query_scalar(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
             WHERE datname = current_database() AND application_name = 'icpgate'",
        )
        .fetch_one(&mut observer)
        .await
        .unwrap();
        assert!(ended >= 3, "{ended}");
    };
    let (written, ()) = tokio::join!(&mut writing, waiting);
    assert!(
        matches!(written, Err(StoreError::Unavailable { .. })),
        "{written:?}"
    );
    execute(&mut raw, "ROLLBACK").await;
    assert_eq!(store.head().await.unwrap(), Revision(1));
    store.ping().await.unwrap();
    let written = store
        .put(vec![new(registration("a.cn", "s"))], at(1))
        .await
        .unwrap();
    assert_eq!(written.revision, Revision(2), "nothing was half there");
}

#[tokio::test]
async fn a_sign_tells_of_its_revision() {
    let database = fresh().await;
    let store = database.store().await;
    assert_eq!(store.changed().await.unwrap(), None, "the line is new");
    let few = vec![new(registration("a.cn", "r"))];
    store.put(few, at(0)).await.unwrap();
    assert_eq!(store.changed().await.unwrap(), Some(Revision(1)));
    let many = (0..3_000).map(|number| new(registration(&format!("d{number}.cn"), "r")));
    store.put(many.collect(), at(0)).await.unwrap();
    assert_eq!(store.changed().await.unwrap(), Some(Revision(2)));
}

#[tokio::test]
async fn a_lost_line_is_told_and_made_anew() {
    let database = fresh().await;
    let store = database.store().await;
    store.changed().await.unwrap();
    let mut raw = database.raw().await;
    let ended: i64 = sqlx::query_scalar(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
         WHERE datname = current_database() AND query LIKE 'LISTEN%'",
    )
    .fetch_one(&mut raw)
    .await
    .unwrap();
    assert_eq!(ended, 1, "one connection listens");
    let error = store.changed().await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    store.changed().await.expect("the new line is a sign");
    let (signed, _) = tokio::join!(
        store.changed(),
        store.put(vec![new(registration("a.cn", "r"))], at(0))
    );
    signed.unwrap();
}

#[tokio::test]
async fn a_store_that_nobody_follows_listens_to_nothing() {
    let database = fresh().await;
    let store = database.store().await;
    store
        .put(vec![new(registration("a.cn", "r"))], at(0))
        .await
        .unwrap();
    let listening: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM pg_stat_activity
         WHERE datname = current_database() AND query LIKE 'LISTEN%'",
    )
    .fetch_one(&mut database.raw().await)
    .await
    .unwrap();
    assert_eq!(listening, 0);
}
