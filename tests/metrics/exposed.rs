//! What a server that had traffic exposes.

use std::collections::{BTreeMap, BTreeSet};

use http::uri::PathAndQuery;
use icpgate::clock::{Clock as _, SystemClock};
use icpgate::proto::v1;
use icpgate::telemetry::metrics::{LIST, list::Metric};
use tonic::Code;

use super::parse::{Family, Series, openmetrics, prometheus};
use super::servers::gate::{Gate, until};
use super::web::{address, ask, get};

const OPEN: &str = "accept: application/openmetrics-text; version=1.0.0\r\n";

/// Metrics that such a server has no values of, each with the reason.
const WITHOUT: [(&str, &str); 7] = [
    ("icpgate_certificate_expiry_timestamp_seconds", "no TLS"),
    ("icpgate_change_log_view_age_seconds", "may be asked before"),
    ("icpgate_channel_connected", "signs may not have come yet"),
    ("icpgate_breaker_open", "no Redis and no read replica"),
    ("icpgate_sync_limit_seconds", "unlimited"),
    ("icpgate_auth_refused", "no files"),
    ("icpgate_auth_keys_timestamp_seconds", "no tokens"),
];

fn question(domain: &str) -> v1::CheckProvisioningRequest {
    v1::CheckProvisioningRequest {
        domain: domain.to_owned(),
        product: v1::Product::Cdn.into(),
        service_area: v1::ServiceArea::Mainland.into(),
        ..Default::default()
    }
}

pub(crate) async fn scrape(gate: &Gate) -> BTreeMap<String, Family> {
    let answer = ask(address(gate), "GET", "/metrics", OPEN).await.unwrap();
    assert_eq!(answer.status, 200);
    openmetrics(&answer.body)
}

/// The value of a series; 0 where it is not shown.
pub(crate) fn value(
    families: &BTreeMap<String, Family>,
    name: &str,
    labels: &[(&str, &str)],
) -> f64 {
    let base = ["_total", "_count", "_sum"]
        .iter()
        .find_map(|suffix| {
            name.strip_suffix(suffix)
                .filter(|base| families.contains_key(*base))
        })
        .unwrap_or(name);
    let family = &families[base];
    let labels: BTreeMap<String, String> = labels
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let series = (name.to_owned(), labels);
    family.samples.get(&series).copied().unwrap_or_default()
}

/// Sum over all series of a sample.
fn sum(families: &BTreeMap<String, Family>, base: &str, sample: &str) -> f64 {
    let samples = families[base].samples.iter();
    samples
        .filter(|((name, _), _)| name == sample)
        .map(|(_, value)| value)
        .sum()
}

fn all_series(families: &BTreeMap<String, Family>) -> BTreeSet<Series> {
    let samples = families.values().flat_map(|family| family.samples.keys());
    samples.cloned().collect()
}

/// Calls a method that may not be there.
async fn call(gate: &Gate, path: &str) -> Code {
    let mut client = tonic::client::Grpc::new(gate.channel());
    client.ready().await.unwrap();
    let codec = tonic_prost::ProstCodec::<
        v1::CheckProvisioningRequest,
        v1::CheckProvisioningResponse,
    >::default();
    let path: PathAndQuery = path.parse().unwrap();
    let mut request = tonic::Request::new(question("a.example.cn"));
    request
        .metadata_mut()
        .insert("x-request-id", path.as_str().parse().unwrap());
    let answer: Result<tonic::Response<v1::CheckProvisioningResponse>, _> =
        client.unary(request, path, codec).await;
    answer.map_or_else(|status| status.code(), |_| Code::Ok)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_had_traffic_shows_the_whole_list_and_nothing_else() {
    let gate = Gate::start(vec![("metrics.data_interval", "50ms".to_owned())]).await;
    gate.put(vec![registration("shop.example.cn", 24)])
        .await
        .unwrap();
    gate.check(question("shop.example.cn")).await.unwrap();
    let families = until("records were counted and surveyed", async || {
        let families = scrape(&gate).await;
        let told = [
            "icpgate_survey_timestamp_seconds",
            "icpgate_last_sync_timestamp_seconds",
        ];
        let told = told.iter().all(|name| !families[*name].samples.is_empty());
        told.then_some(families)
    })
    .await;
    let listed: BTreeSet<&str> = LIST.iter().map(Metric::base).collect();
    let shown: BTreeSet<&str> = families.keys().map(String::as_str).collect();
    assert_eq!(shown, listed);
    for metric in LIST {
        let family = &families[metric.base()];
        assert_eq!(family.unit.as_deref(), metric.unit(), "{}", metric.name);
        if WITHOUT.iter().any(|(name, _)| *name == metric.name) {
            continue;
        }
        // What is told apart in many ways is shown when it has occurred; each has a test below.
        let many = metric.family.most() > 64;
        assert!(
            many || !family.samples.is_empty(),
            "{} has no series",
            metric.name
        );
        // Every value of a label is one of its set.
        let sets = metric.family.values();
        for (label, set) in metric.family.labels().into_iter().zip(sets) {
            // What is configured is known to the server alone.
            if ["caller", "policy_version", "source"].contains(&label) {
                continue;
            }
            for (_, labels) in family.samples.keys() {
                let found = &labels[label];
                assert!(set.iter().any(|known| known == found), "{label}={found}");
            }
        }
    }
    // The other form holds the same series.
    let plain = get(address(&gate), "/metrics").await;
    assert_eq!(
        plain.header("content-type"),
        "text/plain; version=0.0.4; charset=utf-8"
    );
    let plain = prometheus(&plain.body);
    let names: BTreeSet<&str> = LIST.iter().map(|metric| metric.name).collect();
    assert_eq!(
        plain.keys().map(String::as_str).collect::<BTreeSet<_>>(),
        names
    );
    let lost: Vec<_> = all_series(&families)
        .difference(&all_series(&plain))
        .cloned()
        .collect();
    assert!(lost.is_empty(), "{lost:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counts_are_those_of_the_traffic() {
    const CHECK: &str = "icpgate.v1.ProvisioningService/CheckProvisioning";
    let gate = Gate::start(vec![("metrics.data_interval", "50ms".to_owned())]).await;
    let first = gate.check(question("shop.example.cn")).await.unwrap();
    for _ in 0..9 {
        let again = gate.check(question("shop.example.cn")).await.unwrap();
        assert_eq!(again.decision_id, first.decision_id);
    }
    gate.check(question("")).await.unwrap_err();
    let batch = v1::BatchCheckProvisioningRequest {
        requests: vec![question("shop.example.cn"), question("other.example.cn")],
    };
    let mut late = tonic::Request::new(batch);
    late.set_timeout(std::time::Duration::from_secs(7));
    gate.provisioning()
        .batch_check_provisioning(late)
        .await
        .unwrap();
    let families = until("all of it was written and counted", async || {
        let families = scrape(&gate).await;
        let written = sum(
            &families,
            "icpgate_decision_log_written",
            "icpgate_decision_log_written_total",
        );
        (written >= 2.0).then_some(families)
    })
    .await;
    let is = |name: &str, labels: &[(&str, &str)], expected: f64| {
        let found = value(&families, name, labels);
        assert!(
            (found - expected).abs() < 0.5,
            "{name} {labels:?}: {found}, not {expected}"
        );
    };
    let ok = [("method", CHECK), ("code", "OK")];
    is("icpgate_rpc_duration_seconds_count", &ok, 10.0);
    let malformed = [("method", CHECK), ("code", "INVALID_ARGUMENT")];
    is("icpgate_rpc_duration_seconds_count", &malformed, 1.0);
    is("icpgate_rpc_in_flight_calls", &[("method", CHECK)], 0.0);
    is("icpgate_rpc_deadline_left_seconds_count", &[], 1.0);
    is("icpgate_rpc_deadline_left_seconds_sum", &[], 7.0);
    is(
        "icpgate_caller_calls_total",
        &[("caller", "local"), ("method", CHECK)],
        11.0,
    );
    let denied = [
        ("verdict", "DENY"),
        ("purpose", "ORDER"),
        ("product", "CDN"),
    ];
    is("icpgate_decisions_total", &denied, 12.0);
    let not_found = [("verdict", "DENY"), ("reason", "FILING_NOT_FOUND")];
    is("icpgate_decision_reasons_total", &not_found, 12.0);
    is("icpgate_decisions_past_bound_total", &[], 0.0);
    is("icpgate_decision_log_dropped_total", &[], 0.0);
    is("icpgate_batch_questions_count", &[("kind", "batch")], 1.0);
    is("icpgate_batch_questions_sum", &[("kind", "batch")], 2.0);
    let local = [("level", "local")];
    is("icpgate_cache_hits_total", &local, 10.0);
    is("icpgate_cache_absent_hits_total", &local, 10.0);
    is("icpgate_cache_misses_total", &local, 2.0);
    is("icpgate_cache_age_seconds_count", &local, 10.0);
    is("icpgate_cache_hits_total", &[("level", "answers")], 9.0);
    is(
        "icpgate_load_duration_seconds_count",
        &[("outcome", "read")],
        2.0,
    );
    is(
        "icpgate_decision_duration_seconds_count",
        &[("served_from", "local_cache")],
        9.0,
    );
    is(
        "icpgate_decision_duration_seconds_count",
        &[("served_from", "store")],
        1.0,
    );
    let find = [("dependency", "sqlite"), ("operation", "find")];
    assert!(
        value(
            &families,
            "icpgate_dependency_duration_seconds_count",
            &find
        ) >= 2.0
    );
    is("icpgate_records", &[("kind", "subject")], 0.0);
    is("icpgate_ready", &[], 1.0);
    is("icpgate_phase", &[("phase", "running")], 1.0);
    is("icpgate_store_contact", &[("state", "held")], 1.0);
    assert!(value(&families, "process_resident_memory_bytes", &[]) > 1e6);
    assert!(value(&families, "icpgate_cache_bytes", &local) > 0.0);
    // The answer from the store is the first of its bucket, so it is its example.
    let examples = &families["icpgate_decision_duration_seconds"].exemplars;
    assert!(!examples.is_empty());
    for example in examples {
        assert_eq!(example.labels["decision_id"], first.decision_id);
        assert!(example.value > 0.0 && example.at.unwrap() > 1.7e9);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phase_begins_when_the_process_serves() {
    let families = scrape(&Gate::start(Vec::new()).await).await;
    let running = value(&families, "icpgate_phase", &[("phase", "running")]);
    assert!(running > 0.5);
    let began = value(&families, "icpgate_phase_timestamp_seconds", &[]);
    let started = value(&families, "process_start_time_seconds", &[]);
    let after = began - started;
    assert!((0.0..60.0).contains(&after), "{after} s after the start");
}

/// Behaviour of the rule about labels: nothing that a caller sends makes a series.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strange_calls_make_no_new_series() {
    let gate = Gate::start(Vec::new()).await;
    let strange = async |from: usize, to: usize| {
        for number in from..to {
            let path = format!("/icpgate.v1.ProvisioningService/Method{number}");
            assert_eq!(call(&gate, &path).await, Code::Unimplemented);
            let path = format!("/service{number}/CheckProvisioning");
            assert_eq!(call(&gate, &path).await, Code::Unimplemented);
            gate.check(question(&format!("name{number}.example{number}.cn")))
                .await
                .unwrap();
            get(address(&gate), &format!("/page{number}")).await;
        }
    };
    strange(0, 20).await;
    let settled = until("the counts of the registry are there", async || {
        let families = scrape(&gate).await;
        let surveyed = !families["icpgate_survey_timestamp_seconds"]
            .samples
            .is_empty();
        surveyed.then_some(families)
    })
    .await;
    strange(20, 270).await;
    let families = scrape(&gate).await;
    // How long it took falls into other buckets, of series that are there.
    let new: Vec<_> = all_series(&families)
        .difference(&all_series(&settled))
        .cloned()
        .collect();
    assert!(new.is_empty(), "{new:?}");
    let other = [("method", "other"), ("code", "UNIMPLEMENTED")];
    let counted = value(&families, "icpgate_rpc_duration_seconds_count", &other);
    assert!((counted - 540.0).abs() < 0.5, "{counted}");
    let most: usize = LIST.iter().map(|metric| metric.family.most()).sum();
    assert!(
        all_series(&families).len() < most && most < 20_000,
        "{most}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_not_there_is_shown_as_an_open_breaker() {
    let closed = {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        taken.local_addr().unwrap()
    };
    let urls = format!("redis://{closed}");
    let gate = Gate::start(vec![("redis.urls", urls)]).await;
    gate.check(question("shop.example.cn")).await.unwrap();
    until("the breaker is open", async || {
        let families = scrape(&gate).await;
        let redis = [("dependency", "redis")];
        let looked = [("dependency", "redis"), ("operation", "ping")];
        let open = value(&families, "icpgate_breaker_open", &redis) > 0.5
            && value(
                &families,
                "icpgate_dependency_duration_seconds_count",
                &looked,
            ) > 0.5
            && value(
                &families,
                "icpgate_cache_misses_total",
                &[("level", "shared")],
            ) > 0.5;
        open.then_some(())
    })
    .await;
}

/// A registration that ends in so many hours.
pub(crate) fn registration(name: &str, hours: i64) -> v1::Record {
    let ends = SystemClock.now() + jiff::SignedDuration::from_hours(hours);
    let json = serde_json::json!({
        "registration": {
            "domain": name, "registrar": "r", "expiresAt": ends.to_string(),
            "registrant": {"redacted": true},
        },
        "source": "test",
    });
    serde_json::from_value(json).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ends_soon_is_counted_by_a_survey() {
    let settings = vec![
        ("metrics.data_interval", "50ms".to_owned()),
        ("metrics.survey_interval", "50ms".to_owned()),
    ];
    let gate = Gate::start(settings).await;
    // More than one page of the survey.
    let mut records: Vec<v1::Record> = (0..600)
        .map(|number| registration(&format!("n{number}.cn"), 24 * 3))
        .collect();
    for (place, hours) in [-1, 12, 24 * 20, 24 * 40].into_iter().enumerate() {
        records.push(registration(&format!("m{place}.cn"), hours));
    }
    gate.put(records).await.unwrap();
    let families = until("they were counted", async || {
        let families = scrape(&gate).await;
        let kind = [("kind", "registration")];
        let counted = value(&families, "icpgate_records", &kind) > 603.5
            && value(&families, "icpgate_last_sync_timestamp_seconds", &kind) > 1.7e9;
        let month = [("kind", "registration"), ("within", "30d")];
        let surveyed = value(&families, "icpgate_expiring_records", &month) > 601.5;
        (counted && surveyed).then_some(families)
    })
    .await;
    for (within, expected) in [("1d", 1.0), ("7d", 601.0), ("30d", 602.0)] {
        let labels = [("kind", "registration"), ("within", within)];
        let found = value(&families, "icpgate_expiring_records", &labels);
        assert!((found - expected).abs() < 0.5, "{within}: {found}");
    }
    let accepted = [("outcome", "accepted")];
    let handed = value(&families, "icpgate_records_handed_in_total", &accepted);
    assert!((handed - 604.0).abs() < 0.5, "{handed}");
    assert!(value(&families, "icpgate_data_revision", &[("place", "applied")]) > 0.5);
}
