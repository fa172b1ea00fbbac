//! The log of decisions: read back, durable, and replayed to the same bytes.

use icpgate::gate::{ReplayError, render, replay};
use icpgate::intake::View;
use icpgate::proto::v1;
use icpgate_policy::request::Profile;
use prost::Message as _;
use tonic::Code;
use tonic_types::StatusExt as _;

use super::faulty::{Fault, Faulty};
use super::harness::{Server, Start, answers, ask, every_question, full, hosting, record, wire};

type Ask = v1::CheckProvisioningRequest;

#[tokio::test]
async fn a_recorded_decision_is_the_full_answer() {
    let server = Server::sample().await;
    for question in [
        ask("sample-shop.cn"),
        hosting("sample-elsewhere.cn"),
        ask("cn"),
        ask("8.8.8.8"),
    ] {
        let whole = server.check(full(question.clone())).await;
        let recorded = server.logged(&whole.decision_id).await;
        let domain = recorded.domain.clone().unwrap();
        assert_eq!(domain.input, "", "the input is echoed, not recorded");
        let domain = v1::DecisionDomain {
            input: question.domain.clone(),
            ..domain
        };
        let recorded = v1::Decision {
            domain: Some(domain),
            served_from: whole.served_from,
            ..recorded
        };
        assert_eq!(recorded, whole);
    }
}

#[tokio::test]
async fn an_unknown_identifier_is_not_found() {
    let server = Server::empty().await;
    for id in [
        "0".repeat(32),
        "nobody".into(),
        "' OR 1=1 --".into(),
        "样例".into(),
        "x".repeat(4000),
    ] {
        let status = server.decision(&id).await.unwrap_err();
        assert_eq!(status.code(), Code::NotFound, "{status:?}");
        let details = status.get_error_details();
        let resource = details.resource_info().expect("ResourceInfo");
        assert_eq!(resource.resource_type, "decision");
        assert!(!resource.resource_name.is_empty());
    }
    let status = server.decision("").await.unwrap_err();
    assert_eq!(super::harness::bad_fields(&status), ["decision_id"]);
}

#[tokio::test]
async fn each_order_has_a_row_of_its_own() {
    let server = Server::sample().await;
    let order = |id: &str| Ask {
        order_id: id.to_owned(),
        ..ask("sample-shop.cn")
    };
    let first = server.check(ask("sample-shop.cn")).await;
    for id in ["order-2", "order-1", "order-2"] {
        let decision = server.check(order(id)).await;
        assert_eq!(decision.decision_id, first.decision_id);
    }
    server.logged(&first.decision_id).await;
    let mut orders = Vec::new();
    for _ in 0..500 {
        let recorded = server
            .store
            .decision(&first.decision_id)
            .await
            .unwrap()
            .unwrap();
        orders = recorded.orders.into_iter().map(|(id, _)| id).collect();
        if orders.len() == 2 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(orders, ["order-1", "order-2"]);
    let long = Ask {
        order_id: "o".repeat(129),
        ..ask("sample-shop.cn")
    };
    let status = server.try_check(long).await.unwrap_err();
    assert_eq!(super::harness::bad_fields(&status), ["order_id"]);
}

#[tokio::test]
async fn an_activation_is_in_the_store_before_it_is_answered() {
    let server = Server::sample().await;
    for (number, name) in super::harness::NAMES.into_iter().enumerate() {
        let order_id = if number % 2 == 0 {
            format!("order-{number}")
        } else {
            String::new()
        };
        let question = Ask {
            purpose: v1::Purpose::Activation as i32,
            order_id: order_id.clone(),
            ..ask(name)
        };
        let decision = server.check(question).await;
        // Straight from the store, without waiting.
        let recorded = server.store.decision(&decision.decision_id).await.unwrap();
        let recorded =
            recorded.unwrap_or_else(|| panic!("{name} was answered before it was recorded"));
        let orders: Vec<_> = recorded.orders.iter().map(|(id, _)| id.clone()).collect();
        assert_eq!(orders.join(""), order_id, "{name}");
    }
}

#[tokio::test]
async fn activations_of_a_batch_are_in_the_store_before_it_is_answered() {
    let server = Server::sample().await;
    let questions: Vec<Ask> = (0..100)
        .map(|number| Ask {
            purpose: v1::Purpose::Activation as i32,
            ..ask(&format!("w{number}.sample-shop.cn"))
        })
        .collect();
    for decision in answers(&server, &questions).await {
        let recorded = server.store.decision(&decision.decision_id).await.unwrap();
        assert!(recorded.is_some(), "{:?}", decision.domain);
    }
}

#[tokio::test]
async fn every_decision_replays_to_the_same_bytes() {
    let server = Server::sample().await;
    replays(&server, every_question()).await;
}

#[tokio::test]
async fn decisions_under_the_other_policy_replay_too() {
    let server = Server::with(&[("policy.name", "mainland-business-model")]).await;
    replays(&server, every_question()).await;
}

/// Instants of callers and records may have nanoseconds, and answers are worked out for them; the
/// log has to keep up.
#[tokio::test]
async fn a_replay_keeps_to_the_nanosecond() {
    let server = Server::sample().await;
    let passed = r#"{"application":{"application_id":"ns","domain":"sample-elsewhere.cn","kind":"APPLICATION_KIND_NEW_ACCESS","provider_id":"self","stage":"APPLICATION_STAGE_AUTHORITY_REVIEW","provider_review_passed_at":"2026-01-30T04:00:00.050000001Z"},"source":"test"}"#;
    let block = r#"{"block":{"list":"BLOCK_LIST_PROVIDER","domain":"sample-news.cn","since":"2026-03-16T04:00:00.100000001Z"},"source":"test"}"#;
    server.put(vec![record(passed), record(block)]).await;
    server
        .clock
        .set("2026-03-16T04:00:00.123456789Z".parse().unwrap());
    let live = |nanos: i32| Ask {
        site: Some(v1::Site {
            live_since: Some(pbjson_types::Timestamp {
                nanos,
                ..wire("2026-03-16T04:00:00Z".parse().unwrap())
            }),
            ..Default::default()
        }),
        ..hosting("sample-shop.cn")
    };
    let questions = vec![
        hosting("sample-elsewhere.cn"),
        ask("sample-news.cn"),
        live(123_456_788),
        live(1),
    ];
    replays(&server, questions).await;
}

/// What was answered is told, although its facts cannot be kept any more.
#[tokio::test]
async fn what_is_answered_while_the_key_is_replaced_is_recorded_without_its_facts() {
    let server = Server::start(Start {
        over: |inner| Faulty::over(inner, Fault::Resealed),
        ..Start::default()
    })
    .await;
    let applied = Ask {
        purpose: v1::Purpose::PreFiling as i32,
        applicant: Some(v1::Applicant {
            nature: v1::SubjectNature::Individual as i32,
            certificate: Some(v1::Certificate {
                kind: v1::CertificateKind::ResidentId as i32,
                number: "11010519491231002X".to_owned(),
            }),
            ..Default::default()
        }),
        ..hosting("sample-shop.cn")
    };
    let activated = Ask {
        purpose: v1::Purpose::Activation as i32,
        ..ask("sample-shop.cn")
    };
    for question in [applied, activated] {
        let given = server.check(full(question)).await;
        let told = server.logged(&given.decision_id).await;
        assert_eq!(
            (told.verdict, &told.reasons),
            (given.verdict, &given.reasons)
        );
        let recorded = server.store.decision(&given.decision_id).await;
        let recorded = recorded.unwrap().unwrap();
        assert!(recorded.facts.is_empty());
        let profile: Profile = postcard::from_bytes(&recorded.profile).unwrap();
        assert_eq!(profile.applicant, None);
        assert!(matches!(
            replay(&recorded, &given.decision_id),
            Err(ReplayError::Erased)
        ));
    }
}

async fn replays(server: &Server, questions: Vec<Ask>) {
    // Activations are in the store once they are answered; the others follow in their turn.
    let decisions = answers(server, &questions).await;
    for (question, decision) in questions.into_iter().zip(decisions) {
        let id = &decision.decision_id;
        server.logged(id).await;
        let recorded = server.store.decision(id).await.unwrap().unwrap();
        let replayed = replay(&recorded, id).unwrap();
        let (a, b) = (
            v1::Decision::decode(replayed.as_slice()).unwrap(),
            v1::Decision::decode(recorded.answer.as_slice()).unwrap(),
        );
        assert_eq!(a, b, "{question:?}");
        assert_eq!(replayed, recorded.answer, "{question:?}");
        // What was recorded is what the gate answers now.
        let question = server.gate.question(question).unwrap();
        let answer = server.gate.check(question).await.unwrap();
        let mut rendered = render(&answer, "", View::Full);
        rendered.served_from = b.served_from;
        assert_eq!(rendered, b);
    }
}
