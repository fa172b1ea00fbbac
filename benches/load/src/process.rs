//! Processes that a benchmark starts: servers that end with it however it ends, and their memory.

use std::ffi::OsStr;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rustix::process::Signal;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};

/// How long a condition is waited for at most.
pub const PATIENCE: Duration = Duration::from_mins(2);
/// Last bytes of a log that an error shows.
const SHOWN: usize = 2_000;

/// A process. It is killed with this value, and with the process that started it.
#[derive(Debug)]
pub struct Process {
    child: Child,
    id: u32,
    log: PathBuf,
}

/// Memory of a process, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// In use now.
    pub resident: u64,
    /// Most that was in use.
    pub peak: u64,
}

/// What is to be started. The kernel sends `signal` when the starting process is gone.
///
/// Ends with the thread that starts it: start from the main thread only.
#[must_use]
pub fn command(program: &Path, signal: &str, user: Option<&str>) -> Command {
    let mut command = Command::new("setpriv");
    command.arg(format!("--pdeathsig={signal}"));
    if let Some(user) = user {
        command.args([
            format!("--reuid={user}"),
            format!("--regid={user}"),
            "--clear-groups".to_owned(),
        ]);
    }
    command.arg("--").arg(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("ICPGATE_") {
            command.env_remove(name);
        }
    }
    command
}

impl Process {
    /// Starts a process in a folder, with its output in a log of that name there.
    ///
    /// # Errors
    ///
    /// It cannot be started.
    pub fn start(command: Command, folder: &Path, name: &str) -> anyhow::Result<Self> {
        Self::start_into(command, folder, name, None)
    }

    /// Starts a process whose standard output goes into a file.
    ///
    /// # Errors
    ///
    /// It cannot be started.
    pub fn start_into(
        mut command: Command,
        folder: &Path,
        name: &str,
        output: Option<&Path>,
    ) -> anyhow::Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let errors = std::fs::File::create(&log)?;
        let output = match output {
            Some(file) => std::fs::File::create(file)?,
            None => errors.try_clone()?,
        };
        let child = command
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("start {name}"))?;
        let id = child.id().context("the process has no number")?;
        Ok(Self { child, id, log })
    }

    /// Memory of the process.
    ///
    /// # Errors
    ///
    /// It has ended.
    pub fn memory(&self) -> anyhow::Result<Memory> {
        let path = format!("/proc/{}/status", self.id);
        let status = std::fs::read_to_string(path).context(self.said())?;
        let kib = |name: &str| -> anyhow::Result<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|line| line.split_whitespace().next());
            Ok(number
                .with_context(|| format!("no {name}"))?
                .parse::<u64>()?
                * 1024)
        };
        Ok(Memory {
            resident: kib("VmRSS:")?,
            peak: kib("VmHWM:")?,
        })
    }

    /// Time that it has computed.
    ///
    /// # Errors
    ///
    /// It has ended.
    pub fn computed(&self) -> anyhow::Result<Duration> {
        let path = format!("/proc/{}/stat", self.id);
        let stat = std::fs::read_to_string(path).context(self.said())?;
        // Behind the name of the program, which may hold anything: user and system time, in
        // hundredths of a second.
        let (_, fields) = stat.rsplit_once(')').context("no process")?;
        let mut fields = fields.split_whitespace().skip(11);
        let mut next = || -> anyhow::Result<u64> { Ok(fields.next().context("short")?.parse()?) };
        Ok(Duration::from_millis((next()? + next()?) * 10))
    }

    /// Waits for a condition while the process runs, and looks at it every `pause`.
    ///
    /// # Errors
    ///
    /// The process ends, or the condition does not come.
    pub async fn until<T>(
        &mut self,
        what: &str,
        pause: Duration,
        mut condition: impl AsyncFnMut() -> Option<T>,
    ) -> anyhow::Result<T> {
        let start = Instant::now();
        loop {
            if let Some(found) = condition().await {
                return Ok(found);
            }
            if let Some(ended) = self.child.try_wait()? {
                bail!("{what}: the process ended, {ended}: {}", self.said());
            }
            if start.elapsed() > PATIENCE {
                bail!("{what} did not come: {}", self.said());
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Tells the process by a signal to end in order, and waits until it has.
    ///
    /// # Errors
    ///
    /// It does not end, or with an error.
    pub async fn end(mut self, signal: Signal) -> anyhow::Result<()> {
        let id = i32::try_from(self.id)?;
        let id = rustix::process::Pid::from_raw(id).context("no process")?;
        rustix::process::kill_process(id, signal)?;
        let ended = tokio::time::timeout(PATIENCE, self.child.wait())
            .await
            .context("the process does not end")??;
        anyhow::ensure!(ended.success(), "{ended}: {}", self.said());
        Ok(())
    }

    /// Waits until the process has ended; answers the most memory that it was seen to have.
    ///
    /// # Errors
    ///
    /// It ends with an error.
    pub async fn finish(mut self) -> anyhow::Result<u64> {
        let mut peak = 0;
        let ended = loop {
            if let Some(ended) = self.child.try_wait()? {
                break ended;
            }
            // A process that has just ended has no memory any more.
            peak = self.memory().map_or(peak, |memory| memory.peak.max(peak));
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        anyhow::ensure!(ended.success(), "{ended}: {}", self.said());
        Ok(peak)
    }

    /// The end of what the process wrote.
    fn said(&self) -> String {
        let log = std::fs::read(&self.log).unwrap_or_default();
        let end = log
            .get(log.len().saturating_sub(SHOWN)..)
            .unwrap_or_default();
        String::from_utf8_lossy(end).into_owned()
    }
}

/// An address of this machine where nobody listens.
///
/// # Errors
///
/// There is none.
pub async fn free_address() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    Ok(listener.local_addr()?)
}

/// Runs a program to its end.
///
/// # Errors
///
/// It cannot be started or ends with an error.
pub async fn run(mut command: Command) -> anyhow::Result<Vec<u8>> {
    let output = command
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await?;
    anyhow::ensure!(
        output.status.success(),
        "{}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(output.stdout)
}

/// A program of PATH, or of the folders given.
#[must_use]
pub fn program(name: &str, folders: &[PathBuf]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(AsRef::<OsStr>::as_ref(&path))
        .chain(folders.iter().cloned())
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}
