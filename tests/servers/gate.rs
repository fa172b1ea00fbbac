//! Real `icpgate serve` processes, each on a free port with a folder of its own, which end with
//! the test however it ends.
//! Start at [`Gate::start`].

use std::fs::File;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::Duration;

use icpgate::proto::v1;
use icpgate::proto::v1::provisioning_service_client::ProvisioningServiceClient;
use icpgate::proto::v1::record_service_client::RecordServiceClient;
use tempfile::TempDir;
use tonic::Status;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

/// Kills a process where whoever started it goes without a word. Takes the number of the process.
const GUARD: &str = r#"read -r word || kill -KILL "$1""#;

/// How long a process may take to serve or to end. Long, because a machine may be busy.
const PATIENCE: Duration = Duration::from_mins(1);

/// How often a condition is looked at that nobody tells.
const LOOK: Duration = Duration::from_millis(10);

/// A key as configured, such as `store.url`, with its value.
pub(crate) type Settings = Vec<(&'static str, String)>;

/// What is done to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// It goes on after [`Signal::Stop`].
    Continue,
    /// It is to look at its files.
    HangUp,
    /// It is gone at once.
    Kill,
    /// It stands still and keeps everything open.
    Stop,
    /// It is asked to end.
    Terminate,
}

/// A running `icpgate serve`.
pub(crate) struct Gate {
    folder: TempDir,
    settings: Settings,
    address: SocketAddr,
    process: Process,
}

/// A process that ends when this is dropped, and when the process that holds this ends.
pub(crate) struct Process {
    child: Child,
    guard: Child,
    word: Option<ChildStdin>,
}

/// A process that ended before it served.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) log: String,
}

impl Gate {
    /// Starts it and waits until it says that it serves.
    pub(crate) async fn start(settings: Settings) -> Self {
        match Self::try_start(settings).await {
            Ok(gate) => gate,
            Err(Ended { status, log }) => panic!("ended with {status} before it served:\n{log}"),
        }
    }

    /// As [`Gate::start`], where it may refuse to.
    pub(crate) async fn try_start(settings: Settings) -> Result<Self, Ended> {
        let folder = tempfile::tempdir().unwrap();
        let (process, address) = serve(folder.path(), &settings).await?;
        Ok(Self {
            folder,
            settings,
            address,
            process,
        })
    }

    /// Starts it anew with the same settings and in the same folder, on another port; it must
    /// have ended.
    pub(crate) async fn restart(&mut self) {
        assert!(self.process.ended().is_some(), "it still runs");
        match serve(self.folder.path(), &self.settings).await {
            Ok((process, address)) => {
                self.process = process;
                self.address = address;
            }
            Err(Ended { status, log }) => panic!("ended with {status} before it served:\n{log}"),
        }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// A connection of its own, made when it is first used and made anew when it is lost.
    pub(crate) fn channel(&self) -> Channel {
        Channel::from_shared(format!("http://{}", self.address))
            .unwrap()
            .connect_lazy()
    }

    pub(crate) fn provisioning(&self) -> ProvisioningServiceClient<Channel> {
        ProvisioningServiceClient::new(self.channel()).max_decoding_message_size(usize::MAX)
    }

    pub(crate) fn records(&self) -> RecordServiceClient<Channel> {
        RecordServiceClient::new(self.channel()).max_decoding_message_size(usize::MAX)
    }

    /// Asks one question.
    pub(crate) async fn check(
        &self,
        question: v1::CheckProvisioningRequest,
    ) -> Result<v1::Decision, Status> {
        let answer = self.provisioning().check_provisioning(question).await?;
        Ok(answer
            .into_inner()
            .decision
            .expect("an answer has a decision"))
    }

    /// Writes records, all or none; returns the revision as a token.
    pub(crate) async fn put(&self, records: Vec<v1::Record>) -> Result<String, Status> {
        let request = v1::PutRecordsRequest { records };
        let answer = self.records().put_records(request).await?;
        Ok(answer.into_inner().revision)
    }

    /// Whether it says that it is ready.
    pub(crate) async fn is_ready(&self) -> bool {
        serving(self.address).await
    }

    /// Everything that it wrote to its log so far, over all starts.
    pub(crate) fn log(&self) -> String {
        read_log(self.folder.path())
    }

    pub(crate) fn process(&mut self) -> &mut Process {
        &mut self.process
    }
}

impl Process {
    /// Starts a program, whose own arguments and streams are set.
    pub(crate) fn start(command: &mut Command) -> Self {
        let child = command.stdin(Stdio::null()).spawn().unwrap();
        let mut guard = Command::new("sh")
            .args(["-c", GUARD, "guard", &child.id().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let word = guard.stdin.take();
        Self { child, guard, word }
    }

    /// Its number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        assert!(send(signal, &[self.child.id()]));
    }

    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits for its end.
    pub(crate) async fn wait(&mut self) -> ExitStatus {
        let ending = async {
            loop {
                if let Some(status) = self.ended() {
                    return status;
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        let ended = tokio::time::timeout(PATIENCE, ending).await;
        ended.expect("it ends")
    }

    /// Lets go of the guard without a word, as a killed test does.
    pub(crate) fn abandon(&mut self) {
        self.word = None;
    }

    /// Kills it and waits until it is gone.
    pub(crate) async fn kill(&mut self) {
        self.signal(Signal::Kill);
        self.wait().await;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(mut word) = self.word.take() {
            use std::io::Write as _;
            let _ = word.write_all(b"ended\n");
        }
        let _ = self.guard.wait();
    }
}

/// Waits until something is so; tells what was waited for where it never is.
pub(crate) async fn until<T>(what: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
    until_within(PATIENCE, what, look).await
}

/// As [`until`], for what takes longer by itself.
pub(crate) async fn until_within<T>(
    patience: Duration,
    what: &str,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> T {
    let looking = async {
        loop {
            if let Some(seen) = look().await {
                return seen;
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(patience, looking)
        .await
        .unwrap_or_else(|elapsed| panic!("waited in vain until {what}: {elapsed}"))
}

/// Sends a signal to processes, by their numbers; tells whether all of them were there.
pub(crate) fn send(signal: Signal, processes: &[u32]) -> bool {
    let name = match signal {
        Signal::Continue => "-CONT",
        Signal::HangUp => "-HUP",
        Signal::Kill => "-KILL",
        Signal::Stop => "-STOP",
        Signal::Terminate => "-TERM",
    };
    let status = Command::new("kill")
        .arg(name)
        .args(processes.iter().map(u32::to_string))
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

async fn serve(folder: &Path, settings: &Settings) -> Result<(Process, SocketAddr), Ended> {
    let before = read_log(folder).len();
    let log = File::options()
        .create(true)
        .append(true)
        .open(folder.join("log"))
        .unwrap();
    let mut command = Command::new(program());
    command
        .current_dir(folder)
        .arg("serve")
        .env_clear()
        .env("ICPGATE_GRPC__LISTEN", "127.0.0.1:0")
        .env("ICPGATE_HTTP__LISTEN", "127.0.0.1:0");
    for (key, value) in settings {
        let name = format!("ICPGATE_{}", key.to_uppercase().replace('.', "__"));
        command.env(name, value);
    }
    command.stdout(log.try_clone().unwrap()).stderr(log);
    let mut process = Process::start(&mut command);
    let mut waited = tokio::time::interval(LOOK);
    let begin = tokio::time::Instant::now();
    loop {
        waited.tick().await;
        let log = read_log(folder).split_off(before);
        if let Some(address) = address(&log)
            && serving(address).await
        {
            return Ok((process, address));
        }
        if let Some(status) = process.ended() {
            return Err(Ended { status, log });
        }
        assert!(begin.elapsed() < PATIENCE, "does not serve:\n{log}");
    }
}

/// The program; another one, such as one built for release, where whoever runs the tests wants it.
#[expect(clippy::disallowed_methods, reason = "whoever runs the tests decides")]
fn program() -> String {
    let built = env!("CARGO_BIN_EXE_icpgate");
    std::env::var("ICPGATE_FAULT_PROGRAM").unwrap_or_else(|_| built.to_owned())
}

async fn serving(address: SocketAddr) -> bool {
    let Ok(channel) = Channel::from_shared(format!("http://{address}"))
        .unwrap()
        .connect()
        .await
    else {
        return false;
    };
    let request = HealthCheckRequest {
        service: String::new(),
    };
    let answer = HealthClient::new(channel).check(request).await;
    answer.is_ok_and(|health| health.into_inner().status() == ServingStatus::Serving)
}

fn address(log: &str) -> Option<SocketAddr> {
    let (_, rest) = log.split_once("serving gRPC on ")?;
    let (text, _) = rest.split_once(char::is_whitespace)?;
    text.parse().ok()
}

fn read_log(folder: &Path) -> String {
    let bytes = std::fs::read(folder.join("log")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}
