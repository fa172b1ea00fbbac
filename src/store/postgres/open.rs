//! Opening a store: its connections, its migrations and its key.
//!
//! **Invariant:** a database that is not a store of this program is left exactly as it was.

use std::sync::LazyLock;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use sqlx::migrate::{AppliedMigration, Migrate, MigrateError, Migration, MigrationType, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::{Connection as _, PgPool, SqlSafeStr as _};

use super::connections::Connections;
use super::errors::{open_error, unusable};
use super::line::Line;
use super::replica::Replica;
use super::{PostgresOptions, PostgresStore};
use crate::store::form::{OLDEST_FORM, may_work};
use crate::store::{Store as _, StoreError};
use crate::telemetry::metrics::label::Pool;

/// Time for which a caller waits for a connection.
const ACQUIRE: Duration = Duration::from_secs(2);

/// Time for which opening waits for the server.
const CONNECT: Duration = Duration::from_secs(5);

/// Settings of every connection. Time-outs, so that a lost client holds nothing for long: a
/// transaction that stands still would keep every writer waiting. Of the planner: every statement
/// reads by keys through an index, whatever the statistics of an hour ago say, so plans are made
/// once, and never with a scan or a hash of a whole table.
const SETTINGS: [(&str, &str); 7] = [
    ("lock_timeout", "15s"),
    ("idle_in_transaction_session_timeout", "10s"),
    ("jit", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("enable_seqscan", "off"),
    ("plan_cache_mode", "force_generic_plan"),
];

/// Time after which the server ends a statement of a question.
const READ_STATEMENT: &str = "5s";

/// As [`READ_STATEMENT`], of a write.
const WRITE_STATEMENT: &str = "20s";

/// Settings of the connection that migrates: the statements may take long, and another process
/// may be at it.
const MIGRATE_SETTINGS: [(&str, &str); 2] = [("statement_timeout", "0"), ("lock_timeout", "60s")];

/// Number of the advisory lock under which schemas are migrated: "icpgate" in ASCII.
const OPEN_LOCK: &str = "SELECT pg_advisory_xact_lock(29663969279505509)";

/// Whether the schema has tables, whether it has the table of the migrations, and whether it is
/// one of this program. Views and the like of extensions do not count.
const OPEN_TABLES: &str = "
SELECT count(*) > 0, coalesce(bool_or(tablename = '_sqlx_migrations'), FALSE),
    coalesce(bool_or(tablename = 'revision_counter'), FALSE)
FROM pg_tables WHERE schemaname = current_schema()";

const OPEN_KEY: &str = "SELECT value FROM setting WHERE name = 'key_id'";

const OPEN_STORE: &str = "SELECT store::TEXT FROM revision_counter";

const OPEN_SET_KEY: &str = "INSERT INTO setting (name, value) VALUES ('key_id', $1)";

const OPEN_OLDEST: &str = "SELECT value FROM setting WHERE name = 'oldest_form'";

const OPEN_SET_OLDEST: &str = "
INSERT INTO setting (name, value) VALUES ('oldest_form', $1)
ON CONFLICT (name) DO UPDATE SET value = excluded.value";

/// Migrations in their order, with the numbers of those for SQLite. A file is never edited after
/// a release.
const MIGRATIONS: [(i64, &str, &str); 13] = [
    (
        1,
        "setting",
        include_str!("../../../migrations/postgres/0001_setting.sql"),
    ),
    (
        2,
        "revision",
        include_str!("../../../migrations/postgres/0002_revision.sql"),
    ),
    (
        3,
        "record_version",
        include_str!("../../../migrations/postgres/0003_record_version.sql"),
    ),
    (
        4,
        "record",
        include_str!("../../../migrations/postgres/0004_record.sql"),
    ),
    (
        5,
        "handle",
        include_str!("../../../migrations/postgres/0005_handle.sql"),
    ),
    (
        6,
        "sync",
        include_str!("../../../migrations/postgres/0006_sync.sql"),
    ),
    (
        7,
        "content",
        include_str!("../../../migrations/postgres/0007_content.sql"),
    ),
    (
        8,
        "decision",
        include_str!("../../../migrations/postgres/0008_decision.sql"),
    ),
    (
        9,
        "decision_order",
        include_str!("../../../migrations/postgres/0009_decision_order.sql"),
    ),
    (
        10,
        "decision_caller",
        include_str!("../../../migrations/postgres/0010_decision_caller.sql"),
    ),
    (
        11,
        "source_sync",
        include_str!("../../../migrations/postgres/0011_source_sync.sql"),
    ),
    (
        12,
        "decision_facts",
        include_str!("../../../migrations/postgres/0012_decision_facts.sql"),
    ),
    (
        13,
        "decision_policy",
        include_str!("../../../migrations/postgres/0013_decision_policy.sql"),
    ),
];

/// Parameters of an address that the driver knows; settings as `options[name]` besides.
const PARAMETERS: [&str; 18] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "ssl-ca",
    "ssl-cert",
    "ssl-key",
    "ssl-mode",
    "ssl-root-cert",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "statement-cache-capacity",
    "user",
];

/// Those of them that name files.
const FILES: [&str; 7] = [
    "ssl-ca",
    "ssl-cert",
    "ssl-key",
    "ssl-root-cert",
    "sslcert",
    "sslkey",
    "sslrootcert",
];

/// Table in which sqlx keeps what it has applied.
const MIGRATION_TABLE: &str = "_sqlx_migrations";

static MIGRATOR: LazyLock<Migrator> = LazyLock::new(|| {
    let migrations = MIGRATIONS.iter().map(|&(number, name, sql)| {
        Migration::new(
            number,
            name.into(),
            MigrationType::Simple,
            sql.into_sql_str(),
            false,
        )
    });
    let mut migrator = Migrator::with_migrations(migrations.collect());
    // The transaction around it holds a lock.
    migrator.set_locking(false);
    migrator
});

pub(super) async fn open(
    url: &str,
    options: &PostgresOptions,
) -> Result<PostgresStore, StoreError> {
    let connect = parse("postgres://…", url)?;
    let replica = options.read_url.as_deref();
    let replica = replica.map(|url| parse("postgres://… (the read replica)", url));
    let replica = replica.transpose()?;
    let place = place(&connect);
    let store = prepare(&place, &connect, options).await?;

    let connect = connect.options(SETTINGS);
    let reading = connect
        .clone()
        .options([("statement_timeout", READ_STATEMENT)]);
    let writing = connect
        .clone()
        .options([("statement_timeout", WRITE_STATEMENT)]);
    // Made when it is wanted: a replica that is down keeps nothing from starting.
    let replica = replica.map(|connect| {
        let connect = connect
            .options(SETTINGS)
            .options([("statement_timeout", READ_STATEMENT)]);
        let pool = sized(options.connections).connect_lazy_with(connect);
        Replica::new(Connections::new(pool, Pool::Replica))
    });
    let listening = sized(2).max_lifetime(None).idle_timeout(None);
    let store = PostgresStore {
        main: Connections::new(
            pool(&place, options.connections, reading.clone()).await?,
            Pool::Main,
        ),
        writer: pool(&place, 1, writing).await?,
        service: pool(&place, 1, reading).await?,
        line: Line::new(listening.connect_lazy_with(connect)),
        replica,
        store,
        key_id: options.key_id.as_str().into(),
        written: AtomicU64::new(0),
    };
    // What answers and is another store was named by mistake. What does not answer may be on its
    // way, and is told when the first question finds it so.
    match store.replica_revision().await {
        Some(Err(error @ StoreError::Unusable { .. })) => {
            store.close().await;
            Err(error)
        }
        Some(_) | None => Ok(store),
    }
}

/// Reads an address; `place` stands for it in errors, because it may hold a password.
fn parse(place: &str, url: &str) -> Result<PgConnectOptions, StoreError> {
    let named = known_parameters(place, url)?;
    // The error of the parser may quote the address.
    let connect: PgConnectOptions = url.parse().map_err(|_| {
        unusable(
            place,
            "it is not the address of a PostgreSQL server; write \
             `postgres://user:password@host:port/database?sslmode=verify-full`",
        )
    })?;
    Ok(if named {
        connect
    } else {
        connect.application_name("icpgate")
    })
}

/// Refuses parameters that the driver does not know: it would leave them out, a misspelt
/// `sslmode` too, and write them to the log with their values. Returns whether the address names
/// the application.
fn known_parameters(place: &str, url: &str) -> Result<bool, StoreError> {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let query = query.split_once('#').map_or(query, |(query, _)| query);
    let mut named = false;
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let is_setting = name.starts_with("options[") && name.ends_with(']');
        if !is_setting && !PARAMETERS.contains(&&*name) {
            // What is no name may be a part of a password with a question mark in it.
            let is_name = |name: &str| {
                let plain = |octet: u8| octet.is_ascii_lowercase() || b"_-".contains(&octet);
                name.len() <= 32 && name.bytes().all(plain) && query.contains(&format!("{name}="))
            };
            let which = if is_name(&name) {
                format!("the parameter `{name}`")
            } else {
                "something behind its question mark".to_owned()
            };
            return Err(unusable(
                place,
                format!(
                    "{which} is not known here; give sslmode, sslrootcert, sslcert, sslkey, \
                     options, or host, port, user, password and dbname, and write a question mark \
                     in a password as %3F"
                ),
            ));
        }
        named |= name == "application_name";
        if FILES.contains(&&*name) {
            // Else it would look like a server that is not there.
            std::fs::File::open(&*value).map_err(|error| {
                unusable(
                    place,
                    format!("the file of `{name}` cannot be read: {error}"),
                )
            })?;
        }
    }
    Ok(named)
}

/// What may be shown of an address.
fn place(connect: &PgConnectOptions) -> String {
    let database = connect.get_database().unwrap_or(connect.get_username());
    match connect.get_socket() {
        Some(socket) => format!("{}: {database}", socket.display()),
        None => format!(
            "postgres://{}:{}/{database}",
            connect.get_host(),
            connect.get_port()
        ),
    }
}

async fn pool(
    place: &str,
    connections: u32,
    options: PgConnectOptions,
) -> Result<PgPool, StoreError> {
    sized(connections)
        .min_connections(1)
        .connect_with(options)
        .await
        .map_err(open_error(place, "open the store"))
}

fn sized(connections: u32) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE)
        // A connection whose reader went away is tried before it is used again. The pool itself
        // would wait without end for one that went silent, and its place would be lost.
        .after_release(|connection, _| {
            Box::pin(async move {
                match tokio::time::timeout(ACQUIRE, connection.ping()).await {
                    Ok(Ok(())) => Ok(true),
                    Ok(Err(error)) => Err(error),
                    Err(late) => Err(sqlx::Error::Io(late.into())),
                }
            })
        })
}

/// Brings the schema up to date and checks the key; returns what tells the store from others. One
/// transaction under a lock, so that of two processes that start at once one finds the work of the
/// other.
async fn prepare(
    place: &str,
    connect: &PgConnectOptions,
    options: &PostgresOptions,
) -> Result<String, StoreError> {
    let error = open_error(place, "prepare the store");
    let connect = connect.clone().options(MIGRATE_SETTINGS);
    let connecting = PgConnection::connect_with(&connect);
    let mut connection = tokio::time::timeout(CONNECT, connecting)
        .await
        .map_err(|elapsed| StoreError::Unavailable {
            action: "reach the server of the store",
            source: sqlx::Error::Io(elapsed.into()),
        })?
        .map_err(error)?;
    let mut transaction = connection.begin().await.map_err(error)?;
    sqlx::query(OPEN_LOCK)
        .execute(&mut *transaction)
        .await
        .map_err(error)?;
    migrate(place, &mut transaction, options.migrate).await?;
    let stored: Option<String> = sqlx::query_scalar(OPEN_KEY)
        .fetch_optional(&mut *transaction)
        .await
        .map_err(error)?;
    match stored {
        Some(stored) if stored != options.key_id => {
            return Err(StoreError::KeyChanged {
                stored,
                configured: options.key_id.clone(),
            });
        }
        Some(_) => {}
        None => {
            sqlx::query(OPEN_SET_KEY)
                .bind(&options.key_id)
                .execute(&mut *transaction)
                .await
                .map_err(error)?;
        }
    }
    let store = sqlx::query_scalar(OPEN_STORE)
        .fetch_one(&mut *transaction)
        .await
        .map_err(error)?;
    transaction.commit().await.map_err(error)?;
    connection.close().await.map_err(error)?;
    Ok(store)
}

/// Runs what is pending. Where nothing is, it only reads: the user of a server that is migrated
/// by another user need not have the right to make tables.
async fn migrate(
    place: &str,
    connection: &mut PgConnection,
    allowed: bool,
) -> Result<(), StoreError> {
    let error = |source| migrate_error(place, source);
    let (tables, migrated, ours): (bool, bool, bool) = sqlx::query_as(OPEN_TABLES)
        .fetch_one(&mut *connection)
        .await
        .map_err(open_error(place, "look at the tables"))?;
    if tables && !ours {
        return Err(unusable(
            place,
            "its schema holds tables of another program; name an empty database, or an empty \
             schema with `options=-csearch_path%3DSCHEMA`",
        ));
    }
    let applied: Vec<AppliedMigration> = if migrated {
        connection
            .list_applied_migrations(MIGRATION_TABLE)
            .await
            .map_err(error)?
    } else {
        Vec::new()
    };
    let newest = |numbers: &mut dyn Iterator<Item = i64>| numbers.max().unwrap_or(0);
    let found = newest(&mut applied.iter().map(|migration| migration.version));
    let known = newest(&mut MIGRATOR.iter().map(|migration| migration.version));
    if found > known {
        let oldest: Option<String> = sqlx::query_scalar(OPEN_OLDEST)
            .fetch_optional(&mut *connection)
            .await
            .map_err(open_error(place, "read the form of the store"))?;
        if !may_work(known, found, oldest.as_deref()) {
            return Err(StoreError::TooNew { found });
        }
    }
    let mut pending = 0;
    for known in MIGRATOR.iter() {
        match applied.iter().find(|one| one.version == known.version) {
            Some(one) if one.checksum != known.checksum => {
                return Err(error(MigrateError::VersionMismatch(known.version)));
            }
            Some(_) => {}
            None => pending += 1,
        }
    }
    if pending == 0 {
        return Ok(());
    }
    if !allowed {
        return Err(StoreError::MigrationsPending { pending });
    }
    MIGRATOR
        .run_direct(None, &mut *connection, false)
        .await
        .map_err(error)?;
    sqlx::query(OPEN_SET_OLDEST)
        .bind(OLDEST_FORM.to_string())
        .execute(connection)
        .await
        .map(|_| ())
        .map_err(open_error(place, "mark the store"))
}

fn migrate_error(place: &str, error: MigrateError) -> StoreError {
    if let MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _) = error {
        return open_error(place, "migrate the store")(source);
    }
    unusable(
        place,
        format!("{error}; restore the database from a backup"),
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn names(engine: &str) -> Vec<String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
        let mut files: Vec<String> = std::fs::read_dir(folder.join(engine))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        files
    }

    #[test]
    fn migrations_are_those_of_the_folder_and_of_sqlite() {
        let known: Vec<String> = MIGRATIONS
            .iter()
            .map(|(number, name, _)| format!("{number:04}_{name}.sql"))
            .collect();
        assert_eq!(names("postgres"), known);
        assert_eq!(names("sqlite"), known);
    }

    #[tokio::test]
    async fn an_unknown_parameter_is_named_without_its_value() {
        let url = "postgres://db/x?sslmode=verify-full&sslrotcert=/etc/hunter2.pem";
        let error = open(url, &PostgresOptions::default()).await.unwrap_err();
        let told = error.to_string();
        assert!(told.contains("`sslrotcert` is not known"), "{told}");
        assert!(!told.contains("hunter2"), "{told}");
        for known in [
            "postgres://db/x?sslmode=verify-full&options=-c%20a%3Db&user=u",
            "postgres://db/x?options[search_path]=a&options%5Bjit%5D=on",
        ] {
            assert!(!known_parameters("", known).unwrap(), "{known}");
        }
        assert!(known_parameters("", "postgres://db/x?application_name=a").unwrap());
    }

    #[test]
    fn the_password_is_not_part_of_the_place() {
        let connect: PgConnectOptions = "postgres://icp:hunter2@db:5433/records".parse().unwrap();
        assert_eq!(place(&connect), "postgres://db:5433/records");
    }

    #[tokio::test]
    async fn what_is_no_address_is_refused_without_being_shown() {
        let options = PostgresOptions::default();
        for url in [
            "postgres://icp:hunter2@db:port/x",
            "postgres://icp:hunter2@db/x?sslmode=hunter2",
            "postgres://icp:12?hunter2@db/x",
            "postgres://icp:12?hunter2=@db/x",
            "postgres://icp@db/x?pasword=hunter2",
        ] {
            let error = open(url, &options).await.unwrap_err();
            assert!(matches!(error, StoreError::Unusable { .. }), "{error:?}");
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        }
    }
}
