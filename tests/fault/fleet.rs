//! Replicas over one database and one Redis, each behind proxies of its own.
//! Start at [`Fleet::start`].

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use icpgate::bootstrap;
use icpgate::config::{Config, Flag, Inputs, load};
use icpgate::intake::Intake;
use icpgate::store::Store;
use icpgate_policy::policy::shipped;
use tempfile::TempDir;

use super::database::{place, through};
use super::redis::Redis;
use super::servers::gate::{Gate, Settings};
use super::servers::postgres;
use super::servers::proxy::Proxy;

/// Replicas with what they depend on.
pub(crate) struct Fleet {
    /// First, so that they end first.
    pub(crate) replicas: Vec<Replica>,
    pub(crate) redis: Option<Redis>,
    /// The database past every proxy.
    pub(crate) url: String,
    folder: TempDir,
    settings: Settings,
}

/// A process and the proxies that stand before it.
pub(crate) struct Replica {
    pub(crate) gate: Gate,
    /// Before the database.
    pub(crate) store: Proxy,
    /// Before Redis.
    pub(crate) cache: Option<Proxy>,
}

/// What a fleet is made of.
#[derive(Default)]
pub(crate) struct Plan {
    pub(crate) replicas: usize,
    /// Whether there is a Redis.
    pub(crate) redis: bool,
    /// Address of a database of the test's own; else one is made on the shared server.
    pub(crate) url: Option<String>,
    /// How old facts may be while the store does not answer: to place and to recheck orders.
    pub(crate) stale: Option<(Duration, Duration)>,
    pub(crate) settings: Settings,
}

impl Fleet {
    pub(crate) async fn start(plan: Plan) -> Self {
        let url = match plan.url {
            Some(url) => url,
            None => postgres::database().await,
        };
        let folder = tempfile::tempdir().unwrap();
        // Replicas share the key under which the records are sealed.
        write_key(&folder.path().join("privacy.key"));
        let mut settings = plan.settings;
        if let Some((usual, recheck)) = plan.stale {
            let file = folder.path().join("policy.toml");
            std::fs::write(&file, policy(usual, recheck)).unwrap();
            settings.push(("policy.file", file.display().to_string()));
        }
        let mut fleet = Self {
            replicas: Vec::new(),
            redis: if plan.redis {
                Some(Redis::start().await)
            } else {
                None
            },
            url,
            folder,
            settings,
        };
        for _ in 0..plan.replicas {
            let replica = fleet.replica(Vec::new()).await;
            fleet.replicas.push(replica);
        }
        fleet
    }

    /// One more replica, with settings of its own on top.
    pub(crate) async fn replica(&self, own: Settings) -> Replica {
        let store = Proxy::start(place(&self.url).await);
        let cache = self
            .redis
            .as_ref()
            .map(|redis| Proxy::start(redis.address()));
        let mut settings = vec![
            ("store.url", through(&self.url, store.address())),
            ("privacy.key_file", self.key_file().display().to_string()),
        ];
        if let Some(cache) = &cache {
            settings.push(("redis.urls", format!("redis://{}", cache.address())));
        }
        settings.extend(self.settings.iter().cloned());
        settings.extend(own);
        let gate = Gate::start(settings).await;
        Replica { gate, store, cache }
    }

    /// Redis and the first replica.
    pub(crate) fn redis_and_first(&mut self) -> (&mut Redis, &Replica) {
        let redis = self.redis.as_mut().expect("the fleet has a Redis");
        (redis, &self.replicas[0])
    }

    /// The policy, where it is one of its own.
    pub(crate) fn policy_file(&self) -> PathBuf {
        self.folder.path().join("policy.toml")
    }

    /// The configuration of a replica, as far as records are concerned.
    fn config(&self) -> Config {
        let flag = |key: &str, value: &str| Flag {
            name: format!("--set {key}"),
            key: key.to_owned(),
            value: value.to_owned(),
        };
        let inputs = Inputs {
            directory: self.folder.path().to_owned(),
            flags: vec![
                flag("store.url", &self.url),
                flag("privacy.key_file", &self.key_file().display().to_string()),
            ],
            ..Inputs::default()
        };
        load(&inputs).unwrap().config
    }

    /// The store past every proxy and every cache, and the edge through which records enter.
    pub(crate) async fn truth(&self) -> (Arc<dyn Store>, Arc<Intake>) {
        let parts = bootstrap::open(&self.config(), true).await.unwrap();
        (parts.store, parts.intake)
    }

    fn key_file(&self) -> PathBuf {
        self.folder.path().join("privacy.key")
    }
}

/// Tells whoever runs the test, where he wants to hear it.
#[expect(
    clippy::print_stdout,
    reason = "shown where the test fails, and on demand"
)]
pub(crate) fn say(what: &str) {
    println!("{what}");
}

/// The shipped policy with bounds of its own on stale facts.
fn policy(usual: Duration, recheck: Duration) -> String {
    let text = shipped("mainland-strict").unwrap();
    let lines = text.lines().map(|line| match line.split_once(" = ") {
        Some(("max_stale", _)) => format!("max_stale = \"{}s\"\n", usual.as_secs()),
        Some(("max_stale_recheck", _)) => {
            format!("max_stale_recheck = \"{}s\"\n", recheck.as_secs())
        }
        Some(_) | None => format!("{line}\n"),
    });
    lines.collect()
}

fn write_key(file: &Path) {
    let mut file = OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(file)
        .unwrap();
    file.write_all(&[0x6b; 32]).unwrap();
}
