//! The public API over gRPC: converts, calls the gate, converts back.
//!
//! **Invariant:** no store or cache is named here; errors become statuses in `status` alone.
//! Start at [`serve`].

mod provisioning;
mod records;
mod shed;
mod status;

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;

use crate::gate::Gate;
use crate::proto;
use crate::proto::v1::provisioning_service_server::ProvisioningServiceServer;
use crate::proto::v1::record_service_server::RecordServiceServer;

use provisioning::Provisioning;
use records::Records;
use shed::ShedLayer;

/// How long a silent connection is kept before it is asked for a sign of life.
const KEEPALIVE_EVERY: Duration = Duration::from_secs(30);

/// How long the sign of life may take.
const KEEPALIVE_WITHIN: Duration = Duration::from_secs(10);

/// Bounds on what callers may use up.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most calls that are worked on at once.
    pub calls: usize,
    /// Largest request, in octets.
    pub request: usize,
    /// Longest time that a call may take; a shorter deadline of the caller wins.
    pub timeout: Duration,
}

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

/// Serves the API on a listener until `stop` is ready; then no connection is taken and calls that
/// run are finished.
///
/// # Errors
///
/// The listener failed.
pub async fn serve(
    listener: TcpListener,
    gate: Arc<Gate>,
    limits: Limits,
    stop: CancellationToken,
) -> Result<(), ServeError> {
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter
        .set_serving::<ProvisioningServiceServer<Provisioning>>()
        .await;
    reporter.set_serving::<RecordServiceServer<Records>>().await;
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
        .build_v1()?;
    let reflection_alpha = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
        .build_v1alpha()?;
    let provisioning = ProvisioningServiceServer::new(Provisioning {
        gate: Arc::clone(&gate),
    })
    .max_decoding_message_size(limits.request)
    .max_encoding_message_size(usize::MAX);
    let records = RecordServiceServer::new(Records { gate })
        .max_decoding_message_size(limits.request)
        .max_encoding_message_size(usize::MAX);
    let stopping = async move {
        stop.cancelled().await;
        // Watchers learn first, so that balancers look elsewhere while running calls finish.
        reporter
            .set_not_serving::<ProvisioningServiceServer<Provisioning>>()
            .await;
        reporter
            .set_not_serving::<RecordServiceServer<Records>>()
            .await;
        reporter
            .set_service_status("", tonic_health::ServingStatus::NotServing)
            .await;
    };
    Server::builder()
        .tcp_nodelay(true)
        .timeout(limits.timeout)
        .layer(ShedLayer::new(limits.calls))
        .http2_keepalive_interval(Some(KEEPALIVE_EVERY))
        .http2_keepalive_timeout(Some(KEEPALIVE_WITHIN))
        .add_service(health)
        .add_service(reflection)
        .add_service(reflection_alpha)
        .add_service(provisioning)
        .add_service(records)
        .serve_with_incoming_shutdown(TcpListenerStream::new(listener), stopping)
        .await?;
    Ok(())
}
