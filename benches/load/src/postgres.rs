//! A PostgreSQL server of the benchmark's own, as an unprivileged user.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};

use crate::process::{Process, command, free_address, program, run};

/// As it comes, but for room, of which its manual gives a server a quarter of the memory: durable
/// commits, and few checkpoints in the midst of an import.
const SETTINGS: [&str; 4] = [
    "max_connections=200",
    "shared_buffers=2GB",
    "max_wal_size=8GB",
    "wal_compression=on",
];

/// User as whom PostgreSQL runs where this process is the superuser, as whom it does not run.
const USER: &str = "postgres";

/// A PostgreSQL server.
#[derive(Debug)]
pub struct Postgres {
    process: Process,
    address: SocketAddr,
}

impl Postgres {
    /// Starts a server with its data in a folder, which is made where it is missing.
    ///
    /// # Errors
    ///
    /// It is not installed or does not start.
    pub async fn start(folder: &Path) -> anyhow::Result<Self> {
        let missing = "`initdb` and `postgres` are missing; Debian: apt-get install postgresql";
        let initdb = program("initdb", &installed()).context(missing)?;
        let postgres = program("postgres", &installed()).context(missing)?;
        let superuser = rustix::process::geteuid().is_root();
        let user = superuser.then_some(USER);
        std::fs::create_dir_all(folder)?;
        let data = folder.join("data");
        if superuser {
            give(folder).await?;
        }
        if !data.join("PG_VERSION").exists() {
            let mut command = command(&initdb, "KILL", user);
            command.current_dir(folder).arg("-D").arg(&data);
            command.args(["-U", "icpgate", "-A", "trust", "-E", "UTF8", "--locale=C"]);
            run(command).await.context("initdb")?;
        }
        let address = free_address().await?;
        // An immediate end: the database mends itself if it is used again.
        let mut command = command(&postgres, "QUIT", user);
        command.arg("-D").arg(&data).arg("-k").arg("");
        command.args(["-h", "127.0.0.1", "-p", &address.port().to_string()]);
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        let mut server = Self {
            process: Process::start(command, folder, "postgres")?,
            address,
        };
        let url = server.url("postgres");
        let connected = async || PgConnection::connect(&url).await.ok();
        let pause = Duration::from_millis(20);
        server.process.until("PostgreSQL", pause, connected).await?;
        Ok(server)
    }

    /// Address of a database.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://icpgate@{}/{database}", self.address)
    }

    /// Makes a database anew, empty or as a copy of another, to which nobody is connected.
    ///
    /// # Errors
    ///
    /// The server refuses it.
    pub async fn create(&self, database: &str, copy_of: Option<&str>) -> anyhow::Result<()> {
        self.remove(database).await?;
        let from = copy_of.map_or_else(String::new, |name| format!(" TEMPLATE {name}"));
        self.execute(&format!("CREATE DATABASE {database}{from}"))
            .await
    }

    /// Removes a database with who is connected to it, if it is there.
    ///
    /// # Errors
    ///
    /// The server refuses it.
    pub async fn remove(&self, database: &str) -> anyhow::Result<()> {
        self.execute(&format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)"))
            .await
    }

    /// Whether a database is there.
    ///
    /// # Errors
    ///
    /// The server does not answer.
    pub async fn has(&self, database: &str) -> anyhow::Result<bool> {
        let mut connection = PgConnection::connect(&self.url("postgres")).await?;
        let found: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_database WHERE datname = $1")
            .bind(database)
            .fetch_one(&mut connection)
            .await?;
        Ok(found > 0)
    }

    /// Ends it in order, with who is connected.
    ///
    /// # Errors
    ///
    /// It does not end.
    pub async fn end(self) -> anyhow::Result<()> {
        self.execute("CHECKPOINT").await?;
        self.process.end(rustix::process::Signal::INT).await
    }

    async fn execute(&self, statement: &str) -> anyhow::Result<()> {
        let mut connection = PgConnection::connect(&self.url("postgres")).await?;
        connection
            .execute(AssertSqlSafe(statement.to_owned()))
            .await?;
        Ok(())
    }
}

/// Folders of Debian's versions, newest first.
fn installed() -> Vec<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib/postgresql");
    let mut versions: Vec<(u32, PathBuf)> = folders
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    versions.sort();
    versions.into_iter().rev().map(|(_, path)| path).collect()
}

/// Gives a folder to the user as whom PostgreSQL runs.
async fn give(folder: &Path) -> anyhow::Result<()> {
    let mut id = tokio::process::Command::new("id");
    id.args(["-u", USER]);
    let id = String::from_utf8(run(id).await.context("the user `postgres`")?)?;
    std::os::unix::fs::chown(folder, Some(id.trim().parse()?), None)?;
    Ok(())
}
