//! The public API over gRPC: converts, calls the gate, converts back.
//!
//! **Invariant:** no store or cache is named here; errors become statuses in `status` alone.
//! Start at [`serve`].

mod provisioning;
mod records;
mod shed;
mod status;
mod together;

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

use crate::gate::Gate;
use crate::proto;
use crate::proto::v1::provisioning_service_server::ProvisioningServiceServer;
use crate::proto::v1::record_service_server::RecordServiceServer;

use provisioning::Provisioning;
use records::Records;
use shed::ShedLayer;
use together::Gathering;

/// How long a silent connection is kept before it is asked for a sign of life.
const KEEPALIVE_EVERY: Duration = Duration::from_secs(30);

/// How long the sign of life may take.
const KEEPALIVE_WITHIN: Duration = Duration::from_secs(10);

/// How long answers may be on their way after the last call has ended and the service is to stop.
const LAST_BYTES_WITHIN: Duration = Duration::from_secs(1);

/// Bounds on what callers may use up.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most calls that are worked on at once.
    pub calls: usize,
    /// Largest request, in octets.
    pub request: usize,
    /// Longest time that a call may take; a shorter deadline of the caller wins. Streams may last
    /// longer; what they do at once may not.
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

/// Serves the API on a listener until `stop` is ready; then no connection is taken, calls that run
/// are finished and open streams are ended. Callers who hold a connection open and ask nothing are
/// not waited for.
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
        timeout: limits.timeout,
        stop: stop.clone(),
    })
    .max_decoding_message_size(limits.request)
    .max_encoding_message_size(usize::MAX);
    let records = RecordServiceServer::new(Records {
        gate,
        timeout: limits.timeout,
    })
    .max_decoding_message_size(limits.request)
    .max_encoding_message_size(usize::MAX);
    let shed = ShedLayer::new(limits.calls);
    let idle = {
        let (shed, stop) = (shed.clone(), stop.clone());
        async move {
            stop.cancelled().await;
            shed.idle().await;
            // Orderly callers close their connections now, and serving ends by itself.
            tokio::time::sleep(LAST_BYTES_WITHIN).await;
        }
    };
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
    // No time-out of the server: it would cut off imports that take long and say so wrongly.
    // The builder's own setting reaches only sockets of a listener that it opens itself. Without
    // it headers and message leave apart, and the second waits for the client's delayed
    // acknowledgement of the first: 40 ms for a call.
    let connections = TcpIncoming::from(listener)
        .with_nodelay(Some(true))
        .map(|connection| connection.map(Gathering));
    let serving = Server::builder()
        .layer(shed)
        .http2_keepalive_interval(Some(KEEPALIVE_EVERY))
        .http2_keepalive_timeout(Some(KEEPALIVE_WITHIN))
        .add_service(health)
        .add_service(reflection)
        .add_service(reflection_alpha)
        .add_service(provisioning)
        .add_service(records)
        .serve_with_incoming_shutdown(connections, stopping);
    tokio::select! {
        served = serving => served?,
        () = idle => tracing::debug!("connections on which nothing runs are left behind"),
    }
    Ok(())
}

/// Bounds what a call does.
async fn within<T>(
    timeout: Duration,
    call: impl Future<Output = Result<T, Status>>,
) -> Result<T, Status> {
    match tokio::time::timeout(timeout, call).await {
        Ok(done) => done,
        Err(_) => Err(status::late()),
    }
}
