//! The servers of a benchmark, on free ports of this machine: the product, a bare tonic server and
//! Redis. Each ends with its value.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::client::{Connection, HEALTH};
use crate::process::{Memory, Process, command, free_address, program};
use crate::wire;

/// How often a server that starts is asked whether it is there.
const LOOK: Duration = Duration::from_millis(1);
/// Starts for one port that somebody else took first.
const ATTEMPTS: u32 = 3;
/// The argument with which this program is a bare server.
pub const SERVE_HEALTH: &str = "--serve-health";

/// A gRPC server.
#[derive(Debug)]
pub struct Server {
    process: Process,
    /// Where it listens.
    pub address: SocketAddr,
    /// From its start until it said SERVING.
    pub started_in: Duration,
}

/// A Redis server.
#[derive(Debug)]
pub struct Redis {
    _process: Process,
    /// Where it listens.
    pub address: SocketAddr,
}

/// A connection to Redis that speaks its protocol and nothing more.
#[derive(Debug)]
pub struct RedisConnection {
    stream: BufReader<TcpStream>,
    question: Vec<u8>,
    answer: Vec<u8>,
}

impl Server {
    /// Starts the product in a folder with settings by name, such as `store.url`, and waits until
    /// it says SERVING.
    ///
    /// # Errors
    ///
    /// It does not start.
    pub async fn product(
        program: &Path,
        folder: &Path,
        settings: &[(&str, String)],
        arguments: &[&str],
    ) -> anyhow::Result<Self> {
        let make = async || {
            let address = free_address().await?;
            let mut command = command(program, "KILL", None);
            command.arg("serve").args(arguments);
            set(&mut command, "grpc.listen", &address.to_string());
            set(&mut command, "http.listen", "127.0.0.1:0");
            set(&mut command, "log.level", "warn");
            for (name, value) in settings {
                set(&mut command, name, value);
            }
            let name = format!("icpgate-{}", address.port());
            let started = Instant::now();
            let process = Process::start(command, folder, &name)?;
            Self::ready(process, address, started).await
        };
        attempts(make).await
    }

    /// Starts a bare tonic server: this program, once more.
    ///
    /// # Errors
    ///
    /// It does not start.
    pub async fn bare(folder: &Path) -> anyhow::Result<Self> {
        let make = async || {
            let address = free_address().await?;
            let mut command = command(&std::env::current_exe()?, "KILL", None);
            command.args([SERVE_HEALTH, &address.to_string()]);
            let started = Instant::now();
            let name = format!("health-{}", address.port());
            let process = Process::start(command, folder, &name)?;
            Self::ready(process, address, started).await
        };
        attempts(make).await
    }

    async fn ready(
        mut process: Process,
        address: SocketAddr,
        started: Instant,
    ) -> anyhow::Result<Self> {
        let condition = async || serving(address).await.unwrap_or(false).then_some(());
        process.until("SERVING", LOOK, condition).await?;
        Ok(Self {
            process,
            address,
            started_in: started.elapsed(),
        })
    }

    /// Its memory.
    ///
    /// # Errors
    ///
    /// It has ended.
    pub fn memory(&self) -> anyhow::Result<Memory> {
        self.process.memory()
    }

    /// Its memory once it does not change any more for a second.
    ///
    /// # Errors
    ///
    /// It has ended.
    pub async fn settled(&mut self) -> anyhow::Result<Memory> {
        let id = &mut self.process;
        let mut last = id.memory()?;
        let mut same = 0;
        let start = Instant::now();
        // A server that never rests is taken as it is.
        while same < 10 && start.elapsed() < Duration::from_mins(1) {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let memory = id.memory()?;
            same = if memory.resident.abs_diff(last.resident) <= 16 << 10 {
                same + 1
            } else {
                0
            };
            last = memory;
        }
        Ok(last)
    }

    /// Waits until it computes next to nothing: what was answered is recorded.
    ///
    /// # Errors
    ///
    /// It has ended, or does not come to rest.
    pub async fn rested(&self) -> anyhow::Result<()> {
        const LOOK: Duration = Duration::from_millis(500);
        let start = Instant::now();
        let mut last = self.process.computed()?;
        loop {
            tokio::time::sleep(LOOK).await;
            let computed = self.process.computed()?;
            if computed.saturating_sub(last) <= LOOK / 20 {
                return Ok(());
            }
            last = computed;
            ensure!(
                start.elapsed() < Duration::from_mins(10),
                "the server does not come to rest"
            );
        }
    }

    /// Ends it in order.
    ///
    /// # Errors
    ///
    /// It does not end, or with an error.
    pub async fn end(self) -> anyhow::Result<()> {
        self.process.end(rustix::process::Signal::TERM).await
    }
}

/// Sets a setting of the product by its environment variable.
pub fn set(command: &mut tokio::process::Command, name: &str, value: &str) {
    let variable = name.replace('.', "__").to_ascii_uppercase();
    command.env(format!("ICPGATE_{variable}"), value);
}

/// Serves `grpc.health.v1.Health` and nothing else.
///
/// # Errors
///
/// The address is taken.
pub async fn serve_health(address: SocketAddr) -> anyhow::Result<()> {
    let (_reporter, service) = tonic_health::server::health_reporter();
    tonic::transport::Server::builder()
        .tcp_nodelay(true)
        .add_service(service)
        .serve(address)
        .await?;
    Ok(())
}

async fn serving(address: SocketAddr) -> anyhow::Result<bool> {
    let connection = Connection::open(address).await?;
    let method = connection.method(HEALTH)?;
    let request = bytes::Bytes::from_static(&[0; wire::PREFIX]);
    wire::serving(&connection.unary(&method, request).await?)
}

async fn attempts<T>(mut make: impl AsyncFnMut() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let mut attempt = 1;
    loop {
        match make().await {
            Ok(made) => return Ok(made),
            Err(error) if attempt < ATTEMPTS && format!("{error:#}").contains("in use") => {
                attempt += 1;
            }
            Err(error) => return Err(error),
        }
    }
}

impl Redis {
    /// Starts `redis-server` in a folder, without files.
    ///
    /// # Errors
    ///
    /// It is not installed or does not start.
    pub async fn start(folder: &Path) -> anyhow::Result<Self> {
        let program = program("redis-server", &[])
            .context("`redis-server` is missing; Debian: apt-get install redis-server")?;
        let make = async || {
            let address = free_address().await?;
            let mut command = command(&program, "KILL", None);
            command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
            command.args(["--port", &address.port().to_string()]);
            let name = format!("redis-{}", address.port());
            let mut process = Process::start(command, folder, &name)?;
            let pong = async || {
                let mut connection = RedisConnection::open(address).await.ok()?;
                connection.call(&[b"PING"]).await.ok().map(|_| ())
            };
            process.until("Redis", LOOK, pong).await?;
            Ok(Self {
                _process: process,
                address,
            })
        };
        attempts(make).await
    }

    /// Its address as the product takes it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }
}

impl RedisConnection {
    /// Connects over TCP, without delays by the socket.
    ///
    /// # Errors
    ///
    /// Nobody listens there.
    pub async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream: BufReader::with_capacity(64 << 10, stream),
            question: Vec::new(),
            answer: Vec::new(),
        })
    }

    /// Sends a command; answers its text, or `None` where there is none.
    ///
    /// # Errors
    ///
    /// The connection breaks, or Redis refuses the command.
    pub async fn call(&mut self, command: &[&[u8]]) -> anyhow::Result<Option<&[u8]>> {
        self.question.clear();
        self.question
            .extend(format!("*{}\r\n", command.len()).as_bytes());
        for part in command {
            self.question
                .extend(format!("${}\r\n", part.len()).as_bytes());
            self.question.extend_from_slice(part);
            self.question.extend_from_slice(b"\r\n");
        }
        self.stream.get_mut().write_all(&self.question).await?;
        self.answer.clear();
        self.stream.read_until(b'\n', &mut self.answer).await?;
        let head = String::from_utf8(self.answer.trim_ascii_end().to_vec())?;
        let (kind, rest) = head.split_at_checked(1).context("Redis closed")?;
        match kind {
            "+" | ":" => {
                self.answer = rest.as_bytes().to_vec();
                Ok(Some(&self.answer))
            }
            "$" if rest == "-1" => Ok(None),
            "$" => {
                let length: usize = rest.parse()?;
                self.answer.resize(length + 2, 0);
                self.stream.read_exact(&mut self.answer).await?;
                let text = self.answer.get(..length);
                ensure!(text.is_some(), "a text is cut off");
                Ok(text)
            }
            _ => bail!("Redis: {head}"),
        }
    }
}
