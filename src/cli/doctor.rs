//! `icpgate doctor`: looks for what keeps the program from working, and says how to mend it.
//!
//! It changes nothing: no key and no folder is made, so that a first run reports what is to come.

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use icpgate_policy::facts::Revision;
use jiff::Timestamp;
use serde::Serialize;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use super::exit::{self, Failure};
use super::output::{self, BAD, CARE, GOOD, Output, clean};
use super::remote;
use crate::bootstrap;
use crate::cache::SharedError;
use crate::clock::FixedClock;
use crate::config::{Config, Loaded, PrivacyKeyError, Problems, privacy_key_permissions};

/// First year of this program: an earlier clock is wrong.
const FIRST_YEAR: i16 = 2026;

/// Longest time for the server on the port to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);

/// Flags of `icpgate doctor`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  icpgate doctor
  icpgate doctor --config /etc/icpgate/icpgate.toml --output json

Exit codes: 0 nothing keeps the program from working, 1 something does")]
pub struct DoctorArgs {
    /// Form of the answer
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at.
    pub name: &'static str,
    /// How it is.
    pub state: State,
    /// What was found.
    pub detail: String,
    /// What to do about it; empty where there is nothing to do.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub mend: String,
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Keeps the program from working.
    Fail,
    /// Works.
    Ok,
    /// Works, and wants somebody to look.
    Warn,
}

impl Check {
    /// Something that works.
    pub fn ok(name: &'static str, detail: impl Into<String>) -> Self {
        Self {
            name,
            state: State::Ok,
            detail: detail.into(),
            mend: String::new(),
        }
    }

    /// Something that works and wants somebody to look.
    pub fn warn(name: &'static str, detail: impl Into<String>, mend: impl Into<String>) -> Self {
        Self {
            name,
            state: State::Warn,
            detail: detail.into(),
            mend: mend.into(),
        }
    }

    /// Something that keeps the program from working.
    pub fn fail(name: &'static str, detail: impl Into<String>, mend: impl Into<String>) -> Self {
        Self {
            name,
            state: State::Fail,
            detail: detail.into(),
            mend: mend.into(),
        }
    }
}

/// Checks everything.
pub async fn checks(loaded: &Result<Loaded, Problems>, now: Timestamp) -> Vec<Check> {
    let mut checks = Vec::new();
    match loaded {
        Ok(loaded) => {
            let from = match &loaded.file {
                Some(path) => format!("read from {}", path.display()),
                None => "defaults; no configuration file".to_owned(),
            };
            checks.push(Check::ok("configuration", from));
            let config: &Config = &loaded.config;
            checks.push(key(&config.privacy.key_file));
            if config.store.url.is_none() {
                checks.push(folder(&config.store.path));
            }
            checks.push(callers(config, now).await);
            checks.push(port("gRPC port", config.grpc.listen, Some(config)).await);
            checks.push(http_port(config).await);
        }
        Err(problems) => {
            for problem in &problems.0 {
                let mend = "mend it and run `icpgate doctor` again";
                checks.push(Check::fail("configuration", problem.to_string(), mend));
            }
        }
    }
    match loaded {
        Ok(loaded) => checks.extend(store_checks(&loaded.config, now).await),
        Err(_) => checks.push(clock(now, None)),
    }
    checks
}

/// Looks for what keeps policy, store and clock from working. Makes no store where there is none.
async fn store_checks(config: &Config, now: Timestamp) -> Vec<Check> {
    let mut checks = vec![match bootstrap::policy(config) {
        Ok(policy) => Check::ok("policy", policy.version.to_string()),
        Err(error) => {
            let mend = "mend the document; `icpgate policy lint FILE` checks it";
            Check::fail("policy", format!("{error:#}"), mend)
        }
    }];
    if config.store.url.is_none() && !config.store.path.exists() {
        let detail = format!(
            "{} is not there yet; it is made at the first start",
            config.store.path.display()
        );
        checks.push(Check::ok("store", detail));
        checks.push(clock(now, None));
        return checks;
    }
    if !config.privacy.key_file.exists() {
        // Asking would make one.
        let detail = "the database of store.url; it is looked at once there is a privacy key";
        checks.push(Check::ok("store", detail));
        checks.push(clock(now, None));
        return checks;
    }
    let found = async {
        let parts = bootstrap::open(config, false).await?;
        let counts = parts.store.counts().await?;
        let head = parts.store.head().await?;
        let before = (Revision(head.0.saturating_sub(1)), None);
        let newest = parts
            .store
            .changes(before, 1)
            .await?
            .pop()
            .map(|change| change.committed_at);
        let shared = match &parts.shared {
            Some(shared) => Some(shared.check().await),
            None => None,
        };
        parts.store.close().await;
        anyhow::Ok((counts, head, newest, shared))
    };
    match found.await {
        Ok((counts, head, newest, shared)) => {
            let records: u64 = counts.iter().map(|(_, count)| count).sum();
            checks.push(Check::ok(
                "store",
                format!("{records} records, revision {}", head.0),
            ));
            checks.extend(replica(config, head).await);
            checks.extend(shared.map(shared_cache));
            checks.push(clock(now, newest));
        }
        Err(error) => {
            let mend = "do as the message says, or run `icpgate migrate` after an upgrade";
            checks.push(Check::fail("store", format!("{error:#}"), mend));
            checks.push(clock(now, None));
        }
    }
    checks
}

/// Whether the shared cache answers. It keeps nothing from working.
fn shared_cache(checked: Result<(), SharedError>) -> Check {
    const NAME: &str = "shared cache";
    match checked {
        Ok(()) => Check::ok(NAME, "Redis answers, and takes what is written"),
        Err(error) => {
            let mend = "answers come from the store meanwhile; look at Redis and at redis.urls";
            Check::warn(NAME, format!("{:#}", anyhow::Error::from(error)), mend)
        }
    }
}

/// How far the read replica is, where one is configured. It keeps nothing from working.
async fn replica(config: &Config, head: Revision) -> Option<Check> {
    const NAME: &str = "read replica";
    match bootstrap::replica(config).await {
        Ok(None) => None,
        Ok(Some(reached)) => {
            let behind = head.0.saturating_sub(reached.0);
            let detail = match behind {
                0 => format!("revision {}", reached.0),
                behind => format!("revision {}, {behind} behind the primary", reached.0),
            };
            Some(Check::ok(NAME, detail))
        }
        Err(error) => {
            let mend = "start it, or mend `store.read_url`; until then the primary answers";
            Some(Check::warn(NAME, format!("{error:#}"), mend))
        }
    }
}

/// Whether the clock can be right. `newest` is when the newest write was committed; `None`: not
/// known.
#[must_use]
pub fn clock(now: Timestamp, newest: Option<Timestamp>) -> Check {
    let mend = "set the clock of this machine, for example with NTP: answers hang on the date";
    let shown = now.strftime("%Y-%m-%dT%H:%M:%SZ");
    if jiff::tz::offset(8).to_datetime(now).year() < FIRST_YEAR {
        return Check::fail(
            "clock",
            format!("{shown} is before this program was made"),
            mend,
        );
    }
    match newest.filter(|newest| now < *newest) {
        Some(newest) => {
            let newest = newest.strftime("%Y-%m-%dT%H:%M:%SZ");
            Check::fail(
                "clock",
                format!("{shown} is before the newest write, {newest}"),
                mend,
            )
        }
        None => Check::ok("clock", shown.to_string()),
    }
}

/// Prints what was found. The exit code is 1 where something keeps the program from working.
///
/// # Errors
///
/// The output cannot be written.
pub fn report(checks: &[Check], form: Output) -> Result<u8, Failure> {
    match form {
        Output::Json => output::print_json(&checks)?,
        Output::Table => {
            let lines: String = checks.iter().map(line).collect();
            output::print(&lines)?;
        }
    }
    let failed = checks.iter().any(|check| check.state == State::Fail);
    Ok(if failed { exit::REFUSED } else { exit::SUCCESS })
}

fn line(check: &Check) -> String {
    let (style, mark) = match check.state {
        State::Fail => (BAD, "✗ fail"),
        State::Ok => (GOOD, "✓ ok  "),
        State::Warn => (CARE, "! warn"),
    };
    let mut line = format!(
        "{style}{mark}{style:#}  {:<14} {}\n",
        check.name,
        clean(&check.detail)
    );
    if !check.mend.is_empty() {
        let _ = writeln!(line, "{:25}→ {}", "", clean(&check.mend));
    }
    line
}

fn key(path: &Path) -> Check {
    const NAME: &str = "privacy key";
    match privacy_key_permissions(path) {
        Ok(()) => Check::ok(
            NAME,
            format!("{}, readable by its owner only", path.display()),
        ),
        Err(PrivacyKeyError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            Check::ok(
                NAME,
                format!("{} is made at the first start", path.display()),
            )
        }
        Err(error) => {
            let mend = format!("run `chmod 600 {}` as its owner", path.display());
            Check::fail(NAME, anyhow::Error::new(error).to_string(), mend)
        }
    }
}

/// Whether the folder of the store, or the nearest one that is there, takes files.
fn folder(store: &Path) -> Check {
    const NAME: &str = "data folder";
    let mut folders = store.ancestors().skip(1).map(|folder| {
        if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            folder
        }
    });
    let Some(folder) = folders.find(|folder| folder.exists()) else {
        return Check::fail(NAME, "no part of the path is there", "mend `store.path`");
    };
    let probe = folder.join(format!(".icpgate-doctor-{}", std::process::id()));
    let written = std::fs::write(&probe, b"").and_then(|()| std::fs::remove_file(&probe));
    match written {
        Ok(()) => Check::ok(NAME, format!("{} takes files", folder.display())),
        Err(error) => {
            let mend = "give this user the right to write there, or change `store.path`";
            Check::fail(
                NAME,
                format!("{} takes no files: {error}", folder.display()),
                mend,
            )
        }
    }
}

/// Whether callers can be let in as it is configured.
async fn callers(config: &Config, now: Timestamp) -> Check {
    const NAME: &str = "callers";
    match bootstrap::open_door(config, Arc::new(FixedClock::new(now))).await {
        Ok((door, _)) => Check::ok(NAME, door.protection()),
        Err(error) => {
            let mend = "mend what is named, and run `icpgate doctor` again";
            Check::fail(NAME, format!("{error:#}"), mend)
        }
    }
}

/// Whether HTTP may be listened on where it is configured, and can be.
async fn http_port(config: &Config) -> Check {
    const NAME: &str = "HTTP port";
    match bootstrap::permit_http(config) {
        Ok(()) => port(NAME, config.http.listen, None).await,
        Err(error) => {
            let mend = "change `http.listen`, or set `http.insecure` if the network lets only \
                        monitoring in";
            Check::fail(NAME, format!("{error:#}"), mend)
        }
    }
}

/// Whether the port is free, or a server of ours answers there. `asked` tells how to ask one.
async fn port(name: &'static str, listen: SocketAddr, asked: Option<&Config>) -> Check {
    match tokio::net::TcpListener::bind(listen).await {
        Ok(_) => Check::ok(name, format!("{listen} is free")),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let Some(config) = asked else {
                let mend = "stop the other program, or change the address";
                return Check::warn(name, format!("{listen} is taken"), mend);
            };
            let Err(why) = answers(config).await else {
                return Check::ok(name, format!("icpgate answers on {listen}"));
            };
            let mend = "stop the other program, or change the address; if it is icpgate, see \
                        whether the keys of `client` fit it";
            let detail =
                format!("{listen} is taken, not by a gRPC server that answers here: {why}");
            Check::warn(name, detail, mend)
        }
        Err(error) => {
            let mend = "give an address of this machine and a port that this user may use";
            Check::fail(name, format!("{listen} cannot be used: {error}"), mend)
        }
    }
}

/// Asks the server on the configured port for its health.
async fn answers(config: &Config) -> Result<(), String> {
    let told = |failure: Failure| format!("{:#}", failure.error);
    let access = remote::Access::read(&config.client).map_err(told)?;
    let url = remote::url_of(&config.grpc);
    let channel = remote::connect(&url, &access, Some(ANSWER_TIMEOUT))
        .await
        .map_err(told)?;
    let health = HealthClient::new(channel)
        .check(HealthCheckRequest::default())
        .await;
    health
        .map(|_| ())
        .map_err(|status| told(remote::failure(&url, status)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_before_the_newest_write_is_wrong() {
        let now: Timestamp = "2026-11-22T00:00:00Z".parse().unwrap();
        let later: Timestamp = "2026-11-22T00:00:01Z".parse().unwrap();
        assert_eq!(clock(now, None).state, State::Ok);
        assert_eq!(clock(now, Some(now)).state, State::Ok);
        assert_eq!(clock(now, Some(later)).state, State::Fail);
        assert_eq!(clock(Timestamp::UNIX_EPOCH, None).state, State::Fail);
    }
}
