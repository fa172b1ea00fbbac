//! A `PostgreSQL` server that a test has to itself: it is frozen and killed. Tests that only lose
//! the way to the server share one, through proxies.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::str::FromStr as _;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};
use tempfile::TempDir;

use super::redis::free_port;
use super::servers::gate::{Process, Signal, send, until};

const REMEDY: &str = "install PostgreSQL (Debian: `apt-get install postgresql`)";

/// A running server with an empty database.
pub(crate) struct Database {
    _folder: TempDir,
    port: u16,
    process: Process,
}

impl Database {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // The server may run as another user.
        let all = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(folder.path(), all).unwrap();
        let data = folder.path().join("data");
        let made = program("initdb")
            .arg("-D")
            .arg(&data)
            .args(["-U", "icpgate", "-A", "trust", "-E", "UTF8", "--locale=C"])
            .arg("--no-sync")
            .output()
            .unwrap_or_else(|error| panic!("`initdb` does not start: {error}; {REMEDY}"));
        let told = String::from_utf8_lossy(&made.stderr);
        assert!(made.status.success(), "{told}; {REMEDY}");
        let port = free_port();
        // What was committed is in the hands of the system when it is told: kill -9 loses nothing.
        let process = serve(&data, port);
        let database = Self {
            _folder: folder,
            port,
            process,
        };
        database.connect().await;
        database
    }

    pub(crate) fn url(&self) -> String {
        format!("postgres://icpgate@127.0.0.1:{}/postgres", self.port)
    }

    /// A connection past every proxy; waits until the server takes it.
    pub(crate) async fn connect(&self) -> PgConnection {
        connect(&self.url()).await
    }

    /// Stops or continues the server with all of its processes.
    pub(crate) fn signal(&self, signal: Signal) {
        let own = self.process.id();
        let mut all = vec![own];
        all.extend(children(own));
        // Some of them may have ended since.
        send(signal, &all);
    }

    /// Kills one of its processes that work for the product, which it answers by throwing out
    /// everybody and recovering from its log.
    pub(crate) async fn crash(&self) {
        let mut connection = self.connect().await;
        let victim: i32 = sqlx::query_scalar(
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'icpgate' LIMIT 1",
        )
        .fetch_one(&mut connection)
        .await
        .unwrap();
        assert!(send(Signal::Kill, &[victim.unsigned_abs()]));
        // Thrown out as well.
        until("the database has noticed", async || {
            connection.execute("SELECT 1").await.err()
        })
        .await;
        self.connect().await;
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.signal(Signal::Continue);
    }
}

/// A connection of the test's own; waits until the server takes it.
pub(crate) async fn connect(url: &str) -> PgConnection {
    let options: PgConnectOptions = url.parse().unwrap();
    until("the database takes a connection", async || {
        PgConnection::connect_with(&options).await.ok()
    })
    .await
}

/// Where the server of a URL listens.
pub(crate) async fn place(url: &str) -> SocketAddr {
    let options = PgConnectOptions::from_str(url).unwrap();
    let (host, port) = (options.get_host().to_owned(), options.get_port());
    let mut found = tokio::net::lookup_host((host.as_str(), port))
        .await
        .unwrap();
    found.next().expect("the server has an address")
}

/// The URL as it reads through a proxy.
pub(crate) fn through(url: &str, proxy: SocketAddr) -> String {
    let options = PgConnectOptions::from_str(url).unwrap();
    let options = options.host(&proxy.ip().to_string()).port(proxy.port());
    options.to_url_lossy().to_string()
}

fn serve(data: &Path, port: u16) -> Process {
    let mut command = program("postgres");
    command
        .arg("-D")
        .arg(data)
        .arg("-k")
        .arg(data)
        .args(["-h", &Ipv4Addr::LOCALHOST.to_string()])
        .args(["-p", &port.to_string(), "-c", "fsync=off"])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    Process::start(&mut command)
}

/// A program of the server, run as a user whom the server takes.
fn program(name: &str) -> Command {
    let folders = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let mut found: Vec<PathBuf> = folders
        .flatten()
        .map(|folder| folder.path().join("bin").join(name))
        .filter(|program| program.is_file())
        .collect();
    found.sort();
    let program = found.pop().unwrap_or_else(|| name.into());
    let superuser = Command::new("id").arg("-u").output().unwrap();
    let mut command = if superuser.stdout.trim_ascii() == b"0" {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
        command.arg(program);
        command
    } else {
        Command::new(program)
    };
    command.current_dir("/").stdin(Stdio::null());
    command
}

/// Processes that a process started.
fn children(parent: u32) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|entry| {
            let id = entry.file_name().to_str()?.parse().ok()?;
            let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
            // Behind the name in brackets: the state, then the parent.
            let (_, rest) = stat.rsplit_once(") ")?;
            let of: u32 = rest.split(' ').nth(1)?.parse().ok()?;
            (of == parent).then_some(id)
        })
        .collect()
}
