//! How many calls a caller may make.

use std::time::Duration;

use icpgate::proto::v1;
use icpgate::proto::v1::provisioning_service_client::ProvisioningServiceClient;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::pki::Signer;
use crate::server::{CHECK, Place, Server, call, question, reason, try_call, with_token};

async fn server(signer: &Signer, default_rate: &str, fields: &str) -> Server {
    let mut place = Place::new();
    place.tokens(&[signer]);
    place.set("auth.caller_rate", default_rate);
    place.callers(&format!(
        "[[caller]]\nname = \"shop\"\nroles = [\"checker\"]\nsubjects = [\"shop\"]\n{fields}\n\
         [[caller]]\nname = \"other\"\nroles = [\"checker\"]\nsubjects = [\"other\"]\n\
         rate = 1000000\n"
    ));
    place.start().await
}

/// What a caller who comes too early is told: how long to wait.
fn wait(status: &Status) -> Duration {
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    assert_eq!(reason(status), "RATE_EXCEEDED");
    let retry = status.get_details_retry_info().expect("RetryInfo");
    retry.retry_delay.expect("a time")
}

fn batch(questions: usize) -> v1::BatchCheckProvisioningRequest {
    v1::BatchCheckProvisioningRequest {
        requests: vec![question("sample-shop.cn"); questions],
    }
}

#[tokio::test]
async fn a_caller_beyond_its_rate_is_told_when_to_come_back() {
    let signer = Signer::ec("k");
    let server = server(&signer, "unlimited", "rate = 1\nburst = 3").await;
    let channel = server.channel(None).await;
    let token = |name| signer.token(&server.claims(name));
    let (shop, other) = (token("shop"), token("other"));
    let mut told = None;
    // The burst of three, and what trickles in on a slow machine.
    for _ in 0..100 {
        if let Err(status) = try_call(&channel, CHECK, Some(&shop)).await
            && status.code() == Code::ResourceExhausted
        {
            told = Some(wait(&status));
            break;
        }
    }
    let told = told.expect("a bound");
    assert!(
        told > Duration::ZERO && told <= Duration::from_secs(1),
        "{told:?}"
    );
    for _ in 0..20 {
        assert_eq!(
            call(&channel, CHECK, Some(&other)).await,
            Code::InvalidArgument
        );
    }
    // Probes are free.
    let health = "/grpc.health.v1.Health/Check";
    assert_eq!(call(&channel, health, None).await, Code::Ok);
    tokio::time::sleep(told).await;
    assert_eq!(
        call(&channel, CHECK, Some(&shop)).await,
        Code::InvalidArgument
    );
    server.stop().await;
}

#[tokio::test]
async fn a_batch_counts_its_questions() {
    let signer = Signer::ec("k");
    let server = server(&signer, "unlimited", "rate = 1\nburst = 100").await;
    let mut client = ProvisioningServiceClient::new(server.channel(None).await);
    let token = signer.token(&server.claims("shop"));
    client
        .batch_check_provisioning(with_token(batch(90), &token))
        .await
        .unwrap();
    let status = client
        .batch_check_provisioning(with_token(batch(90), &token))
        .await
        .unwrap_err();
    let wait = wait(&status);
    assert!(
        wait > Duration::from_secs(5) && wait <= Duration::from_secs(90),
        "{wait:?}"
    );
    // More than the burst will never be let in, and is not told to wait.
    let status = client
        .batch_check_provisioning(with_token(batch(200), &token))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    assert_eq!(reason(&status), "BATCH_OVER_RATE");
    assert!(status.get_details_bad_request().is_some());
    server.stop().await;
}

#[tokio::test]
async fn a_stream_waits_for_its_rate() {
    let signer = Signer::ec("k");
    let server = server(&signer, "unlimited", "rate = 200\nburst = 50").await;
    let mut client = ProvisioningServiceClient::new(server.channel(None).await);
    let token = signer.token(&server.claims("shop"));
    let batches = (1..=4_u64).map(|sequence| v1::ScreenDomainsRequest {
        sequence,
        requests: vec![question("sample-shop.cn"); 50],
    });
    let begun = tokio::time::Instant::now();
    let request = with_token(futures::stream::iter(batches), &token);
    let mut answers = client.screen_domains(request).await.unwrap().into_inner();
    let mut count = 0;
    while let Some(answer) = answers.message().await.unwrap() {
        count += answer.results.len();
    }
    assert_eq!(count, 200);
    // 150 questions beyond the burst, at 200 a second.
    assert!(
        begun.elapsed() >= Duration::from_millis(700),
        "{:?}",
        begun.elapsed()
    );
    server.stop().await;
}

#[tokio::test]
async fn callers_without_a_rate_have_the_default() {
    let signer = Signer::ec("k");
    let server = server(&signer, "1", "").await;
    let mut client = ProvisioningServiceClient::new(server.channel(None).await);
    let token = |name| signer.token(&server.claims(name));
    let full = || with_token(batch(1000), &token("shop"));
    client.batch_check_provisioning(full()).await.unwrap();
    wait(&client.batch_check_provisioning(full()).await.unwrap_err());
    for _ in 0..3 {
        let request = with_token(batch(1000), &token("other"));
        client.batch_check_provisioning(request).await.unwrap();
    }
    server.stop().await;
}
