//! Many questions in one call.

use icpgate::clock::Clock as _;
use icpgate::proto::v1;
use tonic::Code;

use super::harness::{Server, ask, bad_fields, decided, failed, sound, wherever};

type Ask = v1::CheckProvisioningRequest;

async fn batch(
    server: &Server,
    requests: Vec<Ask>,
) -> Result<Vec<v1::CheckProvisioningResult>, tonic::Status> {
    let mut client = server.provisioning().await;
    let request = v1::BatchCheckProvisioningRequest { requests };
    Ok(client
        .batch_check_provisioning(request)
        .await?
        .into_inner()
        .results)
}

#[tokio::test]
async fn one_to_a_thousand_questions_are_answered_in_order() {
    let server = Server::sample().await;
    for size in [1, 2, 249, 250, 251, 1000] {
        let names: Vec<String> = (0..size)
            .map(|at| format!("w{at}.sample-shop.cn"))
            .collect();
        let requests = names.iter().map(|name| ask(name)).collect();
        let results = batch(&server, requests).await.unwrap();
        assert_eq!(results.len(), size);
        for (name, result) in names.iter().zip(results) {
            let decision = decided(result);
            sound(&decision, server.clock.now());
            assert_eq!(&decision.domain.unwrap().input, name);
        }
    }
}

#[tokio::test]
async fn none_and_too_many_are_refused() {
    let server = Server::sample().await;
    for size in [0, 1001, 5000] {
        let requests = (0..size).map(|_| ask("sample-shop.cn")).collect();
        let status = batch(&server, requests).await.unwrap_err();
        assert_eq!(bad_fields(&status), ["requests"], "{size}");
    }
}

#[tokio::test]
async fn a_bad_item_fails_alone() {
    use prost::Message as _;

    let server = Server::sample().await;
    let ahead = v1::check_provisioning_request::Consistency::AtLeastAsFresh("rffffff".into());
    let requests = vec![
        ask("sample-shop.cn"),
        ask(""),
        ask("cn"),
        Ask {
            product: 99,
            ..ask("sample-shop.cn")
        },
        ask("sample-cancelled.cn"),
        Ask {
            consistency: Some(ahead),
            ..ask("sample-shop.cn")
        },
        Ask {
            language: "not a tag!".into(),
            service_area: 0,
            ..ask("sample-shop.cn")
        },
        ask("nowhere-filed.cn"),
    ];
    let results = batch(&server, requests).await.unwrap();
    let bad: [(usize, &[&str]); 4] = [
        (1, &["domain"]),
        (3, &["product"]),
        (5, &["at_least_as_fresh"]),
        (6, &["service_area", "language"]),
    ];
    for (at, fields) in bad {
        let error = failed(&results[at]);
        assert_eq!(error.code, Code::InvalidArgument as i32);
        assert!(!error.message.is_empty());
        let detail = error
            .details
            .iter()
            .find(|detail| detail.type_url.ends_with("google.rpc.BadRequest"))
            .expect("BadRequest");
        let bad = tonic_types::pb::BadRequest::decode(detail.value.as_slice()).unwrap();
        let named: Vec<_> = bad
            .field_violations
            .iter()
            .map(|v| v.field.as_str())
            .collect();
        assert_eq!(named, fields);
    }
    let verdicts = [
        (0, v1::Verdict::Allow),
        (2, v1::Verdict::Deny),
        (4, v1::Verdict::Deny),
        (7, v1::Verdict::Deny),
    ];
    for (at, verdict) in verdicts {
        assert_eq!(decided(results[at].clone()).verdict(), verdict, "{at}");
    }
}

#[tokio::test]
async fn an_item_is_answered_as_the_question_alone() {
    let server = Server::sample().await;
    let requests: Vec<_> = super::harness::NAMES.iter().map(|name| ask(name)).collect();
    let results = batch(&server, requests.clone()).await.unwrap();
    for (question, result) in requests.into_iter().zip(results) {
        assert_eq!(
            wherever(decided(result)),
            wherever(server.check(question).await)
        );
    }
}
