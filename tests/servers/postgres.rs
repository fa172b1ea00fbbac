//! A `PostgreSQL` server for the tests of a process: the one of `ICPGATE_TEST_POSTGRES_URL`, or one
//! that is started in a temporary folder and ends with the process.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex};

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};

/// Address of a server to use instead; its user must be able to make databases.
const GIVEN: &str = "ICPGATE_TEST_POSTGRES_URL";

const REMEDY: &str = "install PostgreSQL (Debian: `apt-get install postgresql`), or name a server \
                      in ICPGATE_TEST_POSTGRES_URL whose user may make databases";

/// Makes the server, runs it until the pipe to its own standard input closes, and removes it. The
/// pipe closes however the process of the tests ends. Takes the folder of the programs and a port.
const GUARD: &str = r#"
trap '' INT HUP TERM
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
"$1/initdb" -D "$folder/data" -U icpgate -A trust -E UTF8 --locale=C --no-sync >&2 || exit 1
"$1/postgres" -D "$folder/data" -k "$folder" -h 127.0.0.1 -p "$2" -c fsync=off \
    -c synchronous_commit=off -c full_page_writes=off -c max_connections=500 </dev/null &
server=$!
cat >/dev/null
kill -QUIT "$server"
wait "$server"
"#;

/// What the server writes when it accepts connections.
const READY: &str = "database system is ready to accept connections";

/// Starts for one port that another process took first.
const ATTEMPTS: u32 = 3;

struct Server {
    url: String,
    /// The server ends when this closes.
    _guard: Option<Mutex<ChildStdin>>,
}

static SERVER: LazyLock<Result<Server, String>> = LazyLock::new(start);

static DATABASES: AtomicU32 = AtomicU32::new(0);

/// Makes an empty database; returns its address.
pub(crate) async fn database() -> String {
    let server = match tokio::task::spawn_blocking(|| SERVER.as_ref()).await {
        Ok(Ok(server)) => server,
        Ok(Err(problem)) => panic!("no PostgreSQL server: {problem}; {REMEDY}"),
        Err(panicked) => panic!("{panicked}"),
    };
    let name = format!(
        "icpgate_test_{}_{}",
        std::process::id(),
        DATABASES.fetch_add(1, Ordering::Relaxed)
    );
    let options: PgConnectOptions = server.url.parse().unwrap();
    let mut connection = PgConnection::connect_with(&options).await.unwrap();
    connection
        .execute(AssertSqlSafe(format!("CREATE DATABASE {name}")))
        .await
        .unwrap();
    connection.close().await.unwrap();
    let (address, parameters) = server.url.split_once('?').unwrap_or((&server.url, ""));
    let (address, _) = address.rsplit_once('/').unwrap();
    format!("{address}/{name}?{parameters}")
}

#[expect(
    clippy::disallowed_methods,
    reason = "the tests are told by a variable which server to use"
)]
fn start() -> Result<Server, String> {
    if let Ok(url) = std::env::var(GIVEN) {
        return Ok(Server { url, _guard: None });
    }
    let programs = programs(&std::env::var_os("PATH").unwrap_or_default())
        .ok_or_else(|| "`initdb` is not there".to_owned())?;
    let mut problem = String::new();
    for _ in 0..ATTEMPTS {
        match start_at(&programs) {
            Ok(server) => return Ok(server),
            Err(why) => problem = why,
        }
    }
    Err(problem)
}

/// The folder of `initdb` and `postgres`: one of PATH, or the newest of Debian's.
fn programs(path: &std::ffi::OsStr) -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql");
    let mut versions: Vec<(u32, PathBuf)> = versions
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    versions.sort();
    std::env::split_paths(path)
        .chain(versions.into_iter().rev().map(|(_, folder)| folder))
        .find(|folder| {
            ["initdb", "postgres"]
                .iter()
                .all(|name| folder.join(name).is_file())
        })
}

fn start_at(programs: &std::path::Path) -> Result<Server, String> {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map_err(|error| format!("no free port: {error}"))?
        .port();
    // PostgreSQL does not run as the superuser.
    let mut command = if superuser()? {
        let mut command = Command::new("setpriv");
        command.args([
            "--reuid=postgres",
            "--regid=postgres",
            "--clear-groups",
            "sh",
        ]);
        command
    } else {
        Command::new("sh")
    };
    let mut child = command
        .args(["-c", GUARD, "guard"])
        .arg(programs)
        .arg(port.to_string())
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("it cannot be started: {error}"))?;
    let guard = child.stdin.take().ok_or("no pipe")?;
    let mut log = BufReader::new(child.stderr.take().ok_or("no pipe")?);
    let mut said = String::new();
    loop {
        let start = said.len();
        let read = log.read_line(&mut said);
        if said.get(start..).is_some_and(|line| line.contains(READY)) {
            break;
        }
        // The server has gone where its log ends; while the guard waits it does not.
        if read.is_err() || read.is_ok_and(|length| length == 0) || said.contains("FATAL") {
            return Err(format!("it ended at once:\n{said}"));
        }
    }
    // A full pipe would stop the server.
    std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        while log.read(&mut bytes).is_ok_and(|length| length > 0) {}
        let _ = child.wait();
    });
    Ok(Server {
        url: format!("postgres://icpgate@127.0.0.1:{port}/postgres"),
        _guard: Some(Mutex::new(guard)),
    })
}

fn superuser() -> Result<bool, String> {
    let output = Command::new("id").arg("-u").output();
    let output = output.map_err(|error| format!("`id` cannot be started: {error}"))?;
    Ok(output.stdout.trim_ascii() == b"0")
}
