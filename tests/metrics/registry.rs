//! What is told of the registry: how records came in, how fresh they are, and what holds.

use icpgate::proto::v1;

use super::exposed::{registration, scrape, value};
use super::servers::gate::Gate;

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
