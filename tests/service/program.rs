//! The program itself, as a supervisor runs it.

use std::fs::File;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use icpgate::proto::v1::provisioning_service_client::ProvisioningServiceClient;
use icpgate::proto::v1::record_service_client::RecordServiceClient;
use tempfile::TempDir;
use tonic::transport::Channel;

/// A running `icpgate serve`; killed where a test leaves it behind.
pub(crate) struct Program {
    pub(crate) folder: TempDir,
    pub(crate) address: SocketAddr,
    child: Child,
}

impl Program {
    /// Starts it and waits until it serves.
    pub(crate) async fn start(args: &[&str]) -> Self {
        Self::start_with(args, None).await
    }

    /// Starts it where it may have so many files open at once.
    pub(crate) async fn start_with(args: &[&str], files: Option<u32>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = env!("CARGO_BIN_EXE_icpgate");
        let mut command = match files {
            None => Command::new(program),
            Some(files) => {
                let mut shell = Command::new("/bin/sh");
                shell.args(["-c", r#"ulimit -n "$1"; shift; exec "$@""#, "sh"]);
                shell.arg(files.to_string()).arg(program);
                shell
            }
        };
        let mut child = command
            .current_dir(folder.path())
            .arg("serve")
            .args([
                "--grpc-listen",
                "127.0.0.1:0",
                "--http-listen",
                "127.0.0.1:0",
            ])
            .args(args)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(File::create(folder.path().join("stdout")).unwrap())
            .stderr(File::create(folder.path().join("stderr")).unwrap())
            .spawn()
            .unwrap();
        for _ in 0..1200 {
            let log = read(folder.path(), "stderr");
            if let Some(address) = address(&log) {
                return Self {
                    folder,
                    address,
                    child,
                };
            }
            if let Some(status) = child.try_wait().unwrap() {
                panic!("ended with {status} before it served:\n{log}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let _ = child.kill();
        panic!("does not serve:\n{}", read(folder.path(), "stderr"));
    }

    pub(crate) async fn provisioning(&self) -> ProvisioningServiceClient<Channel> {
        ProvisioningServiceClient::new(super::harness::channel(self.address).await)
    }

    pub(crate) async fn records(&self) -> RecordServiceClient<Channel> {
        RecordServiceClient::new(super::harness::channel(self.address).await)
    }

    /// Everything that it wrote so far.
    pub(crate) fn output(&self) -> String {
        read(self.folder.path(), "stdout") + &read(self.folder.path(), "stderr")
    }

    /// Memory of the process that is in use, in KiB.
    #[cfg(target_os = "linux")]
    pub(crate) fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.unwrap().trim().strip_suffix(" kB").unwrap();
        number.trim().parse().unwrap()
    }

    pub(crate) fn signal(&self, signal: &str) {
        let status = Command::new("kill")
            .args([signal, &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(status.success());
    }

    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits for its end.
    pub(crate) async fn wait(&mut self) -> ExitStatus {
        for _ in 0..800 {
            if let Some(status) = self.ended() {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("does not end:\n{}", self.output());
    }

    /// Ends it as a supervisor does, and holds it to an orderly end.
    pub(crate) async fn stop(&mut self) {
        self.signal("-TERM");
        let status = self.wait().await;
        assert_eq!(status.code(), Some(0), "{}", self.output());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(folder: &Path, name: &str) -> String {
    String::from_utf8_lossy(&std::fs::read(folder.join(name)).unwrap()).into_owned()
}

fn address(log: &str) -> Option<SocketAddr> {
    let (_, rest) = log.split_once("serving gRPC on ")?;
    let (text, _) = rest.split_once(char::is_whitespace)?;
    text.parse().ok()
}
