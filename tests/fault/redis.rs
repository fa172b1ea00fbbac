//! A Redis server that a test has to itself: it is frozen, killed, restarted and misconfigured.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::servers::gate::{Process, until};

const REMEDY: &str = "install Redis (Debian: `apt-get install redis-server`)";

/// A running `redis-server`; ends with the test.
pub(crate) struct Redis {
    folder: TempDir,
    port: u16,
    process: Process,
}

impl Redis {
    /// Starts an empty one on a free port.
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        loop {
            let port = free_port();
            let mut process = serve(&folder, port, &[]);
            if answers(&mut process, port).await {
                return Self {
                    folder,
                    port,
                    process,
                };
            }
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// Runs a command and returns what the server says.
    pub(crate) fn run(&self, command: &[&str]) -> String {
        say(self.port, command)
    }

    /// Keys that it holds.
    pub(crate) fn keys(&self) -> u64 {
        let said = self.run(&["DBSIZE"]);
        said.trim().parse().unwrap_or_else(|_| panic!("{said}"))
    }

    pub(crate) fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Starts it anew on its port, where it must have ended; it keeps only what it saved. Does
    /// not wait until it answers.
    pub(crate) fn restart(&mut self, arguments: &[&str]) {
        assert!(self.process.ended().is_some(), "it still runs");
        self.process = serve(&self.folder, self.port, arguments);
    }

    /// Waits until it answers.
    pub(crate) async fn answers(&mut self) {
        assert!(answers(&mut self.process, self.port).await);
    }
}

fn serve(folder: &TempDir, port: u16, arguments: &[&str]) -> Process {
    let mut command = Command::new("redis-server");
    command
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .args(["--save", "", "--appendonly", "no", "--dir"])
        .arg(folder.path())
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    Process::start(&mut command)
}

/// Whether it comes to answer; not where another process took the port.
async fn answers(process: &mut Process, port: u16) -> bool {
    until("Redis answers", async || {
        if process.ended().is_some() {
            return Some(false);
        }
        // Another one may have taken the port.
        let own = format!("process_id:{}\r\n", process.id());
        let said = say(port, &["INFO", "server"]);
        (said.contains(&own) || said.contains("NOAUTH")).then_some(true)
    })
    .await
}

fn say(port: u16, command: &[&str]) -> String {
    let output = Command::new("redis-cli")
        .args(["-p", &port.to_string()])
        .args(command)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("`redis-cli` does not start: {error}; {REMEDY}"));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}
