//! Every series that a rule or a dashboard asks for is there once replicas had traffic.

use std::collections::BTreeSet;

use icpgate::telemetry::metrics::LIST;
use serde_json::Value;

use super::prometheus::root;
use super::site::Site;

/// Metrics that these replicas have no series of, each with the reason.
const WITHOUT: [(&str, &str); 6] = [
    ("icpgate_auth_keys_timestamp_seconds", "no tokens"),
    ("icpgate_auth_refused", "nobody has to say who calls"),
    (
        "icpgate_caller_refusals_total",
        "nobody has to say who calls",
    ),
    ("icpgate_certificate_expiry_timestamp_seconds", "no TLS"),
    ("icpgate_otlp_spans_total", "no collector"),
    (
        "icpgate_sync_limit_seconds",
        "records.max_sync_age is not set",
    ),
];

/// Panels that may show nothing: of what has not happened, and of what these replicas do without.
const EMPTY: [&str; 16] = [
    "icpgate: data: Age of the keys of tokens",
    "icpgate: data: Age of the last write, by kind",
    "icpgate: data: Certificate ends in",
    "icpgate: data: Certificates end in",
    "icpgate: data: Files not in force",
    "icpgate: one replica: Calls under way",
    "icpgate: one replica: Fetches of keys of tokens",
    "icpgate: one replica: Known callers not let in",
    "icpgate: one replica: Time in the phase, while it ends",
    "icpgate: one replica: Why not",
    "icpgate: overview: Alerts that fire",
    "icpgate: overview: Denials against the day before",
    "icpgate: overview: Known callers not let in",
    "icpgate: overview: Obligations, last hour",
    "icpgate: overview: Reasons of INDETERMINATE, last hour",
    "icpgate: overview: Reasons of REVIEW, last hour",
];

/// A query of a dashboard.
struct Panel {
    place: String,
    query: String,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_rule_and_every_panel_finds_its_series() {
    let site = Site::start().await;
    site.with_traffic(async {
        site.is_seen().await;
        let panels = panels();
        assert!(panels.len() > 50, "the dashboards were not read");
        site.found("what is asked for is there", async || {
            let names = site.prometheus.names().await;
            let names: BTreeSet<&str> = names.iter().map(String::as_str).collect();
            let rules = site.prometheus.rules().await;
            assert!(rules.len() > 50, "the rules were not read");
            let queries = rules.iter().map(|rule| (&rule.name, &rule.query));
            let shown = panels.iter().map(|panel| (&panel.place, &panel.query));
            let without: Vec<_> = queries
                .chain(shown)
                .flat_map(|(place, query)| asked(query).map(move |name| (place.clone(), name)))
                .filter(|(_, name)| !names.contains(name.as_str()) && !excused(name))
                .collect();
            without
                .is_empty()
                .then_some(())
                .ok_or(format!("{without:?}"))
        })
        .await;
        for rule in site.prometheus.rules().await {
            assert_eq!(rule.health, "ok", "{}", rule.name);
        }
        site.found("every panel shows something", async || {
            let mut empty = Vec::new();
            for panel in &panels {
                let answer = site.prometheus.query(&panel.query).await;
                let answer = answer.unwrap_or_else(|error| panic!("{}: {error}", panel.place));
                if answer.is_empty() && !EMPTY.contains(&panel.place.as_str()) {
                    empty.push(format!("{}: {}", panel.place, panel.query));
                }
            }
            empty.is_empty().then_some(()).ok_or(empty.join("\n"))
        })
        .await;
        // From a slow answer to its decision.
        site.found("decisions are kept with latencies", async || {
            let series = "icpgate_decision_duration_seconds_bucket";
            let examples = site.prometheus.examples(series).await;
            let named = |one: &Value| one["labels"]["decision_id"].is_string();
            examples
                .iter()
                .any(named)
                .then_some(())
                .ok_or(format!("{examples:?}"))
        })
        .await;
    })
    .await;
}

fn excused(name: &str) -> bool {
    WITHOUT.iter().any(|(without, _)| *without == name)
}

/// Names of series of ours that a query asks for.
fn asked(query: &str) -> impl Iterator<Item = String> {
    let part = |c: char| c.is_ascii_alphanumeric() || "_:".contains(c);
    let words = query.split(move |c| !part(c));
    words
        .filter(|word| word.starts_with("icpgate_") || word.starts_with("icpgate:"))
        .map(str::to_owned)
        .collect::<Vec<_>>()
        .into_iter()
}

/// Every query of every dashboard, with what Grafana would put in for its variables.
fn panels() -> Vec<Panel> {
    let folder = root().join("deploy/grafana/dashboards");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let dashboard: Value = serde_json::from_str(&text).unwrap();
        let mut panels = dashboard["panels"].as_array().unwrap().clone();
        while let Some(panel) = panels.pop() {
            panels.extend(panel["panels"].as_array().cloned().unwrap_or_default());
            for target in panel["targets"].as_array().into_iter().flatten() {
                let text = |value: &Value| value.as_str().unwrap().to_owned();
                found.push(Panel {
                    place: format!("{}: {}", text(&dashboard["title"]), text(&panel["title"])),
                    query: filled_in(&text(&target["expr"])),
                });
            }
        }
    }
    found
}

fn filled_in(query: &str) -> String {
    let values = [
        ("$__rate_interval", "5s"),
        ("$__range", "30s"),
        ("$__interval", "1s"),
        ("${job}", "icpgate"),
        ("$job", "icpgate"),
        ("${instance}", "gate-1"),
        ("$instance", "gate-1"),
        ("$namespace", ".*"),
    ];
    let filled = values
        .iter()
        .fold(query.to_owned(), |query, (name, value)| {
            query.replace(name, value)
        });
    assert!(!filled.contains('$'), "{filled}");
    filled
}

#[test]
fn what_is_excused_is_there() {
    let panels = panels();
    for place in EMPTY {
        assert!(panels.iter().any(|panel| panel.place == place), "{place}");
    }
    for (name, why) in WITHOUT {
        assert!(
            LIST.iter().any(|metric| metric.name == name),
            "{name}: {why}"
        );
    }
}
