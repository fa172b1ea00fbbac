//! A Prometheus server with the rules of `deploy/prometheus`, in a hurry: what is a minute there is a
//! second here, so that an alert that waits for five minutes is seen after five seconds.
//! Start at [`Prometheus::start`].

use std::fs::File;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use form_urlencoded::Serializer;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tempfile::TempDir;
use tonic::codegen::Bytes;

use super::servers::gate::{Process, until};
use super::servers::redis::free_port;

const REMEDY: &str = "install Prometheus (Debian: `apt-get install prometheus`)";

/// How many times faster than they are written the rules run here.
const HURRY: u64 = 60;

/// Twice the 15 seconds of `deploy/compose/prometheus.yml`, in a hurry: replicas have that long to be read,
/// on machines that do other things.
const INTERVAL: &str = "500ms";

/// A running server.
pub(crate) struct Prometheus {
    folder: TempDir,
    address: SocketAddr,
    process: Process,
    client: Client<HttpConnector, Empty<Bytes>>,
}

/// A replica as Prometheus is told of it; the name stays when it listens elsewhere.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) name: &'static str,
    pub(crate) http: SocketAddr,
}

/// A rule as the server has read it.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    /// Name of the alert or of the recorded series.
    pub(crate) name: String,
    pub(crate) query: String,
    /// `ok`, or that it cannot be evaluated, and why.
    pub(crate) health: String,
}

/// An alert that fires.
#[derive(Clone, Debug)]
pub(crate) struct Alert {
    pub(crate) labels: Value,
    pub(crate) annotations: Value,
}

impl Prometheus {
    /// Starts it and waits until it answers. It has no targets yet.
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path();
        for file in ["recording.rules.yml", "alerts.rules.yml"] {
            let path = root().join("deploy/prometheus").join(file);
            let rules = std::fs::read_to_string(path).unwrap();
            std::fs::write(place.join(file), hurried(&rules)).unwrap();
        }
        let settings = format!(
            "global: {{scrape_interval: {INTERVAL}, evaluation_interval: {INTERVAL}}}\n\
             rule_files: [recording.rules.yml, alerts.rules.yml]\n\
             scrape_configs:\n\
             - job_name: icpgate\n  file_sd_configs: [{{files: [targets.json]}}]\n"
        );
        std::fs::write(place.join("prometheus.yml"), settings).unwrap();
        std::fs::write(place.join("targets.json"), "[]").unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let log = File::create(place.join("log")).unwrap();
        let mut command = Command::new("prometheus");
        command
            .current_dir(place)
            .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"])
            .arg(format!("--web.listen-address={address}"))
            .arg("--enable-feature=exemplar-storage")
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        assert!(
            Command::new("prometheus").arg("--version").output().is_ok(),
            "no Prometheus: {REMEDY}"
        );
        let this = Self {
            folder,
            address,
            process: Process::start(&mut command),
            client: Client::builder(TokioExecutor::new()).build_http(),
        };
        until("Prometheus is ready", async || {
            this.get("/-/ready", &[]).await.is_some().then_some(())
        })
        .await;
        this
    }

    /// Tells it which replicas there are, in place of those of before.
    pub(crate) fn scrape(&self, targets: &[Target]) {
        let groups: Vec<Value> = targets
            .iter()
            .map(|Target { name, http }| {
                json!({"targets": [http.to_string()], "labels": {"instance": name}})
            })
            .collect();
        // Exchanged whole, since it may be read at any moment.
        let new = self.folder.path().join("new.json");
        std::fs::write(&new, json!(groups).to_string()).unwrap();
        std::fs::rename(new, self.folder.path().join("targets.json")).unwrap();
    }

    /// What a query comes to now; an error is told.
    pub(crate) async fn query(&self, query: &str) -> Result<Vec<Value>, String> {
        let data = self.ask("/api/v1/query", &[("query", query)]).await?;
        let kind = data["resultType"].as_str().unwrap();
        Ok(match kind {
            "scalar" => vec![data["result"].clone()],
            _ => data["result"].as_array().unwrap().clone(),
        })
    }

    /// Examples of a series of the last hour.
    pub(crate) async fn examples(&self, series: &str) -> Vec<Value> {
        let now = self.query("time()").await.unwrap()[0][0].as_f64().unwrap();
        let (start, end) = ((now - 3600.0).to_string(), (now + 60.0).to_string());
        let asked = [("query", series), ("start", &start), ("end", &end)];
        let found = self.ask("/api/v1/query_exemplars", &asked).await.unwrap();
        let found = found.as_array().unwrap().iter();
        found
            .flat_map(|one| one["exemplars"].as_array().unwrap().clone())
            .collect()
    }

    /// Names of all series that were ever scraped or recorded.
    pub(crate) async fn names(&self) -> Vec<String> {
        let names = self.ask("/api/v1/label/__name__/values", &[]).await;
        serde_json::from_value(names.unwrap()).unwrap()
    }

    pub(crate) async fn rules(&self) -> Vec<Rule> {
        let data = self.ask("/api/v1/rules", &[]).await.unwrap();
        let groups = data["groups"].as_array().unwrap().iter();
        let text = |rule: &Value, key: &str| rule[key].as_str().unwrap_or_default().to_owned();
        groups
            .flat_map(|group| group["rules"].as_array().unwrap())
            .map(|rule| Rule {
                name: text(rule, "name"),
                query: text(rule, "query"),
                health: format!("{} {}", text(rule, "health"), text(rule, "lastError"))
                    .trim()
                    .to_owned(),
            })
            .collect()
    }

    /// Alerts of a name that fire.
    pub(crate) async fn firing(&self, name: &str) -> Vec<Alert> {
        let data = self.ask("/api/v1/alerts", &[]).await.unwrap();
        let alerts = data["alerts"].as_array().unwrap().iter();
        alerts
            .filter(|alert| alert["state"] == "firing" && alert["labels"]["alertname"] == name)
            .map(|alert| Alert {
                labels: alert["labels"].clone(),
                annotations: alert["annotations"].clone(),
            })
            .collect()
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    async fn ask(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Value, String> {
        let body = self.get(path, parameters).await;
        let body = body.unwrap_or_else(|| panic!("Prometheus is gone:\n{}", self.log()));
        let answer: Value = serde_json::from_slice(&body).unwrap();
        match answer["status"].as_str() {
            Some("success") => Ok(answer["data"].clone()),
            _ => Err(answer["error"].as_str().unwrap_or_default().to_owned()),
        }
    }

    /// The body of an answer; `None` where there is none, or where the server is not ready.
    async fn get(&self, path: &str, parameters: &[(&str, &str)]) -> Option<Bytes> {
        let mut query = Serializer::new(String::new());
        query.extend_pairs(parameters);
        let uri = format!("http://{}{path}?{}", self.address, query.finish());
        let answer = async {
            let answer = self.client.get(uri.parse().unwrap()).await.ok()?;
            let there = answer.status() != http::StatusCode::SERVICE_UNAVAILABLE;
            let body = answer.into_body().collect().await.ok()?.to_bytes();
            there.then_some(body)
        };
        tokio::time::timeout(Duration::from_mins(1), answer)
            .await
            .expect("Prometheus answers or refuses")
    }
}

/// The rules with every span of theirs cut to a part: how long they look back, how long they wait.
fn hurried(rules: &str) -> String {
    let mut rest = rules;
    let mut hurried = String::with_capacity(rules.len());
    while let Some((at, mark)) = ["[", "for: ", "offset "]
        .iter()
        .filter_map(|mark| rest.find(mark).map(|at| (at + mark.len(), *mark)))
        .min()
    {
        hurried.push_str(&rest[..at]);
        rest = &rest[at..];
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let unit = rest[digits..].chars().next();
        let milliseconds = match unit {
            Some('s') => 1_000,
            Some('m') => 60_000,
            Some('h') => 3_600_000,
            Some('d') => 86_400_000,
            _ => panic!("no span after `{mark}` in {}", &rest[..20.min(rest.len())]),
        };
        let span: u64 = rest[..digits].parse().unwrap();
        hurried.push_str(&format!("{}ms", span * milliseconds / HURRY));
        rest = &rest[digits + 1..];
    }
    hurried + rest
}

/// The folder of the project.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn spans_of_rules_are_cut_and_nothing_else_is() {
    let rules = "expr: rate(a[5m]) > 2 * (b_rate1d offset 1h)\nfor: 1m\nlabels: {x: 15m}\n";
    let expected =
        "expr: rate(a[5000ms]) > 2 * (b_rate1d offset 60000ms)\nfor: 1000ms\nlabels: {x: 15m}\n";
    assert_eq!(hurried(rules), expected);
}
