//! The harness of the processes: what it starts serves, and nothing outlives its test.

use icpgate::proto::v1;

use super::servers::gate::{Gate, Signal, until};

#[tokio::test]
async fn a_process_serves_stands_still_goes_on_dies_and_comes_back() {
    let mut gate = Gate::start(Vec::new()).await;
    let question = || v1::CheckProvisioningRequest {
        domain: "cn".to_owned(),
        product: v1::Product::Cdn as i32,
        service_area: v1::ServiceArea::Mainland as i32,
        ..Default::default()
    };
    let decision = gate.check(question()).await.unwrap();
    assert_eq!(decision.verdict(), v1::Verdict::Deny);

    gate.process().signal(Signal::Stop);
    let asked = gate.check(question());
    let answer = tokio::time::timeout(std::time::Duration::from_millis(200), asked).await;
    assert!(answer.is_err(), "it stands still");
    gate.process().signal(Signal::Continue);
    gate.check(question()).await.unwrap();

    gate.process().kill().await;
    let error = gate.check(question()).await.unwrap_err();
    assert_eq!(error.code(), tonic::Code::Unavailable);
    gate.restart().await;
    assert_eq!(gate.check(question()).await.unwrap(), decision);
    assert_eq!(gate.log().matches("serving gRPC on").count(), 2);

    gate.process().signal(Signal::Terminate);
    assert_eq!(
        gate.process().wait().await.code(),
        Some(0),
        "{}",
        gate.log()
    );
}

#[tokio::test]
async fn a_process_that_does_not_start_tells_why() {
    let settings = vec![("policy.file", "missing.toml".to_owned())];
    let Err(ended) = Gate::try_start(settings).await else {
        panic!("it serves without a policy");
    };
    assert!(!ended.status.success());
    assert!(ended.log.contains("missing.toml"), "{}", ended.log);
}

/// The guard: a test that is killed leaves no process behind.
#[tokio::test]
async fn a_process_ends_when_whoever_holds_its_guard_goes() {
    let mut gate = Gate::start(Vec::new()).await;
    gate.process().abandon();
    until("the guard has killed it", async || gate.process().ended()).await;
}
