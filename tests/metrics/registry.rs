//! What is told of the registry: how records came in, how fresh they are, and what holds.

use icpgate::clock::{Clock as _, SystemClock};
use icpgate::proto::v1;
use serde_json::{Value, json};

use super::exposed::{registration, scrape, value};
use super::servers::gate::{Gate, Signal, until};

const HANDED_IN: &str = "icpgate_records_handed_in_total";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_of_a_stream_are_counted_as_those_of_a_put() {
    const BAD: u16 = 20_050;
    let gate = Gate::start(Vec::new()).await;
    let known = registration("known.cn", 24);
    gate.put(vec![known.clone()]).await.unwrap();
    let bad = v1::Record {
        source: "test".to_owned(),
        ..v1::Record::default()
    };
    // More than is written at once, with something of each kind in the first write and in the last.
    let first = [registration("a.cn", 24), known.clone()];
    let last = [registration("b.cn", 24), known, registration("c.cn", 24)];
    let between = std::iter::repeat_n(bad, usize::from(BAD));
    let stream = first.into_iter().chain(between).chain(last);
    let lines = stream.map(|record| v1::ImportRecordsRequest {
        record: Some(record),
        ..v1::ImportRecordsRequest::default()
    });
    let report = gate
        .records()
        .import_records(futures::stream::iter(lines))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (report.accepted, report.unchanged, report.rejected_count),
        (3, 2, u64::from(BAD))
    );
    let families = scrape(&gate).await;
    for (outcome, expected) in [
        ("accepted", 4.0),
        ("unchanged", 2.0),
        ("rejected", f64::from(BAD)),
    ] {
        let found = value(&families, HANDED_IN, &[("outcome", outcome)]);
        assert!((found - expected).abs() < 0.5, "{outcome}: {found}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn how_old_a_sync_may_be_is_told_where_it_is_bounded() {
    let settings = vec![("records.max_sync_age", "26h".to_owned())];
    let families = scrape(&Gate::start(settings).await).await;
    let limit = value(&families, "icpgate_sync_limit_seconds", &[]);
    assert!((limit - 93_600.0).abs() < 0.5, "{limit}");
    let families = scrape(&Gate::start(Vec::new()).await).await;
    let unlimited = &families["icpgate_sync_limit_seconds"].samples;
    assert!(unlimited.is_empty(), "{unlimited:?}");
}

fn subject(place: u32, status: &str) -> Value {
    json!({"subject": {
        "subjectNumber": format!("京ICP备{}号", 10_000_001 + place),
        "name": "北京示例科技有限公司",
        "nature": "SUBJECT_NATURE_ENTERPRISE",
        "certificate": {
            "kind": "CERTIFICATE_KIND_UNIFIED_SOCIAL_CREDIT_CODE",
            "number": "91110108MA00000A1P",
        },
        "status": format!("SUBJECT_STATUS_{status}"),
    }})
}

fn service(place: u32, status: &str, restricted: bool) -> Value {
    json!({"service": {
        "serviceNumber": format!("京ICP备{}号-1", 10_000_001 + place),
        "kind": "SERVICE_KIND_WEBSITE",
        "domains": [format!("s{place}.cn")],
        "status": format!("SERVICE_STATUS_{status}"),
        "accessRestricted": restricted,
    }})
}

fn access(place: u32, status: &str) -> Value {
    json!({"access": {
        "serviceNumber": format!("京ICP备{}号-1", 10_000_001 + place),
        "providerId": "icpgate",
        "status": format!("ACCESS_STATUS_{status}"),
    }})
}

/// A licence whose last day is this one; empty: none.
fn licence(place: u32, status: &str, last_day: &str) -> Value {
    json!({"licence": {
        "licenceNumber": format!("京B2-2009{place:04}"),
        "holderCertificate": {
            "kind": "CERTIFICATE_KIND_UNIFIED_SOCIAL_CREDIT_CODE",
            "number": "91110108MA00000A1P",
        },
        "businesses": ["TELECOM_BUSINESS_B25"],
        "expiresOn": last_day,
        "status": format!("LICENCE_STATUS_{status}"),
    }})
}

fn name(place: u32, ends: &str) -> Value {
    json!({"registration": {
        "domain": format!("r{place}.cn"), "expiresAt": ends, "registrant": {"redacted": true},
    }})
}

fn approval(place: u32, last_day: &str) -> Value {
    json!({"approval": {
        "sector": "SECTOR_NEWS",
        "approvalNumber": format!("10120250{place:03}"),
        "domain": format!("n{place}.cn"),
        "expiresOn": last_day,
    }})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_in_force_is_counted_by_the_survey() {
    let settings = vec![
        ("metrics.data_interval", "50ms".to_owned()),
        ("metrics.survey_interval", "50ms".to_owned()),
    ];
    let gate = Gate::start(settings).await;
    let records = [
        subject(1, "ACTIVE"),
        subject(2, "ACTIVE"),
        subject(3, "SUSPENDED"),
        subject(4, "CANCELLED"),
        service(1, "ACTIVE", false),
        service(2, "CHANGING", false),
        service(3, "ACTIVE", true),
        service(4, "CHANGING", true),
        service(5, "SUSPENDED", false),
        service(6, "CANCELLED", false),
        access(1, "ACTIVE"),
        access(2, "CANCELLED"),
        licence(1, "ACTIVE", ""),
        licence(2, "ACTIVE", "2099-12-31"),
        licence(3, "ACTIVE", "2020-12-31"),
        licence(4, "REVOKED", "2099-12-31"),
        licence(5, "SUSPENDED", ""),
        name(1, "2099-01-01T00:00:00Z"),
        name(2, "2020-01-01T00:00:00Z"),
        approval(1, "2099-12-31"),
        approval(2, "2020-12-31"),
    ];
    let records = records.map(|record| serde_json::from_value(record).unwrap());
    gate.put(records.to_vec()).await.unwrap();
    let written = SystemClock.now().as_duration().as_secs_f64();
    let families = until("a survey that began later", async || {
        let families = scrape(&gate).await;
        let begun = value(&families, "icpgate_survey_timestamp_seconds", &[]);
        (begun > written).then_some(families)
    })
    .await;
    for (kind, expected) in [
        ("subject", 2.0),
        ("service", 2.0),
        ("access", 1.0),
        ("licence", 2.0),
        ("registration", 1.0),
        ("approval", 1.0),
    ] {
        let found = value(&families, "icpgate_records_in_force", &[("kind", kind)]);
        assert!((found - expected).abs() < 0.5, "{kind}: {found}");
    }
    let told = &families["icpgate_records_in_force"].samples;
    assert_eq!(told.len(), 6, "{told:?}");
}

const SOURCES: &str = "icpgate_source_sync_timestamp_seconds";

fn from(source: &str, name: &str) -> v1::Record {
    v1::Record {
        source: source.to_owned(),
        ..registration(name, 24)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_is_told_of_when_it_writes_and_after_a_restart() {
    let settings = vec![("metrics.data_interval", "50ms".to_owned())];
    let mut gate = Gate::start(settings).await;
    let wrote = async |gate: &Gate, source: &str| {
        value(&scrape(gate).await, SOURCES, &[("source", source)])
    };
    let begun = SystemClock.now().as_duration().as_secs_f64();
    // What would break a line of the exposition does not.
    let odd = "feed \"a\" {x=1} \\ 部级";
    let records = vec![from("registrar", "a.cn"), from(odd, "b.cn")];
    gate.put(records).await.unwrap();
    until("both sources", async || {
        let both = [wrote(&gate, "registrar").await, wrote(&gate, odd).await];
        both.iter().all(|at| *at >= begun).then_some(())
    })
    .await;
    let (first, other) = (wrote(&gate, "registrar").await, wrote(&gate, odd).await);
    // A record that says what is known is a sign of life, too.
    let again = from("registrar", "a.cn");
    gate.put(vec![again]).await.unwrap();
    until("a later instant", async || {
        (wrote(&gate, "registrar").await > first).then_some(())
    })
    .await;
    assert!((wrote(&gate, odd).await - other).abs() < 1e-6);
    let last = wrote(&gate, "registrar").await;
    gate.process().signal(Signal::Terminate);
    assert!(gate.process().wait().await.success());
    gate.restart().await;
    until("the sources of the store", async || {
        let told = wrote(&gate, "registrar").await;
        ((told - last).abs() < 1e-6).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sources_beyond_the_bound_share_a_series() {
    let settings = vec![("metrics.data_interval", "50ms".to_owned())];
    let gate = Gate::start(settings).await;
    let named = |number: u32| from(&format!("s{number:02}"), &format!("n{number}.cn"));
    gate.put((0..60).map(named).collect()).await.unwrap();
    // Taken for one of those that are not told apart, or there would be two of one name.
    gate.put(vec![from("other", "o.cn")]).await.unwrap();
    until("the first sources", async || {
        let families = scrape(&gate).await;
        (families[SOURCES].samples.len() == 61).then_some(())
    })
    .await;
    gate.put((60..70).map(named).collect()).await.unwrap();
    let newest = until("all places", async || {
        let families = scrape(&gate).await;
        let samples = &families[SOURCES].samples;
        let others = value(&families, SOURCES, &[("source", "other")]);
        let last = value(&families, SOURCES, &[("source", "s63")]);
        assert!(samples.len() <= 65);
        (samples.len() == 65 && others >= last).then_some(families)
    })
    .await;
    for number in [0, 59, 63] {
        let source = format!("s{number:02}");
        assert!(value(&newest, SOURCES, &[("source", &source)]) > 1.7e9);
    }
    let labels = newest[SOURCES]
        .samples
        .keys()
        .map(|(_, labels)| &labels["source"]);
    assert!(!labels.into_iter().any(|source| source == "s64"));
}
