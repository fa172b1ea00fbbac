//! How fresh an answer is: tokens, and writes seen by the next question.

use icpgate::proto::v1;
use tonic_types::StatusExt as _;

use super::harness::{Server, ask, bad_fields, filed, reasons};

type Ask = v1::CheckProvisioningRequest;
type Freshness = v1::check_provisioning_request::Consistency;

fn fresh(domain: &str, consistency: Freshness) -> Ask {
    Ask {
        consistency: Some(consistency),
        ..ask(domain)
    }
}

#[tokio::test]
async fn a_write_is_seen_whichever_freshness_is_asked_for() {
    let server = Server::sample().await;
    for number in 0..10_u32 {
        let name = format!("fresh{number}-example.cn");
        // Absence was asked for before, and may not linger.
        assert_eq!(
            reasons(&server.check(ask(&name)).await),
            [v1::Reason::FilingNotFound]
        );
        let revision = server.put(filed(&name, 992_000 + number)).await;
        for question in [
            ask(&name),
            fresh(&name, Freshness::MinimizeLatency(true)),
            fresh(&name, Freshness::AtLeastAsFresh(revision.clone())),
            fresh(&name, Freshness::FullyConsistent(true)),
        ] {
            let decision = server.check(question).await;
            assert_eq!(decision.verdict(), v1::Verdict::Allow, "{decision:?}");
            assert!(!decision.stale);
        }
    }
}

/// The token of an answer works as the token of a write does.
#[tokio::test]
async fn the_revision_of_an_answer_is_a_token() {
    let server = Server::sample().await;
    for name in super::harness::NAMES {
        let revision = server.check(ask(name)).await.revision;
        server
            .check(fresh(name, Freshness::AtLeastAsFresh(revision)))
            .await;
    }
}

#[tokio::test]
async fn a_token_from_the_future_is_refused_whatever_is_asked() {
    let server = Server::sample().await;
    let ahead = || Freshness::AtLeastAsFresh("rfffff".into());
    let dns = Ask {
        product: v1::Product::DnsOnly as i32,
        ..fresh("sample-shop.cn", ahead())
    };
    for question in [
        fresh("sample-shop.cn", ahead()),
        fresh("nowhere-filed.cn", ahead()),
        fresh("cn", ahead()),
        dns,
    ] {
        let status = server.try_check(question).await.unwrap_err();
        assert_eq!(bad_fields(&status), ["at_least_as_fresh"]);
        let details = status.get_error_details();
        let violation = &details.bad_request().unwrap().field_violations[0];
        assert!(violation.description.contains("rfffff"), "{violation:?}");
    }
}

#[tokio::test]
async fn writes_and_questions_side_by_side_never_go_back() {
    let server = Server::empty().await;
    let mut writer = server.records().await;
    let mut asker = server.provisioning().await;
    let writes = async {
        for number in 0..50_u32 {
            let records = filed("busy-example.cn", 993_000 + number);
            writer
                .put_records(v1::PutRecordsRequest { records })
                .await
                .unwrap();
        }
    };
    let asks = async {
        let mut last = 0;
        for _ in 0..100 {
            let decision = asker
                .check_provisioning(ask("busy-example.cn"))
                .await
                .unwrap()
                .into_inner()
                .decision
                .unwrap();
            let revision = icpgate::intake::parse_token(&decision.revision).unwrap().0;
            assert!(revision >= last, "{revision} after {last}");
            last = revision;
        }
    };
    futures::join!(writes, asks);
}
