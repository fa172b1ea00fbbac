//! Redis servers for tests: one, a master with a replica under three Sentinels, or a cluster of
//! three; each on a free port with a temporary folder, gone with the test however it ends. Tests
//! that do no server harm use the one of `ICPGATE_TEST_REDIS_URL` where it is set.
//! Start at [`Redis::start`].

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

use redis::{Client, Cmd, Connection, FromRedisValue, RedisResult};

/// Address of a server to use instead of one of our own.
const GIVEN: &str = "ICPGATE_TEST_REDIS_URL";

const REMEDY: &str = "install Redis (Debian: `apt-get install redis-server`), or name a server in \
                      ICPGATE_TEST_REDIS_URL";

/// Runs a server until the pipe to its own standard input closes, which happens however the
/// process of the tests ends, and removes its folder. Takes a configuration for the server, whose
/// `FOLDER` is replaced, and further arguments.
const GUARD: &str = r#"
trap '' INT HUP TERM
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
printf '%s\n' "$1" | sed "s|FOLDER|$folder|g" > redis.conf
shift
redis-server redis.conf "$@" </dev/null >redis.log 2>&1 &
server=$!
echo "$server"
cat >/dev/null
exec 2>/dev/null
kill -KILL "$server"
wait "$server"
"#;

/// How long a server may take to answer or to come to a state. Long, because a machine may be busy.
const PATIENCE: Duration = Duration::from_mins(1);

/// How often a condition is looked at that nobody tells.
const LOOK: Duration = Duration::from_millis(10);

/// What a test does to the process of a server.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Signal {
    /// It goes on after [`Signal::Stop`].
    Continue,
    /// It is gone at once.
    Kill,
    /// It stands still and keeps everything open.
    Stop,
}

/// A running server.
pub(crate) struct Redis {
    port: u16,
    configuration: String,
    arguments: Vec<String>,
    process: Mutex<Option<Process>>,
    /// How a test talks to it: with its password and its authority.
    pub(crate) admin: Client,
}

struct Process {
    number: u32,
    /// The server ends when this closes.
    _guard: ChildStdin,
}

/// Three masters that share the keys.
pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Redis>,
}

/// A master and its replica, watched by three Sentinels under the name `mymaster`.
pub(crate) struct Watched {
    pub(crate) master: Redis,
    pub(crate) replica: Redis,
    pub(crate) sentinels: Vec<Redis>,
}

static SHARED: LazyLock<Option<Redis>> = LazyLock::new(|| match given() {
    Some(_) => None,
    None => Some(Redis::start()),
});

/// Address of a server that lives as long as the process of the tests. Whoever uses it keeps to
/// keys of its own and leaves the server as it is.
pub(crate) fn shared() -> String {
    given().unwrap_or_else(|| SHARED.as_ref().map(Redis::url).unwrap_or_default())
}

impl Redis {
    /// A server without a password, which keeps nothing on disk.
    pub(crate) fn start() -> Self {
        Self::with("")
    }

    /// A server with further lines of configuration.
    pub(crate) fn with(configuration: &str) -> Self {
        let port = free_port();
        let lines = format!("port {port}\n{configuration}");
        let admin = Client::open(format!("redis://127.0.0.1:{port}")).unwrap();
        Self::start_at(port, &lines, &[], admin)
    }

    /// A server whose port, lines and client are the caller's business.
    pub(crate) fn start_at(port: u16, lines: &str, arguments: &[&str], admin: Client) -> Self {
        let configuration = format!(
            "bind 127.0.0.1\nsave \"\"\nappendonly no\ndir FOLDER\nrepl-diskless-sync-delay 0\n\
             {lines}"
        );
        let redis = Self::absent_at(port, &configuration, arguments, admin);
        redis.run();
        redis
    }

    /// A server that does not run yet: nothing listens at its port.
    pub(crate) fn absent() -> Self {
        let port = free_port();
        let lines = format!("port {port}\nbind 127.0.0.1\nsave \"\"\nappendonly no");
        let admin = Client::open(format!("redis://127.0.0.1:{port}")).unwrap();
        Self::absent_at(port, &lines, &[], admin)
    }

    /// Starts it, again if it was killed; it is then empty.
    pub(crate) fn run(&self) {
        let mut child = Command::new("sh")
            .args(["-c", GUARD, "guard", &self.configuration])
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap_or_else(|error| panic!("no Redis server: {error}; {REMEDY}"));
        let guard = child.stdin.take().unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let mut number = String::new();
        said.read_line(&mut number).unwrap();
        // The shell is waited for, or it would stay behind as a zombie.
        std::thread::spawn(move || {
            let mut rest = Vec::new();
            let _ = said.read_to_end(&mut rest);
            let _ = child.wait();
        });
        *self.process.lock().unwrap() = Some(Process {
            number: number.trim().parse().expect(REMEDY),
            _guard: guard,
        });
        let start = Instant::now();
        while let Err(error) = self.ask::<redis::Value>(&redis::cmd("PING")) {
            // It answers, if with an error: a loading server, or one that is a Sentinel.
            if error.code().is_some() {
                break;
            }
            assert!(
                start.elapsed() < PATIENCE,
                "no Redis server: {error}; {REMEDY}"
            );
            std::thread::sleep(LOOK);
        }
    }

    /// Its port.
    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// Its address, without TLS and without a password.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Does something to its process.
    pub(crate) fn signal(&self, signal: Signal) {
        let name = match signal {
            Signal::Continue => "-CONT",
            Signal::Kill => "-KILL",
            Signal::Stop => "-STOP",
        };
        let mut process = self.process.lock().unwrap();
        let number = process.as_ref().expect("a running server").number;
        let status = Command::new("kill")
            .args([name, &number.to_string()])
            .status()
            .unwrap();
        assert!(status.success(), "{name} {number}");
        if matches!(signal, Signal::Kill) {
            // With its guard goes its folder.
            *process = None;
            let address = (Ipv4Addr::LOCALHOST, self.port);
            wait("the server to be gone", || {
                TcpStream::connect(address).is_err()
            });
        }
    }

    /// Sends a command over a connection of its own.
    pub(crate) fn ask<T: FromRedisValue>(&self, command: &Cmd) -> RedisResult<T> {
        command.query(&mut self.connection()?)
    }

    /// Sends a command written as in the manual.
    pub(crate) fn tell(&self, command: &str) -> redis::Value {
        let mut words = command.split_whitespace();
        let mut cmd = redis::cmd(words.next().unwrap());
        for word in words {
            cmd.arg(word);
        }
        self.ask(&cmd)
            .unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    /// One line of `INFO`.
    pub(crate) fn info(&self, section: &str, name: &str) -> Option<String> {
        let text: String = self.ask(redis::cmd("INFO").arg(section)).ok()?;
        text.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(|value| value.trim().to_owned())
    }

    fn absent_at(port: u16, configuration: &str, arguments: &[&str], admin: Client) -> Self {
        Self {
            port,
            configuration: configuration.to_owned(),
            arguments: arguments.iter().map(|&word| word.to_owned()).collect(),
            process: Mutex::new(None),
            admin,
        }
    }

    fn connection(&self) -> RedisResult<Connection> {
        let connection = self.admin.get_connection_with_timeout(PATIENCE)?;
        connection.set_read_timeout(Some(PATIENCE))?;
        Ok(connection)
    }
}

impl Cluster {
    /// Starts three masters that share the slots and know each other.
    pub(crate) fn start() -> Self {
        let nodes: Vec<(Redis, u16)> = (0..3)
            .map(|_| {
                let bus = free_port();
                let lines = format!(
                    "cluster-enabled yes\ncluster-config-file FOLDER/nodes.conf\n\
                     cluster-node-timeout 2000\ncluster-require-full-coverage no\n\
                     cluster-port {bus}"
                );
                (Redis::with(&lines), bus)
            })
            .collect();
        for ((node, _), slots) in nodes.iter().zip(["0 5460", "5461 10922", "10923 16383"]) {
            node.tell(&format!("CLUSTER ADDSLOTSRANGE {slots}"));
        }
        for (node, bus) in nodes.iter().skip(1) {
            let port = node.port;
            nodes[0]
                .0
                .tell(&format!("CLUSTER MEET 127.0.0.1 {port} {bus}"));
        }
        let cluster = Self {
            nodes: nodes.into_iter().map(|(node, _)| node).collect(),
        };
        wait("the cluster to be one", || {
            cluster.nodes.iter().all(|node| {
                let info: String = node.ask(redis::cmd("CLUSTER").arg("INFO")).unwrap();
                [
                    "cluster_state:ok",
                    "cluster_known_nodes:3",
                    "cluster_slots_ok:16384",
                ]
                .iter()
                .all(|line| info.contains(line))
            })
        });
        cluster
    }

    /// Addresses of its nodes.
    pub(crate) fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(Redis::url).collect()
    }
}

impl Watched {
    /// Starts the five, with further lines for master and replica, and what stands in front of
    /// the host in their addresses: `user:password@` or nothing.
    pub(crate) fn start(configuration: &str, credentials: &str) -> Self {
        let server = |more: &str| {
            let port = free_port();
            let admin = Client::open(format!("redis://{credentials}127.0.0.1:{port}")).unwrap();
            Redis::start_at(
                port,
                &format!("port {port}\n{configuration}\n{more}"),
                &[],
                admin,
            )
        };
        let master = server("");
        let replica = server(&format!("replicaof 127.0.0.1 {}", master.port));
        wait("the replica to follow", || {
            replica.info("replication", "master_link_status").as_deref() == Some("up")
        });
        let watch = format!(
            "sentinel monitor mymaster 127.0.0.1 {} 2\n\
             sentinel down-after-milliseconds mymaster 500\n\
             sentinel failover-timeout mymaster 2000{}",
            master.port,
            // The password, for the Sentinels themselves.
            credentials
                .strip_suffix('@')
                .and_then(|credentials| credentials.rsplit_once(':'))
                .map(|(_, password)| format!("\nsentinel auth-pass mymaster {password}"))
                .unwrap_or_default()
        );
        let sentinels: Vec<Redis> = (0..3)
            .map(|_| {
                let port = free_port();
                let lines = format!("bind 127.0.0.1\nport {port}\ndir FOLDER\n{watch}");
                let admin = Client::open(format!("redis://127.0.0.1:{port}")).unwrap();
                let sentinel = Redis::absent_at(port, &lines, &["--sentinel"], admin);
                sentinel.run();
                sentinel
            })
            .collect();
        let watched = Self {
            master,
            replica,
            sentinels,
        };
        wait("the Sentinels to know all", || {
            watched.sentinels.iter().all(|sentinel| {
                let known = sentinel.info("sentinel", "master0").unwrap_or_default();
                known.contains("status=ok,") && known.ends_with("slaves=1,sentinels=3")
            })
        });
        watched
    }

    /// Addresses of the Sentinels.
    pub(crate) fn urls(&self) -> Vec<String> {
        self.sentinels.iter().map(Redis::url).collect()
    }
}

/// A port that nobody listens at.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .expect("a free port")
        .port()
}

/// Waits until something holds.
pub(crate) fn wait(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "waited too long for {what}");
        std::thread::sleep(LOOK);
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the tests are told by a variable which server to use"
)]
fn given() -> Option<String> {
    std::env::var(GIVEN).ok()
}
