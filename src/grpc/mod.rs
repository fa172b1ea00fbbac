//! The public API over gRPC: converts, calls the gate, converts back.
//!
//! **Invariant:** no store or cache is named here; errors become statuses in `status` alone.
//! Start at [`serve`].

mod provisioning;
mod records;
mod status;

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;
use tonic_health::server::HealthReporter;

use crate::gate::Gate;
use crate::proto;
use crate::proto::v1::provisioning_service_server::ProvisioningServiceServer;
use crate::proto::v1::record_service_server::RecordServiceServer;

use provisioning::Provisioning;
use records::Records;

/// Largest message taken in, in octets: a thousand records with all their people fit.
const LARGEST_MESSAGE: usize = 16 * 1024 * 1024;

/// How long a silent connection is kept before it is asked for a sign of life.
const KEEPALIVE_EVERY: Duration = Duration::from_secs(30);

/// How long the sign of life may take.
const KEEPALIVE_WITHIN: Duration = Duration::from_secs(10);

/// What can go wrong while serving.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The reflection service could not be built from the descriptors.
    #[error("build the reflection service")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The listener failed.
    #[error("serve gRPC")]
    Transport(#[from] tonic::transport::Error),
}

/// Says whether the services serve.
pub struct Health(HealthReporter);

impl Health {
    /// Tells health watchers that the services serve no more.
    pub async fn not_serving(&self) {
        self.0.set_not_serving::<ProvisioningServiceServer<Provisioning>>().await;
        self.0.set_not_serving::<RecordServiceServer<Records>>().await;
        self.0.set_service_status("", tonic_health::ServingStatus::NotServing).await;
    }
}

/// Serves the API on a listener until `stop` is ready; then no connection is taken and calls that
/// run are finished. `started` gets a handle on the health service.
///
/// # Errors
///
/// The listener failed.
pub async fn serve(
    listener: TcpListener,
    gate: Arc<Gate>,
    started: impl FnOnce(Health),
    stop: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_serving::<ProvisioningServiceServer<Provisioning>>().await;
    reporter.set_serving::<RecordServiceServer<Records>>().await;
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
        .build_v1()?;
    let reflection_alpha = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
        .build_v1alpha()?;
    let provisioning = ProvisioningServiceServer::new(Provisioning { gate: Arc::clone(&gate) })
        .max_decoding_message_size(LARGEST_MESSAGE)
        .max_encoding_message_size(usize::MAX);
    let records = RecordServiceServer::new(Records { gate })
        .max_decoding_message_size(LARGEST_MESSAGE)
        .max_encoding_message_size(usize::MAX);
    started(Health(reporter));
    Server::builder()
        .tcp_nodelay(true)
        .http2_keepalive_interval(Some(KEEPALIVE_EVERY))
        .http2_keepalive_timeout(Some(KEEPALIVE_WITHIN))
        .add_service(health)
        .add_service(reflection)
        .add_service(reflection_alpha)
        .add_service(provisioning)
        .add_service(records)
        .serve_with_incoming_shutdown(TcpListenerStream::new(listener), stop)
        .await?;
    Ok(())
}
