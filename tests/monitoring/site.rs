//! An installation: two replicas on PostgreSQL and Redis, which Prometheus looks at, and callers.
//! Start at [`Site::start`].

use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;

use super::prometheus::{Prometheus, Target, root};
use super::servers::gate::Gate;
use super::servers::postgres::{Server, Setup};
use super::servers::redis::Redis;
use super::traffic::{Addresses, traffic};
use super::web::address;
use super::world::World;

const NAMES: [&str; 2] = ["gate-1", "gate-2"];

/// How long anything may take that Prometheus is to find out. Far beyond what it takes, because a
/// machine may be busy.
const PATIENCE: Duration = Duration::from_mins(3);

pub(crate) struct Site {
    pub(crate) gates: Vec<Gate>,
    /// `None`: there is a server of somebody else, which cannot be harmed.
    pub(crate) postgres: Option<Server>,
    pub(crate) redis: Redis,
    pub(crate) prometheus: Prometheus,
    policy: PathBuf,
    addresses: Addresses,
    world: World,
    _folder: TempDir,
}

impl Site {
    /// Starts everything, with records, and without callers.
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let postgres = Server::start(Setup::default()).await;
        let database = match &postgres {
            Some(server) => server.database().await,
            None => super::servers::postgres::database().await,
        };
        let redis = Redis::start();
        let policy = folder.path().join("policy.toml");
        let shipped = root().join("policies/mainland-strict/policy.toml");
        std::fs::copy(shipped, &policy).unwrap();
        let key = folder.path().join("privacy.key");
        let settings = || {
            vec![
                ("store.url", database.clone()),
                ("redis.urls", redis.url()),
                ("policy.file", policy.display().to_string()),
                ("privacy.key_file", key.display().to_string()),
                ("auth.reload_interval", "200ms".to_owned()),
                ("metrics.data_interval", "200ms".to_owned()),
                ("metrics.survey_interval", "500ms".to_owned()),
            ]
        };
        let gates = vec![Gate::start(settings()).await, Gate::start(settings()).await];
        let world = World { subjects: 20 };
        for records in world.beginning() {
            gates[0].put(records).await.unwrap();
        }
        let site = Self {
            gates,
            postgres,
            redis,
            prometheus: Prometheus::start().await,
            policy,
            addresses: Addresses::default(),
            world,
            _folder: folder,
        };
        site.look_at_gates();
        site
    }

    /// Has callers call while something is tried.
    pub(crate) async fn with_traffic<T>(&self, trying: impl Future<Output = T>) -> T {
        tokio::select! {
            () = traffic(&self.addresses, self.world) => panic!("callers have no end"),
            tried = trying => tried,
        }
    }

    /// Where replicas are, for Prometheus and for callers.
    pub(crate) fn look_at_gates(&self) {
        let targets: Vec<_> = NAMES
            .iter()
            .zip(&self.gates)
            .map(|(name, gate)| Target {
                name,
                http: address(gate),
            })
            .collect();
        self.prometheus.scrape(&targets);
        *self.addresses.lock().unwrap() = self.gates.iter().map(Gate::address).collect();
    }

    /// Changes the policy that the replicas are to take.
    pub(crate) fn edit_policy(&self, edit: impl FnOnce(String) -> String) {
        let text = std::fs::read_to_string(&self.policy).unwrap();
        std::fs::write(&self.policy, edit(text)).unwrap();
    }

    /// Waits until an alert fires, and looks at what it says.
    pub(crate) async fn fires(&self, alert: &str) {
        let found = self
            .found(&format!("{alert} fires"), async || {
                let firing = self.prometheus.firing(alert).await;
                if firing.is_empty() {
                    Err(format!("{:?}", self.prometheus.query("ALERTS").await))
                } else {
                    Ok(firing)
                }
            })
            .await;
        for one in found {
            let told = one.annotations.as_object().unwrap();
            let said: Vec<&str> = told.values().map(|text| text.as_str().unwrap()).collect();
            assert!(said.iter().all(|text| !text.contains("{{")), "{said:?}");
            assert!(said.iter().all(|text| !text.contains("error")), "{said:?}");
            assert!(
                told["runbook_url"]
                    .as_str()
                    .unwrap()
                    .contains("RUNBOOK.md#")
            );
            assert!(["page", "ticket"].contains(&one.labels["severity"].as_str().unwrap()));
        }
    }

    /// Waits until an alert does not fire any more.
    pub(crate) async fn clears(&self, alert: &str) {
        self.found(&format!("{alert} clears"), async || {
            let firing = self.prometheus.firing(alert).await;
            firing.is_empty().then_some(()).ok_or(format!("{firing:?}"))
        })
        .await;
    }

    /// Waits until something is so, and tells what was in its way where it never is.
    pub(crate) async fn found<T>(
        &self,
        what: &str,
        mut look: impl AsyncFnMut() -> Result<T, String>,
    ) -> T {
        let begun = tokio::time::Instant::now();
        loop {
            let way = match look().await {
                Ok(found) => return found,
                Err(way) => way,
            };
            assert!(
                begun.elapsed() < PATIENCE,
                "waited in vain until {what}: {way}"
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits until a query finds something.
    pub(crate) async fn holds(&self, query: &str) {
        self.found(query, async || match self.prometheus.query(query).await {
            Ok(found) if found.is_empty() => Err("it finds nothing".to_owned()),
            found => found.map(drop),
        })
        .await;
    }

    /// Waits until both replicas are scraped.
    pub(crate) async fn is_seen(&self) {
        self.holds("sum(up) == 2").await;
    }
}
