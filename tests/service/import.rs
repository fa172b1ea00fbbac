//! A stream of records: bad lines are told and stop nothing.

use std::time::Duration;

use futures::StreamExt as _;
use icpgate::proto::v1;

use super::harness::{Server, Start, ask, filed, record};

fn line(line: u64, record: v1::Record) -> v1::ImportRecordsRequest {
    v1::ImportRecordsRequest {
        record: Some(record),
        line,
    }
}

fn block(domain: &str) -> v1::Record {
    record(&format!(
        r#"{{"block":{{"list":"BLOCK_LIST_PROVIDER","domain":"{domain}"}}}}"#
    ))
}

async fn import(
    server: &Server,
    lines: Vec<v1::ImportRecordsRequest>,
) -> v1::ImportRecordsResponse {
    let mut client = server.records().await;
    let response = client.import_records(futures::stream::iter(lines)).await;
    response.unwrap().into_inner()
}

fn counts(response: &v1::ImportRecordsResponse) -> (u64, u64, u64) {
    assert_eq!(response.rejected_count, response.rejected.len() as u64);
    (
        response.accepted,
        response.unchanged,
        response.rejected_count,
    )
}

#[tokio::test]
async fn a_bad_line_is_told_by_its_number_and_stops_nothing() {
    let server = Server::empty().await;
    let card = "110105194912310021";
    let bad_card = format!(
        r#"{{"subject":{{"subject_number":"京ICP备2024994002号","name":"欧阳探针","nature":"SUBJECT_NATURE_INDIVIDUAL","certificate":{{"kind":"CERTIFICATE_KIND_RESIDENT_ID","number":"{card}"}}}}}}"#
    );
    let lines = vec![
        line(10, block("import-a.cn")),
        line(20, block("com.cn")),
        line(30, record(&bad_card)),
        v1::ImportRecordsRequest {
            record: None,
            line: 40,
        },
        line(50, block("import-b.cn")),
    ];
    let response = import(&server, lines).await;
    assert_eq!(counts(&response), (2, 0, 3));
    let rejected: Vec<_> = response
        .rejected
        .iter()
        .map(|rejected| (rejected.line, rejected.violations[0].field.as_str()))
        .collect();
    assert_eq!(
        rejected[..2],
        [(20, "block.domain"), (30, "subject.certificate.number")]
    );
    assert_eq!(rejected[2].0, 40);
    let told = format!("{response:?}");
    assert!(!told.contains(card) && !told.contains("欧阳探针"), "{told}");
    assert_eq!(
        response.revision,
        icpgate::intake::token(server.store.head().await.unwrap())
    );
    for name in ["import-a.cn", "import-b.cn"] {
        let decision = server.check(ask(name)).await;
        assert!(
            decision
                .reasons()
                .any(|reason| reason == v1::Reason::DomainBlacklisted),
            "{name}"
        );
    }
}

#[tokio::test]
async fn lines_count_from_one_where_no_number_is_given() {
    let server = Server::empty().await;
    let lines = vec![
        line(0, block("import-a.cn")),
        line(0, block("cn")),
        line(0, block("gov.cn")),
    ];
    let response = import(&server, lines).await;
    let numbers: Vec<_> = response
        .rejected
        .iter()
        .map(|rejected| rejected.line)
        .collect();
    assert_eq!(numbers, [2, 3]);
}

#[tokio::test]
async fn a_repeated_import_changes_nothing() {
    let server = Server::empty().await;
    let text = icpgate::sample::records("2026-03-16T04:00:00Z".parse().unwrap(), "self");
    let lines = || {
        text.lines()
            .map(|text| line(0, record(text)))
            .collect::<Vec<_>>()
    };
    let first = import(&server, lines()).await;
    assert_eq!(counts(&first), (97, 0, 0));
    let again = import(&server, lines()).await;
    assert_eq!(counts(&again), (0, 97, 0));
    assert_eq!(again.revision, first.revision);
    let mut changed = lines();
    changed[0] = line(0, block("import-c.cn"));
    let third = import(&server, changed).await;
    assert_eq!(counts(&third), (1, 96, 0));
    assert_ne!(third.revision, first.revision);
}

#[tokio::test]
async fn an_empty_import_is_one() {
    let server = Server::sample().await;
    let response = import(&server, Vec::new()).await;
    assert_eq!(counts(&response), (0, 0, 0));
    assert_eq!(
        response.revision,
        icpgate::intake::token(server.store.head().await.unwrap())
    );
}

#[tokio::test]
async fn many_lines_in_several_batches_add_up() {
    let server = Server::empty().await;
    let lines = (1..=12_000_u64)
        .map(|number| match number % 100 {
            0 => line(number, block("cn")),
            _ => line(number, block(&format!("many{}.cn", number % 11_000))),
        })
        .collect();
    let response = import(&server, lines).await;
    let (accepted, unchanged, rejected) = counts(&response);
    assert_eq!((accepted + unchanged, rejected), (11_880, 120));
    assert!(
        response
            .rejected
            .iter()
            .all(|rejected| rejected.line % 100 == 0)
    );
    let stored: u64 = server
        .store
        .counts()
        .await
        .unwrap()
        .iter()
        .map(|(_, count)| count)
        .sum();
    assert_eq!(stored, 10_890);
}

/// A registry takes minutes to stream, so the bound on calls is no bound on imports.
#[tokio::test]
async fn an_import_may_take_longer_than_a_call() {
    let server = Server::start(Start {
        settings: vec![("limits.call_timeout", "1s")],
        ..Start::default()
    })
    .await;
    let mut client = server.records().await;
    let lines = futures::stream::iter(0..25).then(|number| async move {
        tokio::time::sleep(Duration::from_millis(100)).await;
        line(0, block(&format!("slow{number}.cn")))
    });
    let response = client.import_records(lines).await.unwrap().into_inner();
    assert_eq!(counts(&response), (25, 0, 0));
}

/// What a broken stream brought is taken or not, line by line, and the server goes on.
#[tokio::test]
async fn a_caller_who_goes_away_breaks_nothing() {
    let server = Server::empty().await;
    let mut client = server.records().await;
    let endless = futures::stream::iter(0_u64..).then(|number| async move {
        tokio::time::sleep(Duration::from_millis(1)).await;
        line(0, block(&format!("endless{number}.cn")))
    });
    let call = client.import_records(endless);
    assert!(
        tokio::time::timeout(Duration::from_millis(500), call)
            .await
            .is_err()
    );
    server.put(filed("after-example.cn", 994_010)).await;
    assert_eq!(
        server.check(ask("after-example.cn")).await.verdict(),
        v1::Verdict::Allow
    );
}
