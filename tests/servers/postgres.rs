//! `PostgreSQL` servers for tests: one that the tests of a process share, and servers of their own
//! for tests that freeze, kill or encrypt one. They end with the process of the tests.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};

/// Address of a server to share instead; its user must be able to make databases.
const GIVEN: &str = "ICPGATE_TEST_POSTGRES_URL";

const REMEDY: &str = "install PostgreSQL (Debian: `apt-get install postgresql`), or name a server \
                      in ICPGATE_TEST_POSTGRES_URL whose user may make databases";

/// Makes a server, runs it, does to it what its own standard input says, and removes it when that
/// closes, which it does however the process of the tests ends. Takes the folder of the programs, a
/// port, the address of a primary to copy or an empty text, and settings of the server.
///
/// A server that is killed is killed whole: a process of it that outlived the others might still
/// commit something. It is stopped first, so that it makes no process meanwhile.
const GUARD: &str = r#"
trap '' INT HUP TERM
umask 077
programs=$1 port=$2 primary=$3
shift 3
folder=$(mktemp -d) || exit 1
processes() {
    echo "$server"
    grep -ls "^PPid:[[:space:]]*$server\$" /proc/[0-9]*/status | cut -d / -f 3
}
signal() {
    kill "-$1" $(processes) 2>/dev/null
}
end() {
    if [ -n "$server" ]; then
        kill -STOP "$server"
        signal KILL
        wait "$server"
        server=
    fi
}
run() {
    "$programs/postgres" -D "$folder/data" -k "$folder" -h 127.0.0.1 -p "$port" "$@" </dev/null >&2 &
    server=$!
}
trap 'rm -rf "$folder"' EXIT
if [ -n "$primary" ]; then
    "$programs/pg_basebackup" -d "$primary" -D "$folder/data" -R -X stream -c fast >&2 || exit 1
else
    "$programs/initdb" -D "$folder/data" -U icpgate -A trust -E UTF8 --locale=C --no-sync >&2 || exit 1
fi
if [ -n "$ICPGATE_TEST_TLS_CERTIFICATE" ]; then
    printf '%s' "$ICPGATE_TEST_TLS_CERTIFICATE" >"$folder/data/server.crt"
    printf '%s' "$ICPGATE_TEST_TLS_KEY" >"$folder/data/server.key"
fi
run "$@"
while read -r what; do
    case $what in
        freeze) signal STOP ;;
        thaw) signal CONT ;;
        kill) end ;;
        start) run "$@" ;;
    esac
    echo "guard: $what" >&2
done
end
"#;

/// Settings of every server: nothing here is to survive a crash of the machine. A crash of the
/// processes loses nothing by it.
const SETTINGS: [&str; 3] = ["fsync=off", "full_page_writes=off", "max_connections=500"];

/// Setting of the shared server, which nobody kills.
const UNKILLED: &str = "synchronous_commit=off";

/// Starts for one port that another process took first.
const ATTEMPTS: u32 = 3;

/// Far beyond what a server takes to do what it is told.
const PATIENCE: Duration = Duration::from_mins(1);

/// What a server is to be like.
#[derive(Clone, Debug, Default)]
pub(crate) struct Setup {
    /// Settings, each as `name=value`.
    pub(crate) settings: Vec<String>,
    /// The server that it is a replica of.
    pub(crate) primary: Option<String>,
    /// Certificate and key in PEM, for encrypted connections.
    pub(crate) identity: Option<(String, String)>,
}

/// A server of one test.
pub(crate) struct Server {
    port: u16,
    commands: Mutex<ChildStdin>,
    said: Mutex<Receiver<Said>>,
}

#[derive(Debug, PartialEq, Eq)]
enum Said {
    /// The server takes connections.
    Ready,
    /// The guard has done what it was told.
    Done(String),
    /// It could not be started, or the guard has ended; with the log until it was ready.
    Ended(String),
}

impl Server {
    /// Starts a server. `None` where it cannot be had because the programs are not here and the
    /// tests were given a server of somebody else: then what hangs on one's own is not tested.
    pub(crate) async fn start(setup: Setup) -> Option<Self> {
        let started = tokio::task::spawn_blocking(move || start_own(&setup)).await;
        match started.unwrap() {
            Ok(server) => server,
            Err(problem) => panic!("no PostgreSQL server: {problem}; {REMEDY}"),
        }
    }

    /// Address of its first database.
    pub(crate) fn url(&self) -> String {
        format!("postgres://icpgate@127.0.0.1:{}/postgres", self.port)
    }

    /// Its port on 127.0.0.1.
    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// Makes an empty database; returns its address.
    pub(crate) async fn database(&self) -> String {
        make_database(&self.url()).await
    }

    /// Stops every process of the server; its sockets take connections and nobody answers.
    pub(crate) fn freeze(&self) {
        self.tell("freeze");
    }

    /// Lets a frozen server go on.
    pub(crate) fn thaw(&self) {
        self.tell("thaw");
    }

    /// Kills every process of the server at once.
    pub(crate) fn kill(&self) {
        self.tell("kill");
    }

    /// Starts the server that was killed, and waits until it takes connections.
    pub(crate) fn restart(&self) {
        self.tell("start");
        let said = self.said.lock().unwrap().recv_timeout(PATIENCE);
        assert_eq!(said, Ok(Said::Ready));
    }

    fn tell(&self, what: &str) {
        let said = self.said.lock().unwrap();
        writeln!(self.commands.lock().unwrap(), "{what}").unwrap();
        let answer = said.recv_timeout(PATIENCE);
        assert_eq!(answer, Ok(Said::Done(what.to_owned())));
    }
}

static SHARED: LazyLock<Result<(String, Option<Server>), String>> = LazyLock::new(|| {
    if let Some(url) = given() {
        return Ok((url, None));
    }
    let setup = Setup {
        settings: vec![UNKILLED.to_owned()],
        ..Setup::default()
    };
    let server = start(&programs().ok_or_else(missing)?, &setup)?;
    Ok((server.url(), Some(server)))
});

static DATABASES: AtomicU32 = AtomicU32::new(0);

/// Makes an empty database on the shared server; returns its address.
pub(crate) async fn database() -> String {
    match tokio::task::spawn_blocking(|| SHARED.as_ref()).await {
        Ok(Ok((url, _))) => make_database(url).await,
        Ok(Err(problem)) => panic!("no PostgreSQL server: {problem}; {REMEDY}"),
        Err(panicked) => panic!("{panicked}"),
    }
}

async fn make_database(server: &str) -> String {
    let name = format!(
        "icpgate_test_{}_{}",
        std::process::id(),
        DATABASES.fetch_add(1, Ordering::Relaxed)
    );
    let options: PgConnectOptions = server.parse().unwrap();
    let mut connection = PgConnection::connect_with(&options).await.unwrap();
    connection
        .execute(AssertSqlSafe(format!("CREATE DATABASE {name}")))
        .await
        .unwrap();
    connection.close().await.unwrap();
    let (address, parameters) = server.split_once('?').unwrap_or((server, ""));
    let (address, _) = address.rsplit_once('/').unwrap();
    // With the question mark, so that a test may add parameters.
    format!("{address}/{name}?{parameters}")
}

#[expect(
    clippy::disallowed_methods,
    reason = "the tests are told by a variable which server to use"
)]
fn given() -> Option<String> {
    std::env::var(GIVEN).ok()
}

fn missing() -> String {
    "`initdb` is not there".to_owned()
}

fn start_own(setup: &Setup) -> Result<Option<Server>, String> {
    match (programs(), given()) {
        (Some(programs), _) => start(&programs, setup).map(Some),
        (None, Some(_)) => {
            let _ = writeln!(
                std::io::stderr(),
                "not tested: it needs the programs of PostgreSQL here, and {GIVEN} names a server \
                 elsewhere"
            );
            Ok(None)
        }
        (None, None) => Err(missing()),
    }
}

fn start(programs: &Path, setup: &Setup) -> Result<Server, String> {
    let mut problem = String::new();
    for _ in 0..ATTEMPTS {
        match start_at(programs, setup) {
            Ok(server) => return Ok(server),
            Err(why) => problem = why,
        }
    }
    Err(problem)
}

/// The folder of `initdb` and `postgres`: one of PATH, or the newest of Debian's.
#[expect(
    clippy::disallowed_methods,
    reason = "the programs are looked for as a shell does"
)]
pub(crate) fn programs() -> Option<PathBuf> {
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
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(versions.into_iter().rev().map(|(_, folder)| folder))
        .find(|folder| {
            ["initdb", "postgres", "pg_basebackup"]
                .iter()
                .all(|name| folder.join(name).is_file())
        })
}

fn start_at(programs: &Path, setup: &Setup) -> Result<Server, String> {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map_err(|error| format!("no free port: {error}"))?
        .port();
    let (certificate, key) = setup.identity.clone().unwrap_or_default();
    let encrypted = setup.identity.as_ref().map(|_| "ssl=on");
    let settings = SETTINGS
        .into_iter()
        .chain(encrypted)
        .chain(setup.settings.iter().map(String::as_str));
    let mut child = shell()?
        .args(["-c", GUARD, "guard"])
        .arg(programs)
        .arg(port.to_string())
        .arg(setup.primary.as_deref().unwrap_or_default())
        .args(settings.flat_map(|setting| ["-c", setting]))
        .env("ICPGATE_TEST_TLS_CERTIFICATE", certificate)
        .env("ICPGATE_TEST_TLS_KEY", key)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("it cannot be started: {error}"))?;
    let commands = child.stdin.take().ok_or("no pipe")?;
    let (tell, said) = channel();
    std::thread::spawn(move || listen(child, &tell));
    match said.recv() {
        Ok(Said::Ready) => Ok(Server {
            port,
            commands: Mutex::new(commands),
            said: Mutex::new(said),
        }),
        Ok(Said::Ended(log)) => Err(format!("it ended at once:\n{log}")),
        Ok(Said::Done(_)) | Err(_) => Err("it said nothing".to_owned()),
    }
}

/// A shell; of an unprivileged user where this process is the superuser's, because `PostgreSQL`
/// does not run as that.
fn shell() -> Result<Command, String> {
    let output = Command::new("id").arg("-u").output();
    let output = output.map_err(|error| format!("`id` cannot be started: {error}"))?;
    if output.stdout.trim_ascii() != b"0" {
        return Ok(Command::new("sh"));
    }
    let mut command = Command::new("setpriv");
    command.args([
        "--reuid=postgres",
        "--regid=postgres",
        "--clear-groups",
        "sh",
    ]);
    Ok(command)
}

/// Reads the log to its end: a full pipe would stop the server.
fn listen(mut child: Child, tell: &Sender<Said>) {
    let mut log = Some(String::new());
    let lines = child.stderr.take().map(BufReader::new);
    let lines = lines.into_iter().flat_map(|lines| lines.split(b'\n'));
    for line in lines.map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        // Nobody may be listening any more.
        if line.contains("database system is ready to accept") {
            log = None;
            let _ = tell.send(Said::Ready);
        } else if let Some(done) = line.strip_prefix("guard: ") {
            let _ = tell.send(Said::Done(done.to_owned()));
        }
        if let Some(text) = &mut log {
            text.push_str(&line);
            text.push('\n');
        }
        // The server has gone, and the guard waits for what it is told. Later such lines are about
        // single connections.
        if line.contains("FATAL")
            && let Some(log) = log.take()
        {
            let _ = tell.send(Said::Ended(log));
        }
    }
    let _ = tell.send(Said::Ended(log.unwrap_or_default()));
    let _ = child.wait();
}
