//! The program on a `PostgreSQL` database, from the empty database to answers, and what is left of
//! it where it is killed.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[cfg(test)]
#[expect(dead_code, reason = "the tests of the store use more of it")]
#[path = "servers/postgres.rs"]
mod postgres;

use std::fmt::Write as _;
use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use tempfile::TempDir;

/// Far beyond what the program takes to start or to end.
const PATIENCE: Duration = Duration::from_mins(1);

/// Lines of the import that is killed: several batches.
const LINES: u32 = 25_000;

/// A folder to run in, and a database.
struct Place {
    folder: TempDir,
    url: String,
}

impl Place {
    async fn new() -> Self {
        // The server asks for no password; one that is given must not be shown all the same.
        let url = postgres::database().await;
        Self {
            folder: tempfile::tempdir().unwrap(),
            url: url.replace("icpgate@", "icpgate:hunter2@"),
        }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_icpgate"));
        command
            .current_dir(self.folder.path())
            .args(args)
            .env_clear()
            .env("ICPGATE_STORE__URL", &self.url)
            .stdin(Stdio::null());
        command
    }

    fn run(&self, args: &[&str]) -> (Option<i32>, String) {
        told(&self.command(args).output().unwrap())
    }

    async fn raw(&self) -> PgConnection {
        PgConnection::connect(&self.url).await.unwrap()
    }

    async fn number(&self, sql: &'static str) -> i64 {
        let number = sqlx::query_scalar(sql);
        number.fetch_one(&mut self.raw().await).await.unwrap()
    }
}

/// A running server; killed where a test leaves it behind.
struct Serving {
    child: Child,
    url: String,
}

impl Serving {
    fn start(place: &Place, args: &[&str]) -> Self {
        let log = place.folder.path().join("log");
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
                return Self { child, url };
            }
            assert_eq!(child.try_wait().unwrap(), None, "it ended: {said}");
            assert!(started.elapsed() < PATIENCE, "it does not serve: {said}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn stop(mut self) {
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

/// Exit code, and everything that was said.
fn told(output: &Output) -> (Option<i32>, String) {
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    let said = String::from_utf8(said).unwrap();
    assert!(!said.contains("hunter2"), "the password is shown: {said}");
    (output.status.code(), said)
}

fn write_records(path: &Path) {
    let mut text = String::new();
    for number in 0..LINES {
        let _ = writeln!(
            text,
            r#"{{"registration":{{"domain":"d{number}.cn","registrar":"r"}},"source":"s","observedAt":"2026-01-01T00:00:00Z"}}"#
        );
    }
    std::fs::write(path, text).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_an_empty_database_to_answers() {
    let place = Place::new().await;
    let (code, said) = place.run(&["doctor"]);
    assert!(
        code == Some(0) && said.contains("once there is a privacy key"),
        "{said}"
    );
    assert!(!place.folder.path().join("icpgate-data").exists());

    let (code, said) = place.run(&["serve", "--no-migrate"]);
    assert!(
        code != Some(0) && said.contains("run `icpgate migrate`"),
        "{said}"
    );
    let (code, said) = place.run(&["doctor"]);
    assert!(
        code == Some(1) && said.contains("icpgate migrate"),
        "{said}"
    );
    let (code, said) = place.run(&["migrate"]);
    assert!(
        code == Some(0) && said.contains("the database of store.url"),
        "{said}"
    );

    let serving = Serving::start(&place, &["--no-migrate", "--sample"]);
    let check = |args: &[&str]| {
        let asked = ["check", "--server", &serving.url, "--area", "mainland"];
        place.run(&[&asked, args].concat())
    };
    let (code, said) = check(&["www.sample-shop.cn", "--product", "cdn", "--payment"]);
    assert!(code == Some(0) && said.contains("ALLOW"), "{said}");
    let denied = ["sample-blog.cn", "--product", "hosting", "--payment"];
    let (code, said) = check(&denied);
    assert!(code == Some(1) && said.contains("DENY"), "{said}");
    let (code, said) = check(&["imported.cn", "--product", "cdn"]);
    assert!(
        code == Some(1) && said.contains("FILING_NOT_FOUND"),
        "{said}"
    );

    // Beside the running server, which sees it at once.
    let record = place.folder.path().join("record.ndjson");
    let sample = std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/records/service.ndjson"),
    )
    .unwrap();
    std::fs::write(&record, &sample).unwrap();
    let (code, said) = place.run(&["import", "record.ndjson"]);
    assert!(code == Some(0) && said.contains(" 0 unchanged"), "{said}");
    let (code, said) = place.run(&["import", "record.ndjson"]);
    assert!(code == Some(0) && said.contains(" 0 accepted"), "{said}");

    let (code, said) = place.run(&["doctor", "--output", "json"]);
    assert!(
        code == Some(0) && said.contains("records, revision"),
        "{said}"
    );
    serving.stop();

    assert_eq!(place.number("SELECT count(*) FROM decision").await, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_doctor_tells_of_the_read_replica_and_it_is_not_needed() {
    let place = Place::new().await;
    place.run(&["migrate"]);
    // A database that follows itself is always up to date.
    let own = ["--set", &format!("store.read_url={}", place.url)];
    let (code, said) = place.run(&[&["doctor"], &own[..]].concat());
    assert!(
        code == Some(0) && said.contains("read replica   revision 0"),
        "{said}"
    );
    let (server, _) = place.url.rsplit_once('/').unwrap();
    let nowhere = format!("store.read_url={server}/no_such_database");
    let (code, said) = place.run(&["doctor", "--set", &nowhere]);
    assert!(
        code == Some(0) && said.contains("! warn  read replica"),
        "{said}"
    );
    let serving = Serving::start(&place, &["--sample", "--set", &nowhere]);
    let check = [
        "check",
        "www.sample-shop.cn",
        "--product",
        "cdn",
        "--area",
        "mainland",
    ];
    let (code, said) = place.run(&[&check[..], &["--payment", "--server", &serving.url]].concat());
    assert_eq!(code, Some(0), "{said}");
    serving.stop();

    let path = ["--set", "store.url=", "--set", &nowhere];
    let (code, said) = place.run(&[&["doctor"], &path[..]].concat());
    assert!(
        code == Some(1) && said.contains("means nothing without `store.url`"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behaviour_15_a_killed_import_halves_nothing_and_may_be_repeated() {
    let place = Place::new().await;
    write_records(&place.folder.path().join("records.ndjson"));
    place.run(&["migrate"]);
    let mut import = place
        .command(&["import", "records.ndjson"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut raw = place.raw().await;
    loop {
        let head: i64 = sqlx::query_scalar("SELECT revision FROM revision_counter")
            .fetch_one(&mut raw)
            .await
            .unwrap();
        if head > 0 {
            break;
        }
        assert_eq!(
            import.try_wait().unwrap(),
            None,
            "it ended before it was killed"
        );
    }
    import.kill().unwrap();
    import.wait().unwrap();

    // What the server still does for it is over when its connections are.
    let busy = "SELECT count(*) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'icpgate'";
    while place.number(busy).await > 0 {}
    let versions = place.number("SELECT count(*) FROM record_version").await;
    assert!((1..i64::from(LINES)).contains(&versions), "{versions}");
    for table in ["SELECT count(*) FROM record", "SELECT count(*) FROM handle"] {
        assert_eq!(place.number(table).await, versions);
    }
    let counted = "SELECT coalesce(sum(records), 0)::BIGINT FROM sync";
    assert_eq!(place.number(counted).await, versions);

    let (code, said) = place.run(&["import", "records.ndjson", "--output", "json"]);
    assert_eq!(code, Some(0), "{said}");
    let report: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(report["unchanged"], versions, "{said}");
    assert_eq!(report["accepted"], i64::from(LINES) - versions, "{said}");
    assert_eq!(place.number(counted).await, i64::from(LINES));
}
