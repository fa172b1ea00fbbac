//! What is told of the registry: how records came in, how fresh they are, and what holds.

use icpgate::clock::{Clock as _, SystemClock};
use icpgate::proto::v1;
use serde_json::json;

use super::exposed::{registration, scrape, value};
use super::servers::gate::{Gate, until};

const HANDED_IN: &str = "icpgate_records_handed_in_total";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_of_a_stream_are_counted_as_those_of_a_put() {
    let gate = Gate::start(Vec::new()).await;
    let known = registration("known.cn", 24);
    gate.put(vec![known.clone()]).await.unwrap();
    let bad = v1::Record {
        source: "test".to_owned(),
        ..v1::Record::default()
    };
    let stream = [
        registration("a.cn", 24),
        known,
        bad.clone(),
        registration("b.cn", 24),
        bad,
        registration("c.cn", 24),
    ];
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
        (3, 1, 2)
    );
    let families = scrape(&gate).await;
    for (outcome, expected) in [("accepted", 4.0), ("unchanged", 1.0), ("rejected", 2.0)] {
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

/// Records of these kinds, of which the first ones are in force.
fn of_each_kind() -> Vec<(&'static str, u32, Vec<serde_json::Value>)> {
    let subject = |place: u32, status: &str| {
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
    };
    let service = |place: u32, status: &str, restricted: bool| {
        json!({"service": {
            "serviceNumber": format!("京ICP备{}号-1", 10_000_001 + place),
            "kind": "SERVICE_KIND_WEBSITE",
            "domains": [format!("s{place}.cn")],
            "status": format!("SERVICE_STATUS_{status}"),
            "accessRestricted": restricted,
        }})
    };
    let access = |place: u32, status: &str| {
        json!({"access": {
            "serviceNumber": format!("京ICP备{}号-1", 10_000_001 + place),
            "providerId": "icpgate",
            "status": format!("ACCESS_STATUS_{status}"),
        }})
    };
    let licence = |place: u32, status: &str, expires: Option<&str>| {
        let mut record = json!({"licence": {
            "licenceNumber": format!("京B2-2009{place:04}"),
            "holderCertificate": {
                "kind": "CERTIFICATE_KIND_UNIFIED_SOCIAL_CREDIT_CODE",
                "number": "91110108MA00000A1P",
            },
            "businesses": ["TELECOM_BUSINESS_B25"],
            "status": format!("LICENCE_STATUS_{status}"),
        }});
        if let Some(day) = expires {
            record["licence"]["expiresOn"] = json!(day);
        }
        record
    };
    let approval = |place: u32, expires: &str| {
        json!({"approval": {
            "sector": "SECTOR_NEWS",
            "approvalNumber": format!("10120250{place:03}"),
            "domain": format!("n{place}.cn"),
            "expiresOn": expires,
        }})
    };
    let name = |place: u32, expires: &str| {
        json!({"registration": {
            "domain": format!("r{place}.cn"), "expiresAt": expires, "registrant": {"redacted": true},
        }})
    };
    vec![
        (
            "subject",
            2,
            vec![
                subject(1, "ACTIVE"),
                subject(2, "ACTIVE"),
                subject(3, "SUSPENDED"),
                subject(4, "CANCELLED"),
            ],
        ),
        (
            "service",
            2,
            vec![
                service(1, "ACTIVE", false),
                service(2, "CHANGING", false),
                service(3, "ACTIVE", true),
                service(4, "CHANGING", true),
                service(5, "SUSPENDED", false),
                service(6, "CANCELLED", false),
            ],
        ),
        (
            "access",
            1,
            vec![access(1, "ACTIVE"), access(2, "CANCELLED")],
        ),
        (
            "licence",
            2,
            vec![
                licence(1, "ACTIVE", None),
                licence(2, "ACTIVE", Some("2099-12-31")),
                licence(3, "ACTIVE", Some("2020-12-31")),
                licence(4, "REVOKED", Some("2099-12-31")),
                licence(5, "SUSPENDED", None),
            ],
        ),
        (
            "registration",
            1,
            vec![
                name(1, "2099-01-01T00:00:00Z"),
                name(2, "2020-01-01T00:00:00Z"),
            ],
        ),
        (
            "approval",
            1,
            vec![
                approval(1, "2099-12-31"),
                approval(2, "2020-12-31"),
                approval(3, "2024-02-29"),
            ],
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_in_force_is_counted_by_the_survey() {
    let settings = vec![
        ("metrics.data_interval", "50ms".to_owned()),
        ("metrics.survey_interval", "50ms".to_owned()),
    ];
    let gate = Gate::start(settings).await;
    let kinds = of_each_kind();
    let records = kinds.iter().flat_map(|(_, _, records)| records);
    let records = records.map(|record| serde_json::from_value(record.clone()).unwrap());
    gate.put(records.collect()).await.unwrap();
    let written = SystemClock.now().as_duration().as_secs_f64();
    let families = until("a survey that began later", async || {
        let families = scrape(&gate).await;
        let begun = value(&families, "icpgate_survey_timestamp_seconds", &[]);
        (begun > written).then_some(families)
    })
    .await;
    for (kind, in_force, records) in kinds {
        let labels = [("kind", kind)];
        let found = value(&families, "icpgate_records_in_force", &labels);
        assert!((found - f64::from(in_force)).abs() < 0.5, "{kind}: {found}");
        assert!(records.len() > in_force as usize);
    }
    let told = &families["icpgate_records_in_force"].samples;
    assert_eq!(told.len(), 6, "{told:?}");
}
