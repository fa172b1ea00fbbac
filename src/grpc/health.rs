//! What the health service says, worked out where something changes and never by asking.
//!
//! Ready means: a safe answer can be given. That is so from the first sight of the end of the change
//! log until the process is told to stop, while the store is away too: answers are then stale or
//! indeterminate, as the policy allows, and a balancer that took all replicas out at once would
//! leave callers with none. What cannot be had without the store is the record service, which says
//! so by itself.
//! **Invariant:** a probe costs no look at anything but a value in memory.

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::server::NamedService as _;
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};

use super::provisioning::Provisioning;
use super::records::Records;
use crate::gate::Contact;
use crate::proto::v1::provisioning_service_server::ProvisioningServiceServer;
use crate::proto::v1::record_service_server::RecordServiceServer;

/// The health service, and what keeps it right until it has said that the process ends.
pub(super) async fn health(
    mut contact: watch::Receiver<Contact>,
    soft: CancellationToken,
) -> (HealthServer<impl Health>, impl Future<Output = ()>) {
    let (reporter, server) = tonic_health::server::health_reporter();
    let say = async move |all: bool, records: bool| {
        let status = |serving| {
            if serving {
                ServingStatus::Serving
            } else {
                ServingStatus::NotServing
            }
        };
        let provisioning = ProvisioningServiceServer::<Provisioning>::NAME;
        let record = RecordServiceServer::<Records>::NAME;
        reporter.set_service_status("", status(all)).await;
        reporter.set_service_status(provisioning, status(all)).await;
        reporter.set_service_status(record, status(records)).await;
    };
    let first = *contact.borrow_and_update();
    say(first != Contact::Beginning, first == Contact::Held).await;
    let keeping = async move {
        let following = async {
            loop {
                if contact.changed().await.is_err() {
                    // Whoever followed has gone; the process is about to end.
                    return std::future::pending::<()>().await;
                }
                let now = *contact.borrow_and_update();
                say(now != Contact::Beginning, now == Contact::Held).await;
            }
        };
        tokio::select! {
            () = soft.cancelled() => {}
            () = following => {}
        }
        say(false, false).await;
    };
    (server, keeping)
}
