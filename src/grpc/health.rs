//! What the health service says, worked out where something changes and never by asking.
//!
//! When a replica is ready, [`Readiness`] tells. What cannot be had without the store is the record
//! service, which says so by itself.
//! **Invariant:** a probe costs no look at anything but a value in memory.

use tonic::server::NamedService as _;
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};

use super::provisioning::Provisioning;
use super::records::Records;
use crate::gate::{Readiness, Ready};
use crate::proto::v1::provisioning_service_server::ProvisioningServiceServer;
use crate::proto::v1::record_service_server::RecordServiceServer;

/// The health service, and what keeps it right until it has said that the process ends.
pub(super) async fn health(
    mut readiness: Readiness,
) -> (HealthServer<impl Health>, impl Future<Output = ()>) {
    let (reporter, server) = tonic_health::server::health_reporter();
    let say = async move |ready: Ready| {
        let status = |serving| {
            if serving {
                ServingStatus::Serving
            } else {
                ServingStatus::NotServing
            }
        };
        let (all, records) = (ready.is_ready(), ready.has_store());
        let provisioning = ProvisioningServiceServer::<Provisioning>::NAME;
        let record = RecordServiceServer::<Records>::NAME;
        reporter.set_service_status("", status(all)).await;
        reporter.set_service_status(provisioning, status(all)).await;
        reporter.set_service_status(record, status(records)).await;
    };
    say(readiness.now()).await;
    let keeping = async move {
        loop {
            let ready = readiness.changed().await;
            say(ready).await;
            if ready.is_stopping() {
                return;
            }
        }
    };
    (server, keeping)
}
