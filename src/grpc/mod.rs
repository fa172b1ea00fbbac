//! The public API over gRPC: converts, calls the gate, converts back.
//!
//! Around the services stand layers, each in a file of its own, outermost first: `measured`
//! counts and times every call; `requests` tells of it; `panics` answers whatever is wrong within; `deadline` ends calls in time, waiting
//! included; `age` ends streams that others wrote; `load` bounds what is worked on at once, before
//! anything is made for a call; `entry` lets in callers who may; `sized` names the bound that a
//! message broke.
//! **Invariant:** no store or cache is named here; errors become statuses in `status` alone. Every
//! layer and service is always ready: nobody waits before he is counted.
//! Start at [`serve`].

mod age;
mod connections;
mod deadline;
mod ending;
mod entry;
mod health;
mod load;
mod measured;
mod method;
mod panics;
mod pieces;
mod provisioning;
mod records;
mod requests;
mod services;
mod sized;
mod status;

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tower::ServiceBuilder;

use crate::auth::{Acceptor, Auth};
use crate::gate::Gate;
use crate::proto;
use crate::telemetry::metrics::label::Phase;
use crate::telemetry::metrics::list::{PHASE, PHASE_AT};

use age::AgeLayer;
use connections::End;
use deadline::DeadlineLayer;
use entry::EntryLayer;
use load::LoadLayer;
use measured::MeasureLayer;
use panics::PanicLayer;
use provisioning::Provisioning;
use records::Records;
use requests::RequestsLayer;
use services::Services;
use sized::SizeLayer;

pub use connections::ConnectionLimits;
pub use load::LoadLimits;

/// Bounds on what callers may use up.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bounds on calls that are worked on at once.
    pub load: LoadLimits,
    /// Largest request, in octets (`limits.max_request_bytes`).
    pub request: usize,
    /// Largest request with one question, in octets (`limits.max_question_bytes`).
    pub question: usize,
    /// Longest time that a call may take (`limits.call_timeout`); a shorter deadline of the caller
    /// wins. Streams may last longer; what they do at once may not.
    pub timeout: Duration,
    /// How long a stream of answers may stay open (`limits.stream_age`).
    pub stream: Duration,
    /// How long calls are still taken after it was said that the service ends (`limits.lame_duck`).
    pub lame_duck: Duration,
    /// Bounds on connections.
    pub connections: ConnectionLimits,
}

/// Who is let in, and how.
#[derive(Clone)]
pub struct Door {
    /// Makes connections ready.
    pub acceptor: Acceptor,
    /// Says who calls and what they may.
    pub auth: Arc<Auth>,
    /// Whether the service describes itself.
    pub reflection: bool,
}

impl Door {
    /// Lets everybody in, over plain connections, and tells them everything.
    #[must_use]
    pub fn wide_open() -> Self {
        Self {
            acceptor: Acceptor::plain(),
            auth: Arc::new(Auth::everybody()),
            reflection: true,
        }
    }

    /// How callers are let in, in a few words.
    #[must_use]
    pub fn protection(&self) -> &'static str {
        match (self.acceptor.is_encrypted(), self.auth.is_required()) {
            (true, true) => "TLS, callers show who they are",
            (true, false) => "TLS, everybody is let in",
            (false, true) => "no TLS, callers show who they are",
            (false, false) => "no TLS, everybody is let in",
        }
    }
}

/// When serving is to end.
#[derive(Clone, Debug)]
pub struct Stop {
    /// No more work is to be taken, and what runs finishes.
    pub soft: CancellationToken,
    /// What runs is dropped.
    pub hard: CancellationToken,
}

/// What can go wrong while serving.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The reflection service could not be built from the descriptors.
    #[error("build the reflection service")]
    Reflection(#[from] tonic_reflection::server::Error),
}

/// Serves the API on a listener until `stop.soft`. From then on health says that the service ends;
/// after `limits.lame_duck` no connection is taken, callers are asked to leave, calls that run are
/// finished and open streams are ended. Callers who hold a connection open and ask nothing are not
/// waited for.
///
/// # Errors
///
/// The service cannot be built.
pub async fn serve(
    listener: TcpListener,
    door: Door,
    gate: Arc<Gate>,
    limits: Limits,
    stop: Stop,
) -> Result<(), ServeError> {
    let leave = CancellationToken::new();
    let (health, reporting) = health::health(gate.readiness(stop.soft.clone())).await;
    let mut auxiliary = Routes::new(health);
    if door.reflection {
        let builder = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
        };
        auxiliary = auxiliary
            .add_service(builder().build_v1()?)
            .add_service(builder().build_v1alpha()?);
    }
    let load = LoadLayer::new(&limits.load);
    let provisioning = Provisioning {
        gate: Arc::clone(&gate),
        checks: load.checks(),
        timeout: limits.timeout,
        stream: limits.stream,
        leave: leave.clone(),
    };
    let records = Records {
        gate: Arc::clone(&gate),
        timeout: limits.timeout,
        leave: leave.clone(),
    };
    let services = ServiceBuilder::new()
        .layer(MeasureLayer)
        .layer(RequestsLayer::new())
        .layer(PanicLayer)
        .layer(DeadlineLayer {
            longest: limits.timeout,
        })
        .layer(AgeLayer {
            age: limits.stream,
            leave: leave.clone(),
        })
        .layer(load)
        .layer(EntryLayer(door.auth))
        .layer(SizeLayer)
        .service(Services::new(provisioning, records, auxiliary, &limits));
    let stopping = async {
        phase(Phase::Running, &gate);
        stop.soft.cancelled().await;
        phase(Phase::Announced, &gate);
        // Watchers learn meanwhile, so that balancers look elsewhere while calls are still taken.
        tokio::select! {
            () = tokio::time::sleep(limits.lame_duck) => {}
            () = stop.hard.cancelled() => {}
        }
        phase(Phase::Draining, &gate);
        leave.cancel();
        stop.hard.cancelled().await;
        phase(Phase::Dropping, &gate);
    };
    let end = End {
        leave: leave.clone(),
        drop: stop.hard.clone(),
    };
    let serving = connections::serve(listener, door.acceptor, services, limits.connections, end);
    let serving = futures::future::join(serving, reporting);
    // The phase is told for as long as calls are served.
    tokio::select! {
        _ = serving => {}
        () = stopping.then(|()| std::future::pending()) => {}
    }
    Ok(())
}

/// Shows how far the process is on its way to the end, and since when.
fn phase(now: Phase, gate: &Gate) {
    PHASE_AT.set((), gate.now().as_duration().as_secs_f64());
    PHASE.only((now,));
}
