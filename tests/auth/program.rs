//! The program in a process of its own, on a free port; killed where a test leaves it behind.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread::JoinHandle;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::transport::Channel;

pub(crate) struct Program {
    child: Child,
    address: SocketAddr,
    http: SocketAddr,
    said: Option<JoinHandle<String>>,
}

impl Program {
    /// Starts it and waits until it serves.
    pub(crate) fn start(folder: &Path, args: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_icpgate"))
            .current_dir(folder)
            .args(args)
            .env_clear()
            .env("ICPGATE_HTTP__LISTEN", "127.0.0.1:0")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        let mut http = None;
        let address = loop {
            let mut line = String::new();
            let read = stderr.read_line(&mut line).unwrap();
            said += &line;
            assert!(read > 0, "it ended: {said}");
            let address = |before: &str| {
                let (_, rest) = line.split_once(before)?;
                let address = rest.split_whitespace().next().unwrap();
                Some(address.parse::<SocketAddr>().unwrap())
            };
            http = http.or_else(|| address("serving HTTP on "));
            if let Some(address) = address("serving gRPC on ") {
                break address;
            }
        };
        let said = std::thread::spawn(move || rest(stderr, said));
        Self {
            child,
            address,
            http: http.expect("it serves metrics before calls"),
            said: Some(said),
        }
    }

    pub(crate) async fn channel(&self) -> Channel {
        let url = format!("http://127.0.0.1:{}", self.address.port());
        Channel::from_shared(url).unwrap().connect().await.unwrap()
    }

    /// The value of a series as it is shown; `None` where it is not.
    pub(crate) async fn metric(&self, series: &str) -> Option<f64> {
        let mut stream = TcpStream::connect(self.http).await.unwrap();
        let request = b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        answer.lines().find_map(|line| {
            let value = line.strip_prefix(series)?.strip_prefix(' ')?;
            Some(value.parse().unwrap())
        })
    }

    pub(crate) fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status().unwrap();
        assert!(sent.success());
    }

    /// Ends it and tells everything that it has logged.
    pub(crate) fn stop(mut self) -> String {
        self.child.kill().unwrap();
        self.said.take().unwrap().join().unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn rest(mut stderr: BufReader<ChildStderr>, mut said: String) -> String {
    while stderr.read_line(&mut said).is_ok_and(|read| read > 0) {}
    said
}
