//! Callers: questions of every kind and records that change, to whichever replicas there are.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;

use icpgate::proto::v1;
use icpgate::proto::v1::provisioning_service_client::ProvisioningServiceClient;
use icpgate::proto::v1::record_service_client::RecordServiceClient;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tonic::transport::Channel;
use tonic::{Request, Status};

use super::world::{World, ask, blocked};

/// Pause of a caller after each call, so that callers share the machine with what they call.
const PAUSE: Duration = Duration::from_millis(15);

/// What a caller waits for an answer.
const DEADLINE: Duration = Duration::from_secs(5);

/// Where callers find replicas at present; one that moves is called elsewhere.
pub(crate) type Addresses = Mutex<Vec<SocketAddr>>;

/// Calls without an end. Failed calls are the servers' business, and are counted there.
pub(crate) async fn traffic(addresses: &Addresses, world: World) {
    let callers = (0..4).map(|number| caller(addresses, world, number));
    futures::future::join_all(callers).await;
}

async fn caller(addresses: &Addresses, world: World, number: u64) {
    let mut dice = StdRng::seed_from_u64(number);
    let mut called = 0_usize;
    let mut last = String::new();
    loop {
        let address = {
            let addresses = addresses.lock().unwrap();
            let place = (called + usize::try_from(number).unwrap()) % addresses.len().max(1);
            addresses.get(place).copied()
        };
        if let Some(address) = address
            && let Ok(id) = series(address, world, &mut dice, &last).await
        {
            last = id;
        }
        called += 1;
        tokio::time::sleep(PAUSE).await;
    }
}

/// A few calls on one connection; the identifier of a decision.
async fn series(
    address: SocketAddr,
    world: World,
    dice: &mut StdRng,
    last: &str,
) -> Result<String, Status> {
    let channel = Channel::from_shared(format!("http://{address}")).unwrap();
    let channel = channel.connect_lazy();
    let mut provisioning = ProvisioningServiceClient::new(channel.clone());
    let mut records = RecordServiceClient::new(channel);
    let mut id = String::new();
    for _ in 0..20 {
        let answer = provisioning.check_provisioning(late(world.question(dice)));
        let decision = answer.await?.into_inner().decision.unwrap();
        if !decision.stale && decision.verdict() != v1::Verdict::Indeterminate {
            id = decision.decision_id;
        }
        tokio::time::sleep(PAUSE).await;
    }
    // Malformed, which is no failure of the server's.
    let malformed = provisioning.check_provisioning(late(ask("", v1::Purpose::Order)));
    malformed.await.unwrap_err();
    let requests: Vec<_> = (0..10).map(|_| world.question(dice)).collect();
    let batch = v1::BatchCheckProvisioningRequest {
        requests: requests.clone(),
    };
    provisioning.batch_check_provisioning(late(batch)).await?;
    let screened = v1::ScreenDomainsRequest {
        sequence: 1,
        requests,
    };
    let stream = Request::new(tokio_stream::iter([screened]));
    let mut answers = provisioning.screen_domains(stream).await?.into_inner();
    while answers.message().await?.is_some() {}
    if !last.is_empty() {
        let recorded = v1::GetDecisionRequest {
            decision_id: last.to_owned(),
        };
        // It may be on its way to the log.
        let _ = provisioning.get_decision(late(recorded)).await;
    }
    let written = v1::PutRecordsRequest {
        records: vec![blocked(0, true)],
    };
    records.put_records(late(written)).await?;
    let written = v1::PutRecordsRequest {
        records: vec![blocked(0, false)],
    };
    records.put_records(late(written)).await?;
    Ok(id)
}

fn late<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(DEADLINE);
    request
}
