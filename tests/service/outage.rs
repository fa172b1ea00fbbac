//! The store gone, locked, damaged or slow under a running server: never a wrong verdict.

use std::time::Duration;

use icpgate::clock::Clock as _;
use icpgate::proto::v1;
use jiff::SignedDuration;
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tonic::Code;
use tonic_types::StatusExt as _;

use super::faulty::{Fault, Faulty};
use super::harness::{
    NAMES, PRODUCTS, PURPOSES, Server, Start, ask, filed, instant, reasons, sound,
};

type Ask = v1::CheckProvisioningRequest;

#[tokio::test]
async fn without_a_store_no_unknown_name_is_allowed_or_denied_by_its_filing() {
    let server = Server::sample().await;
    server.store.close().await;
    for name in NAMES {
        for product in PRODUCTS {
            for purpose in PURPOSES {
                let question = Ask {
                    product: product as i32,
                    purpose: purpose as i32,
                    ..ask(name)
                };
                let answer = server.try_check(question).await;
                if product == v1::Product::DnsOnly && purpose != v1::Purpose::PreFiling {
                    // Needs no facts; only an activation has to be written down.
                    if purpose == v1::Purpose::Activation {
                        assert_eq!(answer.unwrap_err().code(), Code::Unavailable);
                    } else {
                        assert_eq!(answer.unwrap().verdict(), v1::Verdict::Allow);
                    }
                    continue;
                }
                let decision = answer
                    .unwrap_or_else(|status| panic!("{name} {product:?} {purpose:?}: {status:?}"));
                sound(&decision, server.clock.now());
                assert_eq!(
                    (decision.verdict(), reasons(&decision)),
                    (
                        v1::Verdict::Indeterminate,
                        vec![v1::Reason::FactsUnavailable]
                    ),
                    "{name} {product:?} {purpose:?}"
                );
                assert!(instant(decision.retry_after) > server.clock.now());
            }
        }
    }
    // What needs no record is still denied.
    assert_eq!(
        reasons(&server.check(ask("cn")).await),
        [v1::Reason::DomainInvalid]
    );
}

/// The table of degradation, the rows of a store that is away, by purpose and by age.
#[tokio::test]
async fn behaviour_04_held_facts_stand_in_for_the_store_as_long_as_the_purpose_allows() {
    let server = Server::sample().await;
    let asked = |name: &str, purpose: v1::Purpose| Ask {
        purpose: purpose as i32,
        ..ask(name)
    };
    let mut before = Vec::new();
    for name in NAMES {
        for purpose in PURPOSES {
            let decision = server.check(asked(name, purpose)).await;
            assert!(!decision.stale);
            before.push((name, purpose, decision.verdict()));
        }
    }
    let closed_at = server.clock.now();
    server.store.close().await;
    // The end of the line is noticed by the next look at the change log.
    while !server.check(ask(NAMES[0])).await.stale {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let minutes = SignedDuration::from_mins;
    for (age, orders, rechecks) in [
        (minutes(0), true, true),
        (minutes(14), true, true),
        (minutes(15), false, true),
        (minutes(72 * 60 - 1), false, true),
        (minutes(72 * 60), false, false),
    ] {
        server.clock.set(closed_at + age);
        for (name, purpose, verdict) in &before {
            let decision = server.check(asked(name, *purpose)).await;
            let stands_in = match purpose {
                v1::Purpose::Activation => false,
                v1::Purpose::Recheck => rechecks,
                v1::Purpose::Unspecified | v1::Purpose::Order | v1::Purpose::PreFiling => orders,
            };
            let context = format!("{name} {purpose:?} after {age}: {decision:?}");
            if stands_in {
                assert!(decision.stale, "{context}");
                assert_eq!(decision.served_from(), v1::ServedFrom::LocalCache);
                let longest = if *purpose == v1::Purpose::Recheck {
                    minutes(72 * 60)
                } else {
                    minutes(15)
                };
                assert!(
                    instant(decision.valid_until) <= closed_at + longest,
                    "{context}"
                );
                if age == minutes(0) {
                    assert_eq!(decision.verdict(), *verdict, "{context}");
                }
            } else {
                assert!(!decision.stale, "{context}");
                assert_eq!(decision.verdict(), v1::Verdict::Indeterminate, "{context}");
                assert_eq!(reasons(&decision), [v1::Reason::FactsStale], "{context}");
                assert!(instant(decision.retry_after) > server.clock.now());
            }
        }
    }
}

#[tokio::test]
async fn without_a_store_other_calls_tell_when_to_come_back() {
    let server = Server::sample().await;
    server.store.close().await;
    let mut records = server.records().await;
    let mut statuses = vec![
        server
            .try_put(filed("gone-example.cn", 996_001))
            .await
            .unwrap_err(),
        server.decision("0").await.unwrap_err(),
    ];
    let request = v1::GetDomainRequest {
        domain: "sample-shop.cn".into(),
    };
    statuses.push(records.get_domain(request).await.unwrap_err());
    let request = v1::ListChangesRequest::default();
    statuses.push(records.list_changes(request).await.unwrap_err());
    let line = v1::ImportRecordsRequest {
        record: filed("gone-example.cn", 996_001).pop(),
        line: 1,
    };
    statuses.push(
        records
            .import_records(futures::stream::iter([line]))
            .await
            .unwrap_err(),
    );
    for status in statuses {
        assert_eq!(status.code(), Code::Unavailable, "{status:?}");
        assert!(
            status.get_error_details().retry_info().is_some(),
            "{status:?}"
        );
        assert!(
            !status.message().contains(".sqlite"),
            "paths are not for callers: {status:?}"
        );
    }
}

#[tokio::test]
async fn a_batch_without_a_store_is_answered_item_by_item() {
    let server = Server::sample().await;
    server.store.close().await;
    let questions: Vec<_> = NAMES.iter().map(|name| ask(name)).collect();
    for decision in super::harness::answers(&server, &questions).await {
        assert_eq!(decision.verdict(), v1::Verdict::Indeterminate);
    }
}

/// A file that is overwritten with nonsense under the server.
#[tokio::test]
async fn a_damaged_file_gives_no_verdict() {
    let server = Server::sample().await;
    server.check(ask("sample-shop.cn")).await;
    for file in ["icpgate.sqlite", "icpgate.sqlite-wal"] {
        let path = server.folder.path().join(file);
        let length = std::fs::metadata(&path).unwrap().len();
        let nonsense = vec![0x5a; usize::try_from(length).unwrap()];
        std::fs::write(&path, nonsense).unwrap();
    }
    for name in ["sample-news.cn", "sample-held.cn", "nowhere-filed.cn"] {
        // Pages that a connection holds in memory may still answer, and rightly; nothing else may.
        let Ok(decision) = server.try_check(ask(name)).await else {
            continue;
        };
        let expected = match name {
            "sample-news.cn" => v1::Verdict::Allow,
            _ => v1::Verdict::Deny,
        };
        assert!(
            [v1::Verdict::Indeterminate, expected].contains(&decision.verdict()),
            "{name}: {decision:?}"
        );
    }
}

/// Another program holds the lock for writing: questions are answered, what must be durable is not.
#[tokio::test]
async fn a_locked_file_is_read_and_activations_are_not_answered() {
    let server = Server::sample().await;
    let options = SqliteConnectOptions::new().filename(server.store_path());
    let mut other = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE")
        .execute(&mut other)
        .await
        .unwrap();
    let order = server.check(ask("sample-shop.cn")).await;
    assert_eq!(order.verdict(), v1::Verdict::Allow);
    let activation = Ask {
        purpose: v1::Purpose::Activation as i32,
        ..ask("sample-shop.cn")
    };
    let status = server.try_check(activation.clone()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert!(status.get_error_details().retry_info().is_some());
    let status = server
        .try_put(filed("locked-example.cn", 996_002))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    // The order that was answered meanwhile is recorded once the lock is gone.
    server.logged(&order.decision_id).await;
    let decision = server.check(activation).await;
    assert!(
        server
            .store
            .decision(&decision.decision_id)
            .await
            .unwrap()
            .is_some()
    );
}

/// Orders that the store is slow to write hold up no activation.
#[tokio::test]
async fn an_activation_is_recorded_while_orders_are_not() {
    let server = Server::start(Start {
        over: |inner| Faulty::over(inner, Fault::DeafToOrders),
        ..Start::default()
    })
    .await;
    let mut client = server.provisioning().await;
    let order = Ask {
        order_id: "order-1".to_owned(),
        ..ask("sample-shop.cn")
    };
    client.check_provisioning(order).await.unwrap();
    let activation = Ask {
        purpose: v1::Purpose::Activation as i32,
        ..ask("sample-shop.cn")
    };
    let response = client.check_provisioning(activation).await.unwrap();
    let decision = response.into_inner().decision.unwrap();
    let stored = server.store.decision(&decision.decision_id).await.unwrap();
    assert!(stored.is_some());
    // Its writer does not come to an end by itself.
    drop(server);
}

/// A log that takes nothing: answers flow until the queue is full, then callers are told to come
/// back; activations are not answered at all.
#[tokio::test]
async fn a_blocked_log_stops_answers_when_its_queue_is_full() {
    let server = Server::start(Start {
        over: |inner| Faulty::over(inner, Fault::DeafLog),
        ..Start::default()
    })
    .await;
    let mut client = server.provisioning().await;
    let activation = Ask {
        purpose: v1::Purpose::Activation as i32,
        ..ask("sample-shop.cn")
    };
    let status = client.check_provisioning(activation).await.unwrap_err();
    assert_eq!(
        status.code(),
        Code::Unavailable,
        "not answered before it is durable: {status:?}"
    );
    assert!(status.get_error_details().retry_info().is_some());
    let mut answered = 0;
    let mut refused = None;
    for group in 0..36 {
        // Names that need no rule but their form, so that this goes fast.
        let requests = (0..500)
            .map(|at| Ask {
                product: v1::Product::DnsOnly as i32,
                ..ask(&format!("q{group}-{at}.cn"))
            })
            .collect();
        let request = v1::BatchCheckProvisioningRequest { requests };
        let call = client.batch_check_provisioning(request);
        // A full log is waited for once in a call, not once for each question.
        let response = tokio::time::timeout(Duration::from_secs(10), call)
            .await
            .unwrap();
        let results = response.unwrap().into_inner().results;
        for result in &results {
            match &result.result {
                Some(v1::check_provisioning_result::Result::Decision(_)) => answered += 1,
                Some(v1::check_provisioning_result::Result::Error(error)) => {
                    refused = Some(error.clone());
                }
                None => panic!("neither answer nor error"),
            }
        }
    }
    assert!(answered >= 10_000, "{answered}");
    let status = server.try_check(ask("one-more.cn")).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    assert!(status.get_error_details().retry_info().is_some());
    let error = refused.expect("the queue is bounded");
    assert_eq!(error.code, Code::ResourceExhausted as i32);
}
