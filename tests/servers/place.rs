//! The program as it is run from a folder: its commands, and a server beside them, on either engine.
//! Start at [`Place::sqlite`] and [`Place::postgres`].

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::postgres;

/// Far beyond what the program takes to start, to work or to end.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

/// How often a condition is looked at that nobody tells.
pub(crate) const LOOK: Duration = Duration::from_millis(20);

/// A folder to run in, and a store.
pub(crate) struct Place {
    pub(crate) folder: TempDir,
    /// `None`: a file in the folder.
    pub(crate) url: Option<String>,
}

impl Place {
    pub(crate) fn sqlite() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            url: None,
        }
    }

    pub(crate) async fn postgres() -> Self {
        Self {
            url: Some(postgres::database().await),
            ..Self::sqlite()
        }
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_icpgate"));
        command
            .current_dir(self.folder.path())
            .args(args)
            .env_clear()
            .stdin(Stdio::null());
        if let Some(url) = &self.url {
            command.env("ICPGATE_STORE__URL", url);
        }
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> (Option<i32>, String) {
        told(&self.command(args).output().unwrap())
    }

    pub(crate) fn json(&self, args: &[&str]) -> serde_json::Value {
        let (code, said) = self.run(&[args, &["--output", "json"]].concat());
        assert_eq!(code, Some(0), "{args:?}: {said}");
        serde_json::from_str(&said).unwrap()
    }
}

/// A running server; killed where a test leaves it behind.
pub(crate) struct Serving {
    child: Child,
    pub(crate) url: String,
    log: PathBuf,
}

impl Serving {
    pub(crate) fn start(place: &Place, args: &[&str]) -> Self {
        Self::try_start(place, args).unwrap_or_else(|said| panic!("it does not serve: {said}"))
    }

    pub(crate) fn try_start(place: &Place, args: &[&str]) -> Result<Self, String> {
        let log = tempfile::NamedTempFile::new_in(place.folder.path()).unwrap();
        let log = log.into_temp_path().keep().unwrap();
        let listen = [
            "serve",
            "--grpc-listen",
            "127.0.0.1:0",
            "--http-listen",
            "127.0.0.1:0",
        ];
        let mut child = place
            .command(&[&listen, args].concat())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let started = Instant::now();
        loop {
            let said = std::fs::read_to_string(&log).unwrap();
            if let Some((_, rest)) = said.split_once("serving gRPC on ")
                && let Some((address, _)) = rest.split_once(char::is_whitespace)
            {
                let url = format!("http://{address}");
                return Ok(Self { child, url, log });
            }
            if child.try_wait().unwrap().is_some() {
                return Err(std::fs::read_to_string(&log).unwrap());
            }
            assert!(started.elapsed() < PATIENCE, "it does not serve: {said}");
            std::thread::sleep(LOOK);
        }
    }

    /// Waits until it ends by itself; what it said.
    pub(crate) fn ended(mut self) -> (Option<i32>, String) {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status.code(), std::fs::read_to_string(&self.log).unwrap());
            }
            assert!(started.elapsed() < PATIENCE, "it goes on");
            std::thread::sleep(LOOK);
        }
    }

    pub(crate) fn stop(mut self) {
        let id = self.child.id().to_string();
        let told = Command::new("kill").args(["-TERM", &id]).status();
        assert!(told.unwrap().success());
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn told(output: &Output) -> (Option<i32>, String) {
    let said = if output.status.success() {
        output.stdout.clone()
    } else {
        [&output.stdout[..], &output.stderr[..]].concat()
    };
    (output.status.code(), String::from_utf8(said).unwrap())
}
