//! Who asked is recorded beside the decision, and is no part of it.

use icpgate::proto::v1;
use icpgate::proto::v1::provisioning_service_client::ProvisioningServiceClient;

use crate::pki::Signer;
use crate::server::{Place, question, until, with_token};

#[tokio::test]
async fn the_log_knows_who_asked() {
    let signer = Signer::ec("k");
    let mut place = Place::new();
    place.tokens(&[&signer]);
    place.callers(
        "[[caller]]\nname = \"shop\"\nroles = [\"checker\"]\nsubjects = [\"1001\"]\n\
         [[caller]]\nname = \"cdn\"\nroles = [\"checker\"]\nsubjects = [\"1002\"]\n",
    );
    let server = place.start().await;
    let mut client = ProvisioningServiceClient::new(server.channel(None).await);
    let mut ask = async |subject: &str, order: &str| {
        let message = v1::CheckProvisioningRequest {
            order_id: order.to_owned(),
            ..question("sample-shop.cn")
        };
        let request = with_token(message, &signer.token(&server.claims(subject)));
        let answer = client
            .check_provisioning(request)
            .await
            .unwrap()
            .into_inner();
        answer.decision.unwrap().decision_id
    };
    let ids = [
        ask("1001", "").await,
        ask("1001", "").await,
        ask("1002", "").await,
        ask("1002", "order-7").await,
    ];
    assert!(
        ids.iter().all(|id| *id == ids[0]),
        "callers share decisions"
    );
    let recorded = async || {
        let decision = server.store.decision(&ids[0]).await.unwrap();
        let callers = decision
            .map(|decision| decision.callers)
            .unwrap_or_default();
        let mut callers: Vec<(String, Option<String>)> = callers
            .into_iter()
            .map(|caller| (caller.caller, caller.order_id))
            .collect();
        callers.sort();
        callers
    };
    let expected = [
        ("cdn".to_owned(), None),
        ("cdn".to_owned(), Some("order-7".to_owned())),
        ("shop".to_owned(), None),
    ];
    until("the log", async || recorded().await.len() >= expected.len()).await;
    assert_eq!(recorded().await, expected);
    server.stop().await;
}
